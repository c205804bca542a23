/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a message, with every check, within a budget of memory: there is a verdict, it is the same the second
 * time, and the same when its case is written down, read and judged again.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "scan/report.h"

#define BUDGET ((size_t)64 << 20)

static void look_at(const struct verdict *verdict, size_t size)
{
	ASSERT(verdict->class < CLASS_COUNT && verdict->action < ACTION_COUNT);
	ASSERT(verdict->probability >= 0 && verdict->probability <= 1);
	ASSERT(verdict->n_evidence <= EVIDENCE_MAX);
	for (size_t i = 0; i < verdict->n_evidence; i++) {
		const struct evidence *evidence = &verdict->evidence[i];
		ASSERT(evidence->text_en.len > 0 && utf8_valid(evidence->text_en) && utf8_valid(evidence->text_ja));
		ASSERT(utf8_valid(evidence->snippet));
		ASSERT(evidence->at == DEFECT_NOWHERE ||
		       (evidence->at <= size && evidence->len <= size - evidence->at));
	}
}

/* Judges, answers what is asked, and adds the verdict to `out` and the case to `record`. */
static void judge(const struct scan_plan *plan, const struct scan_case *scan_case, struct buf *out, struct buf *record)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(BUDGET);
	struct scan *scan;
	ASSERT(arena && scan_new(arena, plan, scan_case, &scan) == ERR_OK && scan_parse(scan) == ERR_OK);
	for (int round = 0; scan_run(scan) == SCAN_WAIT; round++) {
		const struct fact *question;
		size_t at = 0, asked = 0;
		ASSERT(round < FACTS_MAX);
		while ((question = scan_question(scan, &at)) != NULL) {
			asked++;
			ASSERT(scan_answer(scan, question->kind, question->key, FACT_KNOWN,
					   BYTES_LIT("HTML_SCRIPT GTUBE")) == ERR_OK);
		}
		ASSERT(asked > 0); /* whoever waits has asked */
	}
	const struct verdict *verdict = scan_verdict(scan);
	const struct scan_usec usec = {0};
	look_at(verdict, scan_case->message.len);
	report_verdict(out, verdict);
	report_text(out, scan, BYTES_LIT("path"), true, true);
	report_json(out, scan, BYTES_LIT("path"), &usec);
	ASSERT(buf_err(out) == ERR_OK && utf8_valid(buf_bytes(out)));
	if (record) {
		struct scan_case used = *scan_case;
		used.facts = *scan_facts(scan);
		case_write(record, &used);
		ASSERT(buf_err(record) == ERR_OK);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(BUDGET);
	CLEANUP(buf_done) struct buf first = BUF_INIT((size_t)256 << 20);
	CLEANUP(buf_done) struct buf second = BUF_INIT((size_t)256 << 20);
	CLEANUP(buf_done) struct buf third = BUF_INIT((size_t)256 << 20);
	CLEANUP(buf_done) struct buf record = BUF_INIT((size_t)256 << 20);
	struct scan_plan *plan;
	struct scan_case scan_case = {
		.message = bytes_make(data, size),
		.envelope = {.frontend = BYTES_LIT("smtp"),
			     .has_client = true,
			     .client_ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7},
			     .helo = BYTES_LIT("mx.example.org"),
			     .has_from = true,
			     .from = BYTES_LIT("a@example.org"),
			     .hostname = BYTES_LIT("gate.example.net")},
		.settings = scan_settings_default};
	struct scan_case again;
	ASSERT(arena && plan_new(arena, &plan, NULL) == ERR_OK);
	ASSERT(fact_set(arena, &scan_case.facts, FACT_TIME, (struct bytes){0}, FACT_KNOWN, BYTES_LIT("1795521600")) ==
	       ERR_OK);
	judge(plan, &scan_case, &first, &record);
	judge(plan, &scan_case, &second, NULL);
	ASSERT(bytes_eq(buf_bytes(&first), buf_bytes(&second)));
	ASSERT(case_read(arena, buf_bytes(&record), &again, NULL) == ERR_OK);
	judge(plan, &again, &third, NULL);
	ASSERT(bytes_eq(buf_bytes(&first), buf_bytes(&third)));
	return 0;
}
