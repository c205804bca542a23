/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/received.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/ip.h"
#include "base/num.h"
#include "mail/comment.h"
#include "mail/date.h"

#include "base/banned.h"

bool received_parse_ip(struct bytes text, uint8_t ret_ip[16])
{
	text = bytes_trim(text);
	if (text.len > 1 && text.ptr[0] == '[') {
		size_t end = bytes_find_byte(text, ']');
		text = bytes_sub(text, 1, (end == BYTES_NONE ? text.len : end) - 1);
	}
	if (bytes_starts_nocase(text, BYTES_LIT("IPv6:")))
		text = bytes_from(text, 5);
	size_t zone = bytes_find_byte(text, '%');
	return ip_parse(bytes_sub(text, 0, zone), ret_ip);
}

bool received_ip_is_local(const uint8_t ip[16])
{
	static const struct {
		uint8_t prefix[16];
		unsigned bits;
	} nets[] = {
#define V4(a, b, c, bits) {{[10] = 0xff, [11] = 0xff, [12] = (a), [13] = (b), [14] = (c)}, 96 + (bits)}
		V4(0, 0, 0, 8),      V4(10, 0, 0, 8),    V4(100, 64, 0, 10),  V4(127, 0, 0, 8),
		V4(169, 254, 0, 16), V4(172, 16, 0, 12), V4(192, 168, 0, 16),
#undef V4
		{{[15] = 0}, 128},   {{[15] = 1}, 128},  {{0xfc}, 7},         {{0xfe, 0x80}, 10},
	};
	for (size_t i = 0; i < ARRAY_LEN(nets); i++) {
		unsigned whole = nets[i].bits / 8, rest = nets[i].bits % 8;
		if (memcmp(ip, nets[i].prefix, whole) == 0 &&
		    (rest == 0 || (ip[whole] ^ nets[i].prefix[whole]) >> (8 - rest) == 0))
			return true;
	}
	return false;
}

/* Takes one word or one comment (without its outer parentheses, `*ret_comment`) off the front. */
static bool take_token(struct bytes *rest, struct bytes *ret, bool *ret_comment)
{
	size_t i = 0, from;
	while (i < rest->len && ascii_is_space(rest->ptr[i]))
		i++;
	from = i;
	if (i == rest->len)
		return false;
	*ret_comment = rest->ptr[i] == '(';
	if (*ret_comment) {
		size_t end = comment_end(*rest, i);
		i = end == BYTES_NONE ? rest->len : end - 1;
		*ret = bytes_sub(*rest, from + 1, i - from - 1);
		*rest = bytes_from(*rest, i + 1);
		return true;
	}
	while (i < rest->len && !ascii_is_space(rest->ptr[i]) && rest->ptr[i] != '(')
		i++;
	*ret = bytes_sub(*rest, from, i - from);
	*rest = bytes_from(*rest, i);
	return true;
}

static struct bytes cut_dot(struct bytes name)
{
	return name.len > 1 && name.ptr[name.len - 1] == '.' ? bytes_sub(name, 0, name.len - 1) : name;
}

static bool is_unknown(struct bytes word)
{
	return bytes_eq_nocase(word, BYTES_LIT("unknown")) || bytes_eq_nocase(word, BYTES_LIT("localhost:"));
}

static void set_ip(struct received_hop *hop, struct bytes word)
{
	if (!hop->has_ip && received_parse_ip(word, hop->ip))
		hop->has_ip = true;
}

/*
 * A comment behind the client's name: "rdns [ip]", "user@rdns [ip] (may be forged)", "[ip]", "ip", "HELO name",
 * "helo=name", "EHLO name", "[ip] helo=name".
 */
static void read_client(struct received_hop *hop, struct bytes comment, bool *swapped)
{
	struct bytes rest = comment, word;
	bool helo_next = false, inner, first = true;
	while (take_token(&rest, &word, &inner)) {
		if (inner)
			continue;
		struct bytes value = word;
		bool helo = helo_next;
		helo_next = false;
		if (bytes_eq_nocase(word, BYTES_LIT("HELO")) || bytes_eq_nocase(word, BYTES_LIT("EHLO"))) {
			helo_next = true;
			continue;
		}
		if (bytes_starts_nocase(word, BYTES_LIT("helo=")) || bytes_starts_nocase(word, BYTES_LIT("ehlo="))) {
			value = bytes_from(word, 5);
			helo = true;
		}
		if (helo) {
			/* The name before the comment is then what the server found, not what the client said. */
			if (!*swapped && !is_unknown(hop->helo) && hop->helo.len > 0 && hop->helo.ptr[0] != '[')
				hop->rdns = hop->helo;
			hop->helo = value;
			*swapped = true;
			continue;
		}
		uint8_t ip[16];
		if (word.ptr[0] == '[' || received_parse_ip(word, ip)) {
			set_ip(hop, word);
		} else if (first && bytes_has(word, '[')) {
			set_ip(hop, bytes_from(word, bytes_find_byte(word, '[')));
		} else if (first && hop->rdns.len == 0 && !is_unknown(word) && bytes_has(word, '.') &&
			   !bytes_has(word, '=')) {
			size_t user = bytes_rfind_byte(word, '@');
			hop->rdns = cut_dot(user == BYTES_NONE ? word : bytes_from(word, user + 1));
		}
		first = false;
	}
}

enum section { SECTION_NONE, SECTION_FROM, SECTION_BY, SECTION_WITH, SECTION_ID, SECTION_FOR, SECTION_VIA };

static enum section find_section(struct bytes word)
{
	static const struct bytes names[] = {BYTES_INIT(""),   BYTES_INIT("from"), BYTES_INIT("by"), BYTES_INIT("with"),
					     BYTES_INIT("id"), BYTES_INIT("for"),  BYTES_INIT("via")};
	for (size_t i = SECTION_FROM; i < ARRAY_LEN(names); i++)
		if (bytes_eq_nocase(word, names[i]))
			return (enum section)i;
	return SECTION_NONE;
}

static void set_once(struct bytes *slot, struct bytes word)
{
	if (slot->len == 0)
		*slot = word;
}

static void read_hop(struct bytes value, struct received_hop *hop)
{
	/* The date stands behind the last semicolon; some put one into a comment, which then gives no date. */
	size_t semicolon = bytes_rfind_byte(value, ';');
	if (semicolon != BYTES_NONE) {
		struct date date;
		if (date_parse(bytes_from(value, semicolon + 1), &date) == ERR_OK) {
			hop->has_date = true;
			hop->date = date.time;
			value = bytes_sub(value, 0, semicolon);
		}
	}
	enum section section = SECTION_NONE;
	struct bytes word, bare_ip = {NULL, 0};
	bool comment, swapped = false, filled = false;
	while (take_token(&value, &word, &comment)) {
		if (comment) {
			if (section == SECTION_FROM)
				read_client(hop, word, &swapped);
			continue;
		}
		enum section next = find_section(word);
		if (next != SECTION_NONE && (filled || section == SECTION_NONE)) {
			section = next;
			filled = false;
			continue;
		}
		if (word.ptr[word.len - 1] == ';')
			word.len--;
		if (word.len == 0)
			continue;
		if (section == SECTION_FROM && filled && word.ptr[0] == '[')
			set_ip(hop, word);
		else if (section == SECTION_FROM && !filled) {
			hop->helo = word;
			bare_ip = word;
		} else if (section == SECTION_BY && !filled)
			set_once(&hop->by, cut_dot(word));
		else if (section == SECTION_WITH && !filled)
			set_once(&hop->with, word);
		else if (section == SECTION_ID && !filled)
			set_once(&hop->id, word);
		else if (section == SECTION_FOR && !filled && word.len > 1 && word.ptr[0] == '<')
			set_once(&hop->recipient, bytes_sub(word, 1, word.len - 1 - (word.ptr[word.len - 1] == '>')));
		else if (section == SECTION_FOR && !filled)
			set_once(&hop->recipient, word);
		filled = true;
	}
	if (!hop->has_ip && bare_ip.len > 0)
		set_ip(hop, bare_ip);
	hop->understood = hop->helo.len > 0 || hop->by.len > 0;
}

enum err received_parse(struct arena *arena, const struct header *header, struct received_list *ret_list)
{
	size_t n = 0;
	for (size_t i = 0; i < header->count && n < RECEIVED_MAX; i++)
		n += header->fields[i].id == HEADER_RECEIVED;
	*ret_list = (struct received_list){NULL, 0};
	if (n == 0)
		return ERR_OK;
	struct received_hop *hops = arena_new(arena, struct received_hop, n);
	if (!hops)
		return ERR_NOMEM;
	size_t count = 0;
	for (size_t i = 0; i < header->count && count < n; i++) {
		if (header->fields[i].id != HEADER_RECEIVED)
			continue;
		hops[count].field = &header->fields[i];
		read_hop(header->fields[i].value, &hops[count++]);
	}
	*ret_list = (struct received_list){hops, count};
	return ERR_OK;
}

const struct received_hop *received_first_untrusted(const struct received_list *list,
						    bool (*trusted)(const uint8_t ip[16], void *ctx), void *ctx)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct received_hop *hop = &list->hops[i];
		if (hop->has_ip && !received_ip_is_local(hop->ip) && !(trusted && trusted(hop->ip, ctx)))
			return hop;
	}
	return NULL;
}
