/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan/scan.h: judges one case. Pure: no system call, no clock, no lock.
 *
 *     scan_new() -> scan_parse() -> scan_run() -> SCAN_WAIT: bring answers with scan_answer(), run again
 *                                              -> SCAN_DONE: scan_verdict()
 *
 * Owns:  everything in the arena given; the message must outlive it.
 * Fails: ERR_NOMEM only. A message over its budget is judged as far as it was read (class unscannable or worse).
 */
#include "base/err.h"
#include "scan/case.h"
#include "scan/verdict.h"

struct arena;
struct scan;
struct scan_plan;

/* All checks, in their order, with their weights. One a process, built at start, before the sandbox. */
NODISCARD enum err plan_new(struct arena *arena, struct scan_plan **ret_plan, struct error *reterr);
size_t plan_count(const struct scan_plan *plan);
const struct check *plan_check(const struct scan_plan *plan, size_t i);
int plan_weight(const struct scan_plan *plan, size_t i);
const struct check *plan_find(const struct scan_plan *plan, struct bytes symbol);
/* What the verdict depends on beside the code: version of the weights. */
const char *plan_definitions(const struct scan_plan *plan);

enum scan_state { SCAN_WAIT, SCAN_DONE };

/* Microseconds of CPU; zero unless the caller brought a clock (the engine has none). */
struct scan_usec {
	uint64_t parse, unpack, checks, total;
};

NODISCARD enum err scan_new(struct arena *arena, const struct scan_plan *plan, const struct scan_case *scan_case,
			    struct scan **ret_scan);
NODISCARD enum err scan_parse(struct scan *scan);
enum scan_state scan_run(struct scan *scan);
/* The next unanswered question, or NULL; *i is 0 at first. */
const struct fact *scan_question(const struct scan *scan, size_t *i);
NODISCARD enum err scan_answer(struct scan *scan, enum fact_kind kind, struct bytes key, enum fact_state state,
			       struct bytes answer);
/* Whether a question is still without an answer. */
bool scan_has_questions(const struct scan *scan);
/* A fact that nobody has asked for yet, or an answer: ERR_DENIED when it is known already. */
NODISCARD enum err scan_know(struct scan *scan, enum fact_kind kind, struct bytes key, enum fact_state state,
			     struct bytes answer);
/* After SCAN_DONE. Lives in the arena. */
const struct verdict *scan_verdict(const struct scan *scan);
/* The facts that were used, to be recorded with the case. */
const struct fact_list *scan_facts(const struct scan *scan);
