/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cli/history.h: what `postern trace` and `postern quarantine` share: opening the store of a configuration, the
 * filters, and how recipients and times are shown.
 */
#include "base/buf.h"
#include "base/json.h"
#include "cli/opt.h"
#include "conf/settings.h"
#include "store/store.h"

struct filters {
	const char *config, *since, *until, *address, *sender, *recipient, *subject, *ip, *status, *class, *id,
		*message_id, *before, *limit;
	bool json, utc, verbose;
	const char *statuses; /* what `status` may be, with blanks between */
};

#define FILTER_CLASSES "clean bulk spam phish malware unscannable policy"

#define FILTER_OPTIONS(f)                                                                                              \
	{.name = "config",                                                                                             \
	 .value_name = "FILE",                                                                                         \
	 .help = "the configuration whose history it is",                                                              \
	 .value = &(f).config},                                                                                        \
		{.name = "since",                                                                                      \
		 .value_name = "TIME",                                                                                 \
		 .help = "2h, 3d, 2026-11-24, 2026-11-24T10:00",                                                       \
		 .value = &(f).since},                                                                                 \
		{.name = "until", .value_name = "TIME", .help = "likewise", .value = &(f).until},                      \
		{.name = "address",                                                                                    \
		 .value_name = "ADDRESS",                                                                              \
		 .help = "sender or any recipient: whole words, or with @ or * the whole address",                     \
		 .value = &(f).address},                                                                               \
		{.name = "sender",                                                                                     \
		 .value_name = "ADDRESS",                                                                              \
		 .help = "sender, of the envelope or the header",                                                      \
		 .value = &(f).sender},                                                                                \
		{.name = "recipient", .value_name = "ADDRESS", .help = "any recipient", .value = &(f).recipient},      \
		{.name = "subject",                                                                                    \
		 .value_name = "WORDS",                                                                                \
		 .help = "all of these words, Japanese too",                                                           \
		 .value = &(f).subject},                                                                               \
		{.name = "ip",                                                                                         \
		 .value_name = "NETWORK",                                                                              \
		 .help = "the client: an address or a network",                                                        \
		 .value = &(f).ip},                                                                                    \
		{.name = "class", .value_name = "CLASS", .help = FILTER_CLASSES, .value = &(f).class},                 \
		{.name = "message-id",                                                                                 \
		 .value_name = "ID",                                                                                   \
		 .help = "the Message-ID, without <>",                                                                 \
		 .value = &(f).message_id},                                                                            \
		{.name = "before",                                                                                     \
		 .value_name = "ID",                                                                                   \
		 .help = "older than that one: the next page",                                                         \
		 .value = &(f).before},                                                                                \
		{.name = "limit", .value_name = "N", .help = "at most so many (default 100)", .value = &(f).limit},    \
		{.name = "json", .help = "one JSON object a line", .given = &(f).json},                                \
	{                                                                                                              \
		.name = "utc", .help = "times in UTC", .given = &(f).utc                                               \
	}

/*
 * Reads the configuration, becomes the owner of the state, opens the store. 0, or 2 when it could not (it was said).
 * With `settings` they live in `arena`.
 */
int history_open(const struct opt_set *set, const char *config, bool read_only, struct arena *arena,
		 struct settings *settings, struct store **ret_store);

/*
 * Opens the history of the filters' configuration for reading and has find() ask it for what they let through.
 * 0; 1 when `rows`, which find() counts, is 0; 2 when it could not (it was said).
 */
int history_find(const struct opt_set *set, const struct filters *filters,
		 enum err (*find)(struct store *store, const struct store_query *query, void *ctx,
				  struct error *reterr),
		 void *ctx, const size_t *rows);

/* "a@b, c@d (+3)" */
void history_recipients(struct buf *buf, const struct store_recipient *recipients, size_t n, size_t shown);
void history_recipients_json(struct json *json, const struct store_recipient *recipients, size_t n, bool fates);
/* Ends the line that is the only one in `buf`; on a terminal it is cut to its width. */
void history_end_line(struct buf *buf);
/* Foreign text, cut at `columns` characters. */
void history_text(struct buf *buf, struct bytes text, size_t columns);
