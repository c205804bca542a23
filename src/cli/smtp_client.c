/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/smtp_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "sys/net.h"

#include "base/banned.h"

#define LINE_MAX_ 2048

struct client {
	int fd;
	struct buf in, out;
	bool eight_bit, utf8;
	char reply[512]; /* the last line */
	int timeout_s;
};

static enum err wait_ready(int fd, short events, int timeout_s)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};
	int n;
	do
		n = poll(&poll_fd, 1, timeout_s * 1000);
	while (n < 0 && errno == EINTR);
	return n > 0 ? ERR_OK : n == 0 ? ERR_TIMEOUT : ERR_IO;
}

static enum err flush(struct client *client)
{
	struct bytes rest = buf_bytes(&client->out);
	TRY(buf_err(&client->out));
	while (rest.len > 0) {
		ssize_t n = send(client->fd, rest.ptr, rest.len, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			TRY(wait_ready(client->fd, POLLOUT, client->timeout_s));
			continue;
		}
		if (n < 0 && errno != EINTR)
			return ERR_CLOSED;
		rest = bytes_from(rest, n > 0 ? (size_t)n : 0);
	}
	buf_clear(&client->out);
	return ERR_OK;
}

static enum err read_line(struct client *client, struct bytes *ret_line)
{
	size_t end;
	while ((end = bytes_find_byte(buf_bytes(&client->in), '\n')) == BYTES_NONE) {
		uint8_t *room = buf_reserve(&client->in, LINE_MAX_ / 2);
		if (!room)
			return ERR_LIMIT;
		ssize_t n = recv(client->fd, room, LINE_MAX_ / 2, 0);
		if (n > 0)
			buf_commit(&client->in, (size_t)n);
		else if (n < 0 && errno == EAGAIN)
			TRY(wait_ready(client->fd, POLLIN, client->timeout_s));
		else if (n == 0 || errno != EINTR)
			return ERR_CLOSED;
	}
	*ret_line = bytes_sub(buf_bytes(&client->in), 0, end + 1);
	return ERR_OK;
}

/* The code of the next reply; its last line is kept. 0 and *reterr when there is none. */
static int read_reply(struct client *client, struct error *reterr)
{
	for (int lines = 0; lines < 100; lines++) {
		struct bytes line;
		enum err err = read_line(client, &line);
		if (err != ERR_OK) {
			(void)error_set(reterr, err, 0, "the server does not answer (%s)", err_name(err));
			return 0;
		}
		struct bytes text = bytes_trim(line);
		(void)snprintf(client->reply, sizeof(client->reply), "%.*s", BYTES_FMT(bytes_sub(text, 0, 500)));
		bool good = text.len >= 3 && ascii_is_digit(text.ptr[0]) && ascii_is_digit(text.ptr[1]) &&
			    ascii_is_digit(text.ptr[2]);
		int code = good ? (text.ptr[0] - '0') * 100 + (text.ptr[1] - '0') * 10 + (text.ptr[2] - '0') : 0;
		bool more = good && text.len > 3 && text.ptr[3] == '-';
		client->eight_bit |= bytes_find_nocase(text, BYTES_LIT("8BITMIME")) == 4;
		client->utf8 |= bytes_find_nocase(text, BYTES_LIT("SMTPUTF8")) == 4;
		buf_consume(&client->in, line.len);
		if (!good) {
			(void)error_set(reterr, ERR_SYNTAX, 0, "the server answers \"%.100s\", which is no SMTP",
					client->reply);
			return 0;
		}
		if (!more)
			return code;
	}
	(void)error_set(reterr, ERR_LIMIT, 0, "the server's answer has no end");
	return 0;
}

static enum err expect(struct client *client, int class, struct error *reterr)
{
	enum err err = flush(client);
	if (err != ERR_OK)
		return error_set(reterr, err, 0, "the connection to the server broke");
	int code = read_reply(client, reterr);
	if (code == 0)
		return ERR_IO;
	if (code / 100 != class)
		return error_set(reterr, ERR_DENIED, 0, "the server said: %.130s", client->reply);
	return ERR_OK;
}

/* An address goes into a command only when it cannot end it. */
static bool harmless(struct bytes address)
{
	for (size_t i = 0; i < address.len; i++)
		if (ascii_is_cntrl(address.ptr[i]) || address.ptr[i] == '>')
			return false;
	return true;
}

/* CRLF line ends, and a dot more before a dot. */
static void add_data(struct buf *out, struct bytes text, bool *line_begin)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];
		if (c == '\r' && i + 1 < text.len && text.ptr[i + 1] == '\n')
			continue;
		if (c == '.' && *line_begin)
			buf_add_byte(out, '.');
		if (c == '\n')
			buf_add_byte(out, '\r');
		buf_add_byte(out, c);
		*line_begin = c == '\n';
	}
}

static enum err dialog(struct client *client, const struct smtp_delivery *delivery, struct error *reterr)
{
	bool utf8_needed = !utf8_is_ascii(delivery->from);
	bool eight_bit_needed = !utf8_is_ascii(delivery->body) || !utf8_is_ascii(delivery->head);
	bool line_begin = true;
	TRY(expect(client, 2, reterr));
	buf_printf(&client->out, "EHLO %.*s\r\n", BYTES_FMT(delivery->helo));
	TRY(expect(client, 2, reterr));
	for (size_t i = 0; i < delivery->n_recipients; i++) {
		utf8_needed |= !utf8_is_ascii(delivery->recipients[i]);
		if (!harmless(delivery->recipients[i]) || delivery->recipients[i].len == 0)
			return error_set(reterr, ERR_SYNTAX, 0, "a recipient's address cannot be used in SMTP");
	}
	if (!harmless(delivery->from))
		return error_set(reterr, ERR_SYNTAX, 0, "the sender's address cannot be used in SMTP");
	if (utf8_needed && !client->utf8)
		return error_set(reterr, ERR_UNSUPPORTED, 0,
				 "an address needs SMTPUTF8, which the server does not offer");
	buf_printf(&client->out, "MAIL FROM:<%.*s>%s%s\r\n", BYTES_FMT(delivery->from),
		   eight_bit_needed && client->eight_bit ? " BODY=8BITMIME" : "", utf8_needed ? " SMTPUTF8" : "");
	TRY(expect(client, 2, reterr));
	for (size_t i = 0; i < delivery->n_recipients; i++) {
		buf_printf(&client->out, "RCPT TO:<%.*s>\r\n", BYTES_FMT(delivery->recipients[i]));
		TRY(expect(client, 2, reterr));
	}
	buf_add_cstr(&client->out, "DATA\r\n");
	TRY(expect(client, 3, reterr));
	add_data(&client->out, delivery->head, &line_begin);
	add_data(&client->out, delivery->body, &line_begin);
	buf_add_cstr(&client->out, line_begin ? ".\r\n" : "\r\n.\r\n");
	client->timeout_s = SMTP_CLIENT_PATIENCE_S;
	TRY(expect(client, 2, reterr));
	buf_add_cstr(&client->out, "QUIT\r\n");
	(void)flush(client);
	return ERR_OK;
}

enum err smtp_deliver(const struct smtp_delivery *delivery, struct error *reterr)
{
	struct net_address address;
	struct client client = {.fd = -1, .timeout_s = SMTP_CLIENT_TIMEOUT_S};
	TRY(net_parse(delivery->server, &address, reterr));
	if (net_connect(&address, &client.fd) != ERR_OK || wait_ready(client.fd, POLLOUT, client.timeout_s) != ERR_OK ||
	    net_connected(client.fd) != ERR_OK) {
		int why = errno;
		if (client.fd >= 0)
			(void)close(client.fd);
		return error_set(reterr, ERR_IO, 0, "cannot connect to %.*s: %s",
				 BYTES_FMT(bytes_sub(delivery->server, 0, 60)), strerror(why));
	}
	buf_init(&client.in, LINE_MAX_);
	buf_init(&client.out, (size_t)3 << 30);
	enum err err = dialog(&client, delivery, reterr);
	(void)close(client.fd);
	buf_done(&client.in);
	buf_done(&client.out);
	return err;
}
