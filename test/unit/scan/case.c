/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "scan/case.h"

static struct bytes recipients[] = {{(const uint8_t *)"a@example.org", 13}, {(const uint8_t *)"b \n9\n", 5}};
static struct scan_network trusted[] = {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 0}, 120},
					{{0x20, 0x01, 0x0d, 0xb8}, 32}};

static struct scan_case full(struct arena *arena)
{
	struct scan_case full = {
		/* What looks like records inside a value is value. */
		.message = BYTES_LIT("Subject: x\r\n\r\nmessage 3\nabc\n\0\xff"),
		.envelope = {.frontend = BYTES_LIT("milter"),
			     .has_client = true,
			     .client_ip = {0xfe, 0x80, 1, 2, 3},
			     .client_name = BYTES_LIT("mx.example.org"),
			     .helo = BYTES_LIT("mx"),
			     .has_from = true,
			     .recipients = recipients,
			     .n_recipients = ARRAY_LEN(recipients),
			     .user = BYTES_LIT("u"),
			     .hostname = BYTES_LIT("gate")},
		.settings = scan_settings_default,
		.definitions = BYTES_LIT("abc123"),
		.verdict = BYTES_LIT("{\"class\":\"clean\"}"),
	};
	static struct zone_code code = {0x7f000002, 0xffffffff, {(const uint8_t *)"bad", 3}};
	static struct list_zone zone = {
		{(const uint8_t *)"zen", 3}, {(const uint8_t *)"z.example", 9}, LIST_IP, 3, &code, 1};
	static struct list_local local = {{(const uint8_t *)"mine", 4}, true, LIST_SENDER};
	static struct bytes own = {(const uint8_t *)"own.example", 11};
	full.settings.zones = &zone;
	full.settings.locals = &local;
	full.settings.own_domains = &own;
	full.settings.n_zones = full.settings.n_locals = full.settings.n_own_domains = 1;
	full.settings.list_questions = 9;
	full.settings.tag_at = -17;
	full.settings.max_parts = 7;
	full.settings.trusted = trusted;
	full.settings.n_trusted = ARRAY_LEN(trusted);
	assert_ok(fact_set(arena, &full.facts, FACT_TIME, (struct bytes){0}, FACT_KNOWN, BYTES_LIT("1795521600")));
	assert_ok(fact_set(arena, &full.facts, FACT_RELEASE, BYTES_LIT("A B C"), FACT_NEGATIVE, (struct bytes){0}));
	assert_ok(fact_set(arena, &full.facts, FACT_RELEASE, BYTES_LIT("D E F"), FACT_FAILED, BYTES_LIT("a\nb")));
	return full;
}

static void a_case_comes_back_to_the_last_bit(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf first = BUF_INIT(1 << 16);
	CLEANUP(buf_done) struct buf second = BUF_INIT(1 << 16);
	struct scan_case in = full(arena), out;
	struct error error;
	(void)state;
	case_write(&first, &in);
	assert_ok(buf_err(&first));
	assert_true(bytes_starts(buf_bytes(&first), BYTES_LIT("postern-case 1\n")));
	assert_ok(case_read(arena, buf_bytes(&first), &out, &error));
	assert_bytes(out.message, in.message);
	assert_bytes(out.verdict, in.verdict);
	assert_bytes(out.definitions, in.definitions);
	assert_true(out.envelope.has_client && out.envelope.has_from);
	assert_int_equal(out.envelope.from.len, 0);
	assert_memory_equal(out.envelope.client_ip, in.envelope.client_ip, 16);
	assert_int_equal(out.envelope.n_recipients, 2);
	assert_bytes(out.envelope.recipients[1], recipients[1]);
	assert_int_equal(out.settings.tag_at, -17);
	assert_int_equal(out.settings.max_parts, 7);
	assert_int_equal(out.settings.n_trusted, 2);
	assert_int_equal(out.settings.trusted[1].bits, 32);
	assert_memory_equal(out.settings.trusted[0].ip, trusted[0].ip, 16);
	assert_int_equal(out.settings.n_zones, 1);
	assert_bytes_str(out.settings.zones[0].codes[0].meaning, "bad");
	assert_int_equal(out.settings.n_locals, 1);
	assert_true(out.settings.locals[0].allow);
	assert_int_equal(out.settings.n_own_domains, 1);
	assert_int_equal(out.settings.list_questions, 9);
	assert_int_equal(out.facts.count, 3);
	assert_int_equal(out.facts.items[2].state, FACT_FAILED);
	assert_bytes_str(out.facts.items[2].answer, "a\nb");
	/* And what is not compared above is the same in its written form. */
	case_write(&second, &out);
	assert_bytes(buf_bytes(&second), buf_bytes(&first));
}

static void a_case_that_ends_early_is_refused(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf buf = BUF_INIT(1 << 16);
	struct scan_case in = full(arena), out;
	(void)state;
	case_write(&buf, &in);
	for (size_t n = 0; n < buf.len; n++) {
		struct error error = {0};
		assert_int_not_equal(case_read(arena, bytes_sub(buf_bytes(&buf), 0, n), &out, &error), ERR_OK);
		assert_true(error.text[0] != '\0');
	}
}

static void damage_at_any_byte_is_refused_or_read_as_another_sound_case(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf buf = BUF_INIT(1 << 16);
	struct scan_case in = full(arena), out;
	size_t refused = 0;
	(void)state;
	case_write(&buf, &in);
	static const uint8_t masks[] = {0x01, 0x10, 0x80, 0xff};
	for (size_t at = 0; at < buf.len; at++) {
		for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
			struct arena_mark mark = arena_mark(arena);
			struct error error = {0};
			buf.ptr[at] ^= masks[i];
			enum err err = case_read(arena, buf_bytes(&buf), &out, &error);
			if (err != ERR_OK) {
				refused++;
				assert_true(error.text[0] != '\0' && error.at <= buf.len);
			} else {
				CLEANUP(buf_done) struct buf again = BUF_INIT(1 << 16);
				struct scan_case second;
				case_write(&again, &out);
				assert_ok(case_read(arena, buf_bytes(&again), &second, &error));
				assert_bytes(second.message, out.message);
			}
			buf.ptr[at] ^= masks[i];
			arena_rewind(arena, mark);
		}
	}
	assert_true(refused > buf.len); /* of four times as many tries: names, lengths and line ends are watched */
}

static void what_is_no_case_says_so(void **state)
{
	static const char *const cases[] = {
		"",
		"Subject: x\n\nbody\n",
		"postern-case 2\nmessage 1\nx\n",
		"postern-case 1\n",
		"postern-case 1\ndefinitions 1\nx\n",           /* no message */
		"postern-case 1\nmessage 1\nx\nmessage 1\ny\n", /* two */
		"postern-case 1\nmessage -1\nx\n",
		"postern-case 1\nmessage 99999999999999999999\nx\n",
		"postern-case 1\nmessage 18446744073709551615\nx\n",
		"postern-case 1\nmessage 1\nxy",
		"postern-case 1\nmessage  1\nx\n",
		"postern-case 1\nnonsense 1\nx\nmessage 1\nx\n",
		"postern-case 1\nsetting.tag_at 1\nx\nmessage 1\nx\n",
		"postern-case 1\nsetting.max_parts 2\n-1\nmessage 1\nx\n",
		"postern-case 1\nsetting.tag_at 8\n99999999\nmessage 1\nx\n",
		"postern-case 1\nfact.time.known 1\n1\nmessage 1\nx\n", /* no line end between key and answer */
		"postern-case 1\nfact.tide.known 2\n\n1\nmessage 1\nx\n",
		"postern-case 1\nfact.time.guessed 2\n\n1\nmessage 1\nx\n",
		"postern-case 1\nenvelope.client 3\nabc\nmessage 1\nx\n",
		"postern-case 1\nenvelope.client 36\n00000000000000000000ffffc0000207/129\nmessage 1\nx\n",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct error error = {0};
		struct scan_case out;
		if (case_read(arena, bytes_from_cstr(cases[i]), &out, &error) == ERR_OK)
			fail_msg("\"%s\" was taken", cases[i]);
		assert_true(error.text[0] != '\0');
	}
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct scan_case out;
	assert_ok(case_read(arena, BYTES_LIT("postern-case 1\nmessage 1\nx\n"), &out, NULL));
	assert_int_equal(out.settings.tag_at, scan_settings_default.tag_at);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_case_comes_back_to_the_last_bit),
	cmocka_unit_test(a_case_that_ends_early_is_refused),
	cmocka_unit_test(damage_at_any_byte_is_refused_or_read_as_another_sound_case),
	cmocka_unit_test(what_is_no_case_says_so),
};

UNIT_MAIN(tests)
