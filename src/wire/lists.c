/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/lists.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "auth/dns.h"
#include "base/arena.h"
#include "base/buf.h"
#include "mail/received.h"
#include "sys/file.h"

#include "base/banned.h"

#define ZONE_MAX 180 /* an address of IPv6 before it is a name still */

/* -- Values ---- */

struct checker {
	const struct settings_origin *origin;
	struct conf_errors *errors;
	const char *key;
	struct bytes name; /* of the list */
};

PRINTF_LIKE(2, 3) static void complain(const struct checker *checker, const char *fmt, ...)
{
	struct bytes key = bytes_from_cstr(checker->key);
	char text[200];
	size_t index = 0;
	bool known = conf_find(&settings_keys, key, &index) != NULL;
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	conf_error_add_key(checker->errors, known ? checker->origin->lines[index] : 0, key, "%s: %.*s%s%s",
			   checker->key, BYTES_FMT(bytes_sub(checker->name, 0, 40)), checker->name.len > 0 ? ": " : "",
			   text);
}

/* The set that the words name; what is none of them is complained of. */
static unsigned read_about(const struct checker *checker, const struct conf_strings *words)
{
	unsigned about = 0;
	for (size_t i = 0; i < words->count; i++) {
		unsigned one = 0;
		if (!list_about_find(words->items[i], &one))
			complain(checker,
				 "about: \"%.*s\" is none of client, received, helo, sender, from, replies, urls",
				 BYTES_FMT(bytes_sub(words->items[i], 0, 30)));
		about |= one;
	}
	if (words->count == 0)
		complain(checker, "without \"about\" it would never be asked");
	return about;
}

static void check_possible(const struct checker *checker, enum list_kind kind, unsigned about)
{
	for (unsigned one = 1; one < LIST_ABOUT_ALL; one <<= 1) {
		CLEANUP(buf_done) struct buf word = BUF_INIT(64);
		if ((list_about_wrong(kind, about) & one) == 0)
			continue;
		list_about_format(&word, one);
		complain(checker, "a list of kind %s cannot be asked about: %.*s", list_kind_name(kind),
			 BYTES_FMT(buf_bytes(&word)));
	}
}

static void check_name(const struct checker *checker, struct bytes name)
{
	if (!list_name_valid(name))
		complain(checker, "a list needs a name of 1 to 40 letters, digits and -_.");
}

static void check_zone(struct checker *checker, const struct settings_list_zone *zone)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(1 << 16);
	struct bytes name;
	struct error error;
	enum list_kind kind = (enum list_kind)zone->kind;
	checker->name = zone->name;
	check_name(checker, zone->name);
	if (!dns_name_valid(zone->zone) || zone->zone.len > ZONE_MAX || !bytes_has(zone->zone, '.'))
		complain(checker, "\"%.*s\" is no zone", BYTES_FMT(bytes_sub(zone->zone, 0, 60)));
	check_possible(checker, kind, read_about(checker, &zone->about));
	if (zone->codes.count == 0 || zone->codes.count > 100)
		complain(checker, "it needs 1 to 100 \"codes\" that say what its answers mean");
	for (size_t i = 0; i < zone->codes.count; i++) {
		struct zone_code code;
		if (zone_code_read(zone->codes.items[i], &code, &error) != ERR_OK)
			complain(checker, "%s", error.text);
	}
	for (int hit = 0; arena && hit < 2; hit++)
		if (lists_canary(arena, zone, hit, &name) != ERR_OK)
			complain(checker, "%s: expected %s, or off", hit ? "canary_hit" : "canary_miss",
				 kind == LIST_IP || kind == LIST_IP_ALLOW ? "an address" : "a domain");
}

static void check_local(struct checker *checker, const struct settings_list_local *local)
{
	checker->name = local->name;
	check_name(checker, local->name);
	if (!bytes_starts(local->file, BYTES_LIT("/")))
		complain(checker, "file: an absolute path is expected");
	unsigned about = read_about(checker, &local->about);
	if (local->kind != 0 && (about & (LIST_HELO | LIST_REPLIES | LIST_URLS)) != 0)
		complain(checker, "a list of kind allow is asked about client, received, sender and from only: "
				  "anybody may write the rest");
}

/* A name stands for one list, in the evidence and in recorded cases. */
static void check_twice(const struct checker *checker, const struct bytes *before, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes_eq(before[i], checker->name)) {
			complain(checker, "there is a list of this name already");
			return;
		}
	}
}

bool lists_check_values(const struct settings *settings, const struct settings_origin *origin,
			struct conf_errors *errors)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	const struct settings_list_zone *zones = settings->list_zones.items;
	const struct settings_list_local *locals = settings->list_locals.items;
	size_t n_zones = settings->list_zones.count, n = n_zones + settings->list_locals.count;
	size_t before = errors->count;
	struct checker checker = {.origin = origin, .errors = errors};
	struct bytes *names = arena ? arena_new(arena, struct bytes, n + 1) : NULL;
	for (size_t i = 0; names && i < n; i++) {
		checker.key = i < n_zones ? "lists.zones" : "lists.local";
		if (i < n_zones)
			check_zone(&checker, &zones[i]);
		else
			check_local(&checker, &locals[i - n_zones]);
		check_twice(&checker, names, i);
		names[i] = checker.name;
	}
	if (n_zones > LISTS_ZONES_MAX)
		complain(&checker, "more than %d zones", LISTS_ZONES_MAX);
	return names && errors->count == before;
}

/* -- For judging ---- */

static unsigned about_of(const struct conf_strings *words)
{
	unsigned about = 0, one = 0;
	for (size_t i = 0; i < words->count; i++)
		about |= list_about_find(words->items[i], &one) ? one : 0;
	return about;
}

static enum err add_zone(struct arena *arena, const struct settings_list_zone *in, struct list_zone *out)
{
	struct error error;
	*out = (struct list_zone){.name = in->name, .kind = (enum list_kind)in->kind, .about = about_of(&in->about)};
	out->zone = arena_copy_lower(
		arena, bytes_ends(in->zone, BYTES_LIT(".")) ? bytes_sub(in->zone, 0, in->zone.len - 1) : in->zone);
	out->codes = arena_new(arena, struct zone_code, in->codes.count + 1);
	if (!out->codes || !out->zone.ptr)
		return ERR_NOMEM;
	for (; out->n_codes < in->codes.count; out->n_codes++)
		TRY(zone_code_read(in->codes.items[out->n_codes], &out->codes[out->n_codes], &error));
	return ERR_OK;
}

enum err lists_scan_settings(struct arena *arena, const struct settings *settings, struct scan_settings *ret_settings)
{
	const struct settings_list_zone *zones = settings->list_zones.items;
	const struct settings_list_local *locals = settings->list_locals.items;
	struct scan_settings *out = ret_settings;
	out->list_questions = (size_t)settings->list_questions;
	out->own_domains = settings->own_domains.items;
	out->n_own_domains = settings->own_domains.count;
	out->zones = arena_new(arena, struct list_zone, settings->list_zones.count + 1);
	out->locals = arena_new(arena, struct list_local, settings->list_locals.count + 1);
	if (!out->zones || !out->locals)
		return ERR_NOMEM;
	for (; out->n_zones < settings->list_zones.count; out->n_zones++)
		TRY(add_zone(arena, &zones[out->n_zones], &out->zones[out->n_zones]));
	for (; out->n_locals < settings->list_locals.count; out->n_locals++) {
		const struct settings_list_local *local = &locals[out->n_locals];
		out->locals[out->n_locals] = (struct list_local){
			.name = local->name, .allow = local->kind != 0, .about = about_of(&local->about)};
	}
	return ERR_OK;
}

enum err lists_canary(struct arena *arena, const struct settings_list_zone *zone, bool hit, struct bytes *ret_name)
{
	bool by_ip = zone->kind == LIST_IP || zone->kind == LIST_IP_ALLOW;
	struct bytes value = hit ? zone->canary_hit : zone->canary_miss;
	uint8_t ip[16];
	*ret_name = (struct bytes){0};
	if (bytes_eq(value, BYTES_LIT("off")))
		return ERR_OK;
	if (value.len == 0 && by_ip)
		value = hit ? BYTES_LIT("127.0.0.2") : BYTES_LIT("127.0.0.1");
	else if (value.len == 0)
		value = hit ? BYTES_LIT("test") : BYTES_LIT("invalid");
	if (by_ip && !received_parse_ip(value, ip))
		return ERR_SYNTAX;
	*ret_name = by_ip ? dns_name_reverse(arena, ip, zone->zone)
			  : arena_printf(arena, "%.*s.%.*s", BYTES_FMT(value), BYTES_FMT(zone->zone));
	if (!ret_name->ptr)
		return ERR_NOMEM;
	return dns_name_valid(*ret_name) ? ERR_OK : ERR_SYNTAX;
}

/* -- Files ---- */

/* Nobody may ever write to a pipe: who reads one waits, and with it all mail. A missing file is told by who opens it.
 */
static bool is_plain_file(const char *path)
{
	struct stat st;
	return stat(path, &st) != 0 || S_ISREG(st.st_mode);
}

enum err lists_read(struct arena *arena, const struct settings *settings, lists_wrong *wrong, void *ctx,
		    struct bytes **ret_texts)
{
	const struct settings_list_local *locals = settings->list_locals.items;
	struct bytes *texts = arena_new(arena, struct bytes, settings->list_locals.count + 1);
	for (size_t i = 0; texts && i < settings->list_locals.count; i++) {
		const char *path = arena_cstr(arena, locals[i].file);
		if (!path)
			return ERR_NOMEM;
		texts[i] = (struct bytes){0};
		if (!is_plain_file(path)) {
			wrong(ctx, locals[i].file, 0, (struct bytes){0}, "it is not a plain file");
			continue;
		}
		errno = 0;
		if (file_read(arena, path, LOCAL_LIST_MAX, &texts[i]) == ERR_OK)
			continue;
		texts[i] = (struct bytes){0};
		wrong(ctx, locals[i].file, 0, (struct bytes){0}, errno ? strerror(errno) : "the file is too large");
	}
	*ret_texts = texts;
	return texts ? ERR_OK : ERR_NOMEM;
}

struct line_teller {
	lists_wrong *wrong;
	void *ctx;
	struct bytes file;
};

static void on_line(void *ctx, size_t number, struct bytes line, const char *why)
{
	const struct line_teller *teller = ctx;
	teller->wrong(teller->ctx, teller->file, number, line, why);
}

enum err lists_build(struct arena *arena, const struct settings *settings, const struct bytes *texts,
		     const struct local_lists *before, lists_wrong *wrong, void *ctx, struct bytes *ret_image)
{
	CLEANUP(arena_free) struct arena *scratch = arena_create(SIZE_MAX);
	const struct settings_list_local *locals = settings->list_locals.items;
	struct local_lists lists = {.count = settings->list_locals.count};
	if (!scratch || !(lists.items = arena_new(scratch, struct local_lists_item, lists.count + 1)))
		return ERR_NOMEM;
	for (size_t i = 0; i < lists.count; i++) {
		struct line_teller teller = {wrong, ctx, locals[i].file};
		struct local_lists_item *item = &lists.items[i];
		item->name = locals[i].name;
		if (!texts[i].ptr && before && (item->image = local_lists_image(before, item->name)).ptr)
			wrong(ctx, locals[i].file, 0, (struct bytes){0}, "the list stays as it was");
		else
			TRY(local_list_build(scratch, texts[i], on_line, &teller, &item->image));
	}
	return local_lists_pack(arena, &lists, ret_image);
}

static void on_wrong(void *ctx, struct bytes file, size_t line, struct bytes text, const char *why)
{
	struct conf_errors *errors = ctx;
	struct bytes key = BYTES_LIT("lists.local");
	if (line == 0)
		conf_error_add_key(errors, 0, key, "lists.local: %.*s: %s", BYTES_FMT(file), why);
	else
		conf_error_add_key(errors, 0, key, "lists.local: %.*s:%zu: \"%.*s\" %s", BYTES_FMT(file), line,
				   BYTES_FMT(bytes_sub(text, 0, 40)), why);
}

bool lists_check_files(const struct settings *settings, struct conf_errors *errors)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	size_t before = errors->count;
	struct bytes *texts, image;
	if (!arena || lists_read(arena, settings, on_wrong, errors, &texts) != ERR_OK ||
	    lists_build(arena, settings, texts, NULL, on_wrong, errors, &image) != ERR_OK)
		conf_error_add(errors, 0, "no memory for lists.local");
	return errors->count == before;
}
