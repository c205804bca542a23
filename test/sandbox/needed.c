/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemons do all day, and must still be able to do in their sandboxes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "auth/crypto.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "conf/tree.h"
#include "mail/charset.h"
#include "mail/message.h"
#include "mail/mime.h"
#include "sandbox.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/ipc.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/net.h"
#include "sys/stream.h"

/* Returns the line that went wrong, so that the report leads there. */
#define NEED(expr)                                                                                                     \
	do {                                                                                                           \
		if (!(expr)) {                                                                                         \
			(void)dprintf(STDERR_FILENO, "# line %d: %s (errno %d)\n", __LINE__, #expr, errno);            \
			return 98;                                                                                     \
		}                                                                                                      \
	} while (0)

/* -- Memory and time */
static int use_memory(struct before *before)
{
	(void)before;
	uint8_t *grown = mem_alloc(1000);
	NEED(grown);
	for (size_t size = 1000; size <= (size_t)64 << 20; size *= 8) {
		uint8_t *more = mem_realloc(grown, size, 1);
		NEED(more);
		grown = more;
		memset(grown, 1, size);
	}
	mem_free(grown);
	struct arena *arena = arena_create((size_t)16 << 20);
	NEED(arena);
	for (int i = 0; i < 1000; i++)
		NEED(arena_alloc_raw(arena, 10000));
	arena_free(&arena);
	return 0;
}

static int tell_time(struct before *before)
{
	struct timespec while_ = {.tv_nsec = 1000000};
	uint8_t bytes[16];
	(void)before;
	NEED(clock_wall_ms() > 0 && clock_monotonic_ms() > 0 && clock_cpu_usec() > 0);
	NEED(nanosleep(&while_, NULL) == 0);
	NEED(getrandom(bytes, sizeof(bytes), 0) == sizeof(bytes));
	return 0;
}

static int log_an_event(struct before *before)
{
	(void)before;
	log_setup(LOG_DEBUG, LOG_JSON, "test", false);
	log_event(LOG_DEBUG, "# event", log_cstr("key", "value"), log_int("n", 1));
	return 0;
}

static int fail_an_assertion(struct before *before)
{
	ASSERT(before == NULL);
	return 0;
}

static int exit_at_once(struct before *before)
{
	(void)before;
	_exit(0);
}

/* -- A conversation on the loop */
struct talk {
	struct loop *loop;
	struct ipc *ends[2];
	struct loop_timer *timer;
	struct bytes got;
	unsigned messages;
	int result;
};

static int talk_step(struct talk *talk, struct bytes payload, int fd)
{
	NEED(bytes_eq(payload, BYTES_LIT("judge this")) && fd >= 0);
	NEED(memfd_map(fd, sizeof(MEMFD_TEXT) - 1, &talk->got) == ERR_OK);
	NEED(bytes_eq(talk->got, BYTES_LIT(MEMFD_TEXT)));
	memfd_unmap(talk->got);
	NEED(close(fd) == 0);
	return 0;
}

static void on_message(void *ctx, struct bytes payload, int fd)
{
	struct talk *talk = ctx;
	talk->messages++;
	talk->result = talk_step(talk, payload, fd);
	loop_timer_set(talk->timer, 5);
}

static void on_closed(void *ctx)
{
	(void)ctx;
}

static void stop(void *ctx)
{
	loop_stop(((struct talk *)ctx)->loop);
}

static bool prepare_talk(struct before *before)
{
	static const struct ipc_ops ops = {on_message, on_closed};
	static struct talk talk;
	before->state = &talk;
	return loop_new(&talk.loop) == ERR_OK && loop_timer_new(talk.loop, stop, &talk, &talk.timer) == ERR_OK &&
	       ipc_new(talk.loop, before->pair[0], &ops, &talk, &talk.ends[0]) == ERR_OK &&
	       ipc_new(talk.loop, before->pair[1], &ops, &talk, &talk.ends[1]) == ERR_OK;
}

static int talk_on_the_loop(struct before *before)
{
	struct talk *talk = before->state;
	NEED(ipc_send(talk->ends[0], BYTES_LIT("judge this"), before->memfd) == ERR_OK);
	loop_run(talk->loop);
	NEED(talk->messages == 1);
	return talk->result;
}

static int let_many_wait(struct before *before)
{
	struct talk *talk = before->state;
	for (int i = 0; i < 3000; i++)
		NEED(ipc_send(talk->ends[0], BYTES_LIT("judge this"), before->memfd) == ERR_OK);
	loop_run(talk->loop);
	NEED(talk->messages == 3000);
	return talk->result;
}

/* A new peer's socket comes over the control channel, and is put on the loop. */
static bool prepare_peer(struct before *before)
{
	int ends[2];
	return prepare_talk(before) && ipc_pair(ends) == ERR_OK && dup2(ends[0], 50) == 50 && dup2(ends[1], 51) == 51 &&
	       close(ends[0]) == 0 && close(ends[1]) == 0;
}

static int take_a_peer(struct before *before)
{
	static const struct ipc_ops ops = {on_message, on_closed};
	struct talk *talk = before->state;
	struct ipc *peer;
	NEED(ipc_new(talk->loop, 50, &ops, talk, &peer) == ERR_OK);
	NEED(ipc_send_blocking(51, BYTES_LIT("judge this"), before->memfd) == ERR_OK);
	loop_run(talk->loop);
	ipc_free(&peer);
	NEED(talk->messages == 1);
	return talk->result;
}

/* -- The gate: a client is accepted, an upstream is connected to, a message goes into memory */
static struct net_address address_of(const struct before *before)
{
	struct net_address address = {.len = sizeof(address.storage)};
	(void)getsockname(before->listener, (struct sockaddr *)&address.storage, &address.len);
	return address;
}

struct session {
	struct loop *loop;
	struct stream *client, *server;
	struct loop_timer *patience;
	struct bytes got;
	char text[32];
	bool over;
};

static void on_data(void *ctx, struct bytes data)
{
	struct session *session = ctx;
	session->got = bytes_make(session->text, data.len);
	memcpy(session->text, data.ptr, data.len < sizeof(session->text) ? data.len : sizeof(session->text));
	stream_finish(session->server);
}

static void on_server_closed(void *ctx, enum err why)
{
	(void)why;
	stream_free(&((struct session *)ctx)->server);
}

static void on_client_closed(void *ctx, enum err why)
{
	struct session *session = ctx;
	session->over = why == ERR_CLOSED;
	loop_stop(session->loop);
}

static void out_of_patience(void *ctx)
{
	loop_stop(((struct session *)ctx)->loop);
}

static bool prepare_session(struct before *before)
{
	static struct session session;
	before->state = &session;
	return loop_new(&session.loop) == ERR_OK &&
	       loop_timer_new(session.loop, out_of_patience, &session, &session.patience) == ERR_OK;
}

static int serve(struct before *before)
{
	static const struct stream_ops server_ops = {.data = on_data, .closed = on_server_closed};
	static const struct stream_ops client_ops = {.data = on_data, .closed = on_client_closed};
	struct session *session = before->state;
	struct net_address address = address_of(before), peer;
	int client, server;
	NEED(net_connect(&address, &client) == ERR_OK);
	NEED(net_accept(before->listener, &server, &peer) == ERR_OK);
	NEED(net_accept(before->listener, &server, &peer) == ERR_AGAIN);
	NEED(stream_new(session->loop, server, false, &server_ops, session, &session->server) == ERR_OK);
	NEED(stream_new_connecting(session->loop, client, false, &client_ops, session, &session->client) == ERR_OK);
	stream_timeout(session->client, 5000);
	stream_write(session->client, BYTES_LIT("EHLO client\r\n"));
	loop_timer_set(session->patience, 5000);
	loop_run(session->loop);
	NEED(bytes_eq(session->got, BYTES_LIT("EHLO client\r\n")) && session->over);
	stream_free(&session->client);
	return 0;
}

static int connect_by_tcp(struct before *before)
{
	static const char *const hosts[] = {"127.0.0.1:9", "[::1]:9"};
	(void)before;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct net_address address;
		struct error error;
		int fd;
		NEED(net_parse(bytes_from_cstr(hosts[i]), &address, &error) == ERR_OK);
		if (net_connect(&address, &fd) != ERR_OK) {
			NEED(errno == ECONNREFUSED || errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL ||
			     errno == ENETUNREACH);
			continue;
		}
		struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
		(void)poll(&poll_fd, 1, 1000);
		net_quickack(fd);
		NEED(net_connected(fd) == ERR_OK || errno == ECONNREFUSED);
		NEED(close(fd) == 0);
	}
	return 0;
}

/* As libunbound does: a port by chance, a question, a wait; and by TCP when the answer is long. */
static int ask_by_udp(struct before *before)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(any);
	int server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
	    client = socket(AF_INET, SOCK_DGRAM, 0);
	char text[8] = "";
	(void)before;
	NEED(server >= 0 && client >= 0);
	NEED(bind(server, (struct sockaddr *)&any, len) == 0);
	NEED(getsockname(server, (struct sockaddr *)&any, &len) == 0);
	NEED(sendto(client, "ask", 3, 0, (struct sockaddr *)&any, len) == 3);
	NEED(recvfrom(server, text, sizeof(text), 0, NULL, NULL) == 3);
	NEED(close(server) == 0 && close(client) == 0);
	return 0;
}

static int keep_a_message(struct before *before)
{
	struct bytes content;
	int fd;
	(void)before;
	NEED(memfd_new(&fd) == ERR_OK);
	NEED(file_write_all(fd, BYTES_LIT(MEMFD_TEXT)) == ERR_OK);
	NEED(pwrite(fd, "f", 1, 0) == 1);
	NEED(memfd_seal(fd) == ERR_OK);
	NEED(memfd_map(fd, sizeof(MEMFD_TEXT) - 1, &content) == ERR_OK);
	memfd_unmap(content);
	NEED(close(fd) == 0);
	return 0;
}

/* -- The scanner: a Japanese message is read */
static bool prepare_charsets(struct before *before)
{
	(void)before;
	return charset_init() == ERR_OK;
}

static int read_mail(struct before *before)
{
	static const char *const charsets[] = {"iso-2022-jp", "shift_jis", "euc-jp",     "gb18030",      "big5",
					       "euc-kr",      "koi8-r",    "iso-8859-1", "windows-1252", "utf-16le",
					       "utf-8",       "us-ascii",  "no-such"};
	(void)before;
	for (size_t i = 0; i < ARRAY_LEN(charsets); i++) {
		char text[512];
		struct arena *arena = arena_create((size_t)16 << 20);
		struct message *message = NULL;
		int len = snprintf(text, sizeof(text),
				   "From: =?%s?B?GyRCOzMbKEI=?= <a@example.com>\r\nContent-Type: text/html; "
				   "charset=%s\r\n\r\n<p>\x1b$B;3\x1b(B \x8e\x52 \xbb\xb3<a "
				   "href=\"http://xn--wgv71a.example/%%41\">x</a>\r\n",
				   charsets[i], charsets[i]);
		NEED(arena &&
		     message_parse(arena, bytes_make(text, (size_t)len), &mime_limits_default, &message) == ERR_OK);
		NEED(message);
		arena_free(&arena);
	}
	return 0;
}

/* -- The vault: its database, its bodies */
static const char *in_folder(const struct before *before, const char *name)
{
	static char path[256];
	(void)snprintf(path, sizeof(path), "%s/%s", before->folder, name);
	return path;
}

static bool run_sql(sqlite3 *db, const char *sql)
{
	char *why = NULL;
	int rc = sqlite3_exec(db, sql, NULL, NULL, &why);
	if (rc != SQLITE_OK)
		(void)dprintf(STDERR_FILENO, "# %s: %s (%d)\n", sql, why ? why : "?", rc);
	sqlite3_free(why);
	return rc == SQLITE_OK;
}

static bool open_database(const struct before *before, sqlite3 **ret_db)
{
	return sqlite3_open(in_folder(before, "db"), ret_db) == SQLITE_OK &&
	       sqlite3_busy_timeout(*ret_db, 100) == SQLITE_OK &&
	       run_sql(*ret_db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY;") &&
	       run_sql(*ret_db, "CREATE TABLE IF NOT EXISTS t (a INTEGER PRIMARY KEY, b TEXT)");
}

static bool prepare_database(struct before *before)
{
	sqlite3 *db;
	bool good = open_database(before, &db);
	before->state = db;
	return good;
}

static int fill_database(sqlite3 *db)
{
	NEED(run_sql(db, "BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 20000) "
			 "INSERT INTO t(b) SELECT hex(randomblob(100)) FROM n; COMMIT"));
	NEED(run_sql(db, "CREATE INDEX IF NOT EXISTS i ON t(b)"));
	NEED(run_sql(db, "CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(text)"));
	NEED(run_sql(db, "INSERT INTO words SELECT b FROM t LIMIT 100"));
	NEED(run_sql(db, "SELECT a FROM t ORDER BY substr(b, 5) DESC LIMIT 10"));
	NEED(run_sql(db, "PRAGMA wal_checkpoint(TRUNCATE)"));
	NEED(run_sql(db, "DELETE FROM t"));
	NEED(run_sql(db, "VACUUM"));
	NEED(run_sql(db, "PRAGMA integrity_check"));
	return 0;
}

static int use_the_database(struct before *before)
{
	int result = fill_database(before->state);
	NEED(sqlite3_close(before->state) == SQLITE_OK);
	return result;
}

static int open_it_again(struct before *before)
{
	sqlite3 *db;
	NEED(sqlite3_close(before->state) == SQLITE_OK);
	NEED(open_database(before, &db));
	int result = fill_database(db);
	NEED(sqlite3_close(db) == SQLITE_OK);
	NEED(unlink(in_folder(before, "db")) == 0);
	return result;
}

static int keep_a_body(struct before *before)
{
	static uint8_t packed[4096], plain[4096];
	struct arena *arena = arena_create(1 << 20);
	struct bytes content, message = BYTES_LIT(MEMFD_TEXT);
	size_t len = ZSTD_compress(packed, sizeof(packed), message.ptr, message.len, 3);
	NEED(arena && !ZSTD_isError(len));
	NEED(file_make_folder(in_folder(before, "folder"), 0700) == ERR_OK);
	NEED(file_write_atomic(in_folder(before, "folder/x"), bytes_make(packed, len), 0600) == ERR_OK);
	NEED(file_read(arena, in_folder(before, "folder/x"), 4096, &content) == ERR_OK);
	NEED(ZSTD_decompress(plain, sizeof(plain), content.ptr, content.len) == message.len);
	NEED(bytes_eq(bytes_make(plain, message.len), message));
	arena_free(&arena);
	return 0;
}

static int tend_the_folder(struct before *before)
{
	char from[256];
	size_t n = 0;
	NEED(file_make_folder(in_folder(before, "folder"), 0700) == ERR_OK);
	NEED(file_write_atomic(in_folder(before, "body"), BYTES_LIT("x"), 0600) == ERR_OK);
	(void)snprintf(from, sizeof(from), "%s", in_folder(before, "body"));
	NEED(rename(from, in_folder(before, "folder/x")) == 0); /* from one folder into another */
	DIR *dir = opendir(in_folder(before, "folder"));
	NEED(dir);
	while (readdir(dir))
		n++;
	NEED(closedir(dir) == 0);
	NEED(n == 3);
	NEED(unlink(in_folder(before, "folder/x")) == 0);
	NEED(rmdir(in_folder(before, "folder")) == 0);
	return 0;
}

/* -- The signer: keys that were read before, a digest in, a signature out, over a conversation without descriptors */
struct keys {
	struct loop *loop;
	struct ipc *ends[2];
	struct crypto_key *rsa, *ed25519;
	unsigned signatures;
};

static void on_digest(void *ctx, struct bytes payload, int fd)
{
	struct keys *keys = ctx;
	uint8_t signature[CRYPTO_SIGNATURE_MAX];
	size_t len;
	if (payload.len == CRYPTO_SHA256_LEN && fd < 0 &&
	    crypto_sign(keys->rsa, payload.ptr, signature, &len) == ERR_OK && len == 256 &&
	    crypto_sign(keys->ed25519, payload.ptr, signature, &len) == ERR_OK && len == 64)
		keys->signatures++;
	loop_stop(keys->loop);
}

static bool prepare_keys(struct before *before)
{
	static const struct ipc_ops ops = {on_digest, on_closed};
	struct keys *keys = mem_new(struct keys, 1);
	before->state = keys;
	return keys && crypto_init() == ERR_OK && crypto_key_new(CRYPTO_RSA, 2048, &keys->rsa) == ERR_OK &&
	       crypto_key_new(CRYPTO_ED25519, 256, &keys->ed25519) == ERR_OK && loop_new(&keys->loop) == ERR_OK &&
	       ipc_new(keys->loop, before->pair[0], &ops, keys, &keys->ends[0]) == ERR_OK &&
	       ipc_new(keys->loop, before->pair[1], &ops, keys, &keys->ends[1]) == ERR_OK;
}

static int sign_digests(struct before *before)
{
	struct keys *keys = before->state;
	const uint8_t digest[CRYPTO_SHA256_LEN] = {1};
	for (unsigned i = 1; i <= 20; i++) {
		NEED(ipc_send(keys->ends[0], bytes_make(digest, sizeof(digest)), -1) == ERR_OK);
		loop_run(keys->loop);
		NEED(keys->signatures == i);
	}
	return 0;
}

/* -- The parser of the configuration */
static int parse_a_configuration(struct before *before)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf text = BUF_INIT(YAML_BYTES_MAX);
	CLEANUP(buf_done) struct buf packed = BUF_INIT(YAML_PACKED_MAX);
	struct yaml_node *root;
	struct error error;
	buf_add_cstr(&text, "recipients:\n");
	for (int i = 0; i < 500; i++)
		buf_printf(&text, "  - {match: [\"*@%d.example\", b@example.org], spam: tag}\n", i);
	NEED(arena && buf_err(&text) == ERR_OK);
	NEED(yaml_parse(arena, BYTES_LIT("a: [b\n"), &root, &error) == ERR_SYNTAX);
	NEED(yaml_parse(arena, buf_bytes(&text), &root, &error) == ERR_OK);
	yaml_pack(&packed, root);
	NEED(buf_err(&packed) == ERR_OK);
	NEED(file_write_all(before->pair[0], bytes_sub(buf_bytes(&packed), 0, 1000)) == ERR_OK);
	return 0;
}

const struct attempt needed[] = {
	{"memory, large and small", ALL, WORKS, use_memory, NULL, false},
	{"time and chance", ALL, WORKS, tell_time, NULL, false},
	{"logging", ALL, WORKS, log_an_event, NULL, false},
	{"a failed assertion", ALL, ABORTS, fail_an_assertion, NULL, false},
	{"an end at once", ALL, WORKS, exit_at_once, NULL, false},
	{"a conversation on the loop", DAEMONS & ~SIGNER, WORKS, talk_on_the_loop, prepare_talk, false},
	{"a queue that waits", GATE | VAULT, WORKS, let_many_wait, prepare_talk, false},
	{"a new peer", DAEMONS & ~SIGNER, WORKS, take_a_peer, prepare_peer, false},
	{"a session with a client and an upstream", GATE, WORKS, serve, prepare_session, false},
	{"questions by UDP", RESOLVER, WORKS, ask_by_udp, NULL, false},
	{"connections by TCP", GATE | RESOLVER | COURIER, WORKS, connect_by_tcp, NULL, false},
	{"a message in memory", GATE, WORKS, keep_a_message, NULL, false},
	{"reading mail in many charsets", SCANNER, WORKS, read_mail, prepare_charsets, false},
	{"reading a configuration", PARSER, WORKS, parse_a_configuration, NULL, false},
	{"signing", SIGNER, WORKS, sign_digests, prepare_keys, false},
	{"a database that is open", VAULT, WORKS, use_the_database, prepare_database, false},
	{"a database that is opened anew", VAULT, WORKS, open_it_again, prepare_database, false},
	{"bodies on disk", VAULT, WORKS, keep_a_body, NULL, false},
	{"moving, listing and removing files", VAULT, WORKS, tend_the_folder, NULL, false},
};
const size_t n_needed = ARRAY_LEN(needed);
