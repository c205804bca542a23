/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "wire/envelope.h"

static struct bytes two[] = {BYTES_INIT("a@example.com"), BYTES_INIT("\xe5\xb1\xb1@example.jp")};

static struct scan_envelope full_envelope(void)
{
	return (struct scan_envelope){.frontend = BYTES_LIT("milter"),
				      .has_client = true,
				      .client_ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1},
				      .client_name = BYTES_LIT("mail.example.net"),
				      .helo = BYTES_LIT("helo\r\n\0x"),
				      .has_from = true,
				      .from = BYTES_LIT("b@example.net"),
				      .recipients = two,
				      .n_recipients = 2,
				      .user = BYTES_LIT("user"),
				      .hostname = BYTES_LIT("mx.example.com")};
}

static void assert_same(const struct scan_envelope *a, const struct scan_envelope *b)
{
	assert_bytes(a->frontend, b->frontend);
	assert_int_equal(a->has_client, b->has_client);
	assert_memory_equal(a->client_ip, b->client_ip, 16);
	assert_bytes(a->client_name, b->client_name);
	assert_bytes(a->helo, b->helo);
	assert_int_equal(a->has_from, b->has_from);
	assert_bytes(a->from, b->from);
	assert_int_equal(a->n_recipients, b->n_recipients);
	for (size_t i = 0; i < a->n_recipients; i++)
		assert_bytes(a->recipients[i], b->recipients[i]);
	assert_bytes(a->user, b->user);
	assert_bytes(a->hostname, b->hostname);
}

static void an_envelope_comes_back_as_it_went(void **state)
{
	struct scan_envelope full = full_envelope(), empty = {0}, null_sender = {.has_from = true};
	const struct scan_envelope *all[] = {&full, &empty, &null_sender};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		CLEANUP(buf_done) struct buf buf = BUF_INIT(4096);
		struct arena *arena = arena_create(1 << 16);
		struct scan_envelope out;
		int64_t now;
		envelope_encode(&buf, all[i], i == 0 ? INT64_C(-5) : INT64_C(1795521600));
		assert_ok(envelope_decode(arena, buf_bytes(&buf), &out, &now));
		assert_same(all[i], &out);
		assert_int_equal(now, i == 0 ? INT64_C(-5) : INT64_C(1795521600));
		arena_free(&arena);
	}
}

static void an_envelope_that_is_cut_or_too_long_is_refused(void **state)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(4096);
	struct scan_envelope full = full_envelope(), out;
	int64_t now;
	(void)state;
	envelope_encode(&buf, &full, 1);
	for (size_t cut = 0; cut < buf.len; cut++) {
		struct arena *arena = arena_create(1 << 16);
		assert_int_equal(envelope_decode(arena, bytes_sub(buf_bytes(&buf), 0, cut), &out, &now), ERR_SYNTAX);
		arena_free(&arena);
	}
	struct arena *arena = arena_create(1 << 16);
	buf_add_byte(&buf, 0);
	assert_int_equal(envelope_decode(arena, buf_bytes(&buf), &out, &now), ERR_SYNTAX);
	arena_free(&arena);
}

static void a_count_of_recipients_that_cannot_be_takes_no_memory(void **state)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(4096);
	struct scan_envelope empty = {0}, out;
	struct arena *arena = arena_create(1 << 16);
	int64_t now;
	(void)state;
	envelope_encode(&buf, &empty, 1);
	memset(buf.ptr + buf.len - 4, 0xff, 4);
	assert_int_equal(envelope_decode(arena, buf_bytes(&buf), &out, &now), ERR_SYNTAX);
	arena_free(&arena);
}

static void many_recipients_need_their_memory(void **state)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT((size_t)1 << 20);
	static struct bytes many[20000];
	struct scan_envelope envelope = {.recipients = many, .n_recipients = ARRAY_LEN(many)}, out;
	struct arena *small = arena_create(1 << 16), *large = arena_create(1 << 20);
	int64_t now;
	(void)state;
	envelope_encode(&buf, &envelope, 1);
	assert_int_equal(envelope_decode(small, buf_bytes(&buf), &out, &now), ERR_NOMEM);
	assert_ok(envelope_decode(large, buf_bytes(&buf), &out, &now));
	assert_int_equal(out.n_recipients, ARRAY_LEN(many));
	arena_free(&small);
	arena_free(&large);
}

static void recipients_are_taken_off_one_by_one(void **state)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(4096);
	struct bytes list, address, fate;
	(void)state;
	recipients_add(&buf, two[0], BYTES_LIT("deliver"));
	recipients_add(&buf, BYTES_LIT(""), BYTES_LIT(""));
	recipients_add(&buf, two[1], BYTES_LIT("quarantine"));
	list = buf_bytes(&buf);
	assert_true(recipients_next(&list, &address, &fate));
	assert_bytes(address, two[0]);
	assert_bytes_str(fate, "deliver");
	assert_true(recipients_next(&list, &address, &fate));
	assert_int_equal(address.len + fate.len, 0);
	assert_true(recipients_next(&list, &address, &fate));
	assert_bytes(address, two[1]);
	assert_bytes_str(fate, "quarantine");
	assert_false(recipients_next(&list, &address, &fate));
	assert_false(recipients_next(&list, &address, &fate));
}

static void a_broken_list_ends(void **state)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(4096);
	(void)state;
	recipients_add(&buf, two[0], BYTES_LIT("deliver"));
	recipients_add(&buf, two[1], BYTES_LIT("deliver"));
	for (size_t cut = 0; cut < buf.len; cut++) {
		struct bytes list = bytes_sub(buf_bytes(&buf), 0, cut), address, fate;
		size_t n = 0;
		while (recipients_next(&list, &address, &fate) && n < 3)
			n++;
		assert_true(n < 2);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(an_envelope_comes_back_as_it_went),
	cmocka_unit_test(an_envelope_that_is_cut_or_too_long_is_refused),
	cmocka_unit_test(a_count_of_recipients_that_cannot_be_takes_no_memory),
	cmocka_unit_test(many_recipients_need_their_memory),
	cmocka_unit_test(recipients_are_taken_off_one_by_one),
	cmocka_unit_test(a_broken_list_ends),
};
UNIT_MAIN(tests)
