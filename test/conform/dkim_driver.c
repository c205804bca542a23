/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dkim_driver NOW RECORD-FILE < message
 *
 * Prints one line for each DKIM signature, "RESULT REASON", and then one for the chain of ARC, "arc RESULT REASON".
 * RECORD-FILE holds lines "NAME RECORD".
 */
#include <stdio.h>
#include <stdlib.h>

#include "auth/arc.h"
#include "auth/dkim.h"
#include "base/arena.h"
#include "base/buf.h"

#define RECORDS_MAX 16

struct row {
	struct bytes name;
	struct dns_record record;
	struct dns_answer answer;
};

struct zone {
	struct row rows[RECORDS_MAX];
	size_t count;
};

static void need(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "dkim_driver: %s\n", what);
	exit(2);
}

static struct bytes slurp(struct arena *arena, FILE *file, const char *what)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(1 << 27);
	char piece[4096];
	size_t n;
	need(file != NULL, what);
	while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
		buf_add(&buf, bytes_make(piece, n));
	need(buf_err(&buf) == ERR_OK, what);
	return arena_copy(arena, buf_bytes(&buf));
}

static const struct dns_answer *ask(void *data, enum dns_type type, struct bytes name)
{
	static const struct dns_answer no_name = {.state = DNS_NO_NAME};
	struct zone *zone = data;
	for (size_t i = 0; type == DNS_TXT && i < zone->count; i++)
		if (bytes_eq_nocase(zone->rows[i].name, name))
			return &zone->rows[i].answer;
	return &no_name;
}

int main(int argc, char **argv)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	static struct zone zone;
	struct canon_message *message;
	struct dkim *dkim = NULL;
	struct arc *arc = NULL;
	enum auth_step step;
	need(argc == 3 && arena && crypto_init() == ERR_OK, "arguments");
	struct bytes raw = slurp(arena, stdin, "standard input"), line;
	struct bytes records = slurp(arena, fopen(argv[2], "rb"), argv[2]);
	while (zone.count < RECORDS_MAX && bytes_split(&records, '\n', &line)) {
		size_t blank = bytes_find_byte(line, ' ');
		if (blank == BYTES_NONE)
			continue;
		struct row *row = &zone.rows[zone.count++];
		row->name = bytes_sub(line, 0, blank);
		row->record = (struct dns_record){.data = bytes_from(line, blank + 1)};
		row->answer = (struct dns_answer){.state = DNS_FOUND, .records = &row->record, .n_records = 1};
	}
	struct dns_host host = {.ask = ask, .data = &zone};
	struct dkim_options options = {.now = strtoll(argv[1], NULL, 10), .verify_max = DKIM_VERIFY_MAX};
	need(canon_message_read(arena, raw, &message) == ERR_OK && dkim_begin(message, &options, &dkim) == ERR_OK &&
		     dkim_step(dkim, &host, &step) == ERR_OK && step == AUTH_DONE &&
		     arc_begin(message, &(struct arc_options){.now = options.now}, &arc) == ERR_OK &&
		     arc_step(arc, &host, &step) == ERR_OK && step == AUTH_DONE,
	     "checking");
	for (size_t i = 0; i < dkim->count; i++)
		(void)printf("%s %.*s\n", dkim_result_name(dkim->signatures[i].result),
			     BYTES_FMT(dkim->signatures[i].reason));
	(void)printf("arc %s %.*s\n", arc_result_name(arc->result), BYTES_FMT(arc->reason));
	return 0;
}
