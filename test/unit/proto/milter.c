/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "log.h"

static size_t read_corpus(const char *name, uint8_t *to, size_t room)
{
	FILE *file = fopen(name, "rb");
	assert_non_null(file);
	size_t n = fread(to, 1, room, file);
	(void)fclose(file);
	return n;
}

/* A session recorded from Postfix 3.7: a delivered message, a refused one, an aborted one, an unknown command. */
static void reads_what_postfix_sends_however_cut(void **state)
{
	static const char *const parts[] = {
		"\nO 6 1ff 1fffff\nD stage=C one=\"j\\u0000mx.example.org\\u0000{daemon_name}",
		"\nC family=4 port=45772 one=\"[127.0.0.1]\" two=\"127.0.0.1\"\nD stage=H one=\"\"",
		"\nH one=\"client.example.com\"",
		"\nM one=\"<alice@example.com>\" two=\"SIZE=100\\u0000BODY=8BITMIME\"",
		"\nR one=\"<bob@example.org>\" two=\"NOTIFY=NEVER\"",
		"\nR one=\"<x@elsewhere.invalid>\" two=\"\"\nD stage=T",
		"\nL one=\"Subject\" two=\"  two spaces\\n folded\"",
		"\nL one=\"X-Empty\" two=\"\"",
		"\nB one=\"body\\r\\n.dot\\r\\n\"",
		"\nE one=\"\"\nA\nD stage=M",
		"\nM one=\"<>\" two=\"\"",
		"\nU one=\"FOO\"\nA\nQ",
	};
	uint8_t raw[4096];
	size_t n = read_corpus(CORPUS "/milter/postfix_session", raw, sizeof(raw));
	(void)state;
	for (unsigned seed = 0; seed < 20; seed++) {
		struct log log = {.text = BUF_INIT(100000)};
		milter_init(&log.milter);
		(void)unit_chunks(bytes_make(raw + 1, n - 1), seed, log_milter, &log);
		struct bytes rest = buf_bytes(&log.text);
		for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
			size_t at = bytes_find(rest, bytes_from_cstr(parts[i]));
			if (at == BYTES_NONE)
				print_error("not found, in order: %s\nin %.*s\n", parts[i], BYTES_FMT(rest));
			assert_true(at != BYTES_NONE);
			rest = bytes_from(rest, at + 1);
		}
		assert_ok(log.err);
		milter_done(&log.milter);
		buf_done(&log.text);
	}
}

static void add_packet(struct buf *buf, char letter, struct bytes data)
{
	buf_add_be32(buf, (uint32_t)data.len + 1);
	buf_add_byte(buf, (uint8_t)letter);
	buf_add(buf, data);
}

#define OFFER BYTES_LIT("\0\0\0\6\0\0\1\377\0\37\377\377")

/* Runs commands, without data but for those that need some, and tells where it ended. */
static enum err run(const char *commands)
{
	CLEANUP(buf_done) struct buf in = BUF_INIT(10000);
	struct log log = {.text = BUF_INIT(100000)};
	for (const char *c = commands; *c; c++)
		add_packet(&in, *c,
			   *c == 'O'                             ? OFFER
			   : *c == 'C'                           ? BYTES_LIT("h\0U")
			   : *c == 'M' || *c == 'R' || *c == 'H' ? BYTES_LIT("<a@b>\0")
			   : *c == 'L'                           ? BYTES_LIT("A\0b\0")
			   : *c == 'D'                           ? BYTES_LIT("Ci\0x\0")
								 : (struct bytes){0});
	milter_init(&log.milter);
	(void)log_milter(&log, buf_bytes(&in));
	milter_done(&log.milter);
	buf_done(&log.text);
	return log.err;
}

static void holds_commands_to_their_order(void **state)
{
	static const char *const good[] = {"ODCHMRRTLLNBBEAQ", "OCMRE", "OCMRNBEMRTLNE", "OMRLBE",
					   "OCKCMA",           "OAAQ",  "OKCHMRE"};
	static const char *const bad[] = {"C",          "OO",    "OR",    "OCE",   "OCL",   "OCB",   "OCMNL",
					  "OCHHMALMRE", "OCMLR", "OCMBL", "OCMBN", "OCMET", "OCMAR", "Z"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_ok(run(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(run(bad[i]), ERR_SYNTAX);
}

static enum err run_packet(char letter, struct bytes data)
{
	CLEANUP(buf_done) struct buf in = BUF_INIT(10000);
	struct log log = {.text = BUF_INIT(100000)};
	if (letter != 'O')
		add_packet(&in, 'O', OFFER);
	if (letter == 'R' || letter == 'L')
		add_packet(&in, 'M', BYTES_LIT("<>\0"));
	add_packet(&in, letter, data);
	milter_init(&log.milter);
	(void)log_milter(&log, buf_bytes(&in));
	milter_done(&log.milter);
	buf_done(&log.text);
	return log.err;
}

static void refuses_packets_of_wrong_shape(void **state)
{
	static const struct {
		char letter;
		struct bytes data;
	} bad[] = {
		{'O', BYTES_INIT("\0\0\0\6\0\0")},
		{'O', BYTES_INIT("\0\0\0\1\0\0\0\0\0\0\0\0")},
		{'C', BYTES_INIT("")},
		{'C', BYTES_INIT("h\0")},
		{'C', BYTES_INIT("h\0X\0\0a\0")},
		{'C', BYTES_INIT("h\0004\0")},
		{'H', BYTES_INIT("no end")},
		{'M', BYTES_INIT("<a@b>")},
		{'R', BYTES_INIT("")},
		{'L', BYTES_INIT("A\0b")},
		{'L', BYTES_INIT("\0b\0")},
		{'L', BYTES_INIT("A")},
		{'D', BYTES_INIT("")},
		{'D', BYTES_INIT("?i\0x\0")},
	};
	struct milter milter;
	struct milter_event event;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(run_packet(bad[i].letter, bad[i].data), ERR_SYNTAX);
	milter_init(&milter);
	milter_feed(&milter, BYTES_LIT("\0\20\0\1O"));
	assert_int_equal(milter_next(&milter, &event), ERR_LIMIT);
	milter_feed(&milter, BYTES_LIT("\0\0\0\1Q"));
	assert_int_equal(milter_next(&milter, &event), ERR_LIMIT); /* sticks */
	milter_done(&milter);
	milter_init(&milter);
	milter_feed(&milter, BYTES_LIT("\0\0\0\0O"));
	assert_int_equal(milter_next(&milter, &event), ERR_SYNTAX);
	milter_done(&milter);
}

static void agrees_on_no_more_than_was_offered(void **state)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(1000);
	struct milter milter;
	uint32_t actions;
	(void)state;
	milter_init(&milter);
	const struct milter_event old = {.version = 2, .actions = 0x1f, .steps = 0x7f};
	milter_negotiate(&milter, &out, &old, MILTER_ADD_HEADERS | MILTER_QUARANTINE, MILTER_NO_CONNECT | MILTER_SKIP,
			 &actions);
	assert_bytes(buf_bytes(&out), BYTES_LIT("\0\0\0\15O\0\0\0\2\0\0\0\1\0\0\0\1"));
	assert_int_equal(actions, MILTER_ADD_HEADERS);
	assert_true(milter_wants_reply(&milter, MILTER_RCPT));
	buf_clear(&out);
	const struct milter_event newer = {.version = 7, .actions = 0xffff, .steps = 0xffffffff};
	milter_negotiate(&milter, &out, &newer, MILTER_ADD_HEADERS, MILTER_NO_REPLY_RCPT, &actions);
	assert_bytes(buf_bytes(&out), BYTES_LIT("\0\0\0\15O\0\0\0\6\0\0\0\1\0\0\200\0"));
	assert_false(milter_wants_reply(&milter, MILTER_RCPT));
	assert_true(milter_wants_reply(&milter, MILTER_EOM));
	assert_false(milter_wants_reply(&milter, MILTER_ABORT));
	milter_done(&milter);
}

static void builds_replies(void **state)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT((size_t)1 << 20);
	(void)state;
	milter_reply(&out, "550", "5.7.1", BYTES_LIT("50% off\n\x1b%s\xff"));
	assert_bytes(buf_bytes(&out), BYTES_LIT("\0\0\0\45y550-5.7.1 50%% off\r\n550 5.7.1 ?%%s?\0"));
	buf_clear(&out);
	milter_insert_header(&out, 1, BYTES_LIT("X-A"), BYTES_LIT("b\0c"));
	milter_change_header(&out, 2, BYTES_LIT("X-A"), (struct bytes){0});
	milter_add_header(&out, BYTES_LIT("X"), BYTES_LIT(" y"));
	assert_bytes(buf_bytes(&out), BYTES_LIT("\0\0\0\13i\0\0\0\1X-A\0b\0\0\0\0\12m\0\0\0\2X-A\0\0\0\0\0\6hX\0 y\0"));
	buf_clear(&out);
	milter_change_from(&out, BYTES_LIT("<a@b>"), (struct bytes){0});
	milter_change_from(&out, BYTES_LIT("<a@b>"), BYTES_LIT("SIZE=1"));
	milter_add_recipient(&out, BYTES_LIT("<c>"));
	milter_add_recipient_with(&out, BYTES_LIT("<c>"), BYTES_LIT("X"));
	milter_delete_recipient(&out, BYTES_LIT("<d>"));
	milter_quarantine(&out, BYTES_LIT("why"));
	assert_bytes(
		buf_bytes(&out),
		BYTES_LIT("\0\0\0\7e<a@b>\0\0\0\0\16e<a@b>\0SIZE=1\0\0\0\0\5+<c>\0\0\0\0\0072<c>\0X\0\0\0\0\5-<d>\0"
			  "\0\0\0\5qwhy\0"));
	buf_clear(&out);
	milter_continue(&out);
	milter_accept(&out);
	milter_reject(&out);
	milter_tempfail(&out);
	milter_discard(&out);
	milter_progress(&out);
	milter_skip(&out);
	assert_bytes(buf_bytes(&out), BYTES_LIT("\0\0\0\1c\0\0\0\1a\0\0\0\1r\0\0\0\1t\0\0\0\1d\0\0\0\1p\0\0\0\1s"));
	buf_clear(&out);
	uint8_t *body = mem_alloc(MILTER_CHUNK_MAX + 1);
	memset(body, 'x', MILTER_CHUNK_MAX + 1);
	milter_replace_body(&out, bytes_make(body, MILTER_CHUNK_MAX + 1));
	assert_int_equal(out.len, 5 + MILTER_CHUNK_MAX + 5 + 1);
	assert_memory_equal(out.ptr, "\0\1\0\0b", 5);
	assert_memory_equal(out.ptr + 5 + MILTER_CHUNK_MAX, "\0\0\0\2bx", 6);
	mem_free(body);
}

static void finds_macros(void **state)
{
	struct bytes macros = BYTES_LIT("i\0Q1\0{auth_authen}\0\0x\0broken"), value;
	(void)state;
	assert_true(milter_macro(macros, BYTES_LIT("i"), &value));
	assert_bytes_str(value, "Q1");
	assert_true(milter_macro(macros, BYTES_LIT("{auth_authen}"), &value));
	assert_int_equal(value.len, 0);
	assert_false(milter_macro(macros, BYTES_LIT("x"), &value));
	assert_false(milter_macro(macros, BYTES_LIT("Q1"), &value));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_what_postfix_sends_however_cut),
	cmocka_unit_test(holds_commands_to_their_order),
	cmocka_unit_test(refuses_packets_of_wrong_shape),
	cmocka_unit_test(agrees_on_no_more_than_was_offered),
	cmocka_unit_test(builds_replies),
	cmocka_unit_test(finds_macros),
};
UNIT_MAIN(tests)
