/* SPDX-License-Identifier: Apache-2.0 */
#include "unit_arena.h"

#include "base/buf.h"
#include "scan/auth.h"
#include "scan/check.h"
#include "scan/scan.h"

static enum check_step run(struct scan *scan)
{
	return scan_auth(scan) ? CHECK_DONE : CHECK_WAIT;
}

/* A plan has at least one check. */
CHECK_REGISTER(asks){
	.symbol = "ASKS",
	.family = "auth",
	.stage = STAGE_HEADER,
	.kind = KIND_INFO,
	.run = run,
	.summary = "asks",
	.text_en = "It asks.",
	.text_ja = "質問。",
	.manual = "Asks.",
};

#define MESSAGE "From: alice@good.example\r\nTo: bob@example.org\r\nSubject: x\r\n\r\nHello.\r\n"

struct world {
	const char *client;
	const char *relay;  /* auth.trusted_relays */
	const char *fields; /* in front of the message */
	const char *user;
	bool submitted;
};

/* The policy of the author domain; of all else, that there is no such name. */
static struct bytes answer_to(struct bytes key)
{
	struct dns_record record = {.data = BYTES_LIT("v=DMARC1; p=reject")};
	struct dns_answer answer = {.state = DNS_NO_NAME};
	CLEANUP(buf_done) struct buf packed = BUF_INIT(1024);
	if (bytes_ends(key, BYTES_LIT("_dmarc.good.example")))
		answer = (struct dns_answer){.state = DNS_FOUND, .records = &record, .n_records = 1};
	dns_answer_pack(&packed, &answer);
	return arena_copy(arena, buf_bytes(&packed));
}

static const struct scan_auth *find_out(const struct world *world)
{
	struct scan_plan *plan;
	struct error error;
	struct scan *scan;
	const struct scan_auth *auth;
	struct bytes *relays = arena_new(arena, struct bytes, 1);
	struct scan_case *in = arena_new(arena, struct scan_case, 1);
	assert_ok(plan_new(arena, &plan, &error));
	relays[0] = bytes_from_cstr(world->relay);
	*in = (struct scan_case){.message = arena_printf(arena, "%s%s", world->fields, MESSAGE),
				 .envelope = {.frontend = BYTES_LIT("milter"),
					      .helo = BYTES_LIT("client.example"),
					      .has_from = true,
					      .from = BYTES_LIT("alice@good.example"),
					      .user = bytes_from_cstr(world->user),
					      .submitted = world->submitted},
				 .settings = scan_settings_default};
	in->settings.dns = true;
	in->settings.relays = relays;
	in->settings.n_relays = world->relay ? 1 : 0;
	in->envelope.has_client = received_parse_ip(bytes_from_cstr(world->client), in->envelope.client_ip);
	assert_ok(fact_set(arena, &in->facts, FACT_TIME, (struct bytes){0}, FACT_KNOWN, BYTES_LIT("1768478400")));
	assert_ok(scan_new(arena, plan, in, &scan));
	assert_ok(scan_parse(scan));
	while (!(auth = scan_auth(scan))) {
		size_t i = 0;
		for (const struct fact *fact; (fact = scan_question(scan, &i)) != NULL;)
			assert_ok(scan_answer(scan, fact->kind, fact->key, FACT_KNOWN, answer_to(fact->key)));
	}
	return auth;
}

#define BY_EDGE "Authentication-Results: edge.example.org; spf=fail smtp.mailfrom=alice@good.example\r\n"

static void who_saw_the_client_is_believed_about_spf(void **state)
{
	static const struct {
		const char *rule;
		struct world world;
		bool has_spf;
		enum spf_code code;
	} cases[] = {
		{"a relay of ours says so", {"10.0.0.1", "edge.example.org", BY_EDGE, NULL, false}, true, SPF_FAIL},
		{"in any case of its name", {"10.0.0.1", "EDGE.example.org", BY_EDGE, NULL, false}, true, SPF_FAIL},
		{"nobody is believed unless named", {"10.0.0.1", NULL, BY_EDGE, NULL, false}, false, SPF_NONE},
		{"another name is not it", {"10.0.0.1", "mx.example.org", BY_EDGE, NULL, false}, false, SPF_NONE},
		{"a client from outside is checked itself",
		 {"45.0.0.9", "edge.example.org", BY_EDGE, NULL, false},
		 true,
		 SPF_NONE},
		{"a relay that says nothing of SPF",
		 {"10.0.0.1", "edge.example.org", "Authentication-Results: edge.example.org; dkim=pass\r\n", NULL,
		  false},
		 false,
		 SPF_NONE},
		{"the topmost field counts",
		 {"10.0.0.1", "edge.example.org",
		  BY_EDGE "Authentication-Results: edge.example.org; spf=pass smtp.mailfrom=alice@good.example\r\n",
		  NULL, false},
		 true,
		 SPF_FAIL},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct scan_auth *auth = find_out(&cases[i].world);
		if (auth->has_spf != cases[i].has_spf || auth->spf.code != cases[i].code)
			fail_msg("%s: %d %s", cases[i].rule, auth->has_spf, spf_code_name(auth->spf.code));
		if (auth->has_spf)
			assert_bytes_str(auth->spf.domain, "good.example");
	}
}

#define BY_US "Received: from mx.other.example ([45.0.0.9]) by edge.example.org; Thu, 15 Jan 2026 12:00:00 +0000\r\n"

static void a_policy_is_held_against_mail_from_outside_alone(void **state)
{
	static const struct {
		const char *rule;
		struct world world;
		bool asked;
		enum dmarc_policy disposition;
	} cases[] = {
		{"a stranger", {"45.0.0.9", NULL, "", NULL, false}, true, DMARC_POLICY_REJECT},
		{"a user of ours, wherever he is", {"45.0.0.9", NULL, "", "alice", false}, false, 0},
		{"a client that may write in our name", {"45.0.0.9", NULL, "", NULL, true}, false, 0},
		{"a host of ours", {"10.0.0.1", NULL, "", NULL, false}, true, DMARC_POLICY_NONE},
		{"a client that nobody names", {"", NULL, "", NULL, false}, true, DMARC_POLICY_NONE},
		{"this host", {"127.0.0.1", NULL, "", NULL, false}, true, DMARC_POLICY_NONE},
		{"a host of ours that passes mail on",
		 {"10.0.0.1", NULL, BY_US, NULL, false},
		 true,
		 DMARC_POLICY_REJECT},
		{"one that says what it saw",
		 {"10.0.0.1", "edge.example.org", BY_EDGE, NULL, false},
		 true,
		 DMARC_POLICY_REJECT},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct scan_auth *auth = find_out(&cases[i].world);
		if ((auth != &scan_auth_unknown) != cases[i].asked || auth->disposition != cases[i].disposition)
			fail_msg("%s: %d %d", cases[i].rule, auth != &scan_auth_unknown, (int)auth->disposition);
		if (cases[i].asked)
			assert_int_equal(auth->dmarc.code, DMARC_FAIL);
	}
}

/* In front of the From that is in the message; more fields than are examined in front of both. */
static void who_writes_much_above_from_is_its_author_still(void **state)
{
	static const struct {
		const char *fields;
		size_t authors;
	} cases[] = {
		{"", 1},
		{"From: eve@other.example\r\n", 2},
		{"FROM :\r\n <eve@other.example>\r\n", 2},
		{"F\x01rom\x02 : eve@other.example\n", 2},
		{"X: y\rFrom: eve@other.example\r\n", 2},
		{"X: y\r\r\nFrom: eve@other.example\r\n", 2},
		{"From: eve@OTHER.example\r\nFrom: mallory@other.example\r\n", 2},
		{" From: eve@other.example\r\n", 1},
		{"X-From: eve@other.example\r\nFrom eve: eve@other.example\r\nFro: a@b.example\r\n", 1},
	};
	(void)state;
	for (size_t large = 0; large < 2; large++) {
		CLEANUP(buf_done) struct buf text = BUF_INIT((size_t)8 << 20);
		if (large)
			buf_add_cstr(&text, "X: ");
		for (size_t i = 0; i < (large ? (size_t)5 << 20 : 12000); i++)
			buf_add_cstr(&text, large ? "y" : "X: y\r\n");
		if (large)
			buf_add_cstr(&text, "\r\n");
		size_t len = text.len;
		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			text.len = len;
			buf_add_cstr(&text, cases[i].fields);
			const struct world world = {.client = "45.0.0.9",
						    .fields = arena_cstr(arena, buf_bytes(&text))};
			const struct scan_auth *auth = find_out(&world);
			if (auth->dmarc.n_authors != cases[i].authors)
				fail_msg("%zu, %s: %zu", large, cases[i].fields, auth->dmarc.n_authors);
			if (cases[i].authors == 1)
				assert_bytes_str(auth->dmarc.domain, "good.example");
		}
	}
}

/* Two thousand addresses are read of a list. */
static void who_is_named_behind_many_authors_counts(void **state)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT((size_t)1 << 20);
	(void)state;
	for (size_t i = 0; i < 2500; i++)
		buf_add_cstr(&text, "From: eve@other.example\r\n");
	buf_add_byte(&text, 0);
	const struct world world = {.client = "45.0.0.9", .fields = (const char *)text.ptr};
	assert_int_equal(find_out(&world)->dmarc.n_authors, 2);
	text.len = 0;
	for (size_t i = 0; i < 12000; i++)
		buf_printf(&text, "From: eve@%zu.example\r\n", i);
	buf_add_byte(&text, 0);
	const struct world many = {.client = "45.0.0.9", .fields = (const char *)text.ptr};
	assert_bytes_str(find_out(&many)->dmarc.reason, "too many author domains");
}

static const struct CMUnitTest tests[] = {
	TEST(who_saw_the_client_is_believed_about_spf),
	TEST(a_policy_is_held_against_mail_from_outside_alone),
	TEST(who_is_named_behind_many_authors_counts),
	TEST(who_writes_much_above_from_is_its_author_still),
};
UNIT_MAIN(tests)
