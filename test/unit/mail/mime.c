/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "mail/message.h"

/* The tree as text: "path/reading type name|name", "+" behind containers, one node after another; then the defects. */
static void draw(const struct message *message, struct buf *out)
{
	for (size_t i = 0; i < message->tree.n_parts; i++) {
		const struct mime_part *part = message->tree.parts[i];
		buf_printf(out, "%s%.*s/%u %.*s%s", i ? ", " : "", BYTES_FMT(part->path), part->reading,
			   BYTES_FMT(part->type), part->leaf ? "" : "+");
		if (part->leaf && part->content.len < 12)
			buf_printf(out, " '%.*s'", BYTES_FMT(part->content));
		for (size_t n = 0; n < part->n_names; n++)
			buf_printf(out, "%c%.*s", n ? '|' : ' ', BYTES_FMT(part->names[n].text));
	}
	for (size_t i = 0; i < message->defects.count; i++)
		buf_printf(out, "%s%s", i ? " " : "; ", defect_name(message->defects.items[i].id));
}

#define MIXED "Content-Type: multipart/mixed; boundary=b\n\n"

static const struct {
	const char *rule, *in, *want;
} cases[] = {
#include "mime_cases.h"
};

static void reads_as_the_table_says(void **state)
{
	int failed = 0;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		CLEANUP(buf_done) struct buf out = BUF_INIT(1 << 20);
		struct message *message;
		assert_ok(message_parse(arena, bytes_from_cstr(cases[i].in), &mime_limits_default, &message));
		draw(message, &out);
		if (!bytes_eq(buf_bytes(&out), bytes_from_cstr(cases[i].want))) {
			print_error("%s\ngot  %.*s\nwant %s\n", cases[i].rule, BYTES_FMT(buf_bytes(&out)),
				    cases[i].want);
			failed++;
		}
	}
	assert_int_equal(failed, 0);
}

static void survives_every_failed_allocation(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (uint64_t nth = 1; nth < 100; nth++) {
			struct message *message;
			uint64_t before = mem_count();
			mem_fail_after(nth, 1);
			struct arena *arena = arena_create(SIZE_MAX);
			if (arena &&
			    message_parse(arena, bytes_from_cstr(cases[i].in), &mime_limits_default, &message) ==
				    ERR_OK &&
			    mem_count() - before >= nth)
				assert_true(defect_list_unexamined(&message->defects));
			bool done = mem_count() - before < nth;
			mem_fail_after(0, 0);
			arena_free(&arena);
			if (done)
				break;
		}
	}
}

static void survives_every_budget(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t budget = 0; budget < 60000; budget += 577) {
			CLEANUP(arena_free) struct arena *arena = arena_create(budget);
			struct message *message;
			enum err err =
				message_parse(arena, bytes_from_cstr(cases[i].in), &mime_limits_default, &message);
			assert_true(err == ERR_OK || err == ERR_NOMEM);
		}
	}
}

static void a_million_parts_end_in_a_defect(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf in = BUF_INIT(1 << 28);
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct message *message;
	buf_add_cstr(&in, MIXED);
	for (size_t i = 0; i < 1000000; i++)
		buf_add_cstr(&in, "--b\n\nx\n");
	assert_ok(message_parse(arena, buf_bytes(&in), &mime_limits_default, &message));
	assert_true(defect_seen(&message->defects, DEFECT_LIMIT_PARTS));
	assert_true(message->tree.n_parts <= mime_limits_default.parts);
}

static void deep_nesting_ends_in_a_defect(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf in = BUF_INIT(1 << 28);
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct message *message;
	for (unsigned i = 0; i < 10000; i++)
		buf_printf(&in, "Content-Type: multipart/mixed; boundary=b%u\n\n--b%u\n", i, i);
	assert_ok(message_parse(arena, buf_bytes(&in), &mime_limits_default, &message));
	assert_true(defect_seen(&message->defects, DEFECT_LIMIT_DEPTH));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_as_the_table_says),       cmocka_unit_test(survives_every_failed_allocation),
	cmocka_unit_test(survives_every_budget),         cmocka_unit_test(a_million_parts_end_in_a_defect),
	cmocka_unit_test(deep_nesting_ends_in_a_defect),
};
UNIT_MAIN(tests)
