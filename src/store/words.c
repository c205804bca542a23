/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a row is searched: its words go into a full-text index of four columns. Facts (status, class, client, message
 * id) become one word each, so that any combination is one intersection of lists that the index walks from the newest
 * row down. What words cannot say exactly (a whole address, a network that ends inside a digit) is looked at again in
 * the rows.
 */
#include "base/ascii.h"
#include "base/hash.h"
#include "base/ip.h"
#include "base/num.h"
#include "store/private.h"

#include "base/banned.h"

#define ADDRESS_MAX 1000
#define FACT_MAX    40

/* -- Clients: "xipc0000201", "xip" and hexadecimal digits; a network of whole digits is a prefix of that ---- */

struct network {
	uint8_t raw[16];
	unsigned bytes, bits; /* 4 or 16; of the network */
};

static bool parse_ip(struct bytes text, struct network *ret)
{
	uint8_t ip[16];
	if (!ip_parse(text, ip))
		return false;
	ret->bytes = ip_is_v4(ip) ? 4 : 16;
	ret->bits = ret->bytes * 8;
	memcpy(ret->raw, ip + sizeof(ip) - ret->bytes, ret->bytes);
	return true;
}

static bool parse_network(struct bytes text, struct network *ret)
{
	size_t slash = bytes_find_byte(text, '/');
	uint64_t bits;
	if (!parse_ip(bytes_sub(text, 0, slash == BYTES_NONE ? text.len : slash), ret))
		return false;
	if (slash == BYTES_NONE)
		return true;
	if (num_parse(bytes_from(text, slash + 1), 10, ret->bits, &bits) != ERR_OK)
		return false;
	ret->bits = (unsigned)bits;
	return true;
}

static bool in_network(const struct network *network, struct bytes client)
{
	struct network ip;
	if (!parse_ip(client, &ip) || ip.bytes != network->bytes)
		return false;
	unsigned whole = network->bits / 8, rest = network->bits % 8;
	return memcmp(ip.raw, network->raw, whole) == 0 &&
	       (rest == 0 || (ip.raw[whole] ^ network->raw[whole]) >> (8 - rest) == 0);
}

static void add_digit(struct buf *buf, unsigned value)
{
	buf_add_byte(buf, (uint8_t) "0123456789abcdef"[value & 15u]);
}

/* As many digits as the network fixes; IPv4 and IPv6 have different first letters, so none is a prefix of the other. */
static void add_ip_word(struct buf *buf, const struct network *network)
{
	buf_add_cstr(buf, network->bytes == 4 ? "xip" : "xsix");
	for (unsigned digit = 0; digit < network->bits / 4; digit++)
		add_digit(buf, (unsigned)network->raw[digit / 2] >> (digit % 2 ? 0 : 4));
}

/* Of a message id a hash: short words make a small index, and an index of its own would write a page a record. */
static void add_message_id(struct buf *buf, struct bytes message_id)
{
	uint64_t hash = hash_sip((struct hash_key){0}, message_id);
	buf_add_cstr(buf, "xm");
	for (unsigned digit = 0; digit < 16; digit++)
		add_digit(buf, (unsigned)(hash >> (60 - 4 * digit)));
}

/* -- A row as words ---- */

static void add_line(struct buf *buf, struct bytes text)
{
	buf_add(buf, bytes_sub(text, 0, ADDRESS_MAX));
	buf_add_byte(buf, '\n');
}

static void add_facts(struct buf *buf, const struct store_words *words)
{
	struct network ip;
	if (words->status.len > 0) {
		buf_add_cstr(buf, "xstatus");
		buf_add(buf, bytes_sub(words->status, 0, FACT_MAX));
	}
	if (words->class.len > 0) {
		buf_add_cstr(buf, " xclass");
		buf_add(buf, bytes_sub(words->class, 0, FACT_MAX));
	}
	buf_add_byte(buf, ' ');
	if (parse_ip(words->client_ip, &ip))
		add_ip_word(buf, &ip);
	buf_add_byte(buf, ' ');
	if (words->message_id.len > 0)
		add_message_id(buf, words->message_id);
}

enum err store_words_run(struct store *store, sqlite3_stmt *statement, sqlite3_int64 row,
			 const struct store_words *words, struct error *reterr)
{
	CLEANUP(buf_done) struct buf sender = BUF_INIT(4 * ADDRESS_MAX);
	CLEANUP(buf_done) struct buf recipient = BUF_INIT(2 * STORE_TEXT_MAX);
	CLEANUP(buf_done) struct buf facts = BUF_INIT(256);
	add_line(&sender, words->mail_from);
	if (!bytes_eq(words->from_address, words->mail_from))
		add_line(&sender, words->from_address);
	add_line(&sender, words->from_name);
	for (size_t i = 0; i < words->n_recipients; i++)
		add_line(&recipient, words->recipients[i].address);
	add_facts(&facts, words);
	if (buf_err(&sender) != ERR_OK || buf_err(&recipient) == ERR_NOMEM || buf_err(&facts) != ERR_OK)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the words of a record");
	(void)sqlite3_bind_int64(statement, 1, row);
	store_bind(statement, 2, buf_bytes(&sender));
	store_bind(statement, 3, buf_bytes(&recipient));
	store_bind(statement, 4, words->subject);
	store_bind(statement, 5, buf_bytes(&facts));
	return store_run(store, statement, "search index", reterr);
}

/* -- A query as words ---- */

/* The words of a text in their order, as a phrase. */
struct phrase {
	struct buf words;
	size_t count, skip;
};

static int add_word(void *ctx, struct bytes token)
{
	struct phrase *phrase = ctx;
	if (phrase->skip > 0) {
		phrase->skip--;
		return 0;
	}
	/* Words are letters and digits: nothing in them could end the quotes. */
	buf_add_cstr(&phrase->words, phrase->count++ ? " " : "");
	buf_add(&phrase->words, token);
	return 0;
}

/* `open_begin`, `open_end`: the first or last word may be the end or the beginning of one in the row. */
static enum err add_phrase(struct buf *match, const char *columns, struct bytes text, bool open_begin, bool open_end,
			   size_t *ret_count)
{
	struct phrase phrase = {.words = BUF_INIT(STORE_TEXT_MAX), .skip = open_begin ? 1 : 0};
	bool good = store_tokenize(text, add_word, &phrase) && buf_err(&phrase.words) == ERR_OK;
	if (good && phrase.count > 0)
		buf_printf(match, "%s{%s} : \"%.*s\"%s", match->len ? " AND " : "", columns,
			   BYTES_FMT(buf_bytes(&phrase.words)), open_end ? " *" : "");
	buf_done(&phrase.words);
	*ret_count += phrase.count;
	return good ? ERR_OK : ERR_NOMEM;
}

/* Whole addresses are compared in the rows. */
static bool is_whole(struct bytes pattern)
{
	return bytes_has(pattern, '@') || bytes_has(pattern, '*');
}

static bool in_word(uint8_t byte)
{
	return ascii_is_alnum(byte) || byte >= 0x80;
}

static enum err add_address(struct buf *match, const char *columns, struct bytes pattern, struct error *reterr)
{
	struct bytes rest = pattern, piece;
	size_t count = 0;
	enum err err = ERR_OK;
	if (pattern.len == 0)
		return ERR_OK;
	while (err == ERR_OK && bytes_split(&rest, '*', &piece)) {
		bool after_star = piece.ptr != pattern.ptr,
		     before_star = piece.ptr + piece.len != pattern.ptr + pattern.len;
		if (piece.len > 0)
			err = add_phrase(match, columns, piece, after_star && in_word(piece.ptr[0]),
					 before_star && in_word(piece.ptr[piece.len - 1]), &count);
	}
	if (err != ERR_OK)
		return error_set(reterr, err, 0, "no memory for the search");
	if (count == 0 && !is_whole(pattern))
		return error_set(reterr, ERR_UNSUPPORTED, 0, "an address without a letter or digit finds nothing");
	return ERR_OK;
}

/* Each word of a subject by itself, in any order; a single CJK character may be the beginning of a pair. */
static enum err add_subject(struct buf *match, struct bytes subject, struct error *reterr)
{
	static const struct bytes wide_space = BYTES_INIT("\xe3\x80\x80");
	size_t count = 0;
	enum err err = ERR_OK;
	for (struct bytes rest = subject; err == ERR_OK && rest.len > 0;) {
		size_t space = bytes_find_byte(rest, ' '), wide = bytes_find(rest, wide_space);
		size_t end = MIN(MIN(space, wide), rest.len);
		struct bytes word = bytes_sub(rest, 0, end);
		bool one_character = word.len >= 3 && word.len <= 4 && word.ptr[0] >= 0xe0;
		err = add_phrase(match, "subject", word, false, one_character, &count);
		rest = bytes_from(rest, end + (end == wide ? wide_space.len : 1));
	}
	if (err != ERR_OK)
		return error_set(reterr, err, 0, "no memory for the search");
	if (subject.len > 0 && count == 0)
		return error_set(reterr, ERR_UNSUPPORTED, 0, "a subject without a letter or digit finds nothing");
	return ERR_OK;
}

static enum err add_fact(struct buf *match, struct buf *word, bool open_end, struct error *reterr)
{
	size_t count = 0;
	enum err err = buf_err(word);
	if (err == ERR_OK)
		err = add_phrase(match, "facts", buf_bytes(word), false, open_end, &count);
	buf_clear(word);
	return err == ERR_OK ? ERR_OK : error_set(reterr, err, 0, "no memory for the search");
}

static enum err add_facts_asked(struct buf *match, const struct store_query *query, bool status, struct error *reterr)
{
	CLEANUP(buf_done) struct buf word = BUF_INIT(256);
	struct network network;
	if (query->class.len > 0) {
		buf_add_cstr(&word, "xclass");
		buf_add(&word, bytes_sub(query->class, 0, FACT_MAX));
		TRY(add_fact(match, &word, false, reterr));
	}
	if (status && query->status.len > 0) {
		buf_add_cstr(&word, "xstatus");
		buf_add(&word, bytes_sub(query->status, 0, FACT_MAX));
		TRY(add_fact(match, &word, false, reterr));
	}
	if (query->message_id.len > 0) {
		add_message_id(&word, query->message_id);
		TRY(add_fact(match, &word, false, reterr));
	}
	if (query->ip.len == 0)
		return ERR_OK;
	if (!parse_network(query->ip, &network))
		return error_set(reterr, ERR_UNSUPPORTED, 0,
				 "that is no address and no network (expected 192.0.2.1, 192.0.2.0/24, 2001:db8::/32)");
	add_ip_word(&word, &network);
	return add_fact(match, &word, network.bits < network.bytes * 8, reterr);
}

enum err store_words_match(struct buf *match, const struct store_query *query, bool status, struct error *reterr)
{
	TRY(add_address(match, "sender recipient", query->address, reterr));
	TRY(add_address(match, "sender", query->sender, reterr));
	TRY(add_address(match, "recipient", query->recipient, reterr));
	TRY(add_subject(match, query->subject, reterr));
	TRY(add_facts_asked(match, query, status, reterr));
	return buf_err(match) == ERR_OK ? ERR_OK : error_set(reterr, ERR_LIMIT, 0, "the search is too long");
}

/* -- Looking again ---- */

/*
 * "*" stands for anything. Going back to the last star only is enough, so this is at most |pattern| * |text|. Behind a
 * star only places where the next byte of the pattern stands are tried: of a million rows most end there.
 */
static bool fits(struct bytes pattern, struct bytes text)
{
	size_t p = 0, t = 0, star = BYTES_NONE, star_t = 0;
	while (t < text.len) {
		if (p < pattern.len && pattern.ptr[p] == '*') {
			star = p++;
			star_t = t;
		} else if (p < pattern.len && ascii_lower(pattern.ptr[p]) == ascii_lower(text.ptr[t])) {
			p++;
			t++;
			continue;
		} else if (star != BYTES_NONE) {
			p = star + 1;
			t = ++star_t;
		} else {
			return false;
		}
		if (p == pattern.len) /* it ends with the star */
			return true;
		for (uint8_t next = ascii_lower(pattern.ptr[p]); next != '*' && t < text.len; t++)
			if (ascii_lower(text.ptr[t]) == next)
				break;
		star_t = t;
	}
	while (p < pattern.len && pattern.ptr[p] == '*')
		p++;
	return p == pattern.len;
}

/* "@example.com" and "alice@" are open at their ends. */
static bool address_fits(struct bytes pattern, struct bytes address)
{
	if (pattern.ptr[0] == '@') {
		size_t at = bytes_rfind_byte(address, '@');
		return at != BYTES_NONE && fits(pattern, bytes_from(address, at));
	}
	if (pattern.ptr[pattern.len - 1] == '@') {
		size_t at = bytes_rfind_byte(address, '@');
		return at != BYTES_NONE && fits(pattern, bytes_sub(address, 0, at + 1));
	}
	return fits(pattern, address);
}

static bool sender_fits(struct bytes pattern, const struct store_words *words)
{
	return address_fits(pattern, words->mail_from) || address_fits(pattern, words->from_address);
}

static bool recipient_fits(struct bytes pattern, const struct store_words *words)
{
	for (size_t i = 0; i < words->n_recipients; i++)
		if (address_fits(pattern, words->recipients[i].address))
			return true;
	return false;
}

bool store_words_suffice(const struct store_query *query)
{
	return !is_whole(query->address) && !is_whole(query->sender) && !is_whole(query->recipient) &&
	       query->message_id.len == 0 && query->ip.len == 0;
}

bool store_words_fit(const struct store_query *query, const struct store_words *words)
{
	struct network network;
	if (is_whole(query->address) && !sender_fits(query->address, words) && !recipient_fits(query->address, words))
		return false;
	if (is_whole(query->sender) && !sender_fits(query->sender, words))
		return false;
	if (is_whole(query->recipient) && !recipient_fits(query->recipient, words))
		return false;
	if (query->message_id.len > 0 && !bytes_eq(query->message_id, words->message_id))
		return false;
	return query->ip.len == 0 || (parse_network(query->ip, &network) && in_network(&network, words->client_ip));
}
