/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "wire/wire.h"

#define WIRE_MAX ((size_t)1 << 16)

static uint8_t next_number(void)
{
	static uint8_t counter;
	counter = (uint8_t)((counter + 1) & 0xff);
	return counter;
}

static struct bytes next_text(void)
{
	static uint8_t texts[256][3];
	uint8_t number = next_number();
	memset(texts[number], number, 3);
	return bytes_make(texts[number], number % 4);
}

/* One of each type; every field has a value of its own, so that a mix-up of two shows. */
static void fill(struct wire_any *any, enum wire_type type)
{
	*any = (struct wire_any){.type = type};
#define U8(field)    in->field = next_number();
#define U32(field)   in->field = 0x01020300u + next_number();
#define U64(field)   in->field = UINT64_C(0xf102030405060700) + next_number();
#define I64(field)   in->field = -INT64_C(0x102030405060700) - next_number();
#define BYTES(field) in->field = next_text();
#define WIRE_MESSAGE(NAME, name, fields)                                                                               \
	case WIRE_##NAME: {                                                                                            \
		struct wire_##name *in = &any->name;                                                                   \
		fields                                                                                                 \
	} break;
	switch (type) {
#include "wire/messages.def"
	case WIRE_TYPES:
		break;
	}
#undef WIRE_MESSAGE
#undef U8
#undef U32
#undef U64
#undef I64
#undef BYTES
}

static void assert_same(const struct wire_any *a, const struct wire_any *b)
{
	assert_int_equal(a->type, b->type);
#define U8(field)    assert_int_equal(x->field, y->field);
#define U32(field)   assert_int_equal(x->field, y->field);
#define U64(field)   assert_true(x->field == y->field);
#define I64(field)   assert_true(x->field == y->field);
#define BYTES(field) assert_bytes(x->field, y->field);
#define WIRE_MESSAGE(NAME, name, fields)                                                                               \
	case WIRE_##NAME: {                                                                                            \
		const struct wire_##name *x = &a->name, *y = &b->name;                                                 \
		fields                                                                                                 \
	} break;
	switch (a->type) {
#include "wire/messages.def"
	case WIRE_TYPES:
		break;
	}
#undef WIRE_MESSAGE
#undef U8
#undef U32
#undef U64
#undef I64
#undef BYTES
}

static void every_message_comes_back_as_it_went(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 8; round++) {
		for (unsigned type = 0; type < WIRE_TYPES; type++) {
			CLEANUP(buf_done) struct buf buf = BUF_INIT(WIRE_MAX);
			struct wire_any in, out;
			fill(&in, (enum wire_type)type);
			wire_encode(&buf, &in);
			assert_ok(buf_err(&buf));
			assert_ok(wire_decode(buf_bytes(&buf), &out));
			assert_same(&in, &out);
		}
	}
}

static void the_form_on_the_wire_stands(void **state)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(WIRE_MAX);
	(void)state;
	wire_encode(&buf, &(struct wire_any){.type = WIRE_STUCK, .stuck = {.index = 1, .serial = 0xa0b0c0d0}});
	wire_encode(&buf, &(struct wire_any){.type = WIRE_HEALTH, .health = {.ok = 1, .reason = BYTES_LIT("full")}});
	assert_bytes(buf_bytes(&buf), BYTES_LIT("\0\4\0\0\0\1\xa0\xb0\xc0\xd0"
						"\0\17\1\0\0\0\4full"));
}

static void a_message_that_is_cut_or_too_long_is_refused(void **state)
{
	(void)state;
	for (unsigned type = 0; type < WIRE_TYPES; type++) {
		CLEANUP(buf_done) struct buf buf = BUF_INIT(WIRE_MAX);
		struct wire_any in, out;
		fill(&in, (enum wire_type)type);
		wire_encode(&buf, &in);
		for (size_t cut = 0; cut < buf.len; cut++)
			assert_int_equal(wire_decode(bytes_sub(buf_bytes(&buf), 0, cut), &out), ERR_SYNTAX);
		buf_add_byte(&buf, 0);
		assert_int_equal(wire_decode(buf_bytes(&buf), &out), ERR_SYNTAX);
	}
}

static void numbers_of_no_message_and_lengths_beyond_the_end_are_refused(void **state)
{
	static const struct bytes cases[] = {
		BYTES_INIT("\xff\xff"),
		BYTES_INIT("\0\32"), /* one after the last */
		BYTES_INIT("\1\0\1"),
		BYTES_INIT("\0\17\1\xff\xff\xff\xff"),
		BYTES_INIT("\0\17\1\xff\xff\xff\xff"
			   "full"),
		BYTES_INIT("\0\17\1\0\0\0\5full"),
		BYTES_INIT("\0\17\1\0\0\0\3full"),
	};
	struct wire_any out;
	(void)state;
	assert_int_equal(WIRE_TYPES, 26);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(wire_decode(cases[i], &out), ERR_SYNTAX);
}

/* The whole of who may say what: all that is not here is refused. */
static void nobody_says_more_than_this(void **state)
{
	static const struct {
		const char *sender, *receiver;
		unsigned types; /* bits */
	} all[] = {
#define SAYS(name) (1u << WIRE_##name)
		{"supervisor", "gate", SAYS(PEER) | SAYS(DRAIN)},
		{"supervisor", "scanner", SAYS(PEER) | SAYS(DRAIN)},
		{"supervisor", "vault", SAYS(PEER) | SAYS(DRAIN)},
		{"supervisor", "resolver", SAYS(PEER) | SAYS(DRAIN)},
		{"gate", "supervisor", SAYS(READY) | SAYS(DRAINED) | SAYS(STUCK)},
		{"scanner", "supervisor", SAYS(READY)},
		{"vault", "supervisor", SAYS(READY) | SAYS(DRAINED)},
		{"supervisor", "signer", SAYS(PEER) | SAYS(DRAIN)},
		{"signer", "supervisor", SAYS(READY)},
		{"gate", "scanner", SAYS(SCAN) | SAYS(ANSWER) | SAYS(SIGNATURE)},
		{"scanner", "gate", SAYS(VERDICT) | SAYS(ASK) | SAYS(WAITS) | SAYS(REPORT) | SAYS(SIGN)},
		{"gate", "signer", SAYS(SIGN)},
		{"signer", "gate", SAYS(SIGNATURE)},
		{"resolver", "supervisor", SAYS(READY) | SAYS(DRAINED) | SAYS(ZONE)},
		{"scanner", "resolver", SAYS(ASK)},
		{"resolver", "scanner", SAYS(ANSWER)},
		{"gate", "resolver", SAYS(PREFETCH)},
		{"supervisor", "ledger", SAYS(PEER) | SAYS(DRAIN)},
		{"ledger", "supervisor", SAYS(READY) | SAYS(DRAINED)},
		{"scanner", "ledger", SAYS(ASK)},
		{"ledger", "scanner", SAYS(ANSWER)},
		{"gate", "ledger", SAYS(LEARN)},
		{"gate", "vault", SAYS(ASK) | SAYS(TRACE) | SAYS(STORE) | SAYS(REPORT)},
		{"vault", "gate", SAYS(ANSWER) | SAYS(TRACED) | SAYS(STORED) | SAYS(HEALTH)},
		{"supervisor", "courier", SAYS(PEER) | SAYS(DRAIN)},
		{"courier", "supervisor", SAYS(READY) | SAYS(DRAINED)},
		{"courier", "resolver", SAYS(ASK)},
		{"resolver", "courier", SAYS(ANSWER)},
		{"courier", "vault", SAYS(OWE) | SAYS(OWE_ROWS) | SAYS(SENT)},
		{"vault", "courier", SAYS(OWED) | SAYS(OWED_ROWS) | SAYS(HEALTH)},
	};
	(void)state;
	for (unsigned sender = 0; sender < ROLE_COUNT; sender++) {
		for (unsigned receiver = 0; receiver < ROLE_COUNT; receiver++) {
			unsigned may = 0;
			const char *from = wire_role_name((enum wire_role)sender),
				   *to = wire_role_name((enum wire_role)receiver);
			for (size_t i = 0; i < ARRAY_LEN(all); i++)
				if (strcmp(all[i].sender, from) == 0 && strcmp(all[i].receiver, to) == 0)
					may |= all[i].types;
			for (unsigned type = 0; type < WIRE_TYPES; type++) {
				CLEANUP(buf_done) struct buf buf = BUF_INIT(WIRE_MAX);
				struct wire_any any;
				bool want = may & (1u << type);
				enum err err;
				fill(&any, (enum wire_type)type);
				wire_encode(&buf, &any);
				if (wire_permitted((enum wire_role)sender, (enum wire_role)receiver,
						   (enum wire_type)type) != want)
					fail_msg("%s to %s: message %u", from, to, type);
				err = wire_receive((enum wire_role)sender, (enum wire_role)receiver, buf_bytes(&buf),
						   &any);
				assert_int_equal(err, want ? ERR_OK : ERR_DENIED);
			}
		}
	}
}

static void what_does_not_fit_is_an_error_of_the_buffer(void **state)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(10);
	(void)state;
	wire_encode(&buf, &(struct wire_any){.type = WIRE_HEALTH, .health = {.reason = BYTES_LIT("longer than ten")}});
	assert_int_equal(buf_err(&buf), ERR_LIMIT);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_message_comes_back_as_it_went),
	cmocka_unit_test(the_form_on_the_wire_stands),
	cmocka_unit_test(a_message_that_is_cut_or_too_long_is_refused),
	cmocka_unit_test(numbers_of_no_message_and_lengths_beyond_the_end_are_refused),
	cmocka_unit_test(nobody_says_more_than_this),
	cmocka_unit_test(what_does_not_fit_is_an_error_of_the_buffer),
};
UNIT_MAIN(tests)
