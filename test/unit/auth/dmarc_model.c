/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judgment against a second one that is made to be read beside RFC 9989, not to be fast: it walks the tree for
 * every domain, one question after the other, and takes no short cut. Both see the same random worlds.
 */
#include "auth/dmarc.h"

#include "base/arena.h"
#include "unit.h"

#include "dns_table.h"

#define WORLDS 20000
#define NAMES  12

struct fact {
	const char *name, *text; /* the policy record of the name */
	bool psd_y, psd_n, strict;
	const char *p, *sp, *np;
};

struct world {
	struct fact facts[NAMES];
	size_t n_facts;
	const char *existing[NAMES];
	size_t n_existing;
};

static struct arena *arena;
static uint32_t seed;

static uint32_t draw(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)(seed >> 8) * n) >> 24);
}

/* -- The model ---- */

static const struct fact *fact_of(const struct world *world, const char *name)
{
	for (size_t i = 0; i < world->n_facts; i++)
		if (strcmp(world->facts[i].name, name) == 0)
			return &world->facts[i];
	return NULL;
}

static size_t labels_of(const char *name)
{
	size_t n = 1;
	for (; *name; name++)
		n += *name == '.';
	return n;
}

static const char *parent_of(const char *name)
{
	const char *dot = strchr(name, '.');
	return dot ? dot + 1 : NULL;
}

struct found {
	const struct fact *items[DMARC_STEPS_MAX];
	size_t count, asked;
};

/* 4.10, steps 1 to 7 */
static struct found walk(const struct world *world, const char *start)
{
	struct found found = {0};
	for (const char *target = start; target;) {
		const struct fact *fact = fact_of(world, target);
		found.asked++;
		if (fact)
			found.items[found.count++] = fact;
		if (fact && (fact->psd_y || fact->psd_n))
			break;
		if (target == start && labels_of(start) >= 8)
			while (labels_of(target) > 7)
				target = parent_of(target);
		else
			target = parent_of(target);
	}
	assert_true(found.asked <= DMARC_STEPS_MAX);
	return found;
}

/* 4.10.2, rules 1 to 3 */
static const char *organization(const struct world *world, const char *domain)
{
	struct found found = walk(world, domain);
	for (size_t i = 0; i < found.count; i++) {
		if (found.items[i]->psd_n)
			return found.items[i]->name;
		if (found.items[i]->psd_y && strcmp(found.items[i]->name, domain) != 0) {
			const char *below = domain;
			while (strcmp(parent_of(below), found.items[i]->name) != 0)
				below = parent_of(below);
			return below;
		}
	}
	return found.count > 0 ? found.items[found.count - 1]->name : domain;
}

/* 4.10.1 */
static const struct fact *policy_record(const struct world *world, const char *author)
{
	const struct fact *own = fact_of(world, author);
	struct found found = walk(world, author);
	const char *org = organization(world, author);
	if (own)
		return own;
	for (size_t i = 0; i < found.count; i++)
		if (strcmp(found.items[i]->name, org) == 0)
			return found.items[i];
	return found.count > 0 && found.items[found.count - 1]->psd_y ? found.items[found.count - 1] : NULL;
}

/* RFC 8020: what is above an existing name exists. */
static bool exists(const struct world *world, const char *name)
{
	for (size_t i = 0; i < world->n_existing; i++)
		if (strcmp(world->existing[i], name) == 0)
			return true;
	return false;
}

static const char *model(const struct world *world, const char *author, const char *const *passed, size_t n_passed)
{
	const struct fact *record = policy_record(world, author);
	const char *org = organization(world, author);
	bool aligned = false;
	if (!record)
		return arena_cstr(arena, arena_printf(arena, "none - %s", org));
	for (size_t i = 0; i < n_passed; i++)
		aligned = aligned || (record->strict ? strcmp(passed[i], author) == 0
						     : strcmp(organization(world, passed[i]), org) == 0);
	const char *tag = "p", *policy = record->p;
	if (strcmp(record->name, author) != 0) {
		bool np = record->np && !exists(world, author);
		tag = np ? "np" : record->sp ? "sp" : "p";
		policy = np ? record->np : record->sp ? record->sp : record->p;
	}
	return arena_cstr(arena, arena_printf(arena, "%s %s=%s@%s %s", aligned ? "pass" : "fail", tag, policy,
					      record->name, org));
}

/* -- Ours ---- */

static const char *ours(const struct world *world, const char *author, const char *const *passed, size_t n_passed,
			bool late)
{
	struct dns_row rows[2 * NAMES];
	size_t n_rows = 0;
	for (size_t i = 0; i < world->n_facts; i++)
		rows[n_rows++] = (struct dns_row){
			.type = DNS_TXT,
			.name = arena_cstr(arena, arena_printf(arena, "_dmarc.%s", world->facts[i].name)),
			.data = world->facts[i].text};
	for (size_t i = 0; i < world->n_existing; i++)
		rows[n_rows++] = (struct dns_row){.type = DNS_MX, .name = world->existing[i], .data = "mx"};
	struct dns_table *table = arena_new(arena, struct dns_table, 1);
	table->rows = rows;
	table->n_rows = n_rows;
	table->arena = arena;
	table->late = late;
	struct dns_host host = dns_table_host(table);

	struct dmarc_identifier dkim[NAMES];
	for (size_t i = 0; i < n_passed; i++)
		dkim[i] = (struct dmarc_identifier){.domain = bytes_from_cstr(passed[i]), .passed = true};
	struct address address = {.address = bytes_from_cstr(author), .domain = bytes_from_cstr(author)};
	struct address_list from = {.items = &address, .count = 1, .present = true};
	struct dmarc_query query = {.from = &from, .dkim = dkim, .n_dkim = n_passed};
	struct dmarc_result result;
	while (dmarc_check(arena, &host, &query, &result) == AUTH_WAIT)
		;
	if (result.code == DMARC_NONE)
		return arena_cstr(arena, arena_printf(arena, "none - %.*s", BYTES_FMT(result.organizational_domain)));
	return arena_cstr(arena, arena_printf(arena, "%s %s=%s@%.*s %.*s", dmarc_code_name(result.code), result.tag,
					      dmarc_policy_name(result.policy), BYTES_FMT(result.policy_domain),
					      BYTES_FMT(result.organizational_domain)));
}

/* -- Random worlds ---- */

/* Few different names, so that they meet: a chain of up to 11 labels, with a side branch somewhere. */
static const char *draw_name(void)
{
	char name[64];
	size_t n = 0, depth = 1 + draw(draw(4) ? 5 : 11);
	for (size_t i = 0; i < depth; i++) {
		name[n++] = draw(6) ? 'a' : 'b';
		name[n++] = '.';
	}
	name[n - 2] = 'z';
	return arena_cstr(arena, bytes_make(name, n - 1));
}

static void draw_world(struct world *world)
{
	static const char *const policies[] = {"none", "quarantine", "reject", NULL};
	*world = (struct world){0};
	for (size_t n = draw(6); n > 0; n--) {
		struct fact *fact = &world->facts[world->n_facts];
		fact->name = draw_name();
		if (fact_of(world, fact->name))
			continue;
		fact->psd_y = draw(5) == 0;
		fact->psd_n = !fact->psd_y && draw(5) == 0;
		fact->strict = draw(6) == 0;
		fact->p = policies[draw(3)];
		fact->sp = policies[draw(4)];
		fact->np = policies[draw(4)];
		fact->text = arena_cstr(arena, arena_printf(arena, "v=DMARC1; p=%s; adkim=%s%s%s%s%s%s", fact->p,
							    fact->strict ? "s" : "r", fact->sp ? "; sp=" : "",
							    fact->sp ? fact->sp : "", fact->np ? "; np=" : "",
							    fact->np ? fact->np : "",
							    fact->psd_y   ? "; psd=y"
							    : fact->psd_n ? "; psd=n"
									  : ""));
		world->n_facts++;
	}
	while (world->n_existing < draw(4))
		world->existing[world->n_existing++] = draw_name();
}

static void both_judge_alike(void **state)
{
	(void)state;
	size_t seen[3] = {0}, inherited = 0;
	arena = arena_create(SIZE_MAX);
	for (seed = 9989; seen[0] + seen[1] + seen[2] < WORLDS;) {
		struct arena_mark mark = arena_mark(arena);
		struct world world;
		uint32_t begun = seed;
		draw_world(&world);
		const char *author = draw(3) && world.n_existing > 0 ? world.existing[0] : draw_name();
		const char *passed[3];
		size_t n_passed = draw(ARRAY_LEN(passed) + 1);
		for (size_t i = 0; i < n_passed; i++)
			passed[i] = draw_name();
		const char *want = model(&world, author, passed, n_passed);
		for (size_t late = 0; late < 2; late++) {
			const char *got = ours(&world, author, passed, n_passed, late);
			if (strcmp(got, want) != 0)
				fail_msg("world %u, late %zu, author %s:\n  got  %s\n  want %s", begun, late, author,
					 got, want);
		}
		seen[want[0] == 'n' ? 0 : want[0] == 'p' ? 1 : 2]++;
		inherited += strstr(want, "sp=") || strstr(want, "np=");
		arena_rewind(arena, mark);
	}
	arena_free(&arena);
	/* The worlds are worth something only when each result is common. */
	for (size_t i = 0; i < ARRAY_LEN(seen); i++)
		assert_true(seen[i] > WORLDS / 20);
	assert_true(inherited > WORLDS / 20);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(both_judge_alike)};
UNIT_MAIN(tests)
