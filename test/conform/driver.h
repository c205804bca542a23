/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * test/conform/driver.h: what the drivers share that a script feeds with messages, keys and records.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/dns.h"
#include "base/arena.h"
#include "base/buf.h"

/* Ends the driver, with a word about what was missing. */
static inline void need(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
	exit(2);
}

static inline struct bytes slurp(struct arena *arena, FILE *file, const char *what)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(1 << 27);
	char piece[4096];
	size_t n;
	need(file != NULL, what);
	while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
		buf_add(&buf, bytes_make(piece, n));
	(void)fclose(file);
	need(buf_err(&buf) == ERR_OK, what);
	return arena_copy(arena, buf_bytes(&buf));
}

/* TXT records from lines "NAME RECORD"; a name may come again. What no line names does not exist. */
#define ZONE_RECORDS_MAX 20

struct zone {
	struct bytes text;
	struct arena *arena;
};

static inline const struct dns_answer *zone_ask(void *data, enum dns_type type, struct bytes name)
{
	struct zone *zone = data;
	struct dns_answer *answer = arena_new(zone->arena, struct dns_answer, 1);
	struct bytes rest = zone->text, line;
	need(answer != NULL, "memory");
	answer->state = DNS_NO_NAME;
	answer->records = arena_new(zone->arena, struct dns_record, ZONE_RECORDS_MAX);
	need(answer->records != NULL, "memory");
	while (type == DNS_TXT && bytes_split(&rest, '\n', &line)) {
		size_t blank = bytes_find_byte(line, ' ');
		if (blank == BYTES_NONE || !bytes_eq_nocase(bytes_sub(line, 0, blank), name))
			continue;
		need(answer->n_records < ZONE_RECORDS_MAX, "records");
		answer->state = DNS_FOUND;
		answer->records[answer->n_records++].data = bytes_from(line, blank + 1);
	}
	return answer;
}
