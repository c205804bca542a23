/* SPDX-License-Identifier: Apache-2.0 */
/* A verdict as clients are told it who act on it themselves. */
#include "unit.h"

#include "daemon/gate.h"
#include "daemon/gate_reply.h"

#define SIGNATURES "DKIM-Signature: v=1; a=ed25519;\r\n b=x\r\nDKIM-Signature: v=1; a=rsa; b=y\r\n"
#define SEAL       "ARC-Seal: i=1\r\nARC-Message-Signature: i=1\r\nARC-Authentication-Results: i=1\r\n"

static struct settings settings;
static struct gate gate = {.settings = &settings, .authserv_id = BYTES_INIT("mx.example.org")};

/* With one recipient a fate, of "dtqrxf". */
static struct transaction *judged(const char *message, const char *fates, const char *signatures)
{
	static const char letters[] = "dtqrxf";
	static const enum verdict_action actions[] = {ACTION_DELIVER, ACTION_TAG,     ACTION_QUARANTINE,
						      ACTION_REJECT,  ACTION_DISCARD, ACTION_TEMPFAIL};
	struct arena *arena = arena_create((size_t)1 << 20);
	struct transaction *transaction = arena_new(arena, struct transaction, 1);
	size_t n = strlen(fates);
	*transaction = (struct transaction){
		.gate = &gate,
		.arena = arena,
		.id = "0123456789abcdef",
		.memfd = -1,
		.has_verdict = true,
		.envelope = {.n_recipients = n},
		.fates = arena_new(arena, enum verdict_action, n),
		.verdict = {.auth_results = BYTES_LIT("mx.example.org; spf=pass smtp.mailfrom=a.example"),
			    .signatures = bytes_from_cstr(signatures)},
	};
	for (size_t i = 0; i < n; i++)
		transaction->fates[i] = actions[strchr(letters, fates[i]) - letters];
	buf_init(&transaction->spool, (size_t)1 << 20);
	buf_add_cstr(&transaction->spool, message);
	transaction->size = transaction->spool.len;
	return transaction;
}

static void forget(struct transaction *transaction)
{
	transaction_free(&transaction);
}

static void one_word_is_for_all_recipients(void **state)
{
	static const struct {
		const char *fates, *tag, *signatures, *want;
	} cases[] = {
		{"d", "[S] ", "", "no action"},
		{"dtqrxf", "[S] ", "", "soft reject"},
		{"dtqrx", "[S] ", "", "reject"},
		{"dtqx", "[S] ", "", "quarantine"},
		{"dtx", "[S] ", "", "discard"},
		{"t", "[S] ", "", "rewrite subject"},
		{"t", "", "", "add header"},
		/* Somebody wants it as it was; the subject is signed. */
		{"dt", "[S] ", "", "add header"},
		{"t", "[S] ", SIGNATURES, "add header"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct transaction *transaction = judged("A: b\r\n\r\n", cases[i].fates, cases[i].signatures);
		settings.subject_tag = bytes_from_cstr(cases[i].tag);
		if (strcmp(reply_action(transaction), cases[i].want) != 0)
			fail_msg("%zu: %s", i, reply_action(transaction));
		forget(transaction);
	}
}

static void changes_are_told_from_the_lowest_up(void **state)
{
	static const char *const names[] = {"ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal",
					    "Authentication-Results", "X-Postern"};
	struct transaction *transaction = judged("A: b\r\n\r\n", "d", SIGNATURES SEAL);
	struct reply_changes changes;
	(void)state;
	reply_changes(transaction, false, &changes);
	assert_int_equal(changes.n_added, ARRAY_LEN(names));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_bytes_str(changes.added[i].name, names[i]);
	assert_bytes_str(changes.added[3].value, "mx.example.org;\r\n\tspf=pass smtp.mailfrom=a.example");
	assert_int_equal(changes.n_signatures, 2);
	assert_bytes_str(changes.first_signature[0], "v=1; a=ed25519;\r\n b=x");
	assert_bytes_str(changes.first_signature[1], "v=1; a=rsa; b=y");
	assert_int_equal(changes.n_removed, 2);
	forget(transaction);
}

static void what_a_scanner_invents_is_bounded(void **state)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT(10000);
	struct reply_changes changes;
	(void)state;
	for (size_t i = 0; i < 100; i++)
		buf_add_cstr(&text, i % 2 ? "DKIM-Signature: x\r\n" : "Y: x\r\n");
	buf_add_byte(&text, 0);
	struct transaction *transaction = judged("A: b\r\n\r\n", "d", (const char *)text.ptr);
	reply_changes(transaction, false, &changes);
	assert_true(changes.n_added <= REPLY_FIELDS_MAX && changes.n_signatures <= REPLY_FIELDS_MAX);
	forget(transaction);
}

static void folds_end_as_the_lines_of_the_message(void **state)
{
	static const struct {
		const char *message;
		bool lf_alone, crlf;
	} cases[] = {{"A: b\r\n\r\n", false, true}, {"A: b\n\n", false, false}, {"A: b\r\n\r\n", true, false}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct transaction *transaction = judged(cases[i].message, "d", SIGNATURES);
		struct reply_changes changes;
		reply_changes(transaction, cases[i].lf_alone, &changes);
		assert_true(bytes_has(changes.added[0].value, '\n') && bytes_has(changes.first_signature[0], '\n'));
		assert_int_equal(bytes_has(changes.added[0].value, '\r'), cases[i].crlf);
		assert_int_equal(bytes_has(changes.first_signature[0], '\r'), cases[i].crlf);
		forget(transaction);
	}
}

static void who_forges_one_result_loses_all(void **state)
{
	static const struct {
		const char *message;
		bool removed;
	} cases[] = {
		{"Authentication-Results: relay.example.net; spf=pass\r\n\r\n", false},
		{"Authentication-Results: relay.example.net; spf=pass\r\nauthentication-results: MX.example.org; "
		 "spf=pass\r\n\r\n",
		 true},
		{"A: b\r\n\r\nAuthentication-Results: mx.example.org; spf=pass\r\n", false},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct transaction *transaction = judged(cases[i].message, "d", "");
		struct reply_changes changes;
		reply_changes(transaction, false, &changes);
		assert_int_equal(changes.n_removed, cases[i].removed ? 3 : 2);
		if (cases[i].removed)
			assert_string_equal(changes.removed[2], "Authentication-Results");
		forget(transaction);
	}
}

#define TOP                                                                                                            \
	"X-Postern: clean (0.5000);\r\n\tid=0123456789abcdef\r\nAuthentication-Results: "                              \
	"mx.example.org;\r\n\tspf=pass smtp.mailfrom=a.example\r\n"
#define TOP_LF                                                                                                         \
	"X-Postern: clean (0.5000);\n\tid=0123456789abcdef\nAuthentication-Results: mx.example.org;\n\tspf=pass "      \
	"smtp.mailfrom=a.example\n"

static void the_message_comes_back_changed(void **state)
{
	static const struct {
		const char *message, *fates, *signatures;
		bool header_only;
		const char *want;
	} cases[] = {
		{"Subject: x\r\n\r\nbody\r\n", "d", "", false, TOP "Subject: x\r\n\r\nbody\r\n"},
		{"Subject: x\r\n\r\nbody\r\n", "t", "", false, TOP "Subject: [S] x\r\n\r\nbody\r\n"},
		{"Subject: x\n\nbody\n", "t", "", false, TOP_LF "Subject: [S] x\n\nbody\n"},
		{"Subject: x\r\n\r\nbody\r\n", "t", "DKIM-Signature: b\r\n", false,
		 TOP "DKIM-Signature: b\r\nSubject: x\r\n\r\nbody\r\n"},
		{"X-Postern: y\r\nA: b\r\nAuthentication-Results: mx.example.org; none\r\n\r\nbody\r\n", "d", "", false,
		 TOP "A: b\r\n\r\nbody\r\n"},
		/* Where spamc's own part begins. */
		{"A: b\r\n\r\nbody\n\nmore\r\n\r\n", "d", "", true, TOP "A: b\r\n\r\n"},
		{"A: b\r\nC: d\n\nbody\r\n\r\n", "d", "", true, TOP "A: b\r\nC: d\n\n"},
		{"A: b\n\nbody\r\n\r\n", "d", "", true, TOP_LF "A: b\n\n"},
		{"A: b\r\n", "d", "", true, TOP "A: b\r\n"},
	};
	(void)state;
	settings.subject_tag = BYTES_LIT("[S] ");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_done) struct buf out = BUF_INIT(10000);
		struct transaction *transaction = judged(cases[i].message, cases[i].fates, cases[i].signatures);
		reply_message(transaction, cases[i].header_only, &out);
		assert_bytes(buf_bytes(&out), bytes_from_cstr(cases[i].want));
		forget(transaction);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(one_word_is_for_all_recipients),    cmocka_unit_test(changes_are_told_from_the_lowest_up),
	cmocka_unit_test(what_a_scanner_invents_is_bounded), cmocka_unit_test(folds_end_as_the_lines_of_the_message),
	cmocka_unit_test(who_forges_one_result_loses_all),   cmocka_unit_test(the_message_comes_back_changed),
};
UNIT_MAIN(tests)
