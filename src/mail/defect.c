/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/defect.h"

#include "base/arena.h"

#include "base/banned.h"

static const struct {
	const char *name, *text;
	bool ambiguous, unexamined;
} table[DEFECT_COUNT] = {
#define DEFECT(name, id, ambiguous, unexamined, text) [DEFECT_##name] = {id, text, ambiguous, unexamined},
#include "mail/defect.def"
#undef DEFECT
};

void defect_list_init(struct defect_list *list, struct arena *arena)
{
	*list = (struct defect_list){.arena = arena};
}

void defect_add(struct defect_list *list, struct defect defect)
{
	uint32_t *seen = &list->seen[defect.id];
	if (*seen < UINT32_MAX)
		(*seen)++;
	if (*seen > DEFECT_MAX_EACH || list->count >= DEFECT_MAX)
		return;
	struct defect *items = arena_grow(list->arena, list->items, &list->capacity, list->count, sizeof(*list->items));
	if (!items)
		return;
	list->items = items;
	items[list->count++] = defect;
}

const char *defect_name(enum defect_id id)
{
	return table[id].name;
}

const char *defect_text(enum defect_id id)
{
	return table[id].text;
}

bool defect_ambiguous(enum defect_id id)
{
	return table[id].ambiguous;
}

bool defect_unexamined(enum defect_id id)
{
	return table[id].unexamined;
}

bool defect_list_unexamined(const struct defect_list *list)
{
	for (size_t id = 0; id < DEFECT_COUNT; id++)
		if (list->seen[id] > 0 && table[id].unexamined)
			return true;
	return false;
}
