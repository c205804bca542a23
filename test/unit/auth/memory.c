/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing, sealing and checking while memory runs out: at each allocation once, and for an arena of each size. The work
 * ends with ERR_NOMEM, or with what it gives otherwise.
 */
#include "auth/arc.h"
#include "auth/dkim.h"
#include "base/arena.h"
#include "base/mem.h"
#include "keys.h"
#include "unit.h"

#define NOW 1600000000

/* Keeps no memory of its own, so that only the work itself may run short. */
static const struct dns_answer *ask(void *data, enum dns_type type, struct bytes name)
{
	static struct dns_record record = {.data = BYTES_INIT("v=DKIM1; k=ed25519; p=" PUBLIC_ED25519)};
	static const struct dns_answer answer = {.state = DNS_FOUND, .records = &record, .n_records = 1};
	(void)data;
	(void)name;
	return type == DNS_TXT ? &answer : NULL;
}

static struct crypto_key *ed25519;
static struct arena *world; /* of the message, whose memory is no part of what is tested */
static struct bytes mail;   /* sealed twice, signed once */

static const struct dkim_sign_options sign_options = {.domain = BYTES_INIT("example.net"),
						      .selector = BYTES_INIT("ed"),
						      .identity = BYTES_INIT("a@b.example.net"),
						      .now = NOW};
static const struct arc_seal_options seal_options = {.domain = BYTES_INIT("example.net"),
						     .selector = BYTES_INIT("ed"),
						     .authserv_id = BYTES_INIT("mx.example.net"),
						     .now = NOW};

/* All there is to do with one message; *ret_all are the fields that were made. */
static enum err work(struct arena *arena, struct crypto_keys *keys, struct bytes *ret_all)
{
	struct dns_host host = {.ask = ask};
	struct canon_message *message;
	struct dkim *dkim;
	struct arc *arc;
	enum auth_step step;
	struct bytes field, fields;
	struct error error;
	TRY(canon_message_read(arena, mail, &message));
	TRY(dkim_begin(message, &(struct dkim_options){.now = NOW, .verify_max = 5, .keys = keys}, &dkim));
	TRY(dkim_step(dkim, &host, &step));
	TRY(arc_begin(message, &(struct arc_options){.now = NOW, .keys = keys}, &arc));
	TRY(arc_step(arc, &host, &step));
	for (size_t i = 0; i < dkim->count; i++)
		assert_bytes_str(dkim->signatures[i].reason, "the signature is good");
	assert_true(dkim->count == (arc->chain > 0) && arc->result == (arc->chain > 0 ? ARC_PASS : ARC_NONE));
	TRY(dkim_sign(message, ed25519, &sign_options, &field, &error));
	TRY(arc_seal(arc, ed25519, &seal_options, &fields, &error));
	*ret_all = arena_printf(arena, "%.*s%.*s", BYTES_FMT(field), BYTES_FMT(fields));
	return ret_all->ptr ? ERR_OK : ERR_NOMEM;
}

static struct bytes whole(struct arena *arena)
{
	struct bytes all = {0};
	assert_ok(work(arena, NULL, &all));
	return all;
}

static void any_allocation_may_fail(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *first = arena_create(SIZE_MAX);
	struct bytes want = whole(first);
	size_t failed = 0;
	uint64_t nth = 1, asked;
	do {
		CLEANUP(crypto_keys_free) struct crypto_keys *keys = nth % 2 ? crypto_keys_new(4) : NULL;
		struct bytes all = {0};
		uint64_t before = mem_count();
		mem_fail_after(nth, 0);
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		enum err err = arena ? work(arena, keys, &all) : ERR_NOMEM;
		mem_fail_after(0, 0);
		asked = mem_count() - before;
		assert_true(err == ERR_OK || err == ERR_NOMEM);
		failed += err != ERR_OK;
		if (err == ERR_OK)
			assert_bytes(all, want);
		assert_true(nth < 5000);
	} while (asked >= nth++);
	assert_true(failed > 10);
}

static void an_arena_may_be_of_any_size(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *first = arena_create(SIZE_MAX);
	struct bytes want = whole(first);
	size_t needed = arena_used(first), failed = 0;
	for (size_t budget = 0; budget < needed + 1000; budget += 97) {
		CLEANUP(arena_free) struct arena *arena = arena_create(budget);
		struct bytes all = {0};
		enum err err = arena ? work(arena, NULL, &all) : ERR_NOMEM;
		assert_true(err == ERR_OK || err == ERR_NOMEM);
		failed += err != ERR_OK;
		if (err == ERR_OK)
			assert_bytes(all, want);
	}
	assert_true(failed > 100);
}

static int setup(void **state)
{
	(void)state;
	struct error error;
	world = arena_create(SIZE_MAX);
	if (crypto_init() != ERR_OK || crypto_key_read_pem(BYTES_LIT(KEY_ED25519), &ed25519, &error) != ERR_OK)
		return -1;
	mail = BYTES_LIT("Authentication-Results: mx.example.net; spf=pass\r\nFrom: a@example.net\r\nSubject: "
			 "x\r\n\r\nText\r\n");
	mail = arena_printf(world, "%.*s%.*s", BYTES_FMT(whole(world)), BYTES_FMT(mail));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	crypto_key_free(&ed25519);
	arena_free(&world);
	return 0;
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(any_allocation_may_fail, setup, teardown),
	cmocka_unit_test_setup_teardown(an_arena_may_be_of_any_size, setup, teardown),
};
UNIT_MAIN(tests)
