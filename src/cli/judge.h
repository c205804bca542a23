/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cli/judge.h: judges one message after another on the command line, as the scanner process does it, with the time
 * taken.
 */
#include "scan/scan.h"

struct judge; /* plan and scratch memory */

NODISCARD enum err judge_new(struct judge **ret_judge, struct error *reterr);
void judge_free(struct judge **judge);
const struct scan_plan *judge_plan(const struct judge *judge);
/* Whom the questions about DNS go to; NULL (at first): nobody. It stays the caller's. */
struct cli_dns;
void judge_use_dns(struct judge *judge, struct cli_dns *dns);
/* Reads the files of lists.local; what is wrong with them is said on standard error. ERR_NOMEM, ERR_LIMIT. */
struct settings;
NODISCARD enum err judge_use_lists(struct judge *judge, const struct settings *settings);

/*
 * Judges; the result lives until the next call. Questions that nobody here can answer are FACT_FAILED.
 * *ret_facts (may be NULL) are the facts that were used. Fails: ERR_NOMEM.
 */
NODISCARD enum err judge_message(struct judge *judge, const struct scan_case *scan_case, const struct scan **ret_scan,
				 struct scan_usec *ret_usec);
/* The arena of the message last judged. */
struct arena *judge_arena(struct judge *judge);
