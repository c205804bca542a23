/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/defect.h: what is wrong with a message. Never an error: malformed mail is data that checks look at.
 */
#include "base/bytes.h"
#include "base/err.h"

struct arena;
struct mime_part;

enum defect_id {
#define DEFECT(name, id, ambiguous, unexamined, text) DEFECT_##name,
#include "mail/defect.def"
#undef DEFECT
	DEFECT_COUNT
};

struct defect {
	enum defect_id id;
	const struct mime_part *part; /* NULL: of the message as a whole */
	struct bytes header;          /* name of the field it is in, or empty */
	size_t at, len;               /* byte range in the message; at == DEFECT_NOWHERE when there is none */
};
#define DEFECT_NOWHERE ((size_t)-1)

/* A bounded list in the arena of the message; at most DEFECT_MAX are kept and the rest is counted. */
#define DEFECT_MAX      256
#define DEFECT_MAX_EACH 8 /* of one id */
struct defect_list {
	struct defect *items;
	size_t count, capacity;
	uint32_t seen[DEFECT_COUNT]; /* how often each id came up, those not kept included */
	struct arena *arena;
};

void defect_list_init(struct defect_list *list, struct arena *arena);
void defect_add(struct defect_list *list, struct defect defect);

static inline bool defect_seen(const struct defect_list *list, enum defect_id id)
{
	return list->seen[id] > 0;
}

const char *defect_name(enum defect_id id); /* "limit_parts" */
const char *defect_text(enum defect_id id); /* a sentence */
bool defect_ambiguous(enum defect_id id);
bool defect_unexamined(enum defect_id id);
/* True when any defect of the list left bytes unexamined. */
bool defect_list_unexamined(const struct defect_list *list);
