/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan/lists.h: what reputation lists say of a message. What they are asked is settled once a case, for all checks:
 * hosts and domains that are ours are not asked about, and what is beyond scan_settings.list_questions is not asked.
 * What stands on the envelope and in the header comes before links, and domains of links before hosts in them.
 */
#include "scan/check.h"
#include "scan/zone.h"

/*
 * Gives evidence for each hit of the zones whose kind is in `kinds` (bits 1 << enum list_kind) about what is in
 * `about`: {1} is what was looked up, {2} the list and what its answer means. A name that anybody may write, asked of a
 * list in favour, counts where SPF (sender) or DMARC (author) passed.
 */
enum check_step lists_tell_zones(struct scan *scan, unsigned kinds, unsigned about);
/* The same of our own lists; {2} is the list and the entry. */
enum check_step lists_tell_local(struct scan *scan, bool allow);
