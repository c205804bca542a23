/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/net.h"

static void addresses_are_read_and_written_back_in_one_form(void **state)
{
	static const struct {
		const char *text, *again; /* NULL: as written */
	} cases[] = {
		{"127.0.0.1:11340", NULL},
		{"0.0.0.0:1", NULL},
		{"255.255.255.255:65535", NULL},
		{"[::1]:25", NULL},
		{"[::]:25", NULL},
		{"[2001:DB8:0:0:0:0:0:1]:25", "[2001:db8::1]:25"},
		{"[::ffff:192.0.2.1]:25", NULL},
		{"unix:/run/postern/milter", NULL},
		{"unix:/a b", NULL},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct net_address address;
		char text[NET_TEXT_MAX];
		assert_ok(net_parse(bytes_from_cstr(cases[i].text), &address, NULL));
		net_format(&address, text);
		assert_string_equal(text, cases[i].again ? cases[i].again : cases[i].text);
		assert_int_equal(net_is_unix(&address), cases[i].text[0] == 'u');
	}
}

static void what_is_no_address_is_refused_with_a_reason(void **state)
{
	static const struct bytes cases[] = {
		BYTES_INIT(""),
		BYTES_INIT(":"),
		BYTES_INIT("25"),
		BYTES_INIT(":25"),
		BYTES_INIT("127.0.0.1"),
		BYTES_INIT("127.0.0.1:"),
		BYTES_INIT("127.0.0.1:0"),
		BYTES_INIT("127.0.0.1:65536"),
		BYTES_INIT("127.0.0.1:99999999999999999999"),
		BYTES_INIT("127.0.0.1:-1"),
		BYTES_INIT("127.0.0.1:+25"),
		BYTES_INIT("127.0.0.1: 25"),
		BYTES_INIT("127.0.0.1:25 "),
		BYTES_INIT("127.0.0.1:25x"),
		BYTES_INIT("127.0.0:25"),
		BYTES_INIT("127.1:25"),
		BYTES_INIT("256.0.0.1:25"),
		BYTES_INIT("127.0.0.1\0:25"),
		BYTES_INIT("[127.0.0.1]:25"),
		BYTES_INIT("::1:25"),
		BYTES_INIT("[::1:25"),
		BYTES_INIT("[]:25"),
		BYTES_INIT("[::1]25"),
		BYTES_INIT("[fe80::1%eth0]:25"),
		BYTES_INIT("localhost:25"),
		BYTES_INIT("unix:"),
		BYTES_INIT("unix:relative"),
		BYTES_INIT("unix:/a\0b"),
		BYTES_INIT("tcp:127.0.0.1:25"),
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct net_address address;
		struct error error = {0};
		if (net_parse(cases[i], &address, &error) != ERR_SYNTAX || error.text[0] == '\0')
			fail_msg("\"%.*s\"", BYTES_FMT(cases[i]));
	}
}

static void the_path_of_a_unix_socket_has_its_bound(void **state)
{
	char text[256] = "unix:/";
	struct net_address address;
	struct error error;
	(void)state;
	memset(text + 6, 'a', 200);
	size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	assert_ok(net_parse(bytes_make(text, 5 + most), &address, &error));
	assert_int_equal(net_parse(bytes_make(text, 6 + most), &address, &error), ERR_LIMIT);
}

static void ip_is_the_same_sixteen_bytes_for_both_ways_to_write_it(void **state)
{
	struct net_address four, six, path;
	uint8_t a[16], b[16];
	(void)state;
	assert_ok(net_parse(BYTES_LIT("192.0.2.7:1"), &four, NULL));
	assert_ok(net_parse(BYTES_LIT("[::ffff:192.0.2.7]:1"), &six, NULL));
	assert_ok(net_parse(BYTES_LIT("unix:/x"), &path, NULL));
	assert_true(net_ip(&four, a) && net_ip(&six, b));
	assert_memory_equal(a, b, 16);
	assert_false(net_ip(&path, a));
}

/* A folder of its own for one test. */
static void places_are_compared_and_not_their_texts(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} cases[] = {
		{"127.0.0.1:25", "127.0.0.1:25", true},           {"[::1]:25", "[0:0::0001]:25", true},
		{"127.0.0.1:25", "127.0.0.1:26", false},          {"127.0.0.1:25", "127.0.0.2:25", false},
		{"127.0.0.1:25", "[::ffff:127.0.0.1]:25", false}, {"unix:/run/a", "unix:/run/a", true},
		{"unix:/run/a", "unix:/run/ab", false},           {"unix:/run/a", "unix:/run/b", false},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct net_address a, b;
		assert_ok(net_parse(bytes_from_cstr(cases[i].a), &a, NULL));
		assert_ok(net_parse(bytes_from_cstr(cases[i].b), &b, NULL));
		assert_int_equal(net_equal(&a, &b), cases[i].equal);
	}
}

static void make_folder(char out[static 64])
{
	(void)snprintf(out, 64, "/tmp/postern-net-XXXXXX");
	assert_non_null(mkdtemp(out));
}

static void unix_address(const char *folder, struct net_address *ret_address)
{
	char text[128];
	int len = snprintf(text, sizeof(text), "unix:%s/socket", folder);
	assert_ok(net_parse(bytes_make(text, (size_t)len), ret_address, NULL));
}

static void a_unix_socket_belongs_to_its_folder_and_replaces_only_a_dead_one(void **state)
{
	char folder[64];
	struct net_address address, peer;
	struct error error = {0};
	struct stat st, of_folder;
	int listener, second, client, server;
	(void)state;
	make_folder(folder);
	unix_address(folder, &address);
	const char *path = ((struct sockaddr_un *)&address.storage)->sun_path;
	if (geteuid() == 0)
		assert_int_equal(chown(folder, 12345, 23456), 0);
	mode_t mask = umask(0077);
	assert_ok(net_listen(&address, &listener, &error));
	(void)umask(mask);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(stat(folder, &of_folder), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(st.st_uid, of_folder.st_uid);
	assert_int_equal(st.st_gid, of_folder.st_gid);

	assert_int_equal(net_accept(listener, &server, &peer), ERR_AGAIN);
	assert_ok(net_connect(&address, &client));
	assert_ok(net_connected(client));
	assert_ok(net_accept(listener, &server, &peer));
	assert_true(net_is_unix(&peer));
	assert_true(fcntl(server, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(server, F_GETFD) & FD_CLOEXEC);

	assert_int_equal(net_listen(&address, &second, &error), ERR_IO); /* somebody listens */
	assert_non_null(strstr(error.text, "in use"));
	(void)close(listener);
	assert_ok(net_listen(&address, &second, &error)); /* nobody does any more */
	(void)close(second);
	(void)close(client);
	(void)close(server);
	assert_int_equal(unlink(path), 0);

	int file = open(path, O_CREAT | O_WRONLY, 0600); /* what is no socket is left alone */
	assert_true(file >= 0);
	assert_int_equal(net_listen(&address, &second, &error), ERR_IO);
	assert_int_equal(access(path, F_OK), 0);
	(void)close(file);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void a_socket_in_a_folder_that_is_not_there_says_why(void **state)
{
	struct net_address address;
	struct error error = {0};
	int fd;
	(void)state;
	assert_ok(net_parse(BYTES_LIT("unix:/nonexistent/socket"), &address, NULL));
	assert_int_equal(net_listen(&address, &fd, &error), ERR_IO);
	assert_non_null(strstr(error.text, "unix:/nonexistent/socket"));
	assert_non_null(strstr(error.text, "No such file"));
	assert_int_equal(net_connect(&address, &fd), ERR_IO);
	assert_int_equal(errno, ENOENT);
}

static void connections_of_both_families_do_not_wait_for_nagle(void **state)
{
	static const char *const hosts[] = {"127.0.0.1:1", "[::1]:1"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct net_address address, peer;
		struct error error;
		int listener, client, server, on = 0;
		socklen_t len = sizeof(on);
		assert_ok(net_parse(bytes_from_cstr(hosts[i]), &address, NULL));
		((struct sockaddr_in *)&address.storage)->sin_port = 0; /* a free one; at one place in both forms */
		if (net_listen(&address, &listener, &error) != ERR_OK) {
			assert_int_equal(i, 1); /* a machine without IPv6 */
			continue;
		}
		assert_int_equal(getsockname(listener, (struct sockaddr *)&address.storage, &address.len), 0);
		assert_ok(net_connect(&address, &client));
		while (net_accept(listener, &server, &peer) == ERR_AGAIN)
			(void)usleep(1000);
		assert_ok(net_connected(client));
		assert_int_equal(getsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
		assert_true(on);
		on = 0;
		assert_int_equal(getsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
		assert_true(on);
		net_quickack(server);
		on = 0;
		assert_int_equal(getsockopt(server, IPPROTO_TCP, TCP_QUICKACK, &on, &len), 0);
		assert_true(on);
		(void)close(listener);
		(void)close(client);
		(void)close(server);
	}
}

static void accepting_from_what_is_no_listener_is_an_error(void **state)
{
	struct net_address peer;
	int fd;
	(void)state;
	assert_int_equal(net_accept(0, &fd, &peer), ERR_IO);
	assert_int_equal(net_accept(-1, &fd, &peer), ERR_IO);
}

/* Descriptors from 3 on are the service manager's, so a child with clean ones asks. */
static void listeners_of_the_service_manager_are_found_by_name(void **state)
{
	static const struct {
		const char *fds, *names, *name;
		bool my_pid;
		int fd;
	} cases[] = {
		{"2", "milter:http", "milter", true, 3},
		{"2", "milter:http", "http", true, 4},
		{"1", "milter:http", "http", true, -1}, /* more names than descriptors */
		{"2", "milter:http", "smtp", true, -1},
		{"2", "milter:http", "milter", false, -1}, /* meant for another process */
		{"0", "", "milter", true, -1},
		{"x", "milter", "milter", true, -1},
		{"-1", "milter", "milter", true, -1},
		{"65", "milter", "milter", true, -1},
		{NULL, "milter", "milter", true, -1},
		{"1", NULL, "milter", true, -1},
	};
	(void)state;
	int three = dup2(0, 3), four = dup2(0, 4);
	assert_true(three == 3 && four == 4);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char pid[24];
		(void)snprintf(pid, sizeof(pid), "%d", (int)getpid() + !cases[i].my_pid);
		(void)unsetenv("LISTEN_FDS");
		(void)unsetenv("LISTEN_FDNAMES");
		(void)setenv("LISTEN_PID", pid, 1);
		if (cases[i].fds)
			(void)setenv("LISTEN_FDS", cases[i].fds, 1);
		if (cases[i].names)
			(void)setenv("LISTEN_FDNAMES", cases[i].names, 1);
		int fd = net_inherited(cases[i].name);
		if (fd != cases[i].fd)
			fail_msg("case %zu: %d", i, fd);
		if (fd >= 0)
			assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	}
	(void)unsetenv("LISTEN_PID");
	assert_int_equal(net_inherited("milter"), -1);
}

static void the_service_manager_is_told(void **state)
{
	char folder[64], path[80], text[32] = {0};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	(void)state;
	make_folder(folder);
	(void)snprintf(path, sizeof(path), "%s/notify", folder);
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	(void)unsetenv("NOTIFY_SOCKET");
	net_notify("READY=1"); /* nobody to tell */
	(void)setenv("NOTIFY_SOCKET", "relative", 1);
	net_notify("READY=1");
	(void)setenv("NOTIFY_SOCKET", path, 1);
	net_notify("READY=1");
	(void)unsetenv("NOTIFY_SOCKET");
	assert_int_equal(recv(fd, text, sizeof(text) - 1, 0), 7);
	assert_string_equal(text, "READY=1");
	assert_int_equal(recv(fd, text, sizeof(text) - 1, 0), -1);
	(void)close(fd);
	(void)unlink(path);
	(void)rmdir(folder);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(addresses_are_read_and_written_back_in_one_form),
	cmocka_unit_test(what_is_no_address_is_refused_with_a_reason),
	cmocka_unit_test(the_path_of_a_unix_socket_has_its_bound),
	cmocka_unit_test(ip_is_the_same_sixteen_bytes_for_both_ways_to_write_it),
	cmocka_unit_test(places_are_compared_and_not_their_texts),
	cmocka_unit_test(a_unix_socket_belongs_to_its_folder_and_replaces_only_a_dead_one),
	cmocka_unit_test(a_socket_in_a_folder_that_is_not_there_says_why),
	cmocka_unit_test(connections_of_both_families_do_not_wait_for_nagle),
	cmocka_unit_test(accepting_from_what_is_no_listener_is_an_error),
	cmocka_unit_test(listeners_of_the_service_manager_are_found_by_name),
	cmocka_unit_test(the_service_manager_is_told),
};
UNIT_MAIN(tests)
