/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * test/unit/proto/log.h: runs a codec over input that comes in pieces and writes what it says into a log, so that runs
 * over the same input in other pieces can be compared; for unit tests and for fuzz targets.
 *
 * Each piece is fed from a block of its own, which is gone once the codec asked for more or was told to hold: a
 * sanitizer sees a span that was kept too long.
 */
#include "base/escape.h"
#include "base/mem.h"
#include "base/num.h"
#include "proto/http.h"
#include "proto/milter.h"
#include "proto/smtp.h"
#include "proto/smtp_reply.h"
#include "proto/spamd.h"

struct log {
	struct buf text;
	enum err err; /* of the codec, in the end */
	bool hold;    /* the codec is told to hold after each event */
	unsigned messages;
	union {
		struct smtp smtp;
		struct smtp_replies replies;
		struct http http;
		struct spamd spamd;
		struct milter milter;
	};
};

static inline void log_word(struct log *log, const char *name, struct bytes text)
{
	if (text.ptr == NULL)
		return;
	buf_printf(&log->text, " %s=\"", name);
	escape_json(&log->text, text);
	buf_add_byte(&log->text, '"');
}

static inline uint8_t *log_block(struct bytes piece)
{
	uint8_t *block = mem_alloc(piece.len ? piece.len : 1);
	ASSERT(block != NULL);
	if (piece.len > 0)
		memcpy(block, piece.ptr, piece.len);
	return block;
}

static inline void log_end(struct log *log, enum err err)
{
	if (err != ERR_AGAIN && log->err == ERR_OK) {
		log->err = err;
		buf_printf(&log->text, "\n! %s", err_name(err));
	}
}

/* -- SMTP: every second DATA is refused, AUTH goes on with one line ---- */

static inline void log_smtp_event(struct log *log, const struct smtp_event *event)
{
	struct smtp *smtp = &log->smtp;
	const struct smtp_parameters *p = &event->parameters;
	switch (event->kind) {
	case SMTP_PIECE:
		ASSERT(event->data.len > 0);
		buf_add(&log->text, event->data);
		return;
	case SMTP_END:
		buf_printf(&log->text, "\nend size=%llu bare=%llu,%llu longest=%zu",
			   (unsigned long long)smtp->data.size, (unsigned long long)smtp->data.bare_cr,
			   (unsigned long long)smtp->data.bare_lf, smtp->data.longest_line);
		return;
	case SMTP_TEXT:
		buf_printf(&log->text, "\ntext%s", event->fault ? " too long" : "");
		log_word(log, "line", event->line);
		return;
	case SMTP_COMMAND:
		break;
	}
	buf_printf(&log->text, "\n%s %s", smtp_verb_name(event->verb), event->fault ? event->fault : "");
	log_word(log, "line", event->line);
	log_word(log, "argument", event->argument);
	log_word(log, "path", event->path);
	log_word(log, "envid", p->envid);
	log_word(log, "orcpt", p->orcpt);
	log_word(log, "auth", p->auth);
	buf_printf(&log->text, " %u/%llu/%d/%u/%u %llu/%d", p->has_size, (unsigned long long)p->size, (int)p->body,
		   p->utf8, p->notify, (unsigned long long)event->size, event->last);
	if (event->fault)
		return;
	if (event->verb == SMTP_DATA) {
		if (log->messages++ % 2 == 0)
			smtp_begin_data(smtp);
		else
			smtp_refuse_data(smtp);
	} else if (event->verb == SMTP_AUTH) {
		smtp_expect_text(smtp);
	}
}

static inline int log_smtp(void *ctx, struct bytes piece)
{
	struct log *log = ctx;
	struct smtp_event event;
	enum err err;
	uint8_t *block = log_block(piece);
	smtp_feed(&log->smtp, bytes_make(block, piece.len));
	while ((err = smtp_next(&log->smtp, &event)) == ERR_OK) {
		if (log->hold)
			smtp_hold(&log->smtp);
		log_smtp_event(log, &event);
		if (log->hold) {
			mem_free(block);
			block = NULL;
		}
	}
	mem_free(block);
	log_end(log, err);
	return 0;
}

static inline int log_replies(void *ctx, struct bytes piece)
{
	struct log *log = ctx;
	struct smtp_reply reply;
	enum err err;
	uint8_t *block = log_block(piece);
	smtp_replies_feed(&log->replies, bytes_make(block, piece.len));
	while ((err = smtp_replies_next(&log->replies, &reply)) == ERR_OK) {
		buf_printf(&log->text, "\n%u %u", reply.code, reply.lines);
		log_word(log, "enhanced", reply.enhanced);
		log_word(log, "text", reply.text);
	}
	mem_free(block);
	log_end(log, err);
	return 0;
}

/* -- HTTP ---- */

static inline void log_http_event(struct log *log, const struct http_event *event)
{
	const struct http_request *r = &event->request;
	if (event->kind == HTTP_BODY) {
		ASSERT(event->data.len > 0);
		buf_add(&log->text, event->data);
		return;
	}
	if (event->kind == HTTP_END) {
		buf_add_cstr(&log->text, "\nend");
		return;
	}
	buf_printf(&log->text, "\nhead %d minor=%u rspamc=%d keep=%d expect=%d length=%d/%llu chunked=%d",
		   (int)r->method, r->minor, r->rspamc, r->keep_alive, r->expects_continue, r->has_length,
		   (unsigned long long)r->length, r->chunked);
	log_word(log, "path", r->path);
	log_word(log, "query", r->query);
	for (size_t i = 0; i < r->n_headers; i++) {
		log_word(log, "name", r->headers[i].name);
		log_word(log, "value", r->headers[i].value);
	}
}

static inline int log_http(void *ctx, struct bytes piece)
{
	struct log *log = ctx;
	struct http_event event;
	enum err err;
	uint8_t *block = log_block(piece);
	http_feed(&log->http, bytes_make(block, piece.len));
	while ((err = http_next(&log->http, &event)) == ERR_OK) {
		if (log->hold)
			http_hold(&log->http);
		log_http_event(log, &event);
		if (log->hold) {
			mem_free(block);
			block = NULL;
		}
	}
	mem_free(block);
	if (err != ERR_AGAIN && log->err == ERR_OK)
		buf_printf(&log->text, "\nstatus %u", http_status(&log->http));
	log_end(log, err);
	return 0;
}

/* -- spamd, milter ---- */

static inline int log_spamd_events(struct log *log)
{
	struct spamd_event event;
	enum err err;
	while ((err = spamd_next(&log->spamd, &event)) == ERR_OK) {
		const struct spamd_request *r = &event.request;
		if (event.kind == SPAMD_BODY) {
			ASSERT(event.data.len > 0);
			buf_add(&log->text, event.data);
		} else if (event.kind == SPAMD_END) {
			buf_add_cstr(&log->text, "\nend");
		} else {
			buf_printf(&log->text, "\nhead %d minor=%u length=%d/%llu compressed=%d", (int)r->command,
				   r->minor, r->has_length, (unsigned long long)r->length, r->compressed);
			log_word(log, "user", r->user);
			log_word(log, "class", r->message_class);
			log_word(log, "set", r->set);
			log_word(log, "remove", r->remove);
		}
	}
	log_end(log, err);
	return 0;
}

static inline int log_spamd(void *ctx, struct bytes piece)
{
	struct log *log = ctx;
	uint8_t *block = log_block(piece);
	spamd_feed(&log->spamd, bytes_make(block, piece.len));
	(void)log_spamd_events(log);
	mem_free(block);
	return 0;
}

static inline int log_milter(void *ctx, struct bytes piece)
{
	struct log *log = ctx;
	struct milter_event event;
	enum err err;
	uint8_t *block = log_block(piece);
	milter_feed(&log->milter, bytes_make(block, piece.len));
	while ((err = milter_next(&log->milter, &event)) == ERR_OK) {
		buf_printf(&log->text, "\n%c", "ODCHMRTLNBEAQKU"[event.command]);
		if (event.command == MILTER_OPTIONS)
			buf_printf(&log->text, " %u %x %x", event.version, event.actions, event.steps);
		if (event.family)
			buf_printf(&log->text, " family=%c port=%u", event.family, event.port);
		if (event.stage)
			buf_printf(&log->text, " stage=%c", event.stage);
		log_word(log, "one", event.one);
		log_word(log, "two", event.two);
	}
	mem_free(block);
	log_end(log, err);
	return 0;
}
