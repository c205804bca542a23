/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/escape.h"
#include "cli/command.h"
#include "cli/judge.h"
#include "cli/opt.h"
#include "cli/sources.h"
#include "scan/report.h"

#include "base/banned.h"

/* One verdict a line of a diff: the JSON, broken at the objects, so that people see what changed. */
static void print_side(char sign, struct bytes json)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT((size_t)64 << 20);
	buf_add_byte(&out, (uint8_t)sign);
	for (size_t i = 0; i < json.len; i++) {
		buf_add_byte(&out, json.ptr[i]);
		if (json.ptr[i] == ',' && i + 1 < json.len && json.ptr[i + 1] == '{')
			buf_printf(&out, "\n%c", sign);
	}
	buf_add_byte(&out, '\n');
	(void)fwrite(out.ptr, 1, out.len, stdout);
}

static int compare(const struct opt_set *set, struct judge *judge, const struct scan_case *recorded)
{
	CLEANUP(buf_done) struct buf now = BUF_INIT((size_t)64 << 20);
	const struct scan *scan;
	struct scan_usec usec;
	if (judge_message(judge, recorded, &scan, &usec) != ERR_OK)
		return opt_wrong(set, "not enough memory");
	report_verdict(&now, scan_verdict(scan));
	if (bytes_eq(buf_bytes(&now), recorded->verdict)) {
		(void)printf("the same verdict: %s\n", verdict_class_name(scan_verdict(scan)->class));
		return 0;
	}
	if (!bytes_eq(recorded->definitions, bytes_from_cstr(plan_definitions(judge_plan(judge)))))
		(void)printf("the definitions are others: %.*s then, %s now\n", BYTES_FMT(recorded->definitions),
			     plan_definitions(judge_plan(judge)));
	print_side('-', recorded->verdict);
	print_side('+', buf_bytes(&now));
	return 1;
}

int cmd_replay(int argc, char **argv)
{
	const struct opt_set set = {"replay",
				    "CASE",
				    "Judges a case again that `postern scan --record` wrote. Exit status 0: the same "
				    "verdict; 1: another one,\n"
				    "shown as a diff; 2: the case cannot be read.",
				    "postern replay strange.case",
				    NULL,
				    0};
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(judge_free) struct judge *judge = NULL;
	struct source_file file;
	struct scan_case recorded;
	struct error error;
	int n;
	int rc = opt_parse(&set, argc, argv, &n);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (n != 1)
		return opt_wrong(&set, "one recorded case is expected");
	struct source source = {argv[0], bytes_from_cstr(argv[0])};
	errno = 0;
	if (!arena || source_open(&source, &file) != ERR_OK)
		return opt_wrong(&set, "%s: %s", argv[0], errno ? strerror(errno) : "cannot be read");
	if (case_read(arena, file.content, &recorded, &error) != ERR_OK || judge_new(&judge, &error) != ERR_OK)
		rc = opt_wrong(&set, "%s: %s", argv[0], error.text);
	else
		rc = compare(&set, judge, &recorded);
	source_close(&file);
	return rc;
}
