/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/spf_record.h"

#include "auth/spf_macro.h"
#include "base/ascii.h"
#include "base/ip.h"
#include "base/num.h"

#include "base/banned.h"

#define VERSION "v=spf1"

static const struct {
	struct bytes name;
	enum spf_kind kind;
} mechanisms[] = {
	{BYTES_INIT("all"), SPF_ALL}, {BYTES_INIT("include"), SPF_INCLUDE}, {BYTES_INIT("a"), SPF_A},
	{BYTES_INIT("mx"), SPF_MX},   {BYTES_INIT("ptr"), SPF_PTR},         {BYTES_INIT("ip4"), SPF_IP4},
	{BYTES_INIT("ip6"), SPF_IP6}, {BYTES_INIT("exists"), SPF_EXISTS},
};

bool spf_kind_asks(enum spf_kind kind)
{
	return kind == SPF_INCLUDE || kind == SPF_A || kind == SPF_MX || kind == SPF_PTR || kind == SPF_EXISTS ||
	       kind == SPF_REDIRECT;
}

bool spf_record_is(struct bytes text)
{
	return bytes_starts_nocase(text, BYTES_LIT(VERSION)) &&
	       (text.len == sizeof(VERSION) - 1 || text.ptr[sizeof(VERSION) - 1] == ' ');
}

/* -- Parts of terms: `part` is a slice of the record, and errors are at their place in it ---- */

struct reader {
	struct bytes record;
	struct spf_term *term;
	struct error *reterr;
};

static size_t offset(const struct reader *reader, struct bytes part)
{
	return (size_t)(part.ptr - reader->record.ptr);
}

static enum err fail(const struct reader *reader, struct bytes part, const char *text)
{
	return error_set(reader->reterr, ERR_SYNTAX, offset(reader, part), "%s", text);
}

static enum err text_read(const struct reader *reader, struct bytes part, enum spf_text kind)
{
	enum err err = spf_macro_check(part, kind, reader->reterr);
	if (err != ERR_OK && reader->reterr)
		reader->reterr->at += offset(reader, part);
	reader->term->domain = part;
	return err;
}

static enum err domain_read(const struct reader *reader, struct bytes part)
{
	uint8_t ip[16];
	enum err err = text_read(reader, part, SPF_TEXT_DOMAIN);
	if (err != ERR_OK && ip_parse_v4(part, ip))
		return fail(reader, part, "an address where a name belongs: ip4: is for addresses");
	if (err != ERR_OK && ip_parse_v6(part, ip))
		return fail(reader, part, "an address where a name belongs: ip6: is for addresses");
	return err;
}

/* The digits behind a slash: no leading zero (RFC 7208 12). */
static enum err bits_read(const struct reader *reader, struct bytes digits, uint8_t max, uint8_t *ret_bits)
{
	uint64_t bits;
	if (num_parse(digits, 10, max, &bits) != ERR_OK || (digits.len > 1 && digits.ptr[0] == '0'))
		return fail(reader, digits,
			    max == 32 ? "a prefix length of IPv4 is a number from 0 to 32"
				      : "a prefix length of IPv6 is a number from 0 to 128");
	*ret_bits = (uint8_t)bits;
	return ERR_OK;
}

/* ":" network ["/" bits], of ip4 and ip6. */
static enum err network_read(const struct reader *reader, struct bytes part)
{
	struct spf_term *term = reader->term;
	bool v4 = term->kind == SPF_IP4;
	if (part.len == 0 || part.ptr[0] != ':')
		return fail(reader, part, "a colon and an address have to follow");
	part = bytes_from(part, 1);
	size_t slash = bytes_find_byte(part, '/');
	struct bytes address = bytes_sub(part, 0, slash);
	if (!(v4 ? ip_parse_v4(address, term->ip) : ip_parse_v6(address, term->ip)))
		return fail(reader, part, v4 ? "not an IPv4 address" : "not an IPv6 address");
	if (slash == BYTES_NONE)
		return ERR_OK;
	return bits_read(reader, bytes_from(part, slash + 1), v4 ? 32 : 128, v4 ? &term->bits4 : &term->bits6);
}

/* Cuts "/" digits, with `slashes` slashes, off the end of `*part`: a domain-spec may hold slashes itself. */
static bool cut_bits(struct bytes *part, size_t slashes, struct bytes *ret_digits)
{
	size_t digits = part->len;
	while (digits > 0 && ascii_is_digit(part->ptr[digits - 1]))
		digits--;
	size_t at = digits;
	while (at > 0 && digits - at < 2 && part->ptr[at - 1] == '/')
		at--;
	if (digits == part->len || digits - at != slashes)
		return false;
	*ret_digits = bytes_from(*part, digits);
	part->len = at;
	return true;
}

/* [":" domain-spec] [dual-cidr-length], of a and mx. */
static enum err hosts_read(const struct reader *reader, struct bytes part)
{
	struct bytes digits;
	if (cut_bits(&part, 2, &digits))
		TRY(bits_read(reader, digits, 128, &reader->term->bits6));
	if (cut_bits(&part, 1, &digits))
		TRY(bits_read(reader, digits, 32, &reader->term->bits4));
	if (part.len == 0)
		return ERR_OK;
	if (part.ptr[0] != ':')
		return fail(reader, part, "neither a colon nor a prefix length");
	return domain_read(reader, bytes_from(part, 1));
}

/* ":" domain-spec, which ptr alone may do without. */
static enum err name_read(const struct reader *reader, struct bytes part)
{
	if (part.len == 0 && reader->term->kind == SPF_PTR)
		return ERR_OK;
	if (part.len == 0 || part.ptr[0] != ':')
		return fail(reader, part, "a colon and a domain have to follow");
	return domain_read(reader, bytes_from(part, 1));
}

static enum err directive_read(const struct reader *reader, struct bytes name, struct bytes rest)
{
	struct spf_term *term = reader->term;
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (name.len == mechanisms[i].name.len && bytes_eq_nocase(name, mechanisms[i].name))
			term->kind = mechanisms[i].kind;
	switch (term->kind) {
	case SPF_ALL:
		return rest.len == 0 ? ERR_OK : fail(reader, rest, "nothing may follow \"all\"");
	case SPF_A:
	case SPF_MX:
		return hosts_read(reader, rest);
	case SPF_PTR:
	case SPF_INCLUDE:
	case SPF_EXISTS:
		return name_read(reader, rest);
	case SPF_IP4:
	case SPF_IP6:
		return network_read(reader, rest);
	case SPF_END:
	case SPF_REDIRECT:
	case SPF_EXP:
	case SPF_OTHER:
		break;
	}
	return fail(reader, name, name.len > 0 ? "no such mechanism" : "neither a mechanism nor a modifier");
}

static enum err modifier_read(const struct reader *reader, struct bytes name, struct bytes value)
{
	struct spf_term *term = reader->term;
	bool redirect = bytes_eq_nocase(name, BYTES_LIT("redirect"));
	term->kind = redirect ? SPF_REDIRECT : bytes_eq_nocase(name, BYTES_LIT("exp")) ? SPF_EXP : SPF_OTHER;
	return term->kind == SPF_OTHER ? text_read(reader, value, SPF_TEXT_MODIFIER) : domain_read(reader, value);
}

static bool qualifier_of(uint8_t byte, enum spf_code *ret_code)
{
	if (byte == '+')
		*ret_code = SPF_PASS;
	else if (byte == '-')
		*ret_code = SPF_FAIL;
	else if (byte == '~')
		*ret_code = SPF_SOFTFAIL;
	else if (byte == '?')
		*ret_code = SPF_NEUTRAL;
	else
		return false;
	return true;
}

/* -- Terms ---- */

/* name of the grammar: ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ). */
static bool is_name_byte(uint8_t byte, size_t at)
{
	return ascii_is_alpha(byte) || (at > 0 && (ascii_is_digit(byte) || byte == '-' || byte == '_' || byte == '.'));
}

enum err spf_term_next(struct bytes record, size_t *at, struct spf_term *ret_term, struct error *reterr)
{
	struct reader reader = {.record = record, .term = ret_term, .reterr = reterr};
	size_t start = MAX(*at, sizeof(VERSION) - 1);
	while (start < record.len && record.ptr[start] == ' ')
		start++;
	struct bytes text = bytes_from(record, start);
	text = bytes_sub(text, 0, bytes_find_byte(text, ' '));
	*at = start + text.len;
	*ret_term = (struct spf_term){
		.qualifier = SPF_PASS, .bits4 = 32, .bits6 = 128, .at = start, .text = text, .domain = {text.ptr, 0}};
	if (text.len == 0)
		return ERR_OK;
	for (size_t i = 0; i < text.len; i++)
		if (!ascii_is_print(text.ptr[i]))
			return fail(&reader, bytes_from(text, i), "a byte that may not stand in a record");
	bool qualified = qualifier_of(text.ptr[0], &ret_term->qualifier);
	struct bytes rest = bytes_from(text, qualified);
	size_t len = 0;
	while (len < rest.len && is_name_byte(rest.ptr[len], len))
		len++;
	struct bytes name = bytes_sub(rest, 0, len);
	rest = bytes_from(rest, len);
	if (len == 0 || rest.len == 0 || rest.ptr[0] != '=')
		return directive_read(&reader, name, rest);
	if (qualified)
		return fail(&reader, text, "a modifier has no qualifier");
	return modifier_read(&reader, name, bytes_from(rest, 1));
}

enum err spf_record_parse(struct bytes text, struct spf_record *ret_record, struct error *reterr)
{
	struct spf_record record = {.text = text};
	for (size_t at = 0;;) {
		struct spf_term term;
		TRY(spf_term_next(text, &at, &term, reterr));
		if (term.kind == SPF_END)
			break;
		record.terms++;
		record.all |= term.kind == SPF_ALL;
		record.lookups += spf_kind_asks(term.kind);
		if (term.kind != SPF_REDIRECT && term.kind != SPF_EXP)
			continue;
		struct spf_term *once = term.kind == SPF_EXP ? &record.exp : &record.redirect;
		if (once->kind != SPF_END)
			return error_set(reterr, ERR_SYNTAX, term.at, "a second \"%s\" (RFC 7208 6)",
					 term.kind == SPF_EXP ? "exp" : "redirect");
		*once = term;
	}
	*ret_record = record;
	return ERR_OK;
}
