/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/courier_smtp.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "proto/smtp_data.h"
#include "proto/smtp_reply.h"
#include "sys/loop.h"
#include "sys/net.h"
#include "sys/stream.h"

#include "base/banned.h"

#define MESSAGE_MAX  ((size_t)150 << 20) /* below what a stream holds back */
#define LAST_WORD_MS INT64_C(600000)
#define COMMAND_MAX  ((size_t)1024)

/* What was said last, and so what is answered next. */
enum stage { STAGE_CONNECT, STAGE_EHLO, STAGE_MAIL, STAGE_RCPT, STAGE_DATA, STAGE_BODY, STAGE_DONE };

struct courier_delivery {
	enum stage stage;
	bool timeout_given;
	struct stream *stream;
	struct smtp_replies replies;
	struct buf commands[STAGE_DONE]; /* what is said in that stage */
	struct loop_timer *end;          /* done() comes from the loop */
	enum courier_outcome outcome;
	struct buf words;
	void (*done)(void *ctx, enum courier_outcome outcome, struct bytes words);
	void *ctx;
};

static void delivery_free(struct courier_delivery *delivery)
{
	stream_free(&delivery->stream);
	smtp_replies_done(&delivery->replies);
	loop_timer_free(&delivery->end);
	buf_done(&delivery->words);
	for (size_t i = 0; i < STAGE_DONE; i++)
		buf_done(&delivery->commands[i]);
	mem_free(delivery);
}

static void on_end(void *ctx)
{
	struct courier_delivery *delivery = ctx;
	void (*done)(void *ctx, enum courier_outcome outcome, struct bytes words) = delivery->done;
	void *its = delivery->ctx;
	enum courier_outcome outcome = delivery->outcome;
	struct buf words = delivery->words;
	buf_init(&delivery->words, 1);
	delivery_free(delivery);
	done(its, outcome, buf_bytes(&words));
	buf_done(&words);
}

static void conclude(struct courier_delivery *delivery, enum courier_outcome outcome, struct bytes words)
{
	if (delivery->stage == STAGE_DONE)
		return;
	delivery->stage = STAGE_DONE;
	delivery->outcome = outcome;
	buf_add(&delivery->words, bytes_sub(words, 0, 300));
	loop_timer_set(delivery->end, 0);
}

static void say_next(struct courier_delivery *delivery)
{
	delivery->stage++;
	stream_write(delivery->stream, buf_bytes(&delivery->commands[delivery->stage]));
	if (delivery->stage == STAGE_BODY && !delivery->timeout_given)
		stream_timeout(delivery->stream, LAST_WORD_MS);
}

/* What the server can: with SIZE it is told how large the message is, and one that is too large it need not be told. */
static bool fits(struct courier_delivery *delivery, const struct smtp_reply *reply)
{
	struct smtp_features features;
	size_t size = delivery->commands[STAGE_BODY].len - 3; /* the last dot does not count (RFC 1870, 5) */
	struct buf *mail = &delivery->commands[STAGE_MAIL];
	smtp_features_parse(reply->text, &features);
	if (!(features.can & SMTP_CAN_SIZE))
		return true;
	if (features.size > 0 && size > features.size)
		return false;
	mail->len -= 2; /* CR LF */
	buf_printf(mail, " SIZE=%zu\r\n", size);
	return true;
}

static void on_reply(struct courier_delivery *delivery, const struct smtp_reply *reply)
{
	unsigned wanted = delivery->stage == STAGE_DATA ? 3 : 2;
	if (reply->code / 100 != wanted) {
		/* A server that does not even greet has a trouble of its own, not with the message. */
		bool for_good = reply->code >= 500 && delivery->stage >= STAGE_MAIL;
		stream_write(delivery->stream, BYTES_LIT("QUIT\r\n"));
		conclude(delivery, for_good ? COURIER_REFUSED : COURIER_PUT_OFF, reply->text);
	} else if (delivery->stage == STAGE_BODY) {
		stream_write(delivery->stream, BYTES_LIT("QUIT\r\n"));
		conclude(delivery, COURIER_TAKEN, reply->text);
	} else if (delivery->stage == STAGE_EHLO && !fits(delivery, reply)) {
		stream_write(delivery->stream, BYTES_LIT("QUIT\r\n"));
		conclude(delivery, COURIER_REFUSED, BYTES_LIT("the next hop does not take so large a message"));
	} else {
		say_next(delivery);
	}
}

static void on_data(void *ctx, struct bytes data)
{
	struct courier_delivery *delivery = ctx;
	struct smtp_reply reply;
	enum err err = ERR_OK;
	smtp_replies_feed(&delivery->replies, data);
	while (delivery->stage != STAGE_DONE && (err = smtp_replies_next(&delivery->replies, &reply)) == ERR_OK)
		on_reply(delivery, &reply);
	if (err != ERR_OK && err != ERR_AGAIN)
		conclude(delivery, COURIER_PUT_OFF, BYTES_LIT("the next hop does not speak SMTP"));
}

static void on_closed(void *ctx, enum err why)
{
	struct courier_delivery *delivery = ctx;
	conclude(delivery, COURIER_PUT_OFF,
		 delivery->stage == STAGE_CONNECT && why != ERR_TIMEOUT ? BYTES_LIT("nobody takes mail there")
		 : why == ERR_TIMEOUT                                   ? BYTES_LIT("the next hop does not answer")
				      : BYTES_LIT("the next hop closed the connection"));
}

/* False without memory. */
static bool write_commands(struct courier_delivery *delivery, const struct courier_letter *letter)
{
	struct smtp_data_encoder encoder;
	struct buf *commands = delivery->commands;
	buf_init(&delivery->words, COMMAND_MAX);
	for (size_t i = 0; i < STAGE_DONE; i++)
		buf_init(&commands[i], i == STAGE_BODY ? MESSAGE_MAX : COMMAND_MAX);
	buf_printf(&commands[STAGE_EHLO], "EHLO %.*s\r\n", BYTES_FMT(letter->helo));
	buf_printf(&commands[STAGE_MAIL], "MAIL FROM:<%.*s>\r\n", BYTES_FMT(letter->from));
	buf_printf(&commands[STAGE_RCPT], "RCPT TO:<%.*s>\r\n", BYTES_FMT(letter->to));
	buf_add_cstr(&commands[STAGE_DATA], "DATA\r\n");
	smtp_data_encoder_init(&encoder, true);
	smtp_data_encode(&encoder, &commands[STAGE_BODY], letter->message);
	smtp_data_finish(&encoder, &commands[STAGE_BODY]);
	for (size_t i = 0; i < STAGE_DONE; i++)
		if (buf_err(&commands[i]) != ERR_OK)
			return false;
	return true;
}

enum err courier_deliver(struct loop *loop, const struct net_address *next_hop, const struct courier_letter *letter,
			 void (*done)(void *ctx, enum courier_outcome outcome, struct bytes words), void *ctx,
			 struct courier_delivery **ret_delivery)
{
	static const struct stream_ops ops = {.data = on_data, .closed = on_closed};
	struct courier_delivery *delivery = mem_new(struct courier_delivery, 1);
	int fd = -1;
	if (!delivery)
		return ERR_NOMEM;
	*delivery = (struct courier_delivery){.done = done, .ctx = ctx, .timeout_given = letter->timeout_ms > 0};
	smtp_replies_init(&delivery->replies);
	bool good =
		write_commands(delivery, letter) && loop_timer_new(loop, on_end, delivery, &delivery->end) == ERR_OK;
	if (good && net_connect(next_hop, &fd) != ERR_OK) {
		conclude(delivery, COURIER_PUT_OFF, BYTES_LIT("the next hop cannot be reached"));
	} else if (good && stream_new_connecting(loop, fd, true, &ops, delivery, &delivery->stream) != ERR_OK) {
		(void)close(fd);
		good = false;
	} else if (good) {
		stream_timeout(delivery->stream, letter->timeout_ms > 0 ? letter->timeout_ms : COURIER_TIMEOUT_MS);
		stream_deadline(delivery->stream, COURIER_DEADLINE_MS);
	}
	if (!good) {
		delivery_free(delivery);
		return ERR_NOMEM;
	}
	*ret_delivery = delivery;
	return ERR_OK;
}
