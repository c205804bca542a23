/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger: the one process that remembers who wrote to whom (profile/relations.h). Scanners ask it, gates tell it
 * what was delivered.
 *
 * On disk, in the folder relations/ of the state folder: `snapshot`, the whole memory as it was some minutes ago, and
 * journals of what was learned since, each named after the sequence at which it begins. What a gate tells together is
 * written together, before the next message is read, and synced within a second: the death of the process loses
 * nothing, that of the machine a second. A snapshot begins with a new journal, is written beside the old one in small
 * pieces while questions are answered, synced, and renamed; then the journals before it go. A journal can be read by
 * the key of the snapshot only, so the first snapshot, of a memory that is empty, is written before anything else. What
 * cannot be written is said and counted, and stops nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/num.h"
#include "daemon/child.h"
#include "daemon/peer.h"
#include "profile/journal.h"
#include "sys/clock.h"
#include "sys/entropy.h"
#include "sys/file.h"
#include "sys/ipc.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/metrics.h"
#include "wire/facts.h"
#include "wire/lessons.h"

#include "base/banned.h"

#define SYNC_MS         1000
#define PIECES_A_TURN   1                 /* of 0.3 ms: who asks comes in between */
#define SYNC_BYTES      ((size_t)2 << 20) /* of a snapshot: so that no sync takes long */
#define FILE_MAX_BYTES  ((size_t)64 << 30)
#define JOURNAL_PREFIX  "journal-"
#define JOURNALS_MAX    10000
#define JOURNAL_LEN_MAX ((off_t)64 << 20) /* then a snapshot is due, whatever the time */
#define ENTRIES_MAX     ((IPC_MAX / LESSON_HEAD + 1) * JOURNAL_ENTRY_MAX) /* of what one message can teach */
#define MESSAGE_BUDGET  ((size_t)1 << 20)
#define PATH_LEN        4200

struct ledger {
	struct child *child;
	const struct settings *settings;
	char folder[4096];
	struct relations *relations;
	struct arena *arena; /* of one message */
	struct buf facts;    /* the answer to it; the memory stays */
	struct peers peers;

	int journal; /* -1: none could be made */
	uint64_t journal_begin;
	off_t journal_len;
	bool journal_sick, unsynced;
	struct loop_timer *sync;

	int snapshot; /* -1: none is being written */
	struct relations_writer writer;
	size_t snapshot_unsynced;
	uint64_t saved; /* sequence of the one that lasts */
	bool keyless;   /* there is none with our key */
	struct loop_timer *next, *turn;
};

static void path_of(const struct ledger *ledger, const char *name, char out[static PATH_LEN])
{
	(void)snprintf(out, PATH_LEN, "%s/%s", ledger->folder, name);
}

static void journal_path(const struct ledger *ledger, uint64_t begin, char out[static PATH_LEN])
{
	(void)snprintf(out, PATH_LEN, "%s/" JOURNAL_PREFIX "%020llu", ledger->folder, (unsigned long long)begin);
}

static void fail(const char *what)
{
	log_event(LOG_ERROR, "relations.not_written", log_cstr("what", what), log_cstr("why", strerror(errno)));
	metrics_add(METRIC_LEDGER_FAILURES, 1);
}

/* -- Journals ---- */

static int by_begin(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;
	return *a < *b ? -1 : *a > *b;
}

/* Begins of all journals in the folder, in order. */
static size_t list_journals(const struct ledger *ledger, uint64_t **ret_begins)
{
	DIR *dir = opendir(ledger->folder);
	uint64_t *begins = dir ? mem_new(uint64_t, JOURNALS_MAX) : NULL;
	size_t n = 0;
	for (struct dirent *entry; begins && n < JOURNALS_MAX && (entry = readdir(dir)) != NULL;) {
		struct bytes name = bytes_from_cstr(entry->d_name), prefix = BYTES_LIT(JOURNAL_PREFIX);
		if (bytes_starts(name, prefix) && name.len == prefix.len + 20 &&
		    num_parse(bytes_from(name, prefix.len), 10, UINT64_MAX, &begins[n]) == ERR_OK)
			n++;
	}
	if (dir)
		(void)closedir(dir);
	if (n > 0)
		qsort(begins, n, sizeof(*begins), by_begin);
	*ret_begins = begins;
	return n;
}

static void remove_journals_before(const struct ledger *ledger, uint64_t begin)
{
	uint64_t *begins;
	size_t n = list_journals(ledger, &begins);
	char path[PATH_LEN];
	for (size_t i = 0; i < n && begins[i] < begin; i++) {
		journal_path(ledger, begins[i], path);
		if (unlink(path) != 0)
			fail("remove a journal");
	}
	mem_free(begins);
}

/* Whole entries, or the head. */
static void append(struct ledger *ledger, const struct buf *entries)
{
	/* A journal that was sick is left behind; what it misses is in memory, and in the next snapshot. */
	if (ledger->journal < 0 || ledger->journal_sick || (entries->len == 0 && buf_err(entries) == ERR_OK))
		return;
	if (buf_err(entries) == ERR_OK && file_write_all(ledger->journal, buf_bytes(entries)) == ERR_OK) {
		ledger->journal_len += (off_t)entries->len;
		ledger->unsynced = true;
		if (!loop_timer_running(ledger->sync))
			loop_timer_set(ledger->sync, SYNC_MS);
		/* It bounds the disk, and the time that the next start takes. */
		if (ledger->journal_len > JOURNAL_LEN_MAX &&
		    ledger->journal_len - (off_t)entries->len <= JOURNAL_LEN_MAX && ledger->snapshot < 0)
			loop_timer_set(ledger->next, 1);
		return;
	}
	fail("write the journal");
	/* Half an entry would hide those after it. */
	ledger->journal_sick = ftruncate(ledger->journal, ledger->journal_len) != 0;
}

/*
 * A new one, from here on. One of the same begin holds nothing that counts, or the sequence would be further on.
 */
static bool open_journal(struct ledger *ledger)
{
	char path[PATH_LEN];
	uint64_t begin = relations_sequence(ledger->relations);
	journal_path(ledger, begin, path);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || file_sync_folder_of(path) != ERR_OK) {
		fail("begin a journal");
		if (fd >= 0)
			(void)close(fd);
		return false;
	}
	if (ledger->journal >= 0) {
		if (fdatasync(ledger->journal) != 0)
			fail("sync a journal");
		(void)close(ledger->journal);
	}
	ledger->journal = fd;
	ledger->journal_begin = begin;
	ledger->journal_len = 0;
	ledger->journal_sick = ledger->unsynced = false;
	CLEANUP(buf_done) struct buf head = BUF_INIT(JOURNAL_ENTRY_MAX);
	journal_begin(&head, ledger->relations);
	append(ledger, &head);
	ledger->journal_sick |= ledger->journal_len == 0;
	return true;
}

static void on_sync(void *ctx)
{
	struct ledger *ledger = ctx;
	if (ledger->unsynced && fdatasync(ledger->journal) != 0)
		fail("sync the journal");
	ledger->unsynced = false;
}

/* -- Snapshots ---- */

static void abandon_snapshot(struct ledger *ledger, const char *what)
{
	char path[PATH_LEN];
	fail(what);
	(void)close(ledger->snapshot);
	ledger->snapshot = -1;
	path_of(ledger, "snapshot.new", path);
	(void)unlink(path);
}

static bool begin_snapshot(struct ledger *ledger)
{
	char path[PATH_LEN];
	uint64_t sequence = relations_sequence(ledger->relations);
	if (sequence == ledger->saved && !ledger->keyless)
		return false;
	/* What is learned from now on belongs to the next journal: it may be in the snapshot or not. */
	if ((ledger->journal < 0 || sequence != ledger->journal_begin) && !open_journal(ledger))
		return false;
	path_of(ledger, "snapshot.new", path);
	(void)unlink(path);
	ledger->snapshot = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (ledger->snapshot < 0) {
		fail("begin a snapshot");
		return false;
	}
	ledger->snapshot_unsynced = 0;
	relations_snapshot_begin(ledger->relations, clock_wall_ms() / 1000, &ledger->writer);
	return true;
}

static void end_snapshot(struct ledger *ledger)
{
	char from[PATH_LEN], to[PATH_LEN];
	path_of(ledger, "snapshot.new", from);
	path_of(ledger, "snapshot", to);
	if (fsync(ledger->snapshot) != 0 || rename(from, to) != 0 || file_sync_folder_of(to) != ERR_OK) {
		abandon_snapshot(ledger, "finish a snapshot");
		return;
	}
	(void)close(ledger->snapshot);
	ledger->snapshot = -1;
	ledger->saved = ledger->writer.sequence;
	ledger->keyless = false;
	remove_journals_before(ledger, ledger->writer.sequence);
	metrics_add(METRIC_LEDGER_SNAPSHOTS, 1);
	metrics_set(METRIC_LEDGER_RECORDS, (int64_t)ledger->writer.records);
}

/* Some pieces; true while there are more. */
static bool write_pieces(struct ledger *ledger)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT((PIECES_A_TURN + 1) * SNAPSHOT_PIECE_MAX);
	bool more = true;
	for (unsigned i = 0; more && i < PIECES_A_TURN; i++)
		more = relations_snapshot_next(&ledger->writer, &buf);
	if (buf_err(&buf) != ERR_OK || file_write_all(ledger->snapshot, buf_bytes(&buf)) != ERR_OK) {
		abandon_snapshot(ledger, "write a snapshot");
		return false;
	}
	ledger->snapshot_unsynced += buf.len;
	if (ledger->snapshot_unsynced >= SYNC_BYTES) {
		(void)fdatasync(ledger->snapshot); /* the last sync decides */
		ledger->snapshot_unsynced = 0;
	}
	if (!more)
		end_snapshot(ledger);
	return more;
}

static void on_turn(void *ctx)
{
	struct ledger *ledger = ctx;
	if (write_pieces(ledger))
		loop_timer_set(ledger->turn, 1);
}

static void on_next(void *ctx)
{
	struct ledger *ledger = ctx;
	if (ledger->snapshot < 0 && begin_snapshot(ledger))
		loop_timer_set(ledger->turn, 1);
	loop_timer_set(ledger->next, ledger->settings->relations_snapshot);
}

/* -- Questions and lessons ---- */

static void answer(struct ledger *ledger, enum fact_kind kind, struct bytes key, struct buf *facts)
{
	CLEANUP(buf_done) struct buf line = BUF_INIT(RELATIONS_ANSWER_MAX);
	struct relations_query query;
	struct relations_answer found;
	arena_reset(ledger->arena);
	if (kind != FACT_RELATION || relations_query_unpack(ledger->arena, key, &query) != ERR_OK) {
		facts_add(facts, kind, FACT_FAILED, key, (struct bytes){0});
		return;
	}
	relations_ask(ledger->relations, &query, clock_wall_ms() / 1000, &found);
	relations_answer_pack(&line, &found);
	bool good = buf_err(&line) == ERR_OK;
	facts_add(facts, kind, good ? FACT_KNOWN : FACT_FAILED, key, good ? buf_bytes(&line) : (struct bytes){0});
	metrics_add(METRIC_LEDGER_QUESTIONS, 1);
}

/* A question has a few kilobytes, its answer less: what was asked in one message is answered in one. */
static void on_ask(struct peer_link *link, const struct wire_ask *in)
{
	struct ledger *ledger = link->peers->owner;
	struct cursor cur = cursor_make(in->questions);
	enum fact_kind kind;
	struct bytes key;
	buf_clear(&ledger->facts);
	while (facts_next_question(&cur, &kind, &key))
		answer(ledger, kind, key, &ledger->facts);
	peer_say(link,
		 &(struct wire_any){.type = WIRE_ANSWER, .answer = {.id = in->id, .facts = buf_bytes(&ledger->facts)}});
}

/* One after the other; those before one that makes no sense are learned. */
static enum err on_learn(struct ledger *ledger, const struct wire_learn *in)
{
	CLEANUP(buf_done) struct buf entries = BUF_INIT(ENTRIES_MAX);
	struct cursor cur = cursor_make(in->lessons);
	struct lesson lesson;
	enum err err = ERR_OK;
	int64_t learned = 0;
	for (; err == ERR_OK && lessons_next(&cur, &lesson); learned += err == ERR_OK) {
		struct relations_query query;
		arena_reset(ledger->arena);
		err = lesson.outcome > RELATIONS_UNWANTED ? ERR_SYNTAX : ERR_OK;
		if (err == ERR_OK)
			err = relations_query_unpack(ledger->arena, lesson.relations, &query);
		if (err != ERR_OK)
			continue;
		relations_learn(ledger->relations, &query, (enum relations_outcome)lesson.outcome, lesson.time);
		journal_add(&entries, ledger->relations);
	}
	append(ledger, &entries);
	metrics_add(METRIC_LEDGER_LEARNED, learned);
	return err != ERR_OK ? err : cur.err;
}

/* -- Frame ---- */

static bool on_message(struct peer_link *link, const struct wire_any *any, int *fd)
{
	(void)fd;
	if (any->type == WIRE_ASK) {
		on_ask(link, &any->ask);
		return true;
	}
	enum err err = on_learn(link->peers->owner, &any->learn);
	return err == ERR_OK || err == ERR_NOMEM;
}

static void peer(void *state, enum wire_role role, uint32_t index, uint32_t serial, int socket)
{
	struct ledger *ledger = state;
	(void)index;
	(void)serial;
	(void)peer_add(&ledger->peers, role, socket);
}

static void drain(void *state)
{
	struct ledger *ledger = state;
	loop_timer_stop(ledger->turn);
	/* One that is under way is finished; it has all up to its begin, the journal the rest. */
	if (ledger->snapshot >= 0 || begin_snapshot(ledger))
		while (write_pieces(ledger))
			;
	on_sync(ledger);
	child_drained(ledger->child);
}

/* -- Start ---- */

/*
 * The snapshot, or an empty memory where there is none; one that is damaged is put aside, but its key is taken if its
 * head is whole, so that the journals count.
 */
static enum err read_snapshot(struct ledger *ledger, struct error *reterr)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	size_t budget = (size_t)ledger->settings->relations_memory;
	char path[PATH_LEN], aside[PATH_LEN];
	struct bytes file = {0};
	struct error error = {.text = "it cannot be read"};
	struct hash_key key;
	path_of(ledger, "snapshot", path);
	path_of(ledger, "snapshot.damaged", aside);
	enum err err = arena ? file_read(arena, path, FILE_MAX_BYTES, &file) : ERR_NOMEM;
	bool none = err == ERR_IO && errno == ENOENT;
	if (err == ERR_OK)
		err = relations_snapshot_read(file, budget, &ledger->relations, &error);
	if (err == ERR_OK)
		return ERR_OK;
	if (err == ERR_NOMEM)
		return error_set(reterr, err, 0, "no memory for the relations (relations.memory)");
	if (!none) {
		log_event(LOG_ERROR, "relations.damaged", log_cstr("why", error.text), log_cstr("kept_as", aside));
		if (rename(path, aside) != 0)
			fail("put the damaged snapshot aside");
	}
	ledger->keyless = true;
	if (!relations_snapshot_key(file, &key) && entropy_fill(&key, sizeof(key)) != ERR_OK)
		return error_set(reterr, ERR_IO, 0, "the kernel has no random numbers");
	if (relations_create(budget, key, &ledger->relations) != ERR_OK)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the relations (relations.memory)");
	return ERR_OK;
}

/* What cannot be read is kept for whoever knows more, and not tried again. */
static void put_journal_aside(const char *path, const char *why)
{
	char aside[PATH_LEN + sizeof(".unknown")];
	(void)snprintf(aside, sizeof(aside), "%s.unknown", path);
	log_event(LOG_ERROR, "relations.journal_unknown", log_cstr("why", why), log_cstr("kept_as", aside));
	if (rename(path, aside) != 0)
		fail("put a journal aside");
}

static size_t replay_journal(struct ledger *ledger, const char *path)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct journal_result result;
	struct bytes file;
	if (!arena || file_read(arena, path, FILE_MAX_BYTES, &file) != ERR_OK) {
		log_event(LOG_ERROR, "relations.journal_unread", log_cstr("path", path));
		return 0;
	}
	enum err err = journal_replay(file, ledger->relations, &result);
	if (err != ERR_OK)
		put_journal_aside(path, err == ERR_DENIED ? "it was written under another key"
							  : "it has the form of another version");
	else if (result.good < file.len)
		log_event(LOG_WARNING, "relations.journal_torn", log_cstr("path", path),
			  log_int("good", (int64_t)result.good), log_int("size", (int64_t)file.len));
	return result.learned;
}

static void replay_journals(struct ledger *ledger)
{
	uint64_t *begins;
	size_t n = list_journals(ledger, &begins), learned = 0;
	for (size_t i = 0; i < n; i++) {
		char path[PATH_LEN];
		journal_path(ledger, begins[i], path);
		learned += replay_journal(ledger, path);
	}
	mem_free(begins);
	log_event(LOG_INFO, "relations.read", log_int("from_snapshot", (int64_t)ledger->saved),
		  log_int("from_journals", (int64_t)learned));
}

static enum err prepare(struct child *child, void **ret_state, const char **ret_folder, struct error *reterr)
{
	struct ledger *ledger = mem_new(struct ledger, 1);
	struct loop *loop = child_loop(child);
	if (!ledger || !(ledger->arena = arena_create(MESSAGE_BUDGET)))
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	(void)umask(077);
	/*
	 * Who asks us is not put off its processor for that, but goes on with its next message; we come when one is
	 * free, or a moment later, and find more questions. The kernel that refuses has told us nothing bad.
	 */
	(void)sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});
	ledger->child = child;
	ledger->peers = (struct peers){.owner = ledger,
				       .child = child,
				       .self = ROLE_LEDGER,
				       .size = sizeof(struct peer_link),
				       .message = on_message};
	ledger->settings = child_heritage(child)->settings;
	ledger->journal = ledger->snapshot = -1;
	buf_init(&ledger->facts, IPC_MAX - 1024);
	(void)snprintf(ledger->folder, sizeof(ledger->folder), "%.*s/relations",
		       BYTES_FMT(ledger->settings->state_dir));
	if (file_make_folder(ledger->folder, 0700) != ERR_OK)
		return error_set(reterr, ERR_IO, 0, "%.100s: %s", ledger->folder, strerror(errno));
	if (loop_timer_new(loop, on_sync, ledger, &ledger->sync) != ERR_OK ||
	    loop_timer_new(loop, on_next, ledger, &ledger->next) != ERR_OK ||
	    loop_timer_new(loop, on_turn, ledger, &ledger->turn) != ERR_OK)
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	TRY(read_snapshot(ledger, reterr));
	ledger->saved = relations_sequence(ledger->relations);
	replay_journals(ledger);
	/* The last one may have ended between a snapshot and the removal of what that made superfluous. */
	if (open_journal(ledger) && ledger->saved == ledger->journal_begin)
		remove_journals_before(ledger, ledger->saved);
	if (ledger->keyless && begin_snapshot(ledger))
		while (write_pieces(ledger))
			;
	*ret_state = ledger;
	*ret_folder = ledger->folder;
	return ERR_OK;
}

static enum err start(struct child *child, void *state)
{
	struct ledger *ledger = state;
	(void)child;
	metrics_set(METRIC_LEDGER_BYTES, (int64_t)relations_figures(ledger->relations).bytes);
	loop_timer_set(ledger->next, ledger->settings->relations_snapshot);
	return ERR_OK;
}

NORETURN void ledger_main(const struct heritage *heritage)
{
	static const struct child_ops ops = {
		.prepare = prepare,
		.start = start,
		.peer = peer,
		.drain = drain,
		.profile = SANDBOX_VAULT,
		.limits = {.descriptors = 4096},
	};
	child_run(heritage, &ops);
}
