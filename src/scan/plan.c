/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/plan.h"

#include <stdlib.h>

#include "base/arena.h"

#include "base/banned.h"

/* The fitted table, generated at build from defs/weights.tsv: see there for its provenance. */
struct fitted {
	const char *name;
	int value;
};
#define FITTED_WEIGHT(symbol, weight) {symbol, weight},
#define FITTED_FAMILY(name, cap)
#define FITTED_BIAS(value)
#define FITTED_VERSION(text)
static const struct fitted fitted_weights[] = {
#include "scan_weights.inc"
	{NULL, 0}};
#undef FITTED_WEIGHT
#undef FITTED_FAMILY
#define FITTED_WEIGHT(symbol, weight)
#define FITTED_FAMILY(name, cap) {name, cap},
static const struct fitted fitted_families[] = {
#include "scan_weights.inc"
	{NULL, 0}};
#undef FITTED_FAMILY
#undef FITTED_BIAS
#undef FITTED_VERSION
#define FITTED_FAMILY(name, cap)
#define FITTED_BIAS(value)   static const int fitted_bias = (value);
#define FITTED_VERSION(text) static const char fitted_version[] = text;
#include "scan_weights.inc"

/* Made by the linker of the pointers that CHECK_REGISTER leaves. */
extern const struct check *const __start_checks[] __attribute__((visibility("hidden")));
extern const struct check *const __stop_checks[] __attribute__((visibility("hidden")));

static int fitted_find(const struct fitted *table, const char *name)
{
	for (; table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table->value;
	return 0;
}

static int by_stage_and_symbol(const void *left, const void *right)
{
	const struct check *a = ((const struct plan_entry *)left)->check;
	const struct check *b = ((const struct plan_entry *)right)->check;
	if (a->stage != b->stage)
		return a->stage < b->stage ? -1 : 1;
	return strcmp(a->symbol, b->symbol);
}

static enum err find_family(struct scan_plan *plan, const char *name, size_t *ret_family)
{
	struct bytes wanted = bytes_from_cstr(name);
	for (size_t i = 0; i < plan->n_families; i++) {
		if (bytes_eq(plan->families[i].name, wanted)) {
			*ret_family = i;
			return ERR_OK;
		}
	}
	if (plan->n_families == PLAN_MAX_FAMILIES)
		return ERR_LIMIT;
	plan->families[plan->n_families] = (struct plan_family){wanted, fitted_find(fitted_families, name)};
	*ret_family = plan->n_families++;
	return ERR_OK;
}

/* A check that is not complete is a mistake of ours, found at start and by a test, not at the first message. */
static bool complete(const struct check *check)
{
	return check->symbol && check->family && check->summary && check->text_en && check->text_ja && check->manual &&
	       check->run;
}

static void free_keys(void *plan)
{
	crypto_keys_free(&((struct scan_plan *)plan)->keys);
}

enum err plan_new(struct arena *arena, struct scan_plan **ret_plan, struct error *reterr)
{
	size_t n = (size_t)(__stop_checks - __start_checks);
	struct scan_plan *plan = arena_new(arena, struct scan_plan, 1);
	if (n > PLAN_MAX_CHECKS)
		return error_set(reterr, ERR_LIMIT, n, "there are %zu checks, at most %d are supported", n,
				 PLAN_MAX_CHECKS);
	if (!plan || !(plan->entries = arena_new(arena, struct plan_entry, n ? n : 1)))
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the plan of the checks");
	plan->bias = fitted_bias;
	plan->definitions = fitted_version;
	if (crypto_init() != ERR_OK || !(plan->keys = crypto_keys_new(PLAN_KEYS_KEPT)) ||
	    arena_defer(arena, free_keys, plan) != ERR_OK)
		return error_set(reterr, ERR_UNSUPPORTED, 0, "the algorithms of OpenSSL could not be had");
	for (size_t i = 0; i < n; i++) {
		const struct check *check = __start_checks[i];
		struct plan_entry *entry = &plan->entries[plan->count++];
		if (!complete(check))
			return error_set(reterr, ERR_INTERNAL, i, "check %s is not complete",
					 check->symbol ? check->symbol : "(without symbol)");
		entry->check = check;
		entry->weight = check->fixed_weight ? check->fixed_weight : fitted_find(fitted_weights, check->symbol);
		if (check->kind == KIND_INFO || check->kind == KIND_SENDER)
			entry->weight = 0;
		if (find_family(plan, check->family, &entry->family) != ERR_OK)
			return error_set(reterr, ERR_LIMIT, i, "check %s is of one family too many", check->symbol);
	}
	qsort(plan->entries, plan->count, sizeof(plan->entries[0]), by_stage_and_symbol);
	/* Sorting brings two of one name together only within a stage. */
	for (size_t i = 1; i < plan->count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(plan->entries[i].check->symbol, plan->entries[j].check->symbol) == 0)
				return error_set(reterr, ERR_INTERNAL, i, "two checks are called %s",
						 plan->entries[i].check->symbol);
	*ret_plan = plan;
	return ERR_OK;
}

size_t plan_count(const struct scan_plan *plan)
{
	return plan->count;
}

const struct check *plan_check(const struct scan_plan *plan, size_t i)
{
	return plan->entries[i].check;
}

int plan_weight(const struct scan_plan *plan, size_t i)
{
	return plan->entries[i].weight;
}

const struct check *plan_find(const struct scan_plan *plan, struct bytes symbol)
{
	for (size_t i = 0; i < plan->count; i++)
		if (bytes_eq_nocase(symbol, bytes_from_cstr(plan->entries[i].check->symbol)))
			return plan->entries[i].check;
	return NULL;
}

const char *plan_definitions(const struct scan_plan *plan)
{
	return plan->definitions;
}
