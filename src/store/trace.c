/* SPDX-License-Identifier: Apache-2.0 */
/* The trace: one row a session or message, and its words. */
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "store/private.h"
#include "store/recipients.h"

#include "base/banned.h"

#define COLUMNS                                                                                                        \
	"t.id, t.time, t.frontend, t.client_ip, t.client_name, t.helo, t.user, t.mail_from, t.recipients, "            \
	"t.from_address,"                                                                                              \
	" t.from_name, t.subject, t.message_id, t.queue_id, t.size, t.class, t.log_odds, t.action, t.status, "         \
	"t.reason_en,"                                                                                                 \
	" t.reason_ja, t.evidence, t.usec, t.released"

/* What is searched as words beside subject and addresses: each fact becomes one word that no text contains. */
static void add_facts(struct buf *buf, const struct store_trace *trace)
{
	buf_printf(buf, "xstatus%.*s xclass%.*s ", BYTES_FMT(bytes_sub(trace->status, 0, 20)),
		   BYTES_FMT(bytes_sub(trace->class, 0, 20)));
	buf_add(buf, bytes_sub(trace->client_ip, 0, 64));
}

struct words {
	struct buf sender, recipient, facts;
};

static void make_words(struct words *words, const struct store_trace *trace)
{
	buf_init(&words->sender, STORE_TEXT_MAX);
	buf_init(&words->recipient, STORE_TEXT_MAX);
	buf_init(&words->facts, 256);
	buf_add(&words->sender, bytes_sub(trace->mail_from, 0, 1000));
	buf_add_byte(&words->sender, '\n');
	buf_add(&words->sender, bytes_sub(trace->from_address, 0, 1000));
	buf_add_byte(&words->sender, '\n');
	buf_add(&words->sender, bytes_sub(trace->from_name, 0, 1000));
	for (size_t i = 0; i < trace->n_recipients && buf_err(&words->recipient) == ERR_OK; i++) {
		buf_add(&words->recipient, trace->recipients[i].address);
		buf_add_byte(&words->recipient, '\n');
	}
	add_facts(&words->facts, trace);
}

static void words_done(struct words *words)
{
	buf_done(&words->sender);
	buf_done(&words->recipient);
	buf_done(&words->facts);
}

static void bind_words(sqlite3_stmt *statement, const struct words *words, struct bytes subject)
{
	store_bind(statement, 2, buf_bytes(&words->sender));
	store_bind(statement, 3, buf_bytes(&words->recipient));
	store_bind(statement, 4, subject);
	store_bind(statement, 5, buf_bytes(&words->facts));
}

static enum err add_words(struct store *store, const struct store_trace *trace, sqlite3_int64 row, struct error *reterr)
{
	static const char sql[] =
		"INSERT INTO trace_words (rowid, sender, recipient, subject, facts) VALUES (?, ?, ?, ?, ?)";
	sqlite3_stmt *statement = store_statement(store, sql, reterr);
	CLEANUP(words_done) struct words words;
	make_words(&words, trace);
	if (!statement)
		return ERR_IO;
	(void)sqlite3_bind_int64(statement, 1, row);
	bind_words(statement, &words, trace->subject);
	return store_run(store, statement, "trace", reterr);
}

enum err store_trace_add(struct store *store, const struct store_trace *trace, struct error *reterr)
{
	static const char sql[] = "INSERT OR IGNORE INTO trace (id, time, frontend, client_ip, client_name, helo, "
				  "user, mail_from, recipients,"
				  " from_address, from_name, subject, message_id, queue_id, size, class, log_odds, "
				  "action, status, reason_en,"
				  " reason_ja, evidence, usec, released)"
				  " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
	sqlite3_stmt *statement = store_statement(store, sql, reterr);
	CLEANUP(buf_done) struct buf packed = BUF_INIT(STORE_TEXT_MAX);
	const struct bytes texts[] = {trace->frontend, trace->client_ip, trace->client_name,
				      trace->helo,     trace->user,      trace->mail_from};
	const struct bytes more[] = {trace->from_address, trace->from_name, trace->subject, trace->message_id,
				     trace->queue_id};
	if (!statement)
		return ERR_IO;
	store_recipients_pack(&packed, trace->recipients, trace->n_recipients);
	store_bind(statement, 1, trace->id);
	(void)sqlite3_bind_int64(statement, 2, trace->time_ms);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		store_bind(statement, 3 + (int)i, texts[i]);
	(void)sqlite3_bind_blob(statement, 9, packed.len ? (const void *)packed.ptr : "", (int)packed.len,
				SQLITE_STATIC);
	for (size_t i = 0; i < ARRAY_LEN(more); i++)
		store_bind(statement, 10 + (int)i, more[i]);
	(void)sqlite3_bind_int64(statement, 15, (sqlite3_int64)trace->size);
	store_bind(statement, 16, trace->class);
	(void)sqlite3_bind_int64(statement, 17, trace->log_odds);
	store_bind(statement, 18, trace->action);
	store_bind(statement, 19, trace->status);
	store_bind(statement, 20, trace->reason_en);
	store_bind(statement, 21, trace->reason_ja);
	store_bind(statement, 22, trace->evidence);
	(void)sqlite3_bind_int64(statement, 23, (sqlite3_int64)trace->usec);
	store_bind(statement, 24, trace->released);
	TRY(store_run(store, statement, "trace", reterr));
	if (sqlite3_changes(store->db) == 0)
		return ERR_OK; /* it was there already */
	return add_words(store, trace, sqlite3_last_insert_rowid(store->db), reterr);
}

/* -- Finding ---------------------------------------------------------------------------------------------------------
 */

/* Adds a phrase of the words of `text` in that column: {sender} : "alice example com". */
struct phrase {
	struct buf *buf;
	bool any;
};

static int add_word(void *ctx, struct bytes token)
{
	struct phrase *phrase = ctx;
	/* Words are letters and digits: nothing in them could end the quotes. */
	buf_add_cstr(phrase->buf, phrase->any ? " " : "");
	buf_add(phrase->buf, token);
	phrase->any = true;
	return 0;
}

static void add_phrase(struct buf *match, const char *columns, struct bytes text, bool prefix)
{
	CLEANUP(buf_done) struct buf words = BUF_INIT(STORE_TEXT_MAX);
	struct phrase phrase = {.buf = &words};
	(void)store_tokenize(text, add_word, &phrase);
	if (!phrase.any)
		return;
	buf_printf(match, "%s{%s} : \"%.*s\"%s", match->len ? " AND " : "", columns, BYTES_FMT(buf_bytes(&words)),
		   prefix ? " *" : "");
}

/* Each word of a subject by itself, in any order; a single CJK character may be the beginning of a pair. */
static void add_subject(struct buf *match, struct bytes subject)
{
	struct bytes rest = subject, word;
	while (bytes_split(&rest, ' ', &word)) {
		bool one_character = word.len >= 3 && word.len <= 4 && word.ptr[0] >= 0xe0;
		if (word.len > 0)
			add_phrase(match, "subject", word, one_character);
	}
}

void store_match(struct buf *match, const struct store_query *query)
{
	add_phrase(match, "sender recipient", query->address, false);
	add_phrase(match, "sender", query->sender, false);
	add_phrase(match, "recipient", query->recipient, false);
	add_phrase(match, "facts", query->ip, false);
	add_subject(match, query->subject);
	CLEANUP(buf_done) struct buf fact = BUF_INIT(128);
	if (query->status.len > 0) {
		buf_printf(&fact, "xstatus%.*s", BYTES_FMT(query->status));
		add_phrase(match, "facts", buf_bytes(&fact), false);
		buf_clear(&fact);
	}
	if (query->class.len > 0) {
		buf_printf(&fact, "xclass%.*s", BYTES_FMT(query->class));
		add_phrase(match, "facts", buf_bytes(&fact), false);
	}
}

static bool read_row(struct arena *arena, sqlite3_stmt *statement, struct store_trace *trace)
{
	*trace = (struct store_trace){
		.id = store_column(statement, 0),
		.time_ms = sqlite3_column_int64(statement, 1),
		.frontend = store_column(statement, 2),
		.client_ip = store_column(statement, 3),
		.client_name = store_column(statement, 4),
		.helo = store_column(statement, 5),
		.user = store_column(statement, 6),
		.mail_from = store_column(statement, 7),
		.from_address = store_column(statement, 9),
		.from_name = store_column(statement, 10),
		.subject = store_column(statement, 11),
		.message_id = store_column(statement, 12),
		.queue_id = store_column(statement, 13),
		.size = (uint64_t)sqlite3_column_int64(statement, 14),
		.class = store_column(statement, 15),
		.log_odds = sqlite3_column_int64(statement, 16),
		.action = store_column(statement, 17),
		.status = store_column(statement, 18),
		.reason_en = store_column(statement, 19),
		.reason_ja = store_column(statement, 20),
		.evidence = store_column(statement, 21),
		.usec = (uint64_t)sqlite3_column_int64(statement, 22),
		.released = store_column(statement, 23),
	};
	return store_recipients_unpack(arena, store_column(statement, 8), &trace->recipients, &trace->n_recipients) ==
	       ERR_OK;
}

enum err store_trace_find(struct store *store, const struct store_query *query,
			  bool (*row)(void *ctx, const struct store_trace *trace), void *ctx, struct error *reterr)
{
	static const char by_words[] =
		"SELECT " COLUMNS " FROM trace_words w JOIN trace t ON t.row = w.rowid WHERE w.trace_words MATCH ?1"
		" AND t.time >= ?2 AND t.time < ?3 AND (?4 = '' OR t.id = ?4) AND (?5 = '' OR t.message_id = ?5)"
		" ORDER BY w.rowid DESC LIMIT ?6";
	static const char by_id[] = "SELECT " COLUMNS " FROM trace t WHERE t.id = ?4 AND t.time >= ?2 AND t.time < ?3"
				    " AND (?5 = '' OR t.message_id = ?5) LIMIT ?6";
	static const char by_time[] = "SELECT " COLUMNS " FROM trace t WHERE t.time >= ?2 AND t.time < ?3"
				      " AND (?5 = '' OR t.message_id = ?5) ORDER BY t.time DESC LIMIT ?6";
	CLEANUP(buf_done) struct buf match = BUF_INIT(4 * STORE_TEXT_MAX);
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)64 << 20);
	store_match(&match, query);
	sqlite3_stmt *statement = store_statement(store,
						  match.len       ? by_words
						  : query->id.len ? by_id
								  : by_time,
						  reterr);
	if (!statement || !arena)
		return ERR_IO;
	if (match.len > 0)
		store_bind(statement, 1, buf_bytes(&match));
	(void)sqlite3_bind_int64(statement, 2, query->since_ms);
	(void)sqlite3_bind_int64(statement, 3, query->until_ms ? query->until_ms : INT64_MAX);
	store_bind(statement, 4, query->id);
	store_bind(statement, 5, query->message_id);
	(void)sqlite3_bind_int64(statement, 6, query->limit);
	int rc = SQLITE_DONE;
	bool go_on = true;
	while (go_on && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
		struct store_trace trace;
		arena_reset(arena);
		if (read_row(arena, statement, &trace))
			go_on = row(ctx, &trace);
	}
	enum err err = !go_on || rc == SQLITE_DONE ? ERR_OK : store_failed(store, "search", reterr);
	(void)sqlite3_reset(statement);
	return err;
}

/* -- Forgetting ------------------------------------------------------------------------------------------------------
 */

static enum err forget_row(struct store *store, sqlite3_int64 row, const struct store_trace *trace,
			   struct error *reterr)
{
	/* An index without content forgets a row when it is told what was in it. */
	static const char words_sql[] =
		"INSERT INTO trace_words (trace_words, rowid, sender, recipient, subject, facts)"
		" VALUES ('delete', ?, ?, ?, ?, ?)";
	sqlite3_stmt *forget = store_statement(store, words_sql, reterr);
	CLEANUP(words_done) struct words words;
	make_words(&words, trace);
	if (!forget)
		return ERR_IO;
	(void)sqlite3_bind_int64(forget, 1, row);
	bind_words(forget, &words, trace->subject);
	TRY(store_run(store, forget, "retention", reterr));
	sqlite3_stmt *delete = store_statement(store, "DELETE FROM trace WHERE row = ?", reterr);
	if (!delete)
		return ERR_IO;
	(void)sqlite3_bind_int64(delete, 1, row);
	return store_run(store, delete, "retention", reterr);
}

enum err store_forget_traces(struct store *store, int64_t before_ms, int steps, bool *ret_more, struct error *reterr)
{
	static const char sql[] = "SELECT " COLUMNS ", t.row FROM trace t WHERE t.time < ? ORDER BY t.time LIMIT 1";
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)64 << 20);
	*ret_more = false;
	for (int i = 0; arena && i < steps; i++) {
		struct store_trace trace;
		sqlite3_stmt *oldest = store_statement(store, sql, reterr);
		if (!oldest)
			return ERR_IO;
		(void)sqlite3_bind_int64(oldest, 1, before_ms);
		int rc = sqlite3_step(oldest);
		if (rc == SQLITE_DONE) {
			(void)sqlite3_reset(oldest);
			return ERR_OK;
		}
		if (rc != SQLITE_ROW)
			return store_failed(store, "retention", reterr);
		arena_reset(arena);
		enum err err = read_row(arena, oldest, &trace)
				       ? forget_row(store, sqlite3_column_int64(oldest, 24), &trace, reterr)
				       : ERR_NOMEM;
		(void)sqlite3_reset(oldest);
		TRY(err);
	}
	*ret_more = true;
	return ERR_OK;
}
