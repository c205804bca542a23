/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dns.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "base/cursor.h"

#include "base/banned.h"

static const struct {
	enum dns_type type;
	const char *name;
} types[] = {{DNS_A, "A"}, {DNS_NS, "NS"}, {DNS_PTR, "PTR"}, {DNS_MX, "MX"}, {DNS_TXT, "TXT"}, {DNS_AAAA, "AAAA"}};

const char *dns_type_name(enum dns_type type)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i].type == type)
			return types[i].name;
	return "?";
}

bool dns_type_find(struct bytes name, enum dns_type *ret_type)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (bytes_eq(name, bytes_from_cstr(types[i].name))) {
			*ret_type = types[i].type;
			return true;
		}
	}
	return false;
}

/* -- Names and questions ---- */

static struct bytes without_last_dot(struct bytes name)
{
	return name.len > 0 && name.ptr[name.len - 1] == '.' ? bytes_sub(name, 0, name.len - 1) : name;
}

bool dns_name_valid(struct bytes name)
{
	name = without_last_dot(name);
	if (name.len == 0 || name.len > DNS_NAME_MAX)
		return false;
	size_t label = 0;
	for (size_t i = 0; i < name.len; i++) {
		if (name.ptr[i] != '.')
			label++;
		else if (label == 0)
			return false;
		else
			label = 0;
		if (label > DNS_LABEL_MAX)
			return false;
	}
	return label > 0;
}

struct bytes dns_question_key(uint8_t out[static DNS_KEY_MAX], enum dns_type type, struct bytes name)
{
	struct bytes kind = bytes_from_cstr(dns_type_name(type));
	name = bytes_sub(without_last_dot(name), 0, DNS_NAME_MAX);
	memcpy(out, kind.ptr, kind.len);
	out[kind.len] = ' ';
	for (size_t i = 0; i < name.len; i++)
		out[kind.len + 1 + i] = ascii_lower(name.ptr[i]);
	return bytes_make(out, kind.len + 1 + name.len);
}

enum err dns_question_write(struct arena *arena, enum dns_type type, struct bytes name, struct bytes *ret_key)
{
	uint8_t key[DNS_KEY_MAX];
	*ret_key = arena_copy(arena, dns_question_key(key, type, name));
	return ret_key->ptr ? ERR_OK : ERR_NOMEM;
}

enum err dns_question_read(struct bytes key, enum dns_type *ret_type, struct bytes *ret_name)
{
	size_t blank = bytes_find_byte(key, ' ');
	if (blank == BYTES_NONE || !dns_type_find(bytes_sub(key, 0, blank), ret_type))
		return ERR_SYNTAX;
	*ret_name = bytes_from(key, blank + 1);
	return dns_name_valid(*ret_name) ? ERR_OK : ERR_SYNTAX;
}

struct bytes dns_reverse_suffix(const uint8_t ip[16])
{
	return ip_is_v4(ip) ? BYTES_LIT("in-addr.arpa") : BYTES_LIT("ip6.arpa");
}

struct bytes dns_name_reverse(struct arena *arena, const uint8_t ip[16], struct bytes suffix)
{
	if (ip_is_v4(ip))
		return arena_printf(arena, "%u.%u.%u.%u.%.*s", ip[15], ip[14], ip[13], ip[12], BYTES_FMT(suffix));
	char nibbles[64];
	for (size_t i = 0; i < 16; i++) {
		nibbles[4 * i] = "0123456789abcdef"[ip[15 - i] & 15];
		nibbles[4 * i + 2] = "0123456789abcdef"[ip[15 - i] >> 4];
		nibbles[4 * i + 1] = nibbles[4 * i + 3] = '.';
	}
	return arena_printf(arena, "%.64s%.*s", nibbles, BYTES_FMT(suffix));
}

/* -- The packed form ---- */

/*
 * One byte: state, and 0x10 when secure. Then the reason (DNS_FAILED), or for each record u16 preference, u16 length
 * and the data.
 */
#define PACKED_SECURE 0x10

void dns_answer_pack(struct buf *buf, const struct dns_answer *answer)
{
	buf_add_byte(buf, (uint8_t)((unsigned)answer->state | (answer->secure ? PACKED_SECURE : 0)));
	if (answer->state == DNS_FAILED)
		buf_add(buf, answer->reason);
	for (size_t i = 0; i < answer->n_records; i++) {
		buf_add_be16(buf, (uint16_t)answer->records[i].preference);
		buf_add_be16(buf, (uint16_t)answer->records[i].data.len);
		buf_add(buf, answer->records[i].data);
	}
}

enum err dns_answer_unpack(struct arena *arena, struct bytes packed, struct dns_answer *ret_answer)
{
	struct cursor cur = cursor_make(packed);
	uint8_t head = cursor_u8(&cur);
	struct dns_answer answer = {.state = (enum dns_state)(head & 15), .secure = head & PACKED_SECURE};
	if (cur.err != ERR_OK || (head & 15) > DNS_FAILED || head & 0xe0)
		return ERR_SYNTAX;
	if (answer.state == DNS_FAILED)
		answer.reason = cursor_rest(&cur);
	if ((answer.state == DNS_FOUND) == cursor_end(&cur))
		return ERR_SYNTAX;
	size_t capacity = 0;
	while (!cursor_end(&cur)) {
		struct dns_record record = {.preference = cursor_be16(&cur)};
		record.data = cursor_take(&cur, cursor_be16(&cur));
		if (cur.err != ERR_OK || answer.n_records == DNS_RECORDS_MAX)
			return ERR_SYNTAX;
		struct dns_record *records =
			arena_grow(arena, answer.records, &capacity, answer.n_records, sizeof(*records));
		if (!records)
			return ERR_NOMEM;
		answer.records = records;
		records[answer.n_records++] = record;
	}
	*ret_answer = answer;
	return ERR_OK;
}

/* -- DNS messages ---- */

#define RR_CNAME 5
#define RR_SOA   6
#define CLASS_IN 1

struct name {
	uint8_t text[256];
	size_t len;
	bool dotted; /* a label holds a dot itself: the text form would lie */
};

/*
 * Reads a name that may be compressed (RFC 1035 4.1.4). Every pointer must lead to before the one it was reached by, so
 * there is no loop. The cursor ends behind the name.
 */
static void read_name(struct cursor *cur, struct name *ret_name)
{
	struct cursor at = *cur;
	size_t lowest = cur->at;
	bool jumped = false;
	ret_name->len = 0;
	ret_name->dotted = false;
	for (;;) {
		uint8_t len = cursor_u8(&at);
		if (at.err == ERR_OK && (len & 0xc0) == 0xc0) {
			size_t target = (size_t)(len & 0x3f) << 8 | cursor_u8(&at);
			if (!jumped)
				cur->at = at.at;
			if (at.err != ERR_OK || target >= lowest)
				break;
			jumped = true;
			lowest = at.at = target;
			continue;
		}
		struct bytes label = cursor_take(&at, len);
		if (at.err != ERR_OK || len > DNS_LABEL_MAX)
			break;
		if (len == 0) {
			if (!jumped)
				cur->at = at.at;
			return;
		}
		if (ret_name->len + label.len + 1 > DNS_NAME_MAX + 1)
			break;
		if (ret_name->len > 0)
			ret_name->text[ret_name->len++] = '.';
		for (size_t i = 0; i < label.len; i++) {
			ret_name->dotted |= label.ptr[i] == '.';
			ret_name->text[ret_name->len++] = ascii_lower(label.ptr[i]);
		}
	}
	cursor_fail(cur, ERR_SYNTAX);
}

static struct bytes name_bytes(const struct name *name)
{
	return bytes_make(name->text, name->len);
}

/* The data of one record in the form of struct dns_record. ERR_SYNTAX. */
static enum err read_data(struct arena *arena, struct cursor *cur, enum dns_type type, size_t len,
			  struct dns_record *ret_record)
{
	size_t end = cur->at + len;
	struct name name;
	if (len > cursor_left(cur))
		return ERR_SYNTAX;
	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		if (len != (type == DNS_A ? 4 : 16))
			return ERR_SYNTAX;
		ret_record->data = arena_copy(arena, cursor_take(cur, len));
		break;
	case DNS_TXT: {
		uint8_t *text = arena_alloc_raw(arena, len);
		size_t used = 0;
		if (!text)
			return ERR_NOMEM;
		while (cur->at < end) {
			struct bytes string = cursor_take(cur, cursor_u8(cur));
			if (cur->err != ERR_OK || cur->at > end)
				return ERR_SYNTAX;
			if (string.len > 0)
				memcpy(text + used, string.ptr, string.len);
			used += string.len;
		}
		ret_record->data = bytes_make(text, used);
		break;
	}
	case DNS_MX:
		ret_record->preference = cursor_be16(cur);
		__attribute__((fallthrough));
	case DNS_NS:
	case DNS_PTR:
		read_name(cur, &name);
		/* A label with a dot in it cannot be said in text; such a host has no name for us. */
		ret_record->data = arena_copy(arena, name.dotted ? (struct bytes){0} : name_bytes(&name));
		break;
	}
	if (cur->err != ERR_OK || cur->at != end)
		return ERR_SYNTAX;
	return ret_record->data.ptr ? ERR_OK : ERR_NOMEM;
}

struct section {
	struct cursor *cur;
	enum dns_type type;
	struct name wanted; /* what the CNAMEs have led to */
	unsigned chain;
	uint32_t ttl;
	size_t bytes;
};

static enum err take_answer(struct arena *arena, struct section *in, struct dns_answer *answer, size_t *capacity)
{
	struct cursor *cur = in->cur;
	struct name owner;
	read_name(cur, &owner);
	uint16_t type = cursor_be16(cur), class = cursor_be16(cur);
	uint32_t ttl = cursor_be32(cur);
	uint16_t len = cursor_be16(cur);
	size_t end = cur->at + len;
	if (cur->err != ERR_OK || len > cursor_left(cur))
		return ERR_SYNTAX;
	bool ours = class == CLASS_IN && bytes_eq(name_bytes(&owner), name_bytes(&in->wanted)) && !owner.dotted;
	if (ours && type == RR_CNAME) {
		if (++in->chain > DNS_CHAIN_MAX)
			return ERR_LIMIT;
		read_name(cur, &in->wanted);
	} else if (ours && type == (uint16_t)in->type) {
		struct dns_record record = {0};
		TRY(read_data(arena, cur, in->type, len, &record));
		if (answer->n_records == DNS_RECORDS_MAX || (in->bytes += 4 + record.data.len) >= DNS_PACKED_MAX)
			return ERR_LIMIT;
		struct dns_record *records =
			arena_grow(arena, answer->records, capacity, answer->n_records, sizeof(*records));
		if (!records)
			return ERR_NOMEM;
		answer->records = records;
		records[answer->n_records++] = record;
	} else {
		ours = false;
		cur->at = end;
	}
	if (ours && ttl < in->ttl)
		in->ttl = ttl;
	return cur->err != ERR_OK || cur->at != end ? ERR_SYNTAX : ERR_OK;
}

/* How long a negative answer may be kept: the lesser of the SOA's TTL and its MINIMUM field; 0 without one. */
static uint32_t negative_ttl(struct cursor *cur, unsigned count)
{
	struct name name;
	while (count-- > 0) {
		read_name(cur, &name);
		uint16_t type = cursor_be16(cur);
		(void)cursor_be16(cur);
		uint32_t ttl = cursor_be32(cur);
		struct cursor data = cursor_make(cursor_take(cur, cursor_be16(cur)));
		if (cur->err != ERR_OK)
			return 0;
		if (type == RR_SOA && data.all.len >= 4) {
			data.at = data.all.len - 4;
			uint32_t minimum = cursor_be32(&data);
			return minimum < ttl ? minimum : ttl;
		}
	}
	return 0;
}

static enum err failed(struct dns_answer *ret_answer, const char *reason)
{
	*ret_answer = (struct dns_answer){.state = DNS_FAILED, .reason = bytes_from_cstr(reason)};
	return ERR_OK;
}

enum err dns_packet_read(struct arena *arena, struct bytes packet, enum dns_type type, struct bytes name,
			 struct dns_answer *ret_answer, uint32_t *ret_ttl)
{
	struct cursor cur = cursor_make(packet);
	struct section section = {.cur = &cur, .type = type, .ttl = UINT32_MAX};
	*ret_ttl = 0;
	name = without_last_dot(name);
	(void)cursor_be16(&cur);
	uint16_t flags = cursor_be16(&cur);
	unsigned questions = cursor_be16(&cur), answers = cursor_be16(&cur), authorities = cursor_be16(&cur);
	(void)cursor_be16(&cur);
	unsigned code = flags & 15;
	if (cur.err == ERR_OK && code != 0 && code != 3)
		return failed(ret_answer, code == 2 ? "servfail" : code == 5 ? "refused" : "error");
	read_name(&cur, &section.wanted);
	uint16_t asked_type = cursor_be16(&cur), asked_class = cursor_be16(&cur);
	if (cur.err != ERR_OK || !(flags & 0x8000) || questions != 1 || asked_type != (uint16_t)type ||
	    asked_class != CLASS_IN || !bytes_eq_nocase(name_bytes(&section.wanted), name))
		return failed(ret_answer, "no answer to the question");
	struct dns_answer answer = {0};
	size_t capacity = 0;
	while (answers-- > 0) {
		enum err err = take_answer(arena, &section, &answer, &capacity);
		if (err == ERR_NOMEM)
			return err;
		if (err != ERR_OK)
			return failed(ret_answer, err == ERR_LIMIT ? "answer too large" : "broken answer");
	}
	if (answer.n_records > 0) {
		*ret_ttl = section.ttl;
		*ret_answer = answer;
		return ERR_OK;
	}
	uint32_t ttl = negative_ttl(&cur, authorities);
	*ret_ttl = ttl < section.ttl ? ttl : section.ttl;
	*ret_answer = (struct dns_answer){.state = code == 3 ? DNS_NO_NAME : DNS_NO_DATA};
	return ERR_OK;
}
