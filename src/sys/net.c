/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ip.h"
#include "base/num.h"

#include "base/banned.h"

#define BACKLOG     1024
#define SOCKET_MODE 0660

static enum err parse_unix(struct bytes path, struct net_address *ret, struct error *reterr)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&ret->storage;
	if (path.len == 0 || path.ptr[0] != '/' || bytes_has(path, '\0'))
		return error_set(reterr, ERR_SYNTAX, 0,
				 "a unix socket needs an absolute path: unix:/run/postern/milter");
	if (path.len >= sizeof(un->sun_path))
		return error_set(reterr, ERR_LIMIT, 0, "the path of a unix socket may have at most %zu bytes",
				 sizeof(un->sun_path) - 1);
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path.ptr, path.len);
	ret->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
	return ERR_OK;
}

enum err net_parse(struct bytes text, struct net_address *ret_address, struct error *reterr)
{
	char host[64];
	uint64_t port = 0;
	*ret_address = (struct net_address){0};
	if (bytes_starts(text, BYTES_LIT("unix:")))
		return parse_unix(bytes_from(text, 5), ret_address, reterr);
	size_t colon = bytes_rfind_byte(text, ':');
	struct bytes name = bytes_sub(text, 0, colon == BYTES_NONE ? 0 : colon);
	bool bracketed = name.len > 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']';
	if (bracketed)
		name = bytes_sub(name, 1, name.len - 2);
	if (name.len == 0 || name.len >= sizeof(host) || bytes_has(name, '\0'))
		return error_set(reterr, ERR_SYNTAX, 0, "expected ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH");
	if (num_parse(bytes_from(text, colon + 1), 10, 65535, &port) != ERR_OK || port == 0)
		return error_set(reterr, ERR_SYNTAX, colon + 1, "the port must be a number from 1 to 65535");
	memcpy(host, name.ptr, name.len);
	host[name.len] = '\0';
	struct sockaddr_in *in = (struct sockaddr_in *)&ret_address->storage;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ret_address->storage;
	if (!bracketed && inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		ret_address->len = sizeof(*in);
	} else if (bracketed && inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		ret_address->len = sizeof(*in6);
	} else {
		return error_set(reterr, ERR_SYNTAX, 0,
				 "the host must be a numeric address, 127.0.0.1:PORT or [::1]:PORT");
	}
	return ERR_OK;
}

bool net_equal(const struct net_address *a, const struct net_address *b)
{
	return a->len == b->len && memcmp(&a->storage, &b->storage, a->len) == 0;
}

bool net_is_unix(const struct net_address *address)
{
	return address->storage.ss_family == AF_UNIX;
}

bool net_ip(const struct net_address *address, uint8_t ret_ip[16])
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	if (address->storage.ss_family == AF_INET) {
		memcpy(ret_ip, mapped, 12);
		memcpy(ret_ip + 12, &((const struct sockaddr_in *)&address->storage)->sin_addr, 4);
		return true;
	}
	if (address->storage.ss_family == AF_INET6) {
		memcpy(ret_ip, &((const struct sockaddr_in6 *)&address->storage)->sin6_addr, 16);
		return true;
	}
	return false;
}

void net_format(const struct net_address *address, char out[static NET_TEXT_MAX])
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&address->storage;
	const struct sockaddr_in *in = (const struct sockaddr_in *)&address->storage;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->storage;
	char host[INET6_ADDRSTRLEN] = "";
	if (address->storage.ss_family == AF_INET) {
		(void)inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		(void)snprintf(out, NET_TEXT_MAX, "%s:%u", host, (unsigned)ntohs(in->sin_port));
	} else if (address->storage.ss_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		(void)snprintf(out, NET_TEXT_MAX, "[%s]:%u", host, (unsigned)ntohs(in6->sin6_port));
	} else {
		(void)snprintf(out, NET_TEXT_MAX, "unix:%.*s", (int)sizeof(un->sun_path), un->sun_path);
	}
}

/* Removes a socket file that nobody listens on any more. */
static void remove_stale(const struct net_address *address)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&address->storage;
	struct stat st;
	if (lstat(un->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return;
	/* Not blocking: of one that somebody listens on the queue may be full. */
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address->storage, address->len) != 0 &&
	    errno == ECONNREFUSED)
		(void)unlink(un->sun_path);
	if (fd >= 0)
		(void)close(fd);
}

/* So that who may connect is decided by the folder's owner and group, whoever we are when we listen. */
static bool give_to_folder(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct stat st;
	size_t slash = bytes_rfind_byte(bytes_from_cstr(path), '/');
	if (geteuid() == 0 && slash != BYTES_NONE) {
		(void)snprintf(folder, sizeof(folder), "%.*s", slash == 0 ? 1 : (int)slash, path);
		if (stat(folder, &st) != 0 || lchown(path, st.st_uid, st.st_gid) != 0)
			return false;
	}
	return chmod(path, SOCKET_MODE) == 0;
}

enum err net_listen(const struct net_address *address, int *ret_fd, struct error *reterr)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&address->storage;
	char text[NET_TEXT_MAX];
	int on = 1;
	net_format(address, text);
	int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(reterr, ERR_IO, 0, "no socket for %s: %s", text, strerror(errno));
	if (net_is_unix(address)) {
		remove_stale(address);
		(void)fchmod(fd,
			     SOCKET_MODE); /* of the file that bind() makes: nobody else slips in before the chmod */
	} else {
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	}
	if (address->storage.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&address->storage, address->len) != 0 ||
	    (net_is_unix(address) && !give_to_folder(un->sun_path)) || listen(fd, BACKLOG) != 0) {
		int why = errno;
		(void)close(fd);
		enum err err = error_set(reterr, ERR_IO, 0, "cannot listen on %.100s: %s", text, strerror(why));
		errno = why;
		return err;
	}
	*ret_fd = fd;
	return ERR_OK;
}

enum err net_accept(int listener, int *ret_fd, struct net_address *ret_peer)
{
	int on = 1;
	*ret_peer = (struct net_address){.len = sizeof(ret_peer->storage)};
	int fd = accept4(listener, (struct sockaddr *)&ret_peer->storage, &ret_peer->len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			return ERR_LIMIT;
		/* What went wrong with a connection before it was accepted is its own trouble (accept(2)). */
		return errno == EBADF || errno == EINVAL || errno == ENOTSOCK ? ERR_IO : ERR_AGAIN;
	}
	if (!net_is_unix(ret_peer))
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	*ret_fd = fd;
	return ERR_OK;
}

enum err net_connect(const struct net_address *address, int *ret_fd)
{
	int on = 1;
	int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ERR_IO;
	if (!net_is_unix(address))
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (const struct sockaddr *)&address->storage, address->len) != 0 && errno != EINPROGRESS) {
		int why = errno;
		(void)close(fd);
		errno = why;
		return ERR_IO;
	}
	*ret_fd = fd;
	return ERR_OK;
}

enum err net_connected(int fd)
{
	int why = 0;
	socklen_t len = sizeof(why);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) != 0)
		return ERR_IO;
	errno = why;
	return why == 0 ? ERR_OK : ERR_IO;
}

void net_quickack(int fd)
{
	int on = 1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

int net_inherited(const char *name)
{
	const char *count_text = getenv("LISTEN_FDS"), *pid_text = getenv("LISTEN_PID"),
		   *names = getenv("LISTEN_FDNAMES");
	uint64_t count = 0, pid = 0;
	if (!count_text || !pid_text || !names || num_parse(bytes_from_cstr(count_text), 10, 64, &count) != ERR_OK ||
	    num_parse(bytes_from_cstr(pid_text), 10, 1u << 30, &pid) != ERR_OK || (pid_t)pid != getpid())
		return -1;
	struct bytes rest = bytes_from_cstr(names), piece;
	for (int fd = 3; fd < 3 + (int)count && bytes_split(&rest, ':', &piece); fd++) {
		if (!bytes_eq(piece, bytes_from_cstr(name)))
			continue;
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
		(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		return fd;
	}
	return -1;
}

void net_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t len = path ? strlen(path) : 0;
	if (len < 2 || len >= sizeof(un.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(un.sun_path, path, len);
	if (un.sun_path[0] == '@')
		un.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&un,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	(void)close(fd);
}

bool net_is_dns_server(struct bytes text)
{
	uint8_t ip[16];
	uint64_t port = 53;
	size_t at = bytes_find_byte(text, '@');
	if (at != BYTES_NONE && (num_parse(bytes_from(text, at + 1), 10, 65535, &port) != ERR_OK || port == 0))
		return false;
	return ip_parse(bytes_sub(text, 0, at == BYTES_NONE ? text.len : at), ip);
}
