/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "conf/settings.h"

static bool parse(struct arena *arena, const char *text, struct settings *ret_settings, struct settings_origin *origin,
		  struct conf_errors *errors)
{
	*errors = (struct conf_errors){0};
	return settings_parse(arena, bytes_from_cstr(text), ret_settings, origin, errors);
}

static void an_empty_file_means_the_defaults(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct settings settings;
	struct conf_errors errors;
	assert_true(parse(arena, "", &settings, NULL, &errors));
	assert_bytes_str(settings.user, "postern");
	assert_bytes_str(settings.milter_listen, "127.0.0.1:11340");
	assert_bytes_str(settings.http_listen, "127.0.0.1:11333");
	assert_int_equal(settings.smtp_listen.len, 0);
	assert_int_equal(settings.spamd_listen.len, 0);
	assert_int_equal(settings.actions.malware, SET_QUARANTINE);
	assert_int_equal(settings.actions.phish, SET_QUARANTINE);
	assert_int_equal(settings.actions.spam, SET_QUARANTINE);
	assert_int_equal(settings.actions.spam_tag, SET_TAG);
	assert_int_equal(settings.actions.unscannable, SET_QUARANTINE);
	assert_true(settings.tag_at == 0.9 && settings.quarantine_at == 0.99);
	assert_int_equal(settings.quarantine_retention, INT64_C(30) * 86400 * 1000);
	assert_int_equal(settings.trace_retention, INT64_C(90) * 86400 * 1000);
	assert_false(settings.allow_unsandboxed);
}

static void reads_the_form_that_people_write(void **state)
{
	static const char text[] = "state_dir: /srv/p\n"
				   "run_dir: /run/p\n"
				   "milter: { listen: 127.0.0.1:11340 }\n"
				   "smtp:   { listen: 127.0.0.1:11341, next_hop: 127.0.0.1:10025 }\n"
				   "http:   { listen: off }\n"
				   "spamd:  { listen: unix:/run/p/spamd }\n"
				   "actions:\n"
				   "  spam: reject\n"
				   "  subject_tag: \"[SPAM] \"\n"
				   "recipients:\n"
				   "  - match: [\"postmaster@*\", \"abuse@*\"]\n"
				   "    spam: deliver\n"
				   "    spam_tag: deliver\n";
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct settings settings;
	struct conf_errors errors;
	assert_true(parse(arena, text, &settings, NULL, &errors));
	assert_bytes_str(settings.state_dir, "/srv/p");
	assert_bytes_str(settings.smtp_listen, "127.0.0.1:11341");
	assert_int_equal(settings.http_listen.len, 0);
	assert_bytes_str(settings.spamd_listen, "unix:/run/p/spamd");
	assert_int_equal(settings.actions.spam, SET_REJECT);
	assert_bytes_str(settings.subject_tag, "[SPAM] ");
	assert_int_equal(settings.recipients.count, 1);
	const struct settings_recipients *group = settings.recipients.items;
	assert_int_equal(group->match.count, 2);
	assert_bytes_str(group->match.items[1], "abuse@*");
	assert_int_equal(group->actions.spam, SET_DELIVER);
	assert_int_equal(group->actions.malware, SET_INHERIT);
}

static void refuses_what_does_not_go_together(void **state)
{
	static const struct {
		const char *text;
		size_t line;
		const char *want;
	} cases[] = {
		{"\nactions: {tag_at: 0.995}", 2,
		 "actions.quarantine_at (0.99) must not be below actions.tag_at (0.995)"},
		{"actions:\n  quarantine_at: 0.5", 2,
		 "actions.quarantine_at (0.5) must not be below actions.tag_at (0.9)"},
		{"smtp:\n  listen: 127.0.0.1:25\n  next_hop: off", 3,
		 "smtp.listen needs smtp.next_hop: where should the mail go?"},
		{"smtp:\n  listen: 127.0.0.1:25\n  next_hop: 127.0.0.1:25", 2,
		 "smtp.next_hop is smtp.listen itself: mail would go round for ever"},
		{"state_dir: here", 1, "state_dir must be an absolute path"},
		{"\nrun_dir: \"\"", 2, "run_dir must be an absolute path"},
		{"recipients: [{spam: tag}]", 1, "recipients: a group without \"match\" would never be used"},
		{"recipients: [{match: [a], spam: inherited}]", 1,
		 "spam: \"inherited\" is not one of: deliver tag quarantine reject discard tempfail inherit"},
		{"actions: {spam: inherit}", 1,
		 "actions.spam: \"inherit\" is not one of: deliver tag quarantine reject discard tempfail"},
		{"scanners: 4", 1, "unknown key \"scanners\""},
		{"workers: {scaners: 4}", 1, "unknown key \"workers.scaners\"; did you mean \"workers.scanners\"?"},
		{"a: [", 2, "did not find expected node content"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct settings settings;
		struct conf_errors errors;
		if (parse(arena, cases[i].text, &settings, NULL, &errors))
			fail_msg("accepted: %s", cases[i].text);
		assert_int_equal(errors.count, 1);
		assert_string_equal(errors.items[0].text, cases[i].want);
		assert_int_equal(errors.items[0].line, cases[i].line);
	}
}

static void explains_value_origin_default_and_range(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf out = BUF_INIT(100000);
	struct settings settings;
	struct settings_origin origin = {.file = BYTES_LIT("p.yaml")};
	struct conf_errors errors;
	assert_true(parse(arena, "workers:\n  gates: 2\n", &settings, &origin, &errors));
	assert_ok(settings_explain(&out, &settings, &origin, BYTES_LIT("workers.gates"), true));
	assert_true(bytes_starts(buf_bytes(&out),
				 BYTES_LIT("{\"key\":\"workers.gates\",\"value\":\"2\",\"origin\":\"p.yaml:2\","
					   "\"default\":\"1\",\"range\":\"a number from 1 to 16\",")));
	buf_clear(&out);
	assert_ok(settings_explain(&out, &settings, &origin, BYTES_LIT("workers.scanners"), false));
	assert_true(bytes_starts(buf_bytes(&out), BYTES_LIT("workers.scanners: 0\n  from:    default\n  default: 0\n"
							    "  range:   a number from 0 to 64\n")));
	assert_int_equal(settings_explain(&out, &settings, &origin, BYTES_LIT("workers"), false), ERR_UNSUPPORTED);
}

static void every_key_has_a_sentence_and_a_default_that_is_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < settings_keys.n_keys; i++) {
		const struct conf_key *key = &settings_keys.keys[i];
		struct bytes manual = bytes_from_cstr(key->manual);
		if (manual.len < 15 || manual.ptr[manual.len - 1] != '.')
			fail_msg("%s has no whole sentence", key->key);
		if ((key->type == CONF_INT || key->type == CONF_SIZE || key->type == CONF_DURATION) &&
		    key->min >= key->max)
			fail_msg("%s has no range", key->key);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(key->key, settings_keys.keys[j].key);
	}
}

/* The sample with every comment mark of a setting taken off is a configuration, and says just what the defaults say. */
static void the_sample_is_the_defaults(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf sample = BUF_INIT(1000000);
	CLEANUP(buf_done) struct buf active = BUF_INIT(1000000);
	struct settings settings, defaults;
	struct settings_origin origin = {0};
	struct conf_errors errors;
	struct bytes rest, line;
	settings_sample(&sample);
	assert_true(settings_parse(arena, buf_bytes(&sample), &settings, NULL,
				   (errors = (struct conf_errors){0}, &errors)));
	rest = buf_bytes(&sample);
	while (bytes_split(&rest, '\n', &line)) {
		/* "#key: ..." and "#  key: ..." are settings, "# Words" and "  # Words" are comments. */
		bool setting = line.len > 2 && line.ptr[0] == '#' && (line.ptr[1] != ' ' || line.ptr[2] == ' ');
		buf_add(&active, setting ? bytes_from(line, 1) : line);
		buf_add_byte(&active, '\n');
	}
	errors = (struct conf_errors){0};
	if (!settings_parse(arena, buf_bytes(&active), &settings, &origin, &errors))
		fail_msg("line %zu: %s", errors.items[0].line, errors.items[0].text);
	assert_ok(settings_default(arena, &defaults));
	for (size_t i = 0; i < settings_keys.n_keys; i++) {
		CLEANUP(buf_done) struct buf got = BUF_INIT(10000);
		CLEANUP(buf_done) struct buf want = BUF_INIT(10000);
		if (origin.lines[i] == 0)
			fail_msg("%s is not in the sample", settings_keys.keys[i].key);
		conf_format(&got, &settings_keys.keys[i], &settings);
		conf_format(&want, &settings_keys.keys[i], &defaults);
		assert_bytes(buf_bytes(&got), buf_bytes(&want));
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(an_empty_file_means_the_defaults),
	cmocka_unit_test(reads_the_form_that_people_write),
	cmocka_unit_test(refuses_what_does_not_go_together),
	cmocka_unit_test(explains_value_origin_default_and_range),
	cmocka_unit_test(every_key_has_a_sentence_and_a_default_that_is_good),
	cmocka_unit_test(the_sample_is_the_defaults),
};
UNIT_MAIN(tests)
