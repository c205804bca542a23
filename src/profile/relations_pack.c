/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions and answers as one line: "1" and then fields "tag=value" with a blank before each, in the order of the
 * tables below; what is empty is left out. Texts have %XX for all that is not printable ASCII, and for '%'. There is
 * one way only to write a thing, since the line is the key of a fact.
 */
#include <stddef.h>

#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "base/num.h"
#include "profile/relations.h"

#include "base/banned.h"

#define VERSION "1"

enum form { FORM_TEXT, FORM_LIST, FORM_FLAG, FORM_IP, FORM_STATE, FORM_SEEN, FORM_NUMBER, FORM_FIGURES };

struct field {
	struct bytes tag; /* with the blank before it and the '=' */
	enum form form;
	size_t at;
};

static const struct field query_fields[] = {
	{BYTES_INIT(" org="), FORM_TEXT, offsetof(struct relations_query, org)},
	{BYTES_INIT(" out="), FORM_FLAG, offsetof(struct relations_query, outgoing)},
	{BYTES_INIT(" from="), FORM_TEXT, offsetof(struct relations_query, author)},
	{BYTES_INIT(" domain="), FORM_TEXT, offsetof(struct relations_query, domain)},
	{BYTES_INIT(" name="), FORM_TEXT, offsetof(struct relations_query, name)},
	{BYTES_INIT(" proven="), FORM_FLAG, offsetof(struct relations_query, proven)},
	{BYTES_INIT(" dkim="), FORM_LIST, offsetof(struct relations_query, dkim)},
	{BYTES_INIT(" ip="), FORM_IP, offsetof(struct relations_query, client)},
	{BYTES_INIT(" rcpt="), FORM_LIST, offsetof(struct relations_query, recipients)},
	{BYTES_INIT(" id="), FORM_TEXT, offsetof(struct relations_query, message_id)},
	{BYTES_INIT(" ref="), FORM_LIST, offsetof(struct relations_query, references)},
	{BYTES_INIT(" fwd="), FORM_STATE, offsetof(struct relations_query, forwarded)},
	{BYTES_INIT(" relay="), FORM_TEXT, offsetof(struct relations_query, relay)},
	{BYTES_INIT(" sealer="), FORM_TEXT, offsetof(struct relations_query, sealer)},
	{BYTES_INIT(" list="), FORM_TEXT, offsetof(struct relations_query, list)},
};

static const struct field answer_fields[] = {
	{BYTES_INIT(" org="), FORM_SEEN, offsetof(struct relations_answer, org)},
	{BYTES_INIT(" address="), FORM_SEEN, offsetof(struct relations_answer, address)},
	{BYTES_INIT(" proven="), FORM_SEEN, offsetof(struct relations_answer, proven)},
	{BYTES_INIT(" pair="), FORM_SEEN, offsetof(struct relations_answer, pair)},
	{BYTES_INIT(" domain="), FORM_SEEN, offsetof(struct relations_answer, domain)},
	{BYTES_INIT(" name="), FORM_SEEN, offsetof(struct relations_answer, name)},
	{BYTES_INIT(" name_here="), FORM_SEEN, offsetof(struct relations_answer, name_here)},
	{BYTES_INIT(" dkim="), FORM_SEEN, offsetof(struct relations_answer, dkim)},
	{BYTES_INIT(" network="), FORM_SEEN, offsetof(struct relations_answer, network)},
	{BYTES_INIT(" wrote="), FORM_SEEN, offsetof(struct relations_answer, wrote)},
	{BYTES_INIT(" wrote_pair="), FORM_SEEN, offsetof(struct relations_answer, wrote_pair)},
	{BYTES_INIT(" reply="), FORM_SEEN, offsetof(struct relations_answer, reply)},
	{BYTES_INIT(" reply_there="), FORM_SEEN, offsetof(struct relations_answer, reply_there)},
	{BYTES_INIT(" wrote_first="), FORM_FLAG, offsetof(struct relations_answer, wrote_first)},
	{BYTES_INIT(" usual_days="), FORM_NUMBER, offsetof(struct relations_answer, usual_days)},
	{BYTES_INIT(" usual="), FORM_TEXT, offsetof(struct relations_answer, usual)},
	{BYTES_INIT(" relay="), FORM_FIGURES, offsetof(struct relations_answer, forwarders[RELATIONS_RELAY])},
	{BYTES_INIT(" sealer="), FORM_FIGURES, offsetof(struct relations_answer, forwarders[RELATIONS_SEALER])},
	{BYTES_INIT(" list="), FORM_FIGURES, offsetof(struct relations_answer, forwarders[RELATIONS_LIST])},
};

/* -- Writing ---- */

static bool is_plain(uint8_t c)
{
	return c > ' ' && c < 0x7f && c != '%';
}

static void put_text(struct buf *buf, const struct field *field, struct bytes text)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t len = text.len;
	if (text.len == 0 || text.len > RELATIONS_TEXT_MAX)
		return;
	for (size_t i = 0; i < text.len; i++)
		len += is_plain(text.ptr[i]) ? 0 : 2;
	buf_add(buf, field->tag);
	uint8_t *out = buf_reserve(buf, len);
	for (size_t i = 0; out && i < text.len; i++) {
		uint8_t c = text.ptr[i];
		if (is_plain(c)) {
			*out++ = c;
		} else {
			*out++ = '%';
			*out++ = (uint8_t)hex[c >> 4];
			*out++ = (uint8_t)hex[c & 15];
		}
	}
	if (out)
		buf_commit(buf, len);
}

#define NUMBERS_MAX (sizeof(struct forwarder_figures) / sizeof(uint16_t))

/* All numbers of both structures are 16 bits wide and lie one after the other. */
static void put_numbers(struct buf *buf, const struct field *field, const void *at, size_t n)
{
	uint16_t numbers[NUMBERS_MAX] = {0};
	uint8_t text[NUMBERS_MAX * 6];
	size_t from = sizeof(text);
	bool any = false;
	memcpy(numbers, at, n * sizeof(numbers[0]));
	/* From the last digit to the first. */
	for (size_t i = n; i-- > 0;) {
		unsigned number = numbers[i];
		any |= number > 0;
		do
			text[--from] = (uint8_t)('0' + number % 10);
		while ((number /= 10) > 0);
		if (i > 0)
			text[--from] = ',';
	}
	if (!any)
		return;
	buf_add(buf, field->tag);
	buf_add(buf, bytes_make(text + from, sizeof(text) - from));
}

static void put_ip(struct buf *buf, const struct field *field, const uint8_t ip[16])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t text[32];
	for (size_t i = 0; i < 16; i++) {
		text[2 * i] = (uint8_t)hex[ip[i] >> 4];
		text[2 * i + 1] = (uint8_t)hex[ip[i] & 15];
	}
	buf_add(buf, field->tag);
	buf_add(buf, bytes_make(text, sizeof(text)));
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
		uint16_t state;
		switch (field->form) {
		case FORM_TEXT:
			put_text(buf, field, *(const struct bytes *)at);
			break;
		case FORM_LIST:
			put_list(buf, field, at);
			break;
		case FORM_FLAG:
			if (*(const bool *)at) {
				buf_add(buf, field->tag);
				buf_add_byte(buf, '1');
			}
			break;
		case FORM_IP:
			if (has_ip)
				put_ip(buf, field, at);
			break;
		case FORM_STATE:
			state = (uint16_t) * (const enum forwarder_state *)at;
			put_numbers(buf, field, &state, 1);
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
	size_t plain = 0;
	while (plain < value.len && is_plain(value.ptr[plain]))
		plain++;
	*ret_text = value;
	if (plain == value.len)
		return value.len > 0 && value.len <= RELATIONS_TEXT_MAX ? ERR_OK : ERR_SYNTAX;
	uint8_t *out = arena_alloc_raw(arena, value.len);
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

/* `n` numbers up to `max`, not all of them 0, without leading zeros. */
static enum err take_numbers(struct bytes value, uint32_t max, void *at, size_t n)
{
	uint16_t numbers[NUMBERS_MAX];
	size_t read = 0;
	bool any = false;
	for (size_t i = 0; i < n; i++) {
		uint32_t number = 0;
		size_t from = read;
		for (; read < value.len && ascii_is_digit(value.ptr[read]) && number <= max; read++)
			number = number * 10 + (value.ptr[read] - (uint32_t)'0');
		if (read == from || number > max || (value.ptr[from] == '0' && read > from + 1))
			return ERR_SYNTAX;
		if (i + 1 < n && (read == value.len || value.ptr[read++] != ','))
			return ERR_SYNTAX;
		numbers[i] = (uint16_t)number;
		any |= number > 0;
	}
	if (read != value.len || !any)
		return ERR_SYNTAX;
	memcpy(at, numbers, n * sizeof(numbers[0]));
	return ERR_OK;
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
		TRY(take_numbers(value, FORWARDER_STATES - 1, &number, 1));
		*(enum forwarder_state *)at = (enum forwarder_state)number;
		return ERR_OK;
	case FORM_SEEN:
	case FORM_NUMBER:
	case FORM_FIGURES:
		return take_numbers(value, UINT16_MAX, at, numbers_of(field->form));
	}
	return ERR_SYNTAX;
}

static enum err unpack(struct arena *arena, struct bytes packed, void *object, const struct field *fields, size_t n,
		       bool *ret_ip)
{
	size_t next = 0; /* the field that may come */
	struct bytes rest = bytes_from(packed, sizeof(VERSION) - 1);
	if (!bytes_starts(packed, BYTES_LIT(VERSION)))
		return ERR_SYNTAX;
	while (rest.len > 0) {
		while (next < n && !bytes_starts(rest, fields[next].tag))
			next++;
		if (next == n)
			return ERR_SYNTAX;
		const struct field *field = &fields[next];
		rest = bytes_from(rest, field->tag.len);
		struct bytes value = bytes_sub(rest, 0, bytes_find_byte(rest, ' '));
		TRY(take_value(arena, field, value, (uint8_t *)object + field->at, ret_ip));
		rest = bytes_from(rest, value.len);
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
