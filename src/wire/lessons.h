/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * wire/lessons.h: what became of messages, as LEARN carries it, many in one span.
 *
 * Form: i64 time, u8 outcome, u16 length, the packed question of profile/relations.h.
 */
#include "base/buf.h"
#include "base/cursor.h"

struct lesson {
	int64_t time;
	uint8_t outcome;        /* enum relations_outcome */
	struct bytes relations; /* at most RELATIONS_QUERY_MAX bytes */
};

/* Bytes that a lesson takes beside its question. */
#define LESSON_HEAD 11u

void lessons_add(struct buf *buf, const struct lesson *lesson);
/* The next one of the span that the cursor is over; false at its end, and with an error where it is cut. */
bool lessons_next(struct cursor *cur, struct lesson *ret_lesson);
