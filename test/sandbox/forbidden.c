/* SPDX-License-Identifier: Apache-2.0 */
/* What a process that was taken over would try. Bare system calls, so that no C library makes something else of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "sandbox.h"

static int result(long rc)
{
	return rc < 0 ? errno : 0;
}

/* name, then the arguments of syscall(2) */
#define ATTEMPT(name, ...)                                                                                             \
	static int name(struct before *before)                                                                         \
	{                                                                                                              \
		(void)before;                                                                                          \
		return result(syscall(__VA_ARGS__));                                                                   \
	}

static char text_page[4096];

/* -- Other programs and processes */
static char *const no_strings[] = {NULL};
ATTEMPT(try_execve, SYS_execve, "/bin/true", no_strings, no_strings)
ATTEMPT(try_execveat, SYS_execveat, before->memfd, "", no_strings, no_strings, AT_EMPTY_PATH)
ATTEMPT(try_clone, SYS_clone, (unsigned long)SIGCHLD, NULL, NULL, NULL, 0ul)
ATTEMPT(try_thread, SYS_clone, (unsigned long)(CLONE_VM | CLONE_THREAD | CLONE_SIGHAND), text_page, NULL, NULL, 0ul)
static struct clone_args clone_args = {.exit_signal = SIGCHLD};
ATTEMPT(try_clone3, SYS_clone3, &clone_args, sizeof(clone_args))
ATTEMPT(try_ptrace, SYS_ptrace, PTRACE_TRACEME, 0, NULL, NULL)
ATTEMPT(try_kill, SYS_kill, getppid(), 0)
ATTEMPT(try_kill_all, SYS_kill, -1, 0)
ATTEMPT(try_tgkill, SYS_tgkill, 1, 1, 0)
ATTEMPT(try_tkill, SYS_tkill, 1, 0)
ATTEMPT(try_pidfd_open, SYS_pidfd_open, getpid(), 0)
ATTEMPT(try_pidfd_getfd, SYS_pidfd_getfd, before->memfd, 0, 0)
ATTEMPT(try_process_vm_readv, SYS_process_vm_readv, getpid(), NULL, 0ul, NULL, 0ul, 0ul)
ATTEMPT(try_process_vm_writev, SYS_process_vm_writev, getpid(), NULL, 0ul, NULL, 0ul, 0ul)
ATTEMPT(try_setpriority, SYS_setpriority, PRIO_PROCESS, 0, 0)

/* -- Code */
ATTEMPT(try_mmap_exec, SYS_mmap, NULL, 4096ul, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0l)
ATTEMPT(try_mmap_all, SYS_mmap, NULL, 4096ul, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0l)
ATTEMPT(try_mmap_exec_file, SYS_mmap, NULL, 4096ul, PROT_EXEC, MAP_PRIVATE, before->memfd, 0l)
ATTEMPT(try_mmap_file, SYS_mmap, NULL, 4096ul, PROT_READ, MAP_PRIVATE, before->memfd, 0l)
ATTEMPT(try_mprotect_exec, SYS_mprotect, before->page, 4096ul, PROT_READ | PROT_EXEC)
ATTEMPT(try_pkey_mprotect, SYS_pkey_mprotect, before->page, 4096ul, PROT_READ | PROT_EXEC, -1)
ATTEMPT(try_remap_file_pages, SYS_remap_file_pages, before->page, 4096ul, 0, 0ul, 0)
ATTEMPT(try_personality, SYS_personality, 0x0400000ul) /* READ_IMPLIES_EXEC */
ATTEMPT(try_shmget, SYS_shmget, 0, 4096ul, 0600)
ATTEMPT(try_userfaultfd, SYS_userfaultfd, 0)
#ifdef __x86_64__
/* getpid of the 32-bit table, whose numbers mean other calls in ours. */
static int try_other_architecture(struct before *before)
{
	long rc = 20;
	(void)before;
	__asm__ volatile("int $0x80" : "+a"(rc) : : "memory", "r8", "r9", "r10", "r11");
	return 0;
}
/* getpid of the x32 table. */
ATTEMPT(try_x32, 0x40000000l + SYS_getpid)
#endif

/* -- The network */
ATTEMPT(try_socket_inet, SYS_socket, AF_INET, SOCK_STREAM, 0)
ATTEMPT(try_socket_inet6, SYS_socket, AF_INET6, SOCK_STREAM, 0)
ATTEMPT(try_socket_unix, SYS_socket, AF_UNIX, SOCK_STREAM, 0)
ATTEMPT(try_socket_udp, SYS_socket, AF_INET, SOCK_DGRAM, 0)
ATTEMPT(try_socket_raw, SYS_socket, AF_INET, SOCK_RAW, 1)
ATTEMPT(try_socket_netlink, SYS_socket, AF_NETLINK, SOCK_RAW, 0)
ATTEMPT(try_socket_netlink_stream, SYS_socket, AF_NETLINK, SOCK_STREAM, 0)
ATTEMPT(try_socket_packet, SYS_socket, AF_PACKET, SOCK_RAW, 0)
ATTEMPT(try_socket_alg, SYS_socket, AF_ALG, SOCK_SEQPACKET, 0)
ATTEMPT(try_socket_vsock, SYS_socket, AF_VSOCK, SOCK_STREAM, 0)
ATTEMPT(try_socketpair, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, text_page)
static struct sockaddr_un somewhere = {.sun_family = AF_UNIX, .sun_path = "/run/x"};
ATTEMPT(try_connect, SYS_connect, before->listener, &somewhere, sizeof(somewhere))
ATTEMPT(try_bind, SYS_bind, before->listener, &somewhere, sizeof(somewhere))
ATTEMPT(try_listen, SYS_listen, before->listener, 1)
ATTEMPT(try_accept, SYS_accept4, before->listener, NULL, NULL, 0)
ATTEMPT(try_setsockopt, SYS_setsockopt, before->pair[0], SOL_SOCKET, SO_SNDBUF, text_page, 4)
ATTEMPT(try_read, SYS_read, before->pair[0], text_page, 1ul)
ATTEMPT(try_recvmsg, SYS_recvmsg, before->pair[0], text_page, MSG_DONTWAIT)
ATTEMPT(try_sendmsg, SYS_sendmsg, before->pair[0], text_page, MSG_DONTWAIT)
ATTEMPT(try_poll, SYS_ppoll, NULL, 0ul, text_page, NULL, 0ul)

/* -- Files */
ATTEMPT(try_openat, SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY)
ATTEMPT(try_openat2, SYS_openat2, AT_FDCWD, "/etc/passwd", text_page, 24ul)
ATTEMPT(try_mkdirat, SYS_mkdirat, AT_FDCWD, "/tmp/x", 0700)
ATTEMPT(try_unlinkat, SYS_unlinkat, AT_FDCWD, "/tmp/x", 0)
ATTEMPT(try_renameat2, SYS_renameat2, AT_FDCWD, "/tmp/x", AT_FDCWD, "/tmp/y", 0)
ATTEMPT(try_linkat, SYS_linkat, AT_FDCWD, "/etc/passwd", AT_FDCWD, "/tmp/x", 0)
ATTEMPT(try_symlinkat, SYS_symlinkat, "/etc/passwd", AT_FDCWD, "/tmp/x")
ATTEMPT(try_mknodat, SYS_mknodat, AT_FDCWD, "/tmp/x", S_IFIFO | 0600, 0)
ATTEMPT(try_fchmodat, SYS_fchmodat, AT_FDCWD, "/tmp/x", 0777)
ATTEMPT(try_fchownat, SYS_fchownat, AT_FDCWD, "/tmp/x", 0, 0, 0)
ATTEMPT(try_truncate, SYS_truncate, "/tmp/x", 0l)
ATTEMPT(try_utimensat, SYS_utimensat, AT_FDCWD, "/tmp/x", NULL, 0)
ATTEMPT(try_chdir, SYS_chdir, "/")
ATTEMPT(try_fchdir, SYS_fchdir, before->memfd)
ATTEMPT(try_chroot, SYS_chroot, "/")
ATTEMPT(try_mount, SYS_mount, "none", "/tmp", "tmpfs", 0ul, NULL)
ATTEMPT(try_umount, SYS_umount2, "/tmp", 0)
ATTEMPT(try_pivot_root, SYS_pivot_root, "/tmp", "/tmp")
ATTEMPT(try_open_by_handle, SYS_open_by_handle_at, AT_FDCWD, text_page, O_RDONLY)
ATTEMPT(try_inotify, SYS_inotify_init1, 0)
ATTEMPT(try_fanotify, SYS_fanotify_init, 0, 0)
ATTEMPT(try_memfd_create, SYS_memfd_create, "x", 0)
ATTEMPT(try_pipe, SYS_pipe2, text_page, 0)
ATTEMPT(try_dup3, SYS_dup3, before->memfd, STDERR_FILENO, 0)
ATTEMPT(try_ioctl, SYS_ioctl, STDIN_FILENO, TIOCSTI, "x")
ATTEMPT(try_fcntl_owner, SYS_fcntl, before->pair[0], F_SETOWN, 1)
ATTEMPT(try_fcntl_signal, SYS_fcntl, before->pair[0], F_SETSIG, SIGKILL)
ATTEMPT(try_fcntl_lease, SYS_fcntl, before->memfd, F_SETLEASE, F_RDLCK)
ATTEMPT(try_fcntl_lock, SYS_fcntl, before->memfd, F_SETLK, text_page)
ATTEMPT(try_setxattr, SYS_setxattr, "/tmp/x", "user.x", "x", 1ul, 0)

/* -- Privileges, limits and the kernel */
ATTEMPT(try_setuid, SYS_setuid, 0)
ATTEMPT(try_setresuid, SYS_setresuid, 0, 0, 0)
ATTEMPT(try_setgroups, SYS_setgroups, 0ul, NULL)
ATTEMPT(try_capset, SYS_capset, text_page, text_page)
ATTEMPT(try_prctl, SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0)
ATTEMPT(try_prctl_death, SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0)
ATTEMPT(try_prlimit, SYS_prlimit64, 0, RLIMIT_CORE, NULL, text_page)
ATTEMPT(try_seccomp, SYS_seccomp, 0, 0, NULL)
ATTEMPT(try_unshare, SYS_unshare, CLONE_NEWUSER)
ATTEMPT(try_setns, SYS_setns, before->memfd, 0)
ATTEMPT(try_bpf, SYS_bpf, 0, text_page, 64)
ATTEMPT(try_perf, SYS_perf_event_open, text_page, 0, -1, -1, 0ul)
ATTEMPT(try_io_uring, SYS_io_uring_setup, 1, text_page)
ATTEMPT(try_aio, SYS_io_setup, 1, text_page)
ATTEMPT(try_keyctl, SYS_keyctl, 0, 0, 0, 0, 0)
ATTEMPT(try_add_key, SYS_add_key, "user", "x", "x", 1ul, -3)
ATTEMPT(try_module, SYS_finit_module, before->memfd, "", 0)
ATTEMPT(try_kexec, SYS_kexec_load, 0ul, 0ul, NULL, 0ul)
ATTEMPT(try_reboot, SYS_reboot, 0, 0, 0, NULL)
ATTEMPT(try_syslog, SYS_syslog, 3, text_page, 10)
ATTEMPT(try_settimeofday, SYS_settimeofday, NULL, NULL)
ATTEMPT(try_sethostname, SYS_sethostname, "x", 1ul)
ATTEMPT(try_swapoff, SYS_swapoff, "/x")
ATTEMPT(try_unknown, 1023l)

/* -- The vault outside its folder */
static char *in_outside(struct before *before, const char *name)
{
	static char paths[2][256];
	static unsigned turn;
	char *path = paths[turn++ % 2];
	(void)snprintf(path, sizeof(paths[0]), "%s/%s", before->outside, name);
	return path;
}

static char *in_state(struct before *before, const char *name)
{
	static char path[256];
	(void)snprintf(path, sizeof(path), "%s/%s", before->folder, name);
	return path;
}

ATTEMPT(read_outside, SYS_openat, AT_FDCWD, in_outside(before, "secret"), O_RDONLY)
ATTEMPT(write_outside, SYS_openat, AT_FDCWD, in_outside(before, "secret"), O_WRONLY)
ATTEMPT(create_outside, SYS_openat, AT_FDCWD, in_outside(before, "moved"), O_WRONLY | O_CREAT, 0600)
ATTEMPT(list_outside, SYS_openat, AT_FDCWD, before->outside, O_RDONLY | O_DIRECTORY)
ATTEMPT(climb_outside, SYS_openat, AT_FDCWD, in_state(before, "../outside/secret"), O_RDONLY)
ATTEMPT(remove_outside, SYS_unlinkat, AT_FDCWD, in_outside(before, "secret"), 0)
ATTEMPT(make_folder_outside, SYS_mkdirat, AT_FDCWD, in_outside(before, "folder"), 0700)
ATTEMPT(rename_outside, SYS_renameat2, AT_FDCWD, in_outside(before, "secret"), AT_FDCWD, in_outside(before, "moved"), 0)
ATTEMPT(list_root, SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY)

/* A file that is moved in could be read, one moved out could be planted: EACCES, or EXDEV in the first Landlock. */
static int as_refused(int no)
{
	return no == EXDEV ? EACCES : no;
}

static int rename_in(struct before *before)
{
	return as_refused(result(syscall(SYS_renameat2, AT_FDCWD, in_outside(before, "secret"), AT_FDCWD,
					 in_state(before, "moved"), 0)));
}

static bool make_body(struct before *before)
{
	int fd = open(in_state(before, "body"), O_WRONLY | O_CREAT, 0600);
	return fd >= 0 && close(fd) == 0;
}

static int rename_out(struct before *before)
{
	return as_refused(result(
		syscall(SYS_renameat2, AT_FDCWD, in_state(before, "body"), AT_FDCWD, in_outside(before, "moved"), 0)));
}

static bool make_link(struct before *before)
{
	(void)unlink(in_state(before, "moved"));
	return symlink(in_outside(before, "secret"), in_state(before, "moved")) == 0;
}

ATTEMPT(follow_link_out, SYS_openat, AT_FDCWD, in_state(before, "moved"), O_RDONLY)

#define KILLS(profiles, name, fn)                                                                                      \
	{                                                                                                              \
		name, profiles, DEADLY, fn, NULL, false                                                                \
	}
#define KILLS_BUT(profiles, name, fn)                                                                                  \
	{                                                                                                              \
		name, profiles, DEADLY, fn, NULL, true                                                                 \
	} /* but under the sanitizers */
#define REFUSES(name, fn)                                                                                              \
	{                                                                                                              \
		name, VAULT, REFUSED, fn, NULL, false                                                                  \
	}

const struct attempt forbidden[] = {
	KILLS(ALL, "execve", try_execve),
	KILLS(ALL, "execveat", try_execveat),
	KILLS(ALL, "fork", try_clone),
	KILLS(ALL, "a new thread", try_thread),
	KILLS(ALL, "clone3", try_clone3),
	KILLS(ALL, "ptrace", try_ptrace),
	KILLS(ALL, "kill of the parent", try_kill),
	KILLS(ALL, "kill of everybody", try_kill_all),
	KILLS(ALL, "tgkill of another process", try_tgkill),
	KILLS(ALL, "tkill", try_tkill),
	KILLS(ALL, "pidfd_open", try_pidfd_open),
	KILLS(ALL, "pidfd_getfd", try_pidfd_getfd),
	KILLS(ALL, "process_vm_readv", try_process_vm_readv),
	KILLS(ALL, "process_vm_writev", try_process_vm_writev),
	KILLS(ALL, "setpriority", try_setpriority),
	KILLS(ALL, "mmap of memory to be executed", try_mmap_exec),
	KILLS(ALL, "mmap of memory to be written and executed", try_mmap_all),
	KILLS(ALL, "mmap of a file to be executed", try_mmap_exec_file),
	KILLS(ALL, "mprotect to execute", try_mprotect_exec),
	KILLS_BUT(SIGNER, "reading a memory file", try_mmap_file),
	KILLS(ALL, "pkey_mprotect", try_pkey_mprotect),
	KILLS(ALL, "remap_file_pages", try_remap_file_pages),
	KILLS(ALL, "personality", try_personality),
	KILLS(ALL, "shmget", try_shmget),
	KILLS(ALL, "userfaultfd", try_userfaultfd),
#ifdef __x86_64__
	KILLS(ALL, "a call of the 32-bit table", try_other_architecture),
	KILLS(ALL, "a call of the x32 table", try_x32),
#endif
	KILLS(SCANNER | SIGNER | VAULT | PARSER, "an IPv4 socket", try_socket_inet),
	KILLS(SCANNER | SIGNER | VAULT | PARSER, "an IPv6 socket", try_socket_inet6),
	KILLS(SCANNER | SIGNER | VAULT | RESOLVER | PARSER | COURIER, "a unix socket", try_socket_unix),
	KILLS(GATE | SCANNER | SIGNER | VAULT | PARSER | COURIER, "an UDP socket", try_socket_udp),
	KILLS(ALL, "a raw socket", try_socket_raw),
	KILLS(ALL, "a netlink socket", try_socket_netlink),
	KILLS(ALL, "a netlink stream", try_socket_netlink_stream),
	KILLS(ALL, "a packet socket", try_socket_packet),
	KILLS(ALL, "a crypto socket", try_socket_alg),
	KILLS(ALL, "a vsock socket", try_socket_vsock),
	KILLS(ALL, "socketpair", try_socketpair),
	KILLS(PARSER, "read", try_read),
	KILLS(PARSER, "receiving a descriptor", try_recvmsg),
	KILLS(PARSER, "sending a descriptor", try_sendmsg),
	KILLS(PARSER, "poll", try_poll),
	KILLS(SCANNER | SIGNER | VAULT | PARSER, "connect", try_connect),
	KILLS(GATE | SCANNER | SIGNER | VAULT | PARSER | COURIER, "bind", try_bind),
	KILLS(ALL, "listen", try_listen),
	KILLS(SCANNER | SIGNER | VAULT | RESOLVER | PARSER | COURIER, "accept", try_accept),
	KILLS(SCANNER | SIGNER | VAULT | PARSER, "setsockopt", try_setsockopt),
	KILLS_BUT(GATE | SCANNER | SIGNER | RESOLVER | PARSER | COURIER, "openat", try_openat),
	KILLS(ALL, "openat2", try_openat2),
	KILLS(GATE | SCANNER | SIGNER | RESOLVER | PARSER | COURIER, "mkdir", try_mkdirat),
	KILLS(GATE | SCANNER | SIGNER | RESOLVER | PARSER | COURIER, "unlink", try_unlinkat),
	KILLS(GATE | SCANNER | SIGNER | RESOLVER | PARSER | COURIER, "rename", try_renameat2),
	KILLS(ALL, "link", try_linkat),
	KILLS(ALL, "symlink", try_symlinkat),
	KILLS(ALL, "mknod", try_mknodat),
	KILLS(ALL, "chmod of a path", try_fchmodat),
	KILLS(ALL, "chown of a path", try_fchownat),
	KILLS(ALL, "truncate of a path", try_truncate),
	KILLS(ALL, "utimensat", try_utimensat),
	KILLS(ALL, "chdir", try_chdir),
	KILLS(ALL, "fchdir", try_fchdir),
	KILLS(ALL, "chroot", try_chroot),
	KILLS(ALL, "mount", try_mount),
	KILLS(ALL, "umount", try_umount),
	KILLS(ALL, "pivot_root", try_pivot_root),
	KILLS(ALL, "open_by_handle_at", try_open_by_handle),
	KILLS(ALL, "inotify", try_inotify),
	KILLS(ALL, "fanotify", try_fanotify),
	KILLS(SCANNER | SIGNER | VAULT | RESOLVER | PARSER | COURIER, "memfd_create", try_memfd_create),
	KILLS_BUT(ALL, "pipe", try_pipe),
	KILLS(ALL, "dup3", try_dup3),
	KILLS_BUT(ALL, "ioctl", try_ioctl),
	KILLS(ALL, "a signal's owner", try_fcntl_owner),
	KILLS(ALL, "a descriptor's signal", try_fcntl_signal),
	KILLS(ALL, "a lease", try_fcntl_lease),
	KILLS(GATE | SCANNER | SIGNER | RESOLVER | PARSER | COURIER, "a lock", try_fcntl_lock),
	KILLS(ALL, "setxattr", try_setxattr),
	KILLS(ALL, "setuid", try_setuid),
	KILLS(ALL, "setresuid", try_setresuid),
	KILLS(ALL, "setgroups", try_setgroups),
	KILLS(ALL, "capset", try_capset),
	KILLS_BUT(ALL, "prctl", try_prctl),
	KILLS_BUT(ALL, "prctl to outlive the supervisor", try_prctl_death),
	KILLS_BUT(ALL, "prlimit", try_prlimit),
	KILLS(ALL, "seccomp", try_seccomp),
	KILLS(ALL, "unshare", try_unshare),
	KILLS(ALL, "setns", try_setns),
	KILLS(ALL, "bpf", try_bpf),
	KILLS(ALL, "perf_event_open", try_perf),
	KILLS(ALL, "io_uring", try_io_uring),
	KILLS(ALL, "io_setup", try_aio),
	KILLS(ALL, "keyctl", try_keyctl),
	KILLS(ALL, "add_key", try_add_key),
	KILLS(ALL, "a kernel module", try_module),
	KILLS(ALL, "kexec", try_kexec),
	KILLS(ALL, "reboot", try_reboot),
	KILLS(ALL, "syslog", try_syslog),
	KILLS(ALL, "settimeofday", try_settimeofday),
	KILLS(ALL, "sethostname", try_sethostname),
	KILLS(ALL, "swapoff", try_swapoff),
	KILLS(ALL, "a call that does not exist yet", try_unknown),
	REFUSES("reading outside its folder", read_outside),
	REFUSES("writing outside its folder", write_outside),
	REFUSES("making a file outside its folder", create_outside),
	REFUSES("listing another folder", list_outside),
	REFUSES("climbing out of its folder", climb_outside),
	REFUSES("removing a file outside its folder", remove_outside),
	REFUSES("making a folder outside its folder", make_folder_outside),
	REFUSES("renaming a file outside its folder", rename_outside),
	REFUSES("listing the root", list_root),
	REFUSES("moving a file in", rename_in),
	{"moving a file out", VAULT, REFUSED, rename_out, make_body, false},
	{"following a link out of its folder", VAULT, REFUSED, follow_link_out, make_link, false},
};
const size_t n_forbidden = ARRAY_LEN(forbidden);
