/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/charset.h"

#include <stdlib.h>
#include <unicode/ucnv.h>
#include <unicode/udata.h>

#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "base/num.h"
#include "base/utf8.h"
#include "mail/charset_japanese.h"
#include "mail/charset_table.h"

#include "base/banned.h"

/* ICU's converters are expensive to open and are reset before each use; one thread uses them. */
static UConverter *converters[CHARSET_COUNT];

const struct charset *const charset_utf8 = &charset_table[CHARSET_UTF8];

/* Counts what is malformed, then does what ICU does by default: writes U+FFFD. */
static void U_CALLCONV count_error(const void *context, UConverterToUnicodeArgs *args, const char *units, int32_t len,
				   UConverterCallbackReason reason, UErrorCode *err)
{
	if (reason <= UCNV_IRREGULAR) {
		size_t *errors;
		memcpy(&errors, &context, sizeof(errors));
		(*errors)++;
	}
	UCNV_TO_U_CALLBACK_SUBSTITUTE(NULL, args, units, len, reason, err);
}

static UConverter *open_converter(const struct charset *charset)
{
	UConverter **slot = &converters[charset - charset_table];
	if (!*slot && charset->icu) {
		UErrorCode err = U_ZERO_ERROR;
		UConverter *converter = ucnv_open(charset->icu, &err);
		if (U_SUCCESS(err))
			*slot = converter;
	}
	return *slot;
}

enum err charset_init(void)
{
	UErrorCode err = U_ZERO_ERROR;
	udata_setFileAccess(UDATA_NO_FILES, &err);
	TRY(japanese_init());
	for (size_t i = 0; i < CHARSET_COUNT; i++)
		if (charset_table[i].icu && !open_converter(&charset_table[i]))
			return ERR_INTERNAL;
	return ERR_OK;
}

void charset_done(void)
{
	for (size_t i = 0; i < CHARSET_COUNT; i++) {
		ucnv_close(converters[i]);
		converters[i] = NULL;
	}
}

static int compare_alias(const void *key, const void *item)
{
	return strcmp(key, ((const struct charset_alias *)item)->name);
}

const struct charset *charset_find(struct bytes name)
{
	char key[64];
	size_t len = 0;
	for (size_t i = 0; i < name.len; i++) {
		if (!ascii_is_alnum(name.ptr[i]))
			continue;
		if (len == sizeof(key) - 1)
			return NULL;
		key[len++] = (char)ascii_lower(name.ptr[i]);
	}
	key[len] = '\0';
	const struct charset_alias *hit =
		bsearch(key, charset_aliases, charset_n_aliases, sizeof(*charset_aliases), compare_alias);
	return hit ? &charset_table[hit->id] : NULL;
}

const char *charset_name(const struct charset *charset)
{
	return charset->name;
}

bool charset_is_utf7(const struct charset *charset)
{
	return charset && charset->kind == CHARSET_KIND_UTF7;
}

/* True when ASCII bytes may be something else in it, so that pure ASCII has to be decoded too. */
static bool escapes(const struct charset *charset, struct bytes in)
{
	switch (charset->kind) {
	case CHARSET_KIND_STATEFUL:
	case CHARSET_KIND_EBCDIC:
		return true;
	case CHARSET_KIND_ISO2022JP:
		return bytes_has(in, 0x1b) || bytes_has(in, 0x0e);
	case CHARSET_KIND_ICU:
	case CHARSET_KIND_UTF8:
	case CHARSET_KIND_ASCII:
	case CHARSET_KIND_LATIN10:
	case CHARSET_KIND_SHIFTJIS:
	case CHARSET_KIND_EUCJP:
	case CHARSET_KIND_UTF7:
	default:
		return false;
	}
}

static enum err decode_icu(struct arena *arena, const struct charset *charset, struct bytes in,
			   struct charset_result *ret)
{
	UConverter *converter = open_converter(charset);
	if (!converter || in.len == 0) {
		ret->errors = in.len > 0;
		ret->text = in.len > 0 ? BYTES_LIT("\xef\xbf\xbd") : in;
		return ERR_OK;
	}
	size_t *errors = &ret->errors;
	UErrorCode err = U_ZERO_ERROR;
	ucnv_reset(converter);
	ucnv_setToUCallBack(converter, count_error, errors, NULL, NULL, &err);
	CLEANUP(buf_done) struct buf out = BUF_INIT(SIZE_MAX / 2);
	const char *from = (const char *)in.ptr, *end = from + in.len;
	uint32_t lead = 0;
	do {
		UChar units[1024], *to = units;
		err = U_ZERO_ERROR;
		ucnv_toUnicode(converter, &to, units + ARRAY_LEN(units), &from, end, NULL, true, &err);
		uint8_t *raw = buf_reserve(&out, 3 * ARRAY_LEN(units) + 3);
		if (!raw)
			return ERR_NOMEM;
		size_t n = 0;
		for (const UChar *u = units; u < to; u++) {
			uint32_t code = *u;
			if (code - 0xd800u < 0x400u) {
				lead = code;
				continue;
			}
			if (code - 0xdc00u < 0x400u && lead)
				code = 0x10000u + ((lead - 0xd800u) << 10) + (code - 0xdc00u);
			lead = 0;
			n += utf8_encode(code, raw + n);
		}
		buf_commit(&out, n);
	} while (err == U_BUFFER_OVERFLOW_ERROR);
	if (U_FAILURE(err))
		ret->errors++;
	if (buf_err(&out) != ERR_OK)
		return ERR_NOMEM;
	ret->text = arena_copy(arena, buf_bytes(&out));
	return ret->text.ptr ? ERR_OK : ERR_NOMEM;
}

static size_t decode_utf8(struct bytes in, uint8_t *out, size_t *ret_errors)
{
	size_t n = 0;
	while (in.len > 0) {
		bool ok;
		uint32_t code = utf8_next(&in, &ok);
		*ret_errors += !ok;
		n += utf8_encode(code, out + n);
	}
	return n;
}

static size_t decode_single(const struct charset *charset, struct bytes in, uint8_t *out, size_t *ret_errors)
{
	size_t n = 0;
	for (size_t i = 0; i < in.len; i++) {
		uint32_t code = in.ptr[i];
		if (code >= 0x80 && charset->kind == CHARSET_KIND_ASCII) {
			code = UTF8_REPLACEMENT;
			(*ret_errors)++;
		} else if (code >= 0xa0) {
			code = charset_latin10[code - 0xa0];
		}
		n += utf8_encode(code, out + n);
	}
	return n;
}

static enum err decode(struct arena *arena, const struct charset *charset, struct bytes in, struct charset_result *ret,
		       size_t *ret_gaps)
{
	*ret = (struct charset_result){.text = in, .used = charset};
	*ret_gaps = 0;
	if (in.len == 0 || (!escapes(charset, in) && utf8_is_ascii(in))) {
		ret->ascii = true;
		return ERR_OK;
	}
	if (charset->kind == CHARSET_KIND_UTF8 && utf8_valid(in))
		return ERR_OK;
	if (charset->icu)
		return decode_icu(arena, charset, in, ret);
	TRY(japanese_init());
	size_t room, len;
	if (ckd_mul(&room, in.len, 3))
		return ERR_NOMEM;
	uint8_t *out = arena_alloc_raw(arena, room);
	if (!out)
		return ERR_NOMEM;
	bool foreign = false;
	if (charset->kind == CHARSET_KIND_SHIFTJIS)
		len = japanese_shift_jis(in, out, &ret->errors, ret_gaps);
	else if (charset->kind == CHARSET_KIND_EUCJP)
		len = japanese_euc(in, out, &ret->errors, ret_gaps);
	else if (charset->kind == CHARSET_KIND_ISO2022JP)
		len = japanese_iso2022(in, out, &ret->errors, ret_gaps, &foreign);
	else if (charset->kind == CHARSET_KIND_LATIN10 || charset->kind == CHARSET_KIND_ASCII)
		len = decode_single(charset, in, out, &ret->errors);
	else
		len = decode_utf8(in, out, &ret->errors);
	if (foreign) {
		arena_shrink(arena, out, room, 0);
		ret->errors = *ret_gaps = 0;
		return decode_icu(arena, &charset_table[CHARSET_ISO_2022_JP_2], in, ret);
	}
	arena_shrink(arena, out, room, len);
	ret->text = bytes_make(out, len);
	return ERR_OK;
}

enum err charset_decode_strict(struct arena *arena, const struct charset *charset, struct bytes in,
			       struct charset_result *ret)
{
	size_t gaps;
	TRY(decode(arena, charset ? charset : charset_utf8, in, ret, &gaps));
	ret->errors += gaps;
	return ERR_OK;
}

/* Escape sequences of ISO-2022-JP, and nothing over 0x7f. */
static bool looks_iso2022(struct bytes in)
{
	for (size_t at = 0; (at = bytes_find_byte(in, 0x1b)) != BYTES_NONE;) {
		in = bytes_from(in, at + 1);
		if (in.len >= 2 && in.ptr[0] == '$' && (in.ptr[1] == 'B' || in.ptr[1] == '@' || in.ptr[1] == '('))
			return utf8_is_ascii(in);
	}
	return false;
}

/*
 * How Japanese a text looks: kana, and characters that stand next to each other, speak for it; half-width kana, private
 * use and lone ideographs between ASCII letters are what Western text turns into.
 */
static long japanese_score(struct bytes text)
{
	long score = 0;
	bool wide_before = false;
	while (text.len > 0) {
		uint32_t code = utf8_next(&text, NULL);
		bool wide = code >= 0x2000 && code < 0xfe00;
		bool next = text.len > 0 && text.ptr[0] >= 0xe2;
		if (code - 0x3041u < 0xbfu)
			score += 2;
		else if (code - 0xff61u < 0x3fu)
			score -= 1;
		else if (code - 0xe000u < 0x1900u || code == UTF8_REPLACEMENT)
			score -= 4;
		else if (wide)
			score += wide_before || next ? 1 : -1;
		wide_before = wide;
	}
	return score;
}

static enum err guess(struct arena *arena, struct bytes in, struct charset_result *ret)
{
	static const enum charset_id tried[] = {CHARSET_SHIFT_JIS, CHARSET_EUC_JP};
	size_t gaps;
	if (looks_iso2022(in)) {
		struct arena_mark mark = arena_mark(arena);
		TRY(decode(arena, &charset_table[CHARSET_ISO_2022_JP], in, ret, &gaps));
		if (ret->errors <= 1) /* a single cut character makes no other charset */
			return ERR_OK;
		arena_rewind(arena, mark);
	}
	if (utf8_valid(in))
		return decode(arena, charset_utf8, in, ret, &gaps);
	long best = 0;
	enum charset_id pick = CHARSET_WINDOWS_1252;
	for (size_t i = 0; i < ARRAY_LEN(tried); i++) {
		struct arena_mark mark = arena_mark(arena);
		TRY(decode(arena, &charset_table[tried[i]], in, ret, &gaps));
		long score = ret->errors == 0 ? japanese_score(ret->text) : 0;
		if (score > best) {
			best = score;
			pick = tried[i];
		}
		arena_rewind(arena, mark);
	}
	return decode(arena, &charset_table[pick], in, ret, &gaps);
}

static size_t count_high(struct bytes in)
{
	size_t n = 0;
	for (size_t i = 0; i < in.len; i++)
		n += in.ptr[i] >= 0x80;
	return n;
}

/* True when the label is plainly wrong although its reading may give no error. */
static bool mislabelled(const struct charset *charset, struct bytes in)
{
	switch (charset->kind) {
	case CHARSET_KIND_ASCII:
	case CHARSET_KIND_SHIFTJIS:
	case CHARSET_KIND_EUCJP:
		return looks_iso2022(in);
	case CHARSET_KIND_ISO2022JP:
		return !bytes_has(in, 0x1b) && !bytes_has(in, 0x0e) && !utf8_is_ascii(in);
	case CHARSET_KIND_ICU:
	case CHARSET_KIND_STATEFUL:
	case CHARSET_KIND_EBCDIC:
	case CHARSET_KIND_UTF8:
	case CHARSET_KIND_LATIN10:
	case CHARSET_KIND_UTF7:
	default:
		return false;
	}
}

enum err charset_decode(struct arena *arena, const struct charset *charset, struct bytes in, struct charset_result *ret)
{
	if (!charset)
		return guess(arena, in, ret);
	size_t gaps;
	bool wrong = mislabelled(charset, in);
	TRY(decode(arena, charset, in, ret, &gaps));
	/* What is ASCII as it stands is no better guess: a cut text would show its escape sequences. */
	bool plain = charset->kind == CHARSET_KIND_ISO2022JP && utf8_is_ascii(in);
	if ((ret->errors == 0 || plain) && !wrong) {
		ret->errors += gaps;
		return ERR_OK;
	}
	struct charset_result guessed;
	TRY(guess(arena, in, &guessed));
	bool western = guessed.used == &charset_table[CHARSET_WINDOWS_1252];
	/*
	 * Where nothing better than windows-1252 is found, the label stands unless it was ASCII, or UTF-8 with more
	 * malformed bytes than well-formed ones: a single cut character makes no other charset.
	 */
	bool hopeless = charset->kind == CHARSET_KIND_ASCII ||
			(charset->kind == CHARSET_KIND_UTF8 && ret->errors * 2 > count_high(in));
	if (western ? hopeless : wrong || guessed.errors <= ret->errors)
		*ret = guessed;
	else
		ret->errors += gaps;
	return ERR_OK;
}
