/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan/lists_state.h: what a case asks lists; for scan/ only.
 */
struct lists_state;
struct scan;

/* Where the case keeps it; NULL at first. */
struct lists_state **scan_lists_state(struct scan *scan);
