/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions and answers as one line: "1" and then fields "tag=value" with a blank before each, in the order of the
 * tables below; what is empty is left out. Texts have %XX for all that is not printable ASCII, and for '%'. There is
 * one way only to write a thing, since the line is the key of a fact.
 */
#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "base/num.h"
#include "profile/relations.h"

#include "base/banned.h"

#define VERSION "1"

enum form { FORM_TEXT, FORM_LIST, FORM_FLAG, FORM_IP, FORM_STATE, FORM_SEEN, FORM_NUMBER, FORM_FIGURES };

struct field {
	const char *tag;
	enum form form;
	size_t at;
};

static const struct field query_fields[] = {
	{"org", FORM_TEXT, offsetof(struct relations_query, org)},
	{"out", FORM_FLAG, offsetof(struct relations_query, outgoing)},
	{"from", FORM_TEXT, offsetof(struct relations_query, author)},
	{"domain", FORM_TEXT, offsetof(struct relations_query, domain)},
	{"name", FORM_TEXT, offsetof(struct relations_query, name)},
	{"proven", FORM_FLAG, offsetof(struct relations_query, proven)},
	{"dkim", FORM_LIST, offsetof(struct relations_query, dkim)},
	{"ip", FORM_IP, offsetof(struct relations_query, client)},
	{"rcpt", FORM_LIST, offsetof(struct relations_query, recipients)},
	{"id", FORM_TEXT, offsetof(struct relations_query, message_id)},
	{"ref", FORM_LIST, offsetof(struct relations_query, references)},
	{"fwd", FORM_STATE, offsetof(struct relations_query, forwarded)},
	{"relay", FORM_TEXT, offsetof(struct relations_query, relay)},
	{"sealer", FORM_TEXT, offsetof(struct relations_query, sealer)},
	{"list", FORM_TEXT, offsetof(struct relations_query, list)},
};

static const struct field answer_fields[] = {
	{"org", FORM_SEEN, offsetof(struct relations_answer, org)},
	{"address", FORM_SEEN, offsetof(struct relations_answer, address)},
	{"proven", FORM_SEEN, offsetof(struct relations_answer, proven)},
	{"pair", FORM_SEEN, offsetof(struct relations_answer, pair)},
	{"domain", FORM_SEEN, offsetof(struct relations_answer, domain)},
	{"name", FORM_SEEN, offsetof(struct relations_answer, name)},
	{"name_here", FORM_SEEN, offsetof(struct relations_answer, name_here)},
	{"dkim", FORM_SEEN, offsetof(struct relations_answer, dkim)},
	{"network", FORM_SEEN, offsetof(struct relations_answer, network)},
	{"wrote", FORM_SEEN, offsetof(struct relations_answer, wrote)},
	{"wrote_pair", FORM_SEEN, offsetof(struct relations_answer, wrote_pair)},
	{"reply", FORM_SEEN, offsetof(struct relations_answer, reply)},
	{"reply_there", FORM_SEEN, offsetof(struct relations_answer, reply_there)},
	{"wrote_first", FORM_FLAG, offsetof(struct relations_answer, wrote_first)},
	{"usual_days", FORM_NUMBER, offsetof(struct relations_answer, usual_days)},
	{"usual", FORM_TEXT, offsetof(struct relations_answer, usual)},
	{"relay", FORM_FIGURES, offsetof(struct relations_answer, forwarders[RELATIONS_RELAY])},
	{"sealer", FORM_FIGURES, offsetof(struct relations_answer, forwarders[RELATIONS_SEALER])},
	{"list", FORM_FIGURES, offsetof(struct relations_answer, forwarders[RELATIONS_LIST])},
};

/* -- Writing ---- */

static void put_tag(struct buf *buf, const struct field *field)
{
	buf_add_byte(buf, ' ');
	buf_add_cstr(buf, field->tag);
	buf_add_byte(buf, '=');
}

static bool is_plain(uint8_t c)
{
	return ascii_is_print(c) && c != ' ' && c != '%';
}

static void put_text(struct buf *buf, const struct field *field, struct bytes text)
{
	static const char hex[] = "0123456789ABCDEF";
	if (text.len == 0 || text.len > RELATIONS_TEXT_MAX)
		return;
	put_tag(buf, field);
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];
		if (is_plain(c)) {
			buf_add_byte(buf, c);
		} else {
			buf_add_byte(buf, '%');
			buf_add_byte(buf, (uint8_t)hex[c >> 4]);
			buf_add_byte(buf, (uint8_t)hex[c & 15]);
		}
	}
}

/* All numbers of both structures are 16 bits wide and lie one after the other. */
static void put_numbers(struct buf *buf, const struct field *field, const void *at, size_t n)
{
	uint16_t numbers[sizeof(struct forwarder_figures) / sizeof(uint16_t)] = {0};
	bool any = false;
	memcpy(numbers, at, n * sizeof(numbers[0]));
	for (size_t i = 0; i < n; i++)
		any |= numbers[i] > 0;
	if (!any)
		return;
	put_tag(buf, field);
	for (size_t i = 0; i < n; i++)
		buf_printf(buf, i > 0 ? ",%u" : "%u", (unsigned)numbers[i]);
}

static size_t numbers_of(enum form form)
{
	return (form == FORM_SEEN      ? sizeof(struct relation_seen)
		: form == FORM_FIGURES ? sizeof(struct forwarder_figures)
				       : sizeof(uint16_t)) /
	       sizeof(uint16_t);
}

static void put_list(struct buf *buf, const struct field *field, const struct relations_list *list)
{
	for (size_t i = 0; i < list->count && i < RELATIONS_LIST_MAX; i++)
		put_text(buf, field, list->items[i]);
}

static void pack(struct buf *buf, const void *object, const struct field *fields, size_t n, bool has_ip)
{
	buf_add_cstr(buf, VERSION);
	for (size_t i = 0; i < n; i++) {
		const struct field *field = &fields[i];
		const void *at = (const uint8_t *)object + field->at;
		switch (field->form) {
		case FORM_TEXT:
			put_text(buf, field, *(const struct bytes *)at);
			break;
		case FORM_LIST:
			put_list(buf, field, at);
			break;
		case FORM_FLAG:
			if (*(const bool *)at) {
				put_tag(buf, field);
				buf_add_byte(buf, '1');
			}
			break;
		case FORM_IP:
			if (has_ip) {
				put_tag(buf, field);
				for (size_t o = 0; o < 16; o++)
					buf_printf(buf, "%02x", (unsigned)((const uint8_t *)at)[o]);
			}
			break;
		case FORM_STATE:
			if (*(const enum forwarder_state *)at != FORWARDER_NONE) {
				put_tag(buf, field);
				buf_printf(buf, "%u", (unsigned)*(const enum forwarder_state *)at);
			}
			break;
		case FORM_SEEN:
		case FORM_NUMBER:
		case FORM_FIGURES:
			put_numbers(buf, field, at, numbers_of(field->form));
			break;
		}
	}
}

void relations_query_pack(struct buf *buf, const struct relations_query *query)
{
	pack(buf, query, query_fields, ARRAY_LEN(query_fields), query->has_client);
}

void relations_answer_pack(struct buf *buf, const struct relations_answer *answer)
{
	pack(buf, answer, answer_fields, ARRAY_LEN(answer_fields), false);
}

/* -- Reading ---- */

static int hex_upper(uint8_t c)
{
	return ascii_is_lower(c) ? -1 : ascii_hex(c);
}

static enum err take_text(struct arena *arena, struct bytes value, struct bytes *ret_text)
{
	uint8_t *out = arena_alloc_raw(arena, MAX(value.len, (size_t)1));
	size_t len = 0;
	if (!out)
		return ERR_NOMEM;
	for (size_t i = 0; i < value.len; i++) {
		uint8_t c = value.ptr[i];
		if (c == '%') {
			int high = i + 2 < value.len ? hex_upper(value.ptr[i + 1]) : -1;
			int low = high >= 0 ? hex_upper(value.ptr[i + 2]) : -1;
			if (low < 0 || is_plain((uint8_t)(high << 4 | low)))
				return ERR_SYNTAX;
			c = (uint8_t)(high << 4 | low);
			i += 2;
		} else if (!is_plain(c)) {
			return ERR_SYNTAX;
		}
		out[len++] = c;
	}
	*ret_text = bytes_make(out, len);
	return len > 0 && len <= RELATIONS_TEXT_MAX ? ERR_OK : ERR_SYNTAX;
}

static enum err take_number(struct bytes text, uint64_t max, uint16_t *ret)
{
	uint64_t number = 0;
	if (num_parse(text, 10, max, &number) != ERR_OK || (text.len > 1 && text.ptr[0] == '0'))
		return ERR_SYNTAX;
	*ret = (uint16_t)number;
	return ERR_OK;
}

static enum err take_numbers(struct bytes value, void *at, size_t n)
{
	uint16_t numbers[sizeof(struct forwarder_figures) / sizeof(uint16_t)];
	bool any = false;
	for (size_t i = 0; i < n; i++) {
		size_t comma = bytes_find_byte(value, ',');
		if ((comma == BYTES_NONE) != (i + 1 == n))
			return ERR_SYNTAX;
		TRY(take_number(bytes_sub(value, 0, comma), UINT16_MAX, &numbers[i]));
		value = comma == BYTES_NONE ? (struct bytes){0} : bytes_from(value, comma + 1);
		any |= numbers[i] > 0;
	}
	memcpy(at, numbers, n * sizeof(numbers[0]));
	return any ? ERR_OK : ERR_SYNTAX;
}

static enum err take_ip(struct bytes value, uint8_t out[16])
{
	if (value.len != 32)
		return ERR_SYNTAX;
	for (size_t i = 0; i < 16; i++) {
		uint8_t a = value.ptr[2 * i], b = value.ptr[2 * i + 1];
		if (ascii_is_upper(a) || ascii_is_upper(b) || ascii_hex(a) < 0 || ascii_hex(b) < 0)
			return ERR_SYNTAX;
		out[i] = (uint8_t)(ascii_hex(a) << 4 | ascii_hex(b));
	}
	return ERR_OK;
}

static enum err take_value(struct arena *arena, const struct field *field, struct bytes value, void *at, bool *ret_ip)
{
	struct relations_list *list = at;
	uint16_t number = 0;
	switch (field->form) {
	case FORM_TEXT:
		return take_text(arena, value, at);
	case FORM_LIST:
		if (list->count == RELATIONS_LIST_MAX)
			return ERR_SYNTAX;
		return take_text(arena, value, &list->items[list->count++]);
	case FORM_FLAG:
		*(bool *)at = true;
		return bytes_eq(value, BYTES_LIT("1")) ? ERR_OK : ERR_SYNTAX;
	case FORM_IP:
		*ret_ip = true;
		return take_ip(value, at);
	case FORM_STATE:
		TRY(take_number(value, FORWARDER_STATES - 1, &number));
		*(enum forwarder_state *)at = (enum forwarder_state)number;
		return number > 0 ? ERR_OK : ERR_SYNTAX;
	case FORM_SEEN:
	case FORM_NUMBER:
	case FORM_FIGURES:
		return take_numbers(value, at, numbers_of(field->form));
	}
	return ERR_SYNTAX;
}

static enum err unpack(struct arena *arena, struct bytes packed, void *object, const struct field *fields, size_t n,
		       bool *ret_ip)
{
	struct bytes piece;
	size_t next = 0; /* the field that may come */
	if (bytes_ends(packed, BYTES_LIT(" ")) || !bytes_split(&packed, ' ', &piece) ||
	    !bytes_eq(piece, BYTES_LIT(VERSION)))
		return ERR_SYNTAX;
	while (bytes_split(&packed, ' ', &piece)) {
		size_t equals = bytes_find_byte(piece, '=');
		if (equals == BYTES_NONE)
			return ERR_SYNTAX;
		struct bytes tag = bytes_sub(piece, 0, equals);
		while (next < n && !bytes_eq(tag, bytes_from_cstr(fields[next].tag)))
			next++;
		if (next == n)
			return ERR_SYNTAX;
		const struct field *field = &fields[next];
		TRY(take_value(arena, field, bytes_from(piece, equals + 1), (uint8_t *)object + field->at, ret_ip));
		next += field->form != FORM_LIST;
	}
	return ERR_OK;
}

enum err relations_query_unpack(struct arena *arena, struct bytes packed, struct relations_query *ret_query)
{
	struct relations_query *query = ret_query;
	*query = (struct relations_query){0};
	return unpack(arena, packed, query, query_fields, ARRAY_LEN(query_fields), &query->has_client);
}

enum err relations_answer_unpack(struct arena *arena, struct bytes packed, struct relations_answer *ret_answer)
{
	struct relations_answer *answer = ret_answer;
	bool no_ip = false;
	*answer = (struct relations_answer){0};
	return unpack(arena, packed, answer, answer_fields, ARRAY_LEN(answer_fields), &no_ip);
}
