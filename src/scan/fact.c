/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/fact.h"

#include "base/arena.h"

#include "base/banned.h"

static const char *const kind_names[FACT_KINDS] = {[FACT_TIME] = "time",
						   [FACT_RELEASE] = "release",
						   [FACT_LIST] = "list",
						   [FACT_DNS] = "dns",
						   [FACT_RELATION] = "relation"};

const char *fact_kind_name(enum fact_kind kind)
{
	return kind_names[kind];
}

bool fact_kind_find(struct bytes name, enum fact_kind *ret_kind)
{
	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++) {
		if (bytes_eq(name, bytes_from_cstr(kind_names[kind]))) {
			*ret_kind = kind;
			return true;
		}
	}
	return false;
}

struct fact *fact_find(const struct fact_list *list, enum fact_kind kind, struct bytes key)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].kind == kind && bytes_eq(list->items[i].key, key))
			return &list->items[i];
	return NULL;
}

enum err fact_set(struct arena *arena, struct fact_list *list, enum fact_kind kind, struct bytes key,
		  enum fact_state state, struct bytes answer)
{
	struct fact *fact = fact_find(list, kind, key);
	struct bytes kept = arena_copy(arena, answer);
	if (!kept.ptr)
		return ERR_NOMEM;
	if (!fact) {
		if (list->count >= FACTS_MAX)
			return ERR_LIMIT;
		struct bytes key_kept = arena_copy(arena, key);
		struct fact *items = arena_grow(arena, list->items, &list->capacity, list->count, sizeof(*items));
		if (!items || !key_kept.ptr)
			return ERR_NOMEM;
		list->items = items;
		fact = &items[list->count++];
		*fact = (struct fact){.kind = kind, .key = key_kept};
	}
	fact->state = state;
	fact->answer = kept;
	fact->decoded = NULL;
	return ERR_OK;
}
