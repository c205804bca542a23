/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/url_host.h"

#include <stdio.h>
#include <unicode/uidna.h>
#include <unicode/uscript.h>

#include "base/ascii.h"
#include "base/num.h"
#include "base/utf8.h"
#include "mail/url.h"

#include "base/banned.h"

/* What UTS 46 may find wrong and browsers take all the same (CheckHyphens and VerifyDnsLength are off). */
#define IDNA_TOLERATED                                                                                                 \
	(UIDNA_ERROR_EMPTY_LABEL | UIDNA_ERROR_LABEL_TOO_LONG | UIDNA_ERROR_DOMAIN_NAME_TOO_LONG |                     \
	 UIDNA_ERROR_LEADING_HYPHEN | UIDNA_ERROR_TRAILING_HYPHEN | UIDNA_ERROR_HYPHEN_3_4)

/* -- Names ---- */

static bool forbidden(uint8_t c)
{
	static const bool marks[256] = {
		['#'] = true, ['/'] = true, [':'] = true,  ['<'] = true, ['>'] = true, ['?'] = true,
		['@'] = true, ['['] = true, ['\\'] = true, [']'] = true, ['^'] = true, ['|'] = true,
		['%'] = true, ['"'] = true, ['`'] = true,  ['{'] = true, ['}'] = true,
	};
	return c <= ' ' || c > 0x7e || marks[c];
}

static bool has_a_label(struct bytes host)
{
	for (struct bytes label; bytes_split(&host, '.', &label);)
		if (bytes_starts_nocase(label, BYTES_LIT("xn--")))
			return true;
	return false;
}

/* Scripts that are written together: UTS 39, 5.2, "highly restrictive". */
static bool scripts_mix(const UScriptCode *scripts, size_t n)
{
	static const struct {
		UScriptCode codes[5];
	} families[] = {
		{{USCRIPT_LATIN, USCRIPT_HAN, USCRIPT_HIRAGANA, USCRIPT_KATAKANA, USCRIPT_COMMON}},
		{{USCRIPT_LATIN, USCRIPT_HAN, USCRIPT_BOPOMOFO, USCRIPT_COMMON, USCRIPT_COMMON}},
		{{USCRIPT_LATIN, USCRIPT_HAN, USCRIPT_HANGUL, USCRIPT_COMMON, USCRIPT_COMMON}},
	};
	if (n < 2)
		return false;
	for (size_t family = 0; family < ARRAY_LEN(families); family++) {
		size_t inside = 0;
		for (size_t i = 0; i < n; i++)
			for (size_t j = 0; j < 4; j++)
				if (families[family].codes[j] == scripts[i]) {
					inside++;
					break;
				}
		if (inside == n)
			return false;
	}
	return true;
}

static bool label_mixes(struct bytes label)
{
	UScriptCode scripts[8];
	size_t n = 0;
	while (label.len > 0) {
		UErrorCode status = U_ZERO_ERROR;
		UScriptCode script = uscript_getScript((UChar32)utf8_next(&label, NULL), &status);
		bool known = script == USCRIPT_COMMON || script == USCRIPT_INHERITED || U_FAILURE(status);
		for (size_t i = 0; i < n && !known; i++)
			known = scripts[i] == script;
		if (!known && n == ARRAY_LEN(scripts))
			return true;
		if (!known)
			scripts[n++] = script;
	}
	return scripts_mix(scripts, n);
}

static bool idna(struct bytes host, uint8_t *out, size_t *len, unsigned *flags)
{
	UErrorCode status = U_ZERO_ERROR;
	UIDNAInfo info = UIDNA_INFO_INITIALIZER, shown = UIDNA_INFO_INITIALIZER;
	uint8_t unicode[URL_HOST_MAX];
	UIDNA *uts46 = uidna_openUTS46(UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_NONTRANSITIONAL_TO_UNICODE |
					       UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ,
				       &status);
	if (U_FAILURE(status))
		return false;
	int32_t n = uidna_nameToASCII_UTF8(uts46, (const char *)host.ptr, (int32_t)host.len, (char *)out, URL_HOST_MAX,
					   &info, &status);
	bool ok = U_SUCCESS(status) && n > 0 && (info.errors & ~(uint32_t)IDNA_TOLERATED) == 0;
	if (ok) {
		*len = (size_t)n;
		int32_t m = uidna_nameToUnicodeUTF8(uts46, (const char *)out, n, (char *)unicode, URL_HOST_MAX, &shown,
						    &status);
		struct bytes rest = bytes_make(unicode, U_SUCCESS(status) && m > 0 ? (size_t)m : 0);
		for (struct bytes label; bytes_split(&rest, '.', &label);)
			if (label_mixes(label))
				*flags |= URL_MIXED_SCRIPT;
		if (has_a_label(bytes_make(out, *len)))
			*flags |= URL_IDN;
	}
	uidna_close(uts46);
	return ok;
}

/* -- Addresses ---- */

/* One part of an IPv4 address: decimal, 0octal or 0xhex; "0x" alone is zero. */
static bool ipv4_part(struct bytes part, uint64_t *ret_value)
{
	unsigned base = 10;
	uint64_t value = 0;
	if (part.len == 0)
		return false;
	if (part.len > 1 && part.ptr[0] == '0') {
		base = (part.ptr[1] | 0x20) == 'x' ? 16 : 8;
		part = bytes_from(part, base == 16 ? 2 : 1);
	}
	for (size_t i = 0; i < part.len; i++) {
		int digit = ascii_hex(part.ptr[i]);
		if (digit < 0 || (unsigned)digit >= base)
			return false;
		if (value <= UINT32_MAX)
			value = value * base + (uint64_t)digit;
	}
	*ret_value = value;
	return true;
}

/* Does the last label make it an address? Then it must be a good one (WHATWG, "ends in a number"). */
static bool ends_in_number(struct bytes host)
{
	size_t dot = bytes_rfind_byte(host, '.');
	struct bytes last = dot == BYTES_NONE ? host : bytes_from(host, dot + 1);
	uint64_t value;
	bool digits = last.len > 0;
	for (size_t i = 0; i < last.len; i++)
		digits = digits && ascii_is_digit(last.ptr[i]);
	return digits || (bytes_starts_nocase(last, BYTES_LIT("0x")) && ipv4_part(last, &value));
}

static bool ipv4_parse(struct bytes host, uint32_t *ret_address)
{
	uint64_t parts[4], address = 0;
	size_t n = 0;
	for (struct bytes part; bytes_split(&host, '.', &part); n++)
		if (n == 4 || !ipv4_part(part, &parts[n]))
			return false;
	for (size_t i = 0; i < n; i++) {
		/* The last part fills what is left. */
		if (parts[i] > (i + 1 < n ? 255u : UINT32_MAX >> (8 * i)))
			return false;
		address |= i + 1 < n ? parts[i] << (24 - 8 * i) : parts[i];
	}
	*ret_address = (uint32_t)address;
	return n > 0;
}

static size_t ipv4_write(uint32_t address, uint8_t *out)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255,
			 address & 255);
	memcpy(out, text, (size_t)n);
	return (size_t)n;
}

/* Plain dotted decimal, as it ends an IPv6 address. */
static bool ipv4_plain(struct bytes text, uint32_t *ret_address)
{
	uint8_t again[16];
	return ipv4_parse(text, ret_address) && bytes_eq(text, bytes_make(again, ipv4_write(*ret_address, again)));
}

static bool ipv6_parse(struct bytes text, uint16_t piece[8])
{
	size_t n = 0, gap = 9;
	memset(piece, 0, 8 * sizeof(*piece));
	if (bytes_starts(text, BYTES_LIT("::"))) {
		gap = 0;
		text = bytes_from(text, 2);
	}
	while (text.len > 0) {
		uint64_t value;
		uint32_t address;
		size_t colon = bytes_find_byte(text, ':');
		struct bytes part = bytes_sub(text, 0, MIN(colon, text.len));
		if (colon == BYTES_NONE && n <= 6 && bytes_has(part, '.')) {
			if (!ipv4_plain(part, &address))
				return false;
			piece[n++] = (uint16_t)(address >> 16);
			piece[n++] = (uint16_t)(address & 0xffff);
			break;
		}
		if (n == 8 || part.len > 4 || num_parse(part, 16, 0xffff, &value) != ERR_OK)
			return false;
		piece[n++] = (uint16_t)value;
		if (colon == BYTES_NONE)
			break;
		text = bytes_from(text, colon + 1);
		if (text.len == 0)
			return false;
		if (text.ptr[0] == ':') {
			if (gap != 9)
				return false;
			gap = n;
			text = bytes_from(text, 1);
		}
	}
	if (gap == 9)
		return n == 8;
	if (n > 7)
		return false;
	memmove(piece + 8 - (n - gap), piece + gap, (n - gap) * sizeof(*piece));
	memset(piece + gap, 0, (8 - n) * sizeof(*piece));
	return true;
}

/* RFC 5952: the first longest run of zeros, of two at least, is left out. */
static size_t ipv6_write(const uint16_t piece[8], uint8_t *out)
{
	size_t best = 8, best_len = 1, n = 0;
	for (size_t i = 0; i < 8; i++) {
		size_t run = 0;
		while (i + run < 8 && piece[i + run] == 0)
			run++;
		if (run > best_len) {
			best = i;
			best_len = run;
		}
	}
	for (size_t i = 0; i < 8; i++) {
		char text[8];
		if (i == best) {
			out[n++] = ':';
			if (i == 0)
				out[n++] = ':';
			i += best_len - 1;
			continue;
		}
		int len = snprintf(text, sizeof(text), i < 7 ? "%x:" : "%x", (unsigned)piece[i]);
		memcpy(out + n, text, (size_t)len);
		n += (size_t)len;
	}
	return n;
}

/* -------------------------------------------------------------------------------------------------------------------
 */

enum err url_host_parse(struct bytes raw, uint8_t out[static URL_HOST_MAX], size_t *ret_len, unsigned *flags)
{
	uint8_t decoded[URL_HOST_MAX];
	uint16_t piece[8];
	uint32_t address;
	size_t n = 0;
	bool ascii = true;

	if (raw.len > 2 && raw.ptr[0] == '[' && raw.ptr[raw.len - 1] == ']') {
		if (!ipv6_parse(bytes_sub(raw, 1, raw.len - 2), piece))
			return ERR_SYNTAX;
		*ret_len = ipv6_write(piece, out);
		*flags |= URL_IP_HOST;
		return ERR_OK;
	}
	for (size_t i = 0; i < raw.len; i++) {
		uint8_t c = raw.ptr[i];
		if (n == sizeof(decoded))
			return ERR_SYNTAX;
		if (c == '%' && i + 2 < raw.len && ascii_is_xdigit(raw.ptr[i + 1]) && ascii_is_xdigit(raw.ptr[i + 2])) {
			c = (uint8_t)(ascii_hex(raw.ptr[i + 1]) << 4 | ascii_hex(raw.ptr[i + 2]));
			i += 2;
			*flags |= URL_ESCAPED_HOST;
		}
		ascii = ascii && c < 0x80;
		decoded[n++] = c;
	}
	struct bytes host = bytes_make(decoded, n);
	if (!ascii || has_a_label(host)) {
		if (!ascii)
			*flags |= URL_IDN;
		if (!utf8_valid(host) || !idna(host, out, &n, flags))
			return ERR_SYNTAX;
	} else {
		for (size_t i = 0; i < n; i++)
			out[i] = ascii_lower(decoded[i]);
	}
	while (n > 1 && out[n - 1] == '.')
		n--;
	for (size_t i = 0; i < n; i++)
		if (forbidden(out[i]))
			return ERR_SYNTAX;
	host = bytes_make(out, n);
	if (n == 0 || bytes_eq(host, BYTES_LIT(".")))
		return ERR_SYNTAX;
	if (ends_in_number(host)) {
		if (!ipv4_parse(host, &address))
			return ERR_SYNTAX;
		uint8_t plain[16];
		size_t len = ipv4_write(address, plain);
		*flags |= URL_IP_HOST;
		*flags &= ~(unsigned)URL_IDN;
		if (!bytes_eq(bytes_make(plain, len), raw))
			*flags |= URL_IP_ODD;
		memcpy(out, plain, len);
		n = len;
	}
	*ret_len = n;
	return ERR_OK;
}
