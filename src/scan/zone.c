/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/zone.h"

#include "auth/dns.h"
#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "base/num.h"

#include "base/banned.h"

#define LOOPBACK      0x7f000000u /* 127.0.0.0/8: RFC 5782 2.1 */
#define LOOPBACK_MASK 0xff000000u
#define REFUSALS      0x7fffff00u /* 127.255.255.0/24: "you asked wrongly", by custom of the large lists */
#define REFUSALS_MASK 0xffffff00u
#define CODES_MAX     100

static const char *const kind_names[LIST_KINDS] = {"ip", "ip-allow", "domain", "domain-allow"};
static const char *const about_names[] = {"client", "received", "helo", "sender", "from", "replies", "urls"};

const char *list_kind_name(enum list_kind kind)
{
	return kind_names[kind];
}

bool list_kind_find(struct bytes name, enum list_kind *ret_kind)
{
	for (enum list_kind kind = 0; kind < LIST_KINDS; kind++) {
		if (bytes_eq(name, bytes_from_cstr(kind_names[kind]))) {
			*ret_kind = kind;
			return true;
		}
	}
	return false;
}

bool list_kind_allows(enum list_kind kind)
{
	return kind == LIST_IP_ALLOW || kind == LIST_DOMAIN_ALLOW;
}

bool list_about_find(struct bytes name, unsigned *ret_about)
{
	for (size_t i = 0; i < ARRAY_LEN(about_names); i++) {
		if (bytes_eq(name, bytes_from_cstr(about_names[i]))) {
			*ret_about = 1u << i;
			return true;
		}
	}
	return false;
}

unsigned list_about_wrong(enum list_kind kind, unsigned about)
{
	/* Anybody may write a good name into HELO, Reply-To or a link: in favour of a message that says nothing. */
	static const unsigned possible[LIST_KINDS] = {
		[LIST_IP] = LIST_CLIENT | LIST_RECEIVED | LIST_URLS,
		[LIST_IP_ALLOW] = LIST_CLIENT | LIST_RECEIVED,
		[LIST_DOMAIN] = LIST_HELO | LIST_SENDER | LIST_FROM | LIST_REPLIES | LIST_URLS,
		[LIST_DOMAIN_ALLOW] = LIST_SENDER | LIST_FROM,
	};
	return about & ~possible[kind];
}

void list_about_format(struct buf *buf, unsigned about)
{
	const char *before = "";
	for (size_t i = 0; i < ARRAY_LEN(about_names); i++) {
		if ((about & 1u << i) == 0)
			continue;
		buf_printf(buf, "%s%s", before, about_names[i]);
		before = ",";
	}
}

static bool is_plain(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
			return false;
	return text.len > 0;
}

bool list_name_valid(struct bytes name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.ptr[i]) && !bytes_has(BYTES_LIT("-_."), name.ptr[i]))
			return false;
	return name.len > 0 && name.len <= 40;
}

/* -- Codes ---- */

static enum err read_address(struct bytes text, uint32_t *ret_address)
{
	struct bytes number;
	size_t n = 0;
	*ret_address = 0;
	for (; n < 4 && bytes_split(&text, '.', &number); n++) {
		uint64_t octet = 0;
		TRY(num_parse(number, 10, 255, &octet));
		*ret_address = *ret_address << 8 | (uint32_t)octet;
	}
	return n == 4 && text.len == 0 ? ERR_OK : ERR_SYNTAX;
}

/* "127.0.0.2", with "/30" or "/255.255.0.255" behind it; "bit 8". */
static enum err read_pattern(struct bytes text, struct zone_code *code)
{
	uint64_t number = 0;
	if (bytes_starts(text, BYTES_LIT("bit "))) {
		TRY(num_parse(bytes_trim(bytes_from(text, 4)), 10, 128, &number));
		if (number == 0 || (number & (number - 1)) != 0)
			return ERR_SYNTAX;
		code->value = LOOPBACK | (uint32_t)number;
		code->mask = 0xffffff00u | (uint32_t)number;
		return ERR_OK;
	}
	size_t slash = bytes_find_byte(text, '/');
	struct bytes mask = bytes_from(text, slash == BYTES_NONE ? text.len : slash + 1);
	code->mask = UINT32_MAX;
	TRY(read_address(bytes_sub(text, 0, slash), &code->value));
	if (slash == BYTES_NONE)
		return ERR_OK;
	if (bytes_has(mask, '.'))
		return read_address(mask, &code->mask);
	TRY(num_parse(mask, 10, 32, &number));
	code->mask = number == 0 ? 0 : UINT32_MAX << (32 - number);
	return ERR_OK;
}

static bool is_refusal(uint32_t address)
{
	return (address & LOOPBACK_MASK) != LOOPBACK || (address & REFUSALS_MASK) == REFUSALS;
}

enum err zone_code_read(struct bytes text, struct zone_code *ret_code, struct error *reterr)
{
	size_t sign = bytes_find_byte(text, '=');
	struct bytes pattern = bytes_trim(bytes_sub(text, 0, sign));
	struct bytes meaning = sign == BYTES_NONE ? (struct bytes){0} : bytes_trim(bytes_from(text, sign + 1));
	struct bytes shown = bytes_sub(text, 0, 60);
	*ret_code = (struct zone_code){.meaning = meaning};
	if (!is_plain(meaning) || meaning.len > 80)
		return error_set(reterr, ERR_SYNTAX, 0,
				 "\"%.*s\" does not say what the code means (127.0.0.2 = spam source)",
				 BYTES_FMT(shown));
	if (read_pattern(pattern, ret_code) != ERR_OK)
		return error_set(reterr, ERR_SYNTAX, 0,
				 "\"%.*s\" is no code (expected 127.0.0.2, 127.0.0.4/30, 127.0.0.3/255.255.0.255 or "
				 "bit 8)",
				 BYTES_FMT(shown));
	if ((ret_code->value & ~ret_code->mask) != 0)
		return error_set(reterr, ERR_SYNTAX, 0, "\"%.*s\" has bits beside its mask", BYTES_FMT(shown));
	if ((ret_code->mask & LOOPBACK_MASK) != LOOPBACK_MASK || is_refusal(ret_code->value))
		return error_set(reterr, ERR_SYNTAX, 0,
				 "\"%.*s\": answers outside 127.0.0.0/8 and in 127.255.255.0/24 never count",
				 BYTES_FMT(shown));
	return ERR_OK;
}

static uint32_t address_of(const struct dns_record *record)
{
	const uint8_t *p = record->data.ptr;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/*
 * 127.0.0.255 has all bits: with masks it would mean everything, and is what some lists answer to whom they do not want
 * to answer. It counts where it is named whole.
 */
static bool names(const struct zone_code *code, uint32_t address)
{
	return (address & code->mask) == code->value && (code->mask == UINT32_MAX || (address & 0xff) != 0xff);
}

static bool is_named(const struct zone_code *code, const struct dns_answer *answer)
{
	for (size_t i = 0; i < answer->n_records; i++) {
		const struct dns_record *record = &answer->records[i];
		if (record->data.len == 4 && !is_refusal(address_of(record)) && names(code, address_of(record)))
			return true;
	}
	return false;
}

bool list_zone_hit(struct arena *arena, const struct list_zone *zone, const struct dns_answer *answer,
		   struct bytes *ret_meaning)
{
	bool hit = false;
	*ret_meaning = (struct bytes){0};
	for (size_t i = 0; answer->state == DNS_FOUND && i < zone->n_codes; i++) {
		const struct zone_code *code = &zone->codes[i];
		if (!is_named(code, answer))
			continue;
		*ret_meaning =
			hit ? arena_printf(arena, "%.*s, %.*s", BYTES_FMT(*ret_meaning), BYTES_FMT(code->meaning))
			    : code->meaning;
		hit = true;
	}
	return hit;
}

bool list_zone_refusal(const struct dns_answer *answer, uint32_t *ret_address)
{
	for (size_t i = 0; answer->state == DNS_FOUND && i < answer->n_records; i++) {
		const struct dns_record *record = &answer->records[i];
		if (record->data.len == 4 && is_refusal(address_of(record))) {
			*ret_address = address_of(record);
			return true;
		}
	}
	return false;
}

/* -- In a recorded case: lines ---- */

static void write_about(struct buf *buf, unsigned about)
{
	list_about_format(buf, about);
	buf_add_byte(buf, '\n');
}

static enum err read_about(struct bytes text, unsigned *ret_about)
{
	struct bytes word;
	*ret_about = 0;
	while (bytes_split(&text, ',', &word)) {
		unsigned about;
		if (!list_about_find(word, &about))
			return ERR_SYNTAX;
		*ret_about |= about;
	}
	return ERR_OK;
}

static void write_address(struct buf *buf, uint32_t address)
{
	buf_printf(buf, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
}

void list_zone_write(struct buf *buf, const struct list_zone *zone)
{
	buf_printf(buf, "%.*s\n%.*s\n%s\n", BYTES_FMT(zone->name), BYTES_FMT(zone->zone), kind_names[zone->kind]);
	write_about(buf, zone->about);
	for (size_t i = 0; i < zone->n_codes; i++) {
		write_address(buf, zone->codes[i].value);
		buf_add_byte(buf, '/');
		write_address(buf, zone->codes[i].mask);
		buf_printf(buf, " = %.*s\n", BYTES_FMT(zone->codes[i].meaning));
	}
}

enum err list_zone_read(struct arena *arena, struct bytes text, struct list_zone *ret_zone)
{
	struct bytes kind, about, line;
	struct error error;
	size_t capacity = 0;
	*ret_zone = (struct list_zone){0};
	if (!bytes_split(&text, '\n', &ret_zone->name) || !bytes_split(&text, '\n', &ret_zone->zone) ||
	    !bytes_split(&text, '\n', &kind) || !bytes_split(&text, '\n', &about) || !list_name_valid(ret_zone->name) ||
	    !is_plain(ret_zone->zone) || !list_kind_find(kind, &ret_zone->kind))
		return ERR_SYNTAX;
	TRY(read_about(about, &ret_zone->about));
	while (bytes_split(&text, '\n', &line) && line.len > 0) {
		struct zone_code *grown =
			arena_grow(arena, ret_zone->codes, &capacity, ret_zone->n_codes, sizeof(*grown));
		if (!grown || ret_zone->n_codes == CODES_MAX)
			return grown ? ERR_LIMIT : ERR_NOMEM;
		ret_zone->codes = grown;
		TRY(zone_code_read(line, &grown[ret_zone->n_codes], &error));
		ret_zone->n_codes++;
	}
	return ERR_OK;
}

void list_local_write(struct buf *buf, const struct list_local *local)
{
	buf_printf(buf, "%.*s\n%s\n", BYTES_FMT(local->name), local->allow ? "allow" : "block");
	write_about(buf, local->about);
}

enum err list_local_read(struct bytes text, struct list_local *ret_local)
{
	struct bytes kind, about;
	*ret_local = (struct list_local){0};
	if (!bytes_split(&text, '\n', &ret_local->name) || !bytes_split(&text, '\n', &kind) ||
	    !bytes_split(&text, '\n', &about) || !list_name_valid(ret_local->name))
		return ERR_SYNTAX;
	ret_local->allow = bytes_eq(kind, BYTES_LIT("allow"));
	return read_about(about, &ret_local->about);
}
