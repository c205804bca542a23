/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dmarc.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/num.h"

#include "base/banned.h"

const char *dmarc_code_name(enum dmarc_code code)
{
	static const char *const names[] = {"none", "pass", "fail", "temperror", "permerror"};
	return names[code];
}

static const char *const policies[] = {NULL, "none", "quarantine", "reject"};

const char *dmarc_policy_name(enum dmarc_policy policy)
{
	return policies[policy];
}

/* -- Values ---- */

static struct bytes trim(struct bytes text)
{
	while (text.len > 0 && ascii_is_blank(text.ptr[0]))
		text = bytes_from(text, 1);
	while (text.len > 0 && ascii_is_blank(text.ptr[text.len - 1]))
		text.len--;
	return text;
}

/* Which of the `n` words `value` is, in any case; `n` when none. */
static size_t find_word(struct bytes value, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (words[i] && bytes_eq_nocase(value, bytes_from_cstr(words[i])))
			return i;
	return n;
}

static bool read_policy(struct bytes value, enum dmarc_policy *ret_policy)
{
	size_t word = find_word(value, policies, ARRAY_LEN(policies));
	if (word == ARRAY_LEN(policies))
		return false;
	*ret_policy = (enum dmarc_policy)word;
	return true;
}

/* The value is one of two letters: `*ret_flag` tells whether it is the second. */
static bool read_flag(struct bytes value, const char *const words[2], bool *ret_flag)
{
	size_t word = find_word(value, words, 2);
	if (word == 2)
		return false;
	*ret_flag = word == 1;
	return true;
}

static bool read_psd(struct bytes value, enum dmarc_psd *ret_psd)
{
	static const char *const words[] = {"u", "y", "n"};
	size_t word = find_word(value, words, ARRAY_LEN(words));
	if (word == ARRAY_LEN(words))
		return false;
	*ret_psd = (enum dmarc_psd)word;
	return true;
}

/* 0 and 1 exclude each other, each letter once; one wrong word spoils all. */
static bool read_fo(struct bytes value, unsigned *ret_fo)
{
	static const char *const words[] = {"0", "1", "d", "s"};
	unsigned fo = 0;
	for (struct bytes word; bytes_split(&value, ':', &word);) {
		size_t i = find_word(trim(word), words, ARRAY_LEN(words));
		if (i == ARRAY_LEN(words) || fo & 1u << i)
			return false;
		fo |= 1u << i;
	}
	if ((fo & DMARC_FO_0 && fo & DMARC_FO_1) || fo == 0)
		return false;
	*ret_fo = fo;
	return true;
}

static bool read_number(struct bytes value, uint64_t max, uint32_t *ret_number)
{
	uint64_t number;
	if (num_parse(value, 10, max, &number) != ERR_OK)
		return false;
	*ret_number = (uint32_t)number;
	return true;
}

/* -- Report addresses ---- */

/* "!10m" at the end (obs-dmarc-report-size): reporters ignore it. */
static struct bytes without_size(struct bytes uri)
{
	size_t mark = bytes_rfind_byte(uri, '!');
	if (mark == BYTES_NONE)
		return uri;
	struct bytes size = bytes_from(uri, mark + 1);
	if (size.len > 0 && bytes_has(BYTES_LIT("kmgt"), ascii_lower(size.ptr[size.len - 1])))
		size.len--;
	bool digits = size.len > 0;
	for (size_t i = 0; i < size.len; i++)
		digits = digits && ascii_is_digit(size.ptr[i]);
	return digits ? bytes_sub(uri, 0, mark) : uri;
}

/* RFC 3986, as far as its characters go; "!" must be escaped here (RFC 9989 4.8). */
static bool is_uri(struct bytes uri)
{
	size_t colon = bytes_find_byte(uri, ':');
	if (colon == BYTES_NONE || colon == 0 || colon + 1 == uri.len || !ascii_is_alpha(uri.ptr[0]))
		return false;
	for (size_t i = 1; i < colon; i++)
		if (!ascii_is_alnum(uri.ptr[i]) && !bytes_has(BYTES_LIT("+-."), uri.ptr[i]))
			return false;
	for (size_t i = colon + 1; i < uri.len; i++) {
		uint8_t c = uri.ptr[i];
		bool escape = c == '%' && i + 2 < uri.len && ascii_is_xdigit(uri.ptr[i + 1]) &&
			      ascii_is_xdigit(uri.ptr[i + 2]);
		if (!escape && !ascii_is_alnum(c) && !bytes_has(BYTES_LIT("-._~:/?#[]@$&'()*+;="), c))
			return false;
	}
	return true;
}

/* Keeps the valid ones; false when there is none. */
static bool read_uris(struct arena *arena, struct bytes value, struct dmarc_uris *uris, enum err *err)
{
	size_t capacity = 0;
	for (struct bytes piece; bytes_split(&value, ',', &piece) && uris->count < DMARC_URIS_MAX;) {
		struct bytes uri = without_size(trim(piece));
		if (!is_uri(uri))
			continue;
		struct bytes *items = arena_grow(arena, uris->items, &capacity, uris->count, sizeof(*items));
		if (!items) {
			*err = ERR_NOMEM;
			return true;
		}
		uris->items = items;
		uris->items[uris->count++] = uri;
	}
	return uris->count > 0;
}

/* -- Tags ---- */

enum tag {
	TAG_V,
	TAG_P,
	TAG_SP,
	TAG_NP,
	TAG_PSD,
	TAG_T,
	TAG_ADKIM,
	TAG_ASPF,
	TAG_FO,
	TAG_RUA,
	TAG_RUF,
	TAG_PCT,
	TAG_RI,
	TAG_RF,
	TAG_COUNT
};

static const char *const tag_names[TAG_COUNT] = {"v",    "p",  "sp",  "np",  "psd", "t",  "adkim",
						 "aspf", "fo", "rua", "ruf", "pct", "ri", "rf"};

/* Takes the next "name = value" up to a semicolon, blanks cut. `*ret_form`: is it of that form at all (4.8)? */
static bool next_tag(struct bytes *rest, struct bytes *ret_name, struct bytes *ret_value, bool *ret_form)
{
	struct bytes piece;
	if (!bytes_split(rest, ';', &piece))
		return false;
	size_t equals = bytes_find_byte(piece, '=');
	*ret_name = trim(bytes_sub(piece, 0, equals == BYTES_NONE ? piece.len : equals));
	*ret_value = equals == BYTES_NONE ? (struct bytes){0} : trim(bytes_from(piece, equals + 1));
	*ret_form = ret_name->len > 0 && ret_value->len > 0;
	for (size_t i = 0; i < ret_name->len; i++)
		*ret_form = *ret_form && ascii_is_alpha(ret_name->ptr[i]);
	for (size_t i = 0; i < ret_value->len; i++)
		*ret_form = *ret_form && ascii_is_print(ret_value->ptr[i]);
	return true;
}

static bool read_tag(struct arena *arena, enum tag tag, struct bytes value, struct dmarc_record *record, enum err *err)
{
	static const char *const alignments[] = {"r", "s"}, *const answers[] = {"n", "y"};
	switch (tag) {
	case TAG_P:
		return read_policy(value, &record->p);
	case TAG_SP:
		return read_policy(value, &record->sp);
	case TAG_NP:
		return read_policy(value, &record->np);
	case TAG_PSD:
		return read_psd(value, &record->psd);
	case TAG_T:
		return read_flag(value, answers, &record->testing);
	case TAG_ADKIM:
		return read_flag(value, alignments, &record->strict_dkim);
	case TAG_ASPF:
		return read_flag(value, alignments, &record->strict_spf);
	case TAG_FO:
		return read_fo(value, &record->fo);
	case TAG_RUA:
		return read_uris(arena, value, &record->rua, err);
	case TAG_RUF:
		return read_uris(arena, value, &record->ruf, err);
	case TAG_PCT:
		return read_number(value, 100, &record->pct);
	case TAG_RI:
		return read_number(value, UINT32_MAX, &record->ri);
	case TAG_RF:
		record->rf = value;
		return true;
	case TAG_V:
	case TAG_COUNT:
		break;
	}
	return false;
}

enum err dmarc_record_read(struct arena *arena, struct bytes text, enum dmarc_mode mode,
			   struct dmarc_record *ret_record)
{
	struct dmarc_record record = {.fo = DMARC_FO_0, .pct = 100, .ri = 86400};
	struct bytes name, value;
	unsigned seen = 0;
	bool form, bad_policy = false;
	enum err err = ERR_OK;

	/* Nothing may stand before the version, and its value alone is compared as it is written (4.8). */
	if (text.len == 0 || ascii_is_blank(text.ptr[0]) || !next_tag(&text, &name, &value, &form) ||
	    !bytes_eq_nocase(name, BYTES_LIT("v")) || !bytes_eq(value, BYTES_LIT("DMARC1")))
		return ERR_SYNTAX;
	while (next_tag(&text, &name, &value, &form)) {
		size_t tag = find_word(name, tag_names, TAG_COUNT);
		if (name.len == 0 && value.len == 0)
			continue; /* nothing between two semicolons, or behind the last */
		if (tag == TAG_COUNT || (mode == DMARC_RFC7489 && (tag == TAG_NP || tag == TAG_PSD || tag == TAG_T))) {
			record.unknown++;
			continue;
		}
		bool first = (seen & 1u << tag) == 0;
		seen |= 1u << tag;
		if (first && form && read_tag(arena, (enum tag)tag, value, &record, &err))
			continue;
		record.wrong++;
		bad_policy = bad_policy || (first && (tag == TAG_SP || tag == TAG_NP));
	}
	if (err != ERR_OK)
		return err;
	if (record.p == DMARC_POLICY_ABSENT || bad_policy) {
		record.mended = record.rua.count > 0;
		record.unusable = !record.mended;
		record.p = record.mended ? DMARC_POLICY_NONE : DMARC_POLICY_ABSENT;
		record.sp = record.np = DMARC_POLICY_ABSENT;
	}
	if (record.ruf.count == 0)
		record.fo = DMARC_FO_0;
	*ret_record = record;
	return ERR_OK;
}
