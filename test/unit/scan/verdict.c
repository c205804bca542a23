/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/buf.h"
#include "scan/plan.h"
#include "scan/report.h"

/*
 * A plan of the test's own, whose checks hit where the subject names them: what is shown holds whatever weights are
 * fitted.
 */
static bool named(struct scan *scan, const char *symbol)
{
	struct bytes rest = scan_message(scan)->subject, word;
	while (bytes_split(&rest, ' ', &word))
		if (bytes_eq(word, bytes_from_cstr(symbol)))
			return true;
	return false;
}

#define CHECK(name, SYMBOL, ...)                                                                                       \
	static enum check_step run_##name(struct scan *scan)                                                           \
	{                                                                                                              \
		if (named(scan, SYMBOL))                                                                               \
			scan_evidence(scan, where_none(), BYTES_LIT("1"), BYTES_LIT("2"));                             \
		return CHECK_DONE;                                                                                     \
	}                                                                                                              \
	CHECK_REGISTER(name){.symbol = SYMBOL,                                                                         \
			     .summary = "s",                                                                           \
			     .text_en = "It is {1} and {2}, {3}.",                                                     \
			     .text_ja = "j",                                                                           \
			     .manual = "m",                                                                            \
			     .run = run_##name,                                                                        \
			     __VA_ARGS__};

CHECK(head, "HEAD", .family = "header", .stage = STAGE_HEADER)
CHECK(head_too, "HEAD_TOO", .family = "header", .stage = STAGE_HEADER)
CHECK(link, "LINK", .family = "link", .stage = STAGE_CONTENT)
CHECK(good, "GOOD", .family = "good", .stage = STAGE_CONTENT)
CHECK(phish, "PHISH", .family = "link", .kind = KIND_PHISH, .stage = STAGE_CONTENT)
CHECK(bulk, "BULK", .family = "bulk", .kind = KIND_BULK, .stage = STAGE_HEADER)
CHECK(policy, "POLICY", .family = "file", .kind = KIND_POLICY, .stage = STAGE_FILE)
CHECK(malware, "MALWARE", .family = "file", .kind = KIND_MALWARE, .stage = STAGE_FILE, .fixed_weight = 3000)
CHECK(string, "TEST", .family = "test", .stage = STAGE_FILE, .fixed_weight = 9000)

#define KEY "the key"
/* Asks the world, twice, and gives evidence before it knows whether it may. */
static enum check_step run_asks(struct scan *scan)
{
	if (!named(scan, "ASKS"))
		return CHECK_DONE;
	scan_evidence(scan, where_none(), BYTES_LIT("early"), (struct bytes){0});
	const struct fact *one = scan_fact(scan, FACT_RELEASE, BYTES_LIT(KEY));
	if (!one)
		return CHECK_WAIT;
	const struct fact *two = scan_fact(scan, FACT_RELEASE, one->answer);
	return two ? CHECK_DONE : CHECK_WAIT;
}
CHECK_REGISTER(asks){.symbol = "ASKS",
		     .family = "link",
		     .summary = "s",
		     .text_en = "It asks {1}.",
		     .text_ja = "j",
		     .manual = "m",
		     .stage = STAGE_ENVELOPE,
		     .run = run_asks};

static enum check_step run_late(struct scan *scan)
{
	if (scan_has_evidence(scan, "ASKS"))
		scan_evidence(scan, where_none(), (struct bytes){0}, (struct bytes){0});
	return CHECK_DONE;
}
CHECK_REGISTER(late){.symbol = "LATE",
		     .family = "link",
		     .summary = "s",
		     .text_en = "Late.",
		     .text_ja = "j",
		     .manual = "m",
		     .stage = STAGE_LATE,
		     .run = run_late};

static enum check_step run_many(struct scan *scan)
{
	for (size_t i = 0; named(scan, "MANY") && i < 5; i++)
		scan_evidence(scan, where_range(NULL, 4 - i, 2), (struct bytes){0}, (struct bytes){0});
	return CHECK_DONE;
}
CHECK_REGISTER(many){.symbol = "MANY",
		     .family = "many",
		     .summary = "s",
		     .text_en = "Many.",
		     .text_ja = "j",
		     .manual = "m",
		     .most = 3,
		     .run = run_many};

struct weight {
	const char *symbol;
	int weight;
};
#define BIAS -2000
static const struct weight weights[] = {{"HEAD", 3000},  {"HEAD_TOO", 2500}, {"LINK", 2000}, {"GOOD", -2500},
					{"PHISH", 4000}, {"ASKS", 1000},     {"MANY", 1500}, {"LATE", 500}};
static const struct weight caps[] = {{"header", 4000}, {"link", 4500}, {"good", 2000}, {"many", 9000}};

static struct scan_plan *plan_of(struct arena *arena)
{
	struct scan_plan *plan;
	struct error error;
	assert_ok(plan_new(arena, &plan, &error));
	plan->bias = BIAS;
	for (size_t i = 0; i < plan->count; i++)
		for (size_t j = 0; j < ARRAY_LEN(weights); j++)
			if (strcmp(plan->entries[i].check->symbol, weights[j].symbol) == 0)
				plan->entries[i].weight = weights[j].weight;
	for (size_t i = 0; i < plan->n_families; i++)
		for (size_t j = 0; j < ARRAY_LEN(caps); j++)
			if (bytes_eq(plan->families[i].name, bytes_from_cstr(caps[j].symbol)))
				plan->families[i].cap = caps[j].weight;
	return plan;
}

static struct scan_case case_of(struct arena *arena, const char *subject, const char *more)
{
	struct scan_case scan_case = {.settings = scan_settings_default};
	scan_case.message = arena_printf(arena, "Subject: %s\r\n%s\r\nbody\r\n", subject, more);
	assert_ok(fact_set(arena, &scan_case.facts, FACT_TIME, (struct bytes){0}, FACT_KNOWN, BYTES_LIT("1795521600")));
	return scan_case;
}

static struct scan *begin(struct arena *arena, const struct scan_case *scan_case)
{
	struct scan *scan;
	assert_ok(scan_new(arena, plan_of(arena), scan_case, &scan));
	assert_ok(scan_parse(scan));
	return scan;
}

static const struct verdict *judge(struct arena *arena, const struct scan_case *scan_case)
{
	struct scan *scan = begin(arena, scan_case);
	assert_int_equal(scan_run(scan), SCAN_DONE);
	return scan_verdict(scan);
}

static void log_odds_and_probabilities_are_each_others_inverse(void **state)
{
	(void)state;
	assert_true(verdict_probability(0) == 0.5);
	for (int milli = -20000; milli <= 20000; milli += 7) {
		double p = verdict_probability(milli);
		assert_true(p > 0 && p < 1);
		assert_true(p < verdict_probability(milli + 7));
		assert_int_equal(verdict_log_odds(p), milli);
	}
	assert_int_equal(verdict_log_odds(0.9), 2197);
	assert_int_equal(verdict_log_odds(0.99), 4595);
	static const double below[] = {0.0, -1.0, -0.0}, above[] = {1.0, 2.0};
	for (size_t i = 0; i < ARRAY_LEN(below); i++)
		assert_int_equal(verdict_log_odds(below[i]), -40000);
	for (size_t i = 0; i < ARRAY_LEN(above); i++)
		assert_int_equal(verdict_log_odds(above[i]), 40000);
	assert_true(verdict_probability(2000000000) == verdict_probability(40000));
	assert_true(verdict_probability(-2000000000) == verdict_probability(-40000));
	assert_true(verdict_probability(-40000) > 0);
}

static void classes_and_actions_have_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CLASS_COUNT; i++) {
		enum verdict_class class;
		assert_true(verdict_class_find(bytes_from_cstr(verdict_class_name((enum verdict_class)i)), &class));
		assert_int_equal(class, i);
	}
	for (unsigned i = 0; i < ACTION_COUNT; i++) {
		enum verdict_action action;
		assert_true(verdict_action_find(bytes_from_cstr(verdict_action_name((enum verdict_action)i)), &action));
		assert_int_equal(action, i);
	}
	enum verdict_class class;
	enum verdict_action action;
	assert_false(verdict_class_find(BYTES_LIT("Spam"), &class));
	assert_false(verdict_action_find(BYTES_LIT(""), &action));
}

#define CEILING 4594 /* one below quarantine_at */

static void evidence_adds_up_by_family_to_its_cap(void **state)
{
	static const struct {
		const char *subject;
		int log_odds;
		enum verdict_class class;
		enum verdict_action action;
	} cases[] = {
		{"none", BIAS, CLASS_CLEAN, ACTION_DELIVER},
		{"HEAD", BIAS + 3000, CLASS_CLEAN, ACTION_DELIVER},
		{"HEAD_TOO HEAD", BIAS + 4000, CLASS_CLEAN, ACTION_DELIVER}, /* 5500 is over the cap */
		{"HEAD LINK", BIAS + 5000, CLASS_SPAM, ACTION_TAG},
		{"HEAD HEAD_TOO LINK GOOD", BIAS + 4000 + 2000 - 2000, CLASS_CLEAN, ACTION_DELIVER},
		{"HEAD HEAD_TOO LINK MANY", BIAS + 4000 + 2000 + 1500, CLASS_SPAM, ACTION_QUARANTINE},
		{"GOOD", BIAS - 2000, CLASS_CLEAN, ACTION_DELIVER},
		{"PHISH", BIAS + 4000, CLASS_CLEAN, ACTION_DELIVER},
		{"PHISH HEAD", BIAS + 7000, CLASS_PHISH, ACTION_QUARANTINE},
		{"PHISH LINK HEAD HEAD_TOO", BIAS + 4500 + 4000, CLASS_SPAM, ACTION_QUARANTINE}, /* less than half */
		{"BULK", BIAS, CLASS_BULK, ACTION_DELIVER},
		{"BULK HEAD LINK", BIAS + 5000, CLASS_SPAM, ACTION_TAG},
		{"POLICY", BIAS, CLASS_POLICY, ACTION_QUARANTINE},
		{"POLICY HEAD LINK BULK", BIAS + 5000, CLASS_POLICY, ACTION_QUARANTINE},
		{"POLICY PHISH HEAD", BIAS + 7000, CLASS_PHISH, ACTION_QUARANTINE},
		{"MALWARE", BIAS + 3000, CLASS_MALWARE, ACTION_QUARANTINE},
		{"MALWARE PHISH HEAD POLICY BULK", BIAS + 10000, CLASS_MALWARE, ACTION_QUARANTINE},
		{"TEST", BIAS + 9000, CLASS_SPAM, ACTION_QUARANTINE}, /* what is fixed quarantines alone */
		{"TEST GOOD", BIAS + 7000, CLASS_SPAM, ACTION_QUARANTINE},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct scan_case scan_case = case_of(arena, cases[i].subject, "");
		const struct verdict *verdict = judge(arena, &scan_case);
		if (verdict->log_odds != cases[i].log_odds || verdict->class != cases[i].class)
			print_error("%s: %d %s\n", cases[i].subject, verdict->log_odds,
				    verdict_class_name(verdict->class));
		assert_int_equal(verdict->log_odds, cases[i].log_odds);
		assert_int_equal(verdict->class, cases[i].class);
		assert_int_equal(verdict->action, cases[i].action);
		assert_true(verdict->probability == verdict_probability(cases[i].log_odds));
	}
}

static void evidence_of_one_family_never_quarantines_alone(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct scan_case scan_case = case_of(arena, "HEAD HEAD_TOO", "");
	struct scan *scan;
	(void)state;
	for (int with_other = 0; with_other < 2; with_other++) {
		struct scan_plan *plan = plan_of(arena);
		for (size_t i = 0; i < plan->n_families; i++)
			plan->families[i].cap = 0;
		for (size_t i = 0; i < plan->count; i++)
			if (strcmp(plan->entries[i].check->symbol, "HEAD") == 0)
				plan->entries[i].weight = 20000;
		if (with_other)
			scan_case = case_of(arena, "HEAD HEAD_TOO MANY", "");
		assert_ok(scan_new(arena, plan, &scan_case, &scan));
		assert_ok(scan_parse(scan));
		assert_int_equal(scan_run(scan), SCAN_DONE);
		const struct verdict *verdict = scan_verdict(scan);
		assert_int_equal(verdict->log_odds, with_other ? BIAS + 20000 + 2500 + 1500 : CEILING);
		assert_int_equal(verdict->action, with_other ? ACTION_QUARANTINE : ACTION_TAG);
	}
}

static void what_was_not_examined_is_unscannable_unless_worse(void **state)
{
	static const char parts[] = "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
				    "--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b\r\n\r\n3\r\n--b--\r\n";
	static const struct {
		const char *subject;
		enum verdict_class class;
	} cases[] = {{"none", CLASS_UNSCANNABLE},
		     {"HEAD LINK", CLASS_UNSCANNABLE},
		     {"POLICY", CLASS_UNSCANNABLE},
		     {"PHISH HEAD", CLASS_PHISH},
		     {"MALWARE", CLASS_MALWARE}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct scan_case scan_case = case_of(arena, cases[i].subject, parts);
		scan_case.settings.max_parts = 2;
		const struct verdict *verdict = judge(arena, &scan_case);
		assert_int_equal(verdict->class, cases[i].class);
		assert_int_equal(verdict->action, ACTION_QUARANTINE);
	}
}

static void only_the_first_of_one_check_is_weighed_and_so_many_are_kept(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct scan_case scan_case = case_of(arena, "MANY HEAD", "");
	const struct verdict *verdict = judge(arena, &scan_case);
	(void)state;
	assert_int_equal(verdict->n_evidence, 4);
	assert_string_equal(verdict->evidence[0].check->symbol, "HEAD");
	assert_int_equal(verdict->evidence[1].weight, 1500);
	assert_int_equal(verdict->evidence[1].at, 4);
	assert_bytes_str(verdict->evidence[1].snippet, "ec");
	/* Of equal weight and name: by place. */
	assert_int_equal(verdict->evidence[2].weight, 0);
	assert_int_equal(verdict->evidence[2].at, 2);
	assert_int_equal(verdict->evidence[3].at, 3);
	assert_bytes_str(verdict->evidence[0].text_en, "It is 1 and 2, {3}.");
	assert_int_equal(verdict->log_odds, BIAS + 3000 + 1500);
}

static void a_release_overrules_the_evidence_it_names(void **state)
{
	static const char field[] = "X-Postern-Release: v1 ID TOKEN\r\n";
	static const struct {
		enum fact_state state;
		const char *answer;
		int log_odds;
		enum verdict_class class;
	} cases[] = {
		{FACT_KNOWN, "HEAD PHISH", BIAS, CLASS_CLEAN},
		{FACT_KNOWN, "PHISH", BIAS + 3000, CLASS_CLEAN},
		{FACT_KNOWN, "MALWARE HEAD NOTHING", BIAS + 4000, CLASS_CLEAN},
		{FACT_KNOWN, "HEA PHIS head", BIAS + 7000, CLASS_PHISH},
		{FACT_KNOWN, "", BIAS + 7000, CLASS_PHISH},
		{FACT_NEGATIVE, "HEAD PHISH", BIAS + 7000, CLASS_PHISH},
		{FACT_FAILED, "HEAD PHISH", BIAS + 7000, CLASS_PHISH},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct scan_case scan_case = case_of(arena, "HEAD PHISH", field);
		struct scan *scan = begin(arena, &scan_case);
		size_t at = 0;
		assert_int_equal(scan_run(scan), SCAN_WAIT);
		const struct fact *question = scan_question(scan, &at);
		assert_non_null(question);
		assert_int_equal(question->kind, FACT_RELEASE);
		assert_true(bytes_starts(question->key, BYTES_LIT("ID TOKEN ")));
		assert_ok(scan_answer(scan, FACT_RELEASE, question->key, cases[i].state,
				      bytes_from_cstr(cases[i].answer)));
		assert_int_equal(scan_run(scan), SCAN_DONE);
		const struct verdict *verdict = scan_verdict(scan);
		assert_int_equal(verdict->log_odds, cases[i].log_odds);
		assert_int_equal(verdict->class, cases[i].class);
		assert_int_equal(verdict->n_evidence, 2); /* it is told all the same */
	}
	/* Malware that an administrator released is not malware again. */
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct scan_case scan_case = case_of(arena, "MALWARE", field);
	struct scan *scan = begin(arena, &scan_case);
	size_t at = 0;
	assert_int_equal(scan_run(scan), SCAN_WAIT);
	assert_ok(scan_answer(scan, FACT_RELEASE, scan_question(scan, &at)->key, FACT_KNOWN, BYTES_LIT("MALWARE")));
	assert_int_equal(scan_run(scan), SCAN_DONE);
	assert_int_equal(scan_verdict(scan)->class, CLASS_CLEAN);
	assert_true(scan_verdict(scan)->evidence[0].overruled);
	assert_int_equal(scan_verdict(scan)->evidence[0].weight, 0);
}

static void a_check_that_waits_is_called_again_and_gives_its_evidence_once(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct scan_case scan_case = case_of(arena, "ASKS HEAD", "");
	struct scan *scan = begin(arena, &scan_case);
	size_t at = 0;
	(void)state;
	/* Nothing changes until an answer is there. */
	assert_int_equal(scan_run(scan), SCAN_WAIT);
	assert_int_equal(scan_run(scan), SCAN_WAIT);
	assert_bytes_str(scan_question(scan, &at)->key, KEY);
	assert_null(scan_question(scan, &at));
	/* What was not asked, or is answered already, or is no answer, is refused. */
	assert_int_equal(scan_answer(scan, FACT_RELEASE, BYTES_LIT("other"), FACT_KNOWN, BYTES_LIT("x")), ERR_DENIED);
	assert_int_equal(scan_answer(scan, FACT_TIME, (struct bytes){0}, FACT_KNOWN, BYTES_LIT("1")), ERR_DENIED);
	assert_int_equal(scan_answer(scan, FACT_RELEASE, BYTES_LIT(KEY), FACT_ASKED, BYTES_LIT("x")), ERR_DENIED);
	assert_ok(scan_answer(scan, FACT_RELEASE, BYTES_LIT(KEY), FACT_KNOWN, BYTES_LIT("next")));
	assert_int_equal(scan_answer(scan, FACT_RELEASE, BYTES_LIT(KEY), FACT_KNOWN, BYTES_LIT("x")), ERR_DENIED);
	/* The answer leads to a second question. */
	assert_int_equal(scan_run(scan), SCAN_WAIT);
	at = 0;
	assert_bytes_str(scan_question(scan, &at)->key, "next");
	assert_ok(scan_answer(scan, FACT_RELEASE, BYTES_LIT("next"), FACT_FAILED, (struct bytes){0}));
	assert_int_equal(scan_run(scan), SCAN_DONE);
	const struct verdict *verdict = scan_verdict(scan);
	assert_int_equal(verdict->n_evidence, 3);
	assert_string_equal(verdict->evidence[0].check->symbol, "HEAD");
	assert_string_equal(verdict->evidence[1].check->symbol, "ASKS");
	assert_string_equal(verdict->evidence[2].check->symbol, "LATE"); /* it sees what the others gave */
	assert_int_equal(verdict->log_odds, BIAS + 3000 + 1000 + 500);
	/* The facts that were used make the same verdict without a question. */
	struct scan_case again = scan_case;
	again.facts = *scan_facts(scan);
	CLEANUP(buf_done) struct buf first = BUF_INIT(1 << 16);
	CLEANUP(buf_done) struct buf second = BUF_INIT(1 << 16);
	report_verdict(&first, verdict);
	report_verdict(&second, judge(arena, &again));
	assert_bytes(buf_bytes(&second), buf_bytes(&first));
}

static void foreign_words_are_made_valid_and_short(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct scan_case scan_case = case_of(arena, "MANY", "");
	(void)state;
	scan_case.message = BYTES_LIT("\xff\x01\x1b\nSubject: MANY\n\n");
	const struct verdict *verdict = judge(arena, &scan_case);
	for (size_t i = 0; i < verdict->n_evidence; i++)
		for (size_t j = 0; j < verdict->evidence[i].snippet.len; j++)
			assert_true(verdict->evidence[i].snippet.ptr[j] >= 0x20);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(log_odds_and_probabilities_are_each_others_inverse),
	cmocka_unit_test(classes_and_actions_have_names),
	cmocka_unit_test(evidence_adds_up_by_family_to_its_cap),
	cmocka_unit_test(evidence_of_one_family_never_quarantines_alone),
	cmocka_unit_test(what_was_not_examined_is_unscannable_unless_worse),
	cmocka_unit_test(only_the_first_of_one_check_is_weighed_and_so_many_are_kept),
	cmocka_unit_test(a_release_overrules_the_evidence_it_names),
	cmocka_unit_test(a_check_that_waits_is_called_again_and_gives_its_evidence_once),
	cmocka_unit_test(foreign_words_are_made_valid_and_short),
};

UNIT_MAIN(tests)
