/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/smtp_client.h"
#include "sys/net.h"

/*
 * A server that follows a script in a process of its own: its lines, one after another, with "\n" for CRLF; '<' ends
 * each answer and waits for the client's next command (or all of a message after a 354).
 */
static pid_t server;
static int heard_pipe;
static char path[96], heard[8192];

static void answer(int fd, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n' && write(fd, "\r", 1) != 1)
			_exit(1);
		/* Byte by byte, so that the client never sees a reply whole. */
		if (write(fd, text + i, 1) != 1)
			_exit(1);
	}
}

static void listen_for(int fd, bool message)
{
	char all[4096];
	size_t len = 0;
	while (len < sizeof(all)) {
		ssize_t n = read(fd, all + len, 1);
		if (n <= 0)
			break;
		if (write(heard_pipe, all + len, 1) != 1)
			_exit(1);
		len++;
		struct bytes seen = bytes_make(all, len);
		if (message ? (len >= 5 && bytes_eq(bytes_from(seen, len - 5), BYTES_LIT("\r\n.\r\n")))
			    : bytes_eq(bytes_from(seen, len - 1), BYTES_LIT("\n")))
			break;
	}
}

static void serve(int listener, const char *script)
{
	int fd = accept(listener, NULL, NULL);
	while (*script) {
		size_t len = strcspn(script, "<");
		answer(fd, script, len);
		bool message = strncmp(script, "354", 3) == 0;
		script += len;
		if (*script == '<') {
			listen_for(fd, message);
			script++;
		}
	}
	(void)shutdown(fd, SHUT_WR);
	listen_for(fd, false); /* QUIT, or the end */
	_exit(0);
}

static enum err deliver(const char *script, struct smtp_delivery delivery, struct error *error)
{
	char folder[] = "/tmp/postern-test-smtp-XXXXXX";
	struct net_address address;
	int ends[2], listener;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "unix:%s/s", folder);
	assert_ok(net_parse(bytes_from_cstr(path), &address, error));
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address.storage, address.len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(pipe(ends), 0);
	server = fork();
	assert_true(server >= 0);
	if (server == 0) {
		(void)alarm(20);
		(void)signal(SIGPIPE, SIG_IGN);
		(void)close(ends[0]);
		heard_pipe = ends[1];
		serve(listener, script);
	}
	(void)close(ends[1]);
	(void)close(listener);
	*error = (struct error){0};
	delivery.server = bytes_from_cstr(path);
	enum err err = smtp_deliver(&delivery, error);
	size_t len = 0;
	for (ssize_t n = 1; n > 0 && len < sizeof(heard) - 1; len += (size_t)n)
		n = read(ends[0], heard + len, sizeof(heard) - 1 - len);
	heard[len] = '\0';
	(void)close(ends[0]);
	assert_int_equal(waitpid(server, NULL, 0), server);
	assert_int_equal(unlink(path + 5), 0);
	assert_int_equal(rmdir(folder), 0);
	return err;
}

static const struct bytes recipients[] = {{(const uint8_t *)"b@example.org", 13},
					  {(const uint8_t *)"c@example.org", 13}};

static struct smtp_delivery plain(void)
{
	return (struct smtp_delivery){.helo = BYTES_LIT("gate"),
				      .from = BYTES_LIT("a@example.org"),
				      .recipients = recipients,
				      .n_recipients = 2,
				      .head = BYTES_LIT("A: b\n"),
				      .body = BYTES_LIT("C: d\r\n\r\n.x\n..y\n")};
}

#define GOOD "220 x\n<250-x\n250 PIPELINING\n<250 ok\n<250 ok\n<250 ok\n<354 go\n<250 taken\n"
#define HEARD_BEGIN                                                                                                    \
	"EHLO gate\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nRCPT TO:<c@example.org>\r\nDATA\r\n"

static void a_message_goes_out_with_its_dots_stuffed(void **state)
{
	struct error error;
	(void)state;
	struct smtp_delivery delivery = plain();
	assert_ok(deliver(GOOD, delivery, &error));
	assert_string_equal(heard, HEARD_BEGIN "A: b\r\nC: d\r\n\r\n..x\r\n...y\r\n.\r\nQUIT\r\n");
	/* Without a line end at its end; a dot at the beginning of the head and of the body; a null sender. */
	delivery.head = BYTES_LIT(".A: b\r\n");
	delivery.body = BYTES_LIT(".\n.");
	delivery.from = (struct bytes){0};
	assert_ok(deliver(GOOD, delivery, &error));
	assert_non_null(strstr(heard, "MAIL FROM:<>\r\n"));
	assert_non_null(strstr(heard, "DATA\r\n..A: b\r\n..\r\n..\r\n.\r\nQUIT\r\n"));
}

static void eight_bits_and_unicode_are_announced_where_the_server_can(void **state)
{
	static const struct bytes one[] = {{(const uint8_t *)"\xc3\xa9@example.org", 14}};
	struct error error;
	(void)state;
	struct smtp_delivery delivery = plain();
	delivery.body = BYTES_LIT("\xe6\x97\xa5\n");
	assert_ok(deliver("220 x\n<250-x\n250-8bitmime\n250 SMTPUTF8\n<250 ok\n<250 ok\n<250 ok\n<354 go\n<250 ok\n",
			  delivery, &error));
	assert_non_null(strstr(heard, "MAIL FROM:<a@example.org> BODY=8BITMIME\r\n"));
	delivery.recipients = one;
	delivery.n_recipients = 1;
	assert_ok(deliver("220 x\n<250-x\n250-8BITMIME\n250 SMTPUTF8\n<250 ok\n<250 ok\n<354 go\n<250 ok\n", delivery,
			  &error));
	assert_non_null(strstr(heard, "MAIL FROM:<a@example.org> BODY=8BITMIME SMTPUTF8\r\n"));
	assert_int_equal(deliver("220 x\n<250 x\n<", delivery, &error), ERR_UNSUPPORTED);
	assert_null(strstr(heard, "MAIL"));
}

static void any_refusal_is_told_in_the_servers_words(void **state)
{
	static const struct {
		const char *script, *words;
	} cases[] = {
		{"554 go away\n", "the server said: 554 go away"},
		{"220 x\n<502 what\n", "the server said: 502 what"},
		{"220 x\n<250 x\n<550-no\n550 such sender\n", "the server said: 550 such sender"},
		/* One recipient that is refused: nothing is sent. */
		{"220 x\n<250 x\n<250 ok\n<250 ok\n<550 unknown\n", "the server said: 550 unknown"},
		{"220 x\n<250 x\n<250 ok\n<250 ok\n<250 ok\n<451 later\n", "the server said: 451 later"},
		{"220 x\n<250 x\n<250 ok\n<250 ok\n<250 ok\n<250 not 354\n", "the server said: 250 not 354"},
		{"220 x\n<250 x\n<250 ok\n<250 ok\n<250 ok\n<354 go\n<554 virus\n", "the server said: 554 virus"},
		/* No answer, half an answer, no SMTP. */
		{"", "the server does not answer (closed)"},
		{"220 x\n<250 x\n<250 ok\n<250 ok\n<250 ok\n<354 go\n<", "the server does not answer (closed)"},
		{"220-x\n", "the server does not answer (closed)"},
		{"HTTP/1.1 400 Bad Request\n", "the server answers \"HTTP/1.1 400 Bad Request\", which is no SMTP"},
		{"22\n", "the server answers \"22\", which is no SMTP"},
	};
	struct error error;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_not_equal(deliver(cases[i].script, plain(), &error), ERR_OK);
		assert_string_equal(error.text, cases[i].words);
	}
}

static void a_reply_without_an_end_is_given_up(void **state)
{
	static char script[5000];
	struct error error;
	(void)state;
	for (size_t i = 0; i + 6 < sizeof(script); i += 6)
		memcpy(script + i, "220-x\n", 6);
	assert_int_not_equal(deliver(script, plain(), &error), ERR_OK);
	assert_string_equal(error.text, "the server's answer has no end");
	memset(script, 'x', sizeof(script) - 1);
	assert_int_not_equal(deliver(script, plain(), &error), ERR_OK);
	assert_string_equal(error.text, "the server does not answer (limit)");
}

static void an_address_cannot_end_its_command(void **state)
{
	static const char *const cases[] = {"b@x>\r\nDATA", "b\r\n@x", "b\n", "b>", "b\x01", ""};
	struct error error;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes bad = bytes_from_cstr(cases[i]);
		struct smtp_delivery delivery = plain();
		delivery.recipients = &bad;
		delivery.n_recipients = 1;
		assert_int_equal(deliver("220 x\n<250 x\n<", delivery, &error), ERR_SYNTAX);
		assert_null(strstr(heard, "MAIL"));
		delivery = plain();
		delivery.from = bad;
		if (bad.len > 0)
			assert_int_equal(deliver("220 x\n<250 x\n<", delivery, &error), ERR_SYNTAX);
	}
}

static void nobody_there_is_an_error_that_says_so(void **state)
{
	struct smtp_delivery delivery = plain();
	struct error error = {0};
	(void)state;
	delivery.server = BYTES_LIT("unix:/nowhere/at/all");
	assert_int_equal(smtp_deliver(&delivery, &error), ERR_IO);
	assert_string_equal(error.text, "cannot connect to unix:/nowhere/at/all: No such file or directory");
	delivery.server = BYTES_LIT("localhost:25");
	assert_int_equal(smtp_deliver(&delivery, &error), ERR_SYNTAX);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_message_goes_out_with_its_dots_stuffed),
	cmocka_unit_test(eight_bits_and_unicode_are_announced_where_the_server_can),
	cmocka_unit_test(any_refusal_is_told_in_the_servers_words),
	cmocka_unit_test(a_reply_without_an_end_is_given_up),
	cmocka_unit_test(an_address_cannot_end_its_command),
	cmocka_unit_test(nobody_there_is_an_error_that_says_so),
};

UNIT_MAIN(tests)
