/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/history.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/escape.h"
#include "base/num.h"
#include "base/utf8.h"
#include "cli/when.h"
#include "sys/clock.h"
#include "wire/load.h"

#include "base/banned.h"

static struct bytes without_brackets(struct bytes id)
{
	return id.len > 2 && id.ptr[0] == '<' && id.ptr[id.len - 1] == '>' ? bytes_sub(id, 1, id.len - 2) : id;
}

/* Whether `word`, when it was given at all, is one of `words`, which blanks separate. */
static bool is_one_of(const char *words, const char *word)
{
	struct bytes rest = bytes_from_cstr(words);
	struct bytes wanted = bytes_from_cstr(word);
	if (!word)
		return true;
	while (rest.len > 0) {
		size_t end = bytes_find_byte(rest, ' ');
		if (bytes_eq(bytes_sub(rest, 0, end), wanted))
			return true;
		rest = end == BYTES_NONE ? (struct bytes){0} : bytes_from(rest, end + 1);
	}
	return false;
}

/* 0, or 2 when an option is wrong (it was said). Spans point into the options. */
static int filters_query(const struct opt_set *set, const struct filters *filters, struct store_query *ret_query)
{
	int64_t now = clock_wall_ms();
	uint64_t limit = 100;
	*ret_query = (struct store_query){
		.id = bytes_from_cstr(filters->id),
		.address = bytes_from_cstr(filters->address),
		.sender = bytes_from_cstr(filters->sender),
		.recipient = bytes_from_cstr(filters->recipient),
		.subject = bytes_from_cstr(filters->subject),
		.ip = bytes_from_cstr(filters->ip),
		.status = bytes_from_cstr(filters->status),
		.class = bytes_from_cstr(filters->class),
		.message_id = without_brackets(bytes_from_cstr(filters->message_id)),
		.before = bytes_from_cstr(filters->before),
	};
	if (filters->since && !when_parse(filters->since, now, &ret_query->since_ms))
		return opt_wrong(set, "--since: \"%s\" is no time (2h, 3d, 2026-11-24, 2026-11-24T10:00)",
				 filters->since);
	if (filters->until && !when_parse(filters->until, now, &ret_query->until_ms))
		return opt_wrong(set, "--until: \"%s\" is no time (2h, 3d, 2026-11-24, 2026-11-24T10:00)",
				 filters->until);
	if (!is_one_of(FILTER_CLASSES, filters->class))
		return opt_wrong(set, "--class: \"%s\" is not one of: " FILTER_CLASSES, filters->class);
	if (!is_one_of(filters->statuses, filters->status))
		return opt_wrong(set, "\"%s\" is not one of: %s", filters->status, filters->statuses);
	if (filters->limit &&
	    (num_parse(bytes_from_cstr(filters->limit), 10, 10000000, &limit) != ERR_OK || limit == 0))
		return opt_wrong(set, "--limit: a number from 1 to 10000000 is expected");
	ret_query->limit = (int64_t)limit;
	return 0;
}

int history_open(const struct opt_set *set, const char *config, bool read_only, struct arena *arena,
		 struct settings *settings, struct store **ret_store)
{
	struct error error;
	if (!arena || !load_settings(arena, config, settings, NULL))
		return 2;
	const char *folder = arena_cstr(arena, settings->state_dir);
	if (!folder)
		return opt_wrong(set, "not enough memory");
	if (!load_become_owner(folder))
		return opt_wrong(set, "cannot become the owner of %s", folder);
	if (store_open(folder, read_only, ret_store, &error) != ERR_OK)
		return opt_wrong(set, "%s", error.text);
	return 0;
}

int history_find(const struct opt_set *set, const struct filters *filters,
		 enum err (*find)(struct store *store, const struct store_query *query, void *ctx,
				  struct error *reterr),
		 void *ctx, const size_t *rows)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(store_close) struct store *store = NULL;
	struct settings settings;
	struct store_query query;
	struct error error;
	int rc = filters_query(set, filters, &query);
	if (rc == 0)
		rc = history_open(set, filters->config, true, arena, &settings, &store);
	if (rc != 0)
		return rc;
	if (find(store, &query, ctx, &error) != ERR_OK)
		return opt_wrong(set, "%s", error.text);
	return *rows > 0 ? 0 : 1;
}

void history_recipients(struct buf *buf, const struct store_recipient *recipients, size_t n, size_t shown)
{
	for (size_t i = 0; i < n && i < shown; i++) {
		buf_add_cstr(buf, i ? ", " : "");
		escape_plain(buf, recipients[i].address);
	}
	if (n > shown)
		buf_printf(buf, " (+%zu)", n - shown);
}

void history_recipients_json(struct json *json, const struct store_recipient *recipients, size_t n, bool fates)
{
	jsonw_array(json, "recipients");
	for (size_t i = 0; i < n; i++) {
		if (!fates) {
			jsonw_string(json, NULL, recipients[i].address);
			continue;
		}
		jsonw_object(json, NULL);
		jsonw_string(json, "address", recipients[i].address);
		jsonw_string(json, "fate", recipients[i].fate);
		jsonw_end(json);
	}
	jsonw_end(json);
}

/* Columns of a terminal that the character takes: two for East Asian wide and full-width ones and pictures. */
static size_t columns_of(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} wide[] = {{0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0xa4cf}, {0xac00, 0xd7a3},   {0xf900, 0xfaff},
		    {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd}};
	for (size_t i = 0; i < ARRAY_LEN(wide); i++)
		if (code >= wide[i].first && code <= wide[i].last)
			return 2;
	return 1;
}

void history_end_line(struct buf *buf)
{
	struct winsize size;
	if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) {
		size_t column = 0, kept = 0;
		for (struct bytes rest = buf_bytes(buf); rest.len > 0;) {
			column += columns_of(utf8_next(&rest, NULL));
			if (column > size.ws_col) {
				buf->len = kept;
				buf_add_cstr(buf, "\xe2\x80\xa6");
				break;
			}
			if (column < size.ws_col)
				kept = buf->len - rest.len;
		}
	}
	buf_add_byte(buf, '\n');
}

void history_text(struct buf *buf, struct bytes text, size_t columns)
{
	struct bytes rest = text;
	size_t n = 0;
	while (rest.len > 0 && n < columns) {
		(void)utf8_next(&rest, NULL);
		n++;
	}
	escape_plain(buf, bytes_sub(text, 0, text.len - rest.len));
	if (rest.len > 0)
		buf_add_cstr(buf, "\xe2\x80\xa6");
}
