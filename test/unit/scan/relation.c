/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/relation.h"

#include "auth/dns.h"
#include "base/arena.h"
#include "base/buf.h"
#include "scan/check.h"
#include "scan/scan.h"
#include "unit.h"

static struct arena *arena;

static enum check_step run(struct scan *scan)
{
	return scan_relations(scan) ? CHECK_DONE : CHECK_WAIT;
}

/* A plan has at least one check. */
CHECK_REGISTER(asks){
	.symbol = "ASKS",
	.family = "sender",
	.stage = STAGE_HEADER,
	.kind = KIND_INFO,
	.run = run,
	.summary = "asks",
	.text_en = "It asks.",
	.text_ja = "質問。",
	.manual = "Asks.",
};

static int begin(void **state)
{
	(void)state;
	arena = arena_create(SIZE_MAX);
	return arena ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

/* A scan of that header, from a client at 192.0.2.10. */
static struct scan *make(const char *header, const char *from, const char *user, const char *const *recipients)
{
	struct scan_case *in = arena_new(arena, struct scan_case, 1);
	struct scan_plan *plan;
	struct scan *scan;
	struct error error;
	*in = (struct scan_case){
		.message = arena_printf(arena, "%s\r\n\r\nText\r\n", header),
		.settings = scan_settings_default,
		.envelope = {.has_client = true,
			     .client_ip = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 10},
			     .client_name = BYTES_LIT("out.relay.example"),
			     .helo = BYTES_LIT("out.relay.example"),
			     .has_from = true,
			     .from = bytes_from_cstr(from),
			     .user = bytes_from_cstr(user)},
	};
	in->envelope.recipients = arena_new(arena, struct bytes, 40);
	for (; *recipients; recipients++)
		in->envelope.recipients[in->envelope.n_recipients++] = bytes_from_cstr(*recipients);
	assert_ok(fact_set(arena, &in->facts, FACT_TIME, (struct bytes){0}, FACT_KNOWN, BYTES_LIT("1768478400")));
	assert_ok(plan_new(arena, &plan, &error));
	assert_ok(scan_new(arena, plan, in, &scan));
	assert_ok(scan_parse(scan));
	return scan;
}

static const char *const to_us[] = {"ann@ours.example", NULL};

static void a_question_holds_what_the_message_says(void **state)
{
	(void)state;
	static const char *const to[] = {"Ann@mail.ours.example", "zoe@theirs.example", "carl@ours.example", NULL};
	struct scan *scan = make("From: \"Smith, Bob\" <Bob@mail.firm.example>\r\nMessage-ID: <1@firm.example>\r\n"
				 "In-Reply-To: <a@x> text <b@x>\r\nReferences: <c@x>\r\n <d@x>\r\n <broken id> <e@x\r\n"
				 "List-Id: The list <dev.list.example>",
				 "bounce@mailer.example", "", to);
	const struct relations_query *query = scan_relations_query(scan);
	assert_non_null(query);
	assert_bytes_str(scan_relations_key(scan),
			 "1 org=ours.example from=Bob@mail.firm.example domain=firm.example name=Smith,%20Bob "
			 "ip=00000000000000000000ffffc000020a rcpt=Ann@mail.ours.example rcpt=carl@ours.example "
			 "id=1@firm.example ref=b@x ref=a@x ref=d@x ref=c@x relay=relay.example list=dev.list.example");
}

static void many_references_leave_the_newest(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf header = BUF_INIT(100000);
	buf_add_cstr(&header, "From: bob@firm.example\r\nReferences:");
	for (int i = 0; i < 100; i++)
		buf_printf(&header, "\r\n <%d@x>", i);
	buf_add_byte(&header, 0);
	struct scan *scan = make((const char *)header.ptr, "", "", to_us);
	const struct relations_query *query = scan_relations_query(scan);
	assert_int_equal(query->references.count, RELATIONS_LIST_MAX);
	assert_bytes_str(query->references.items[0], "99@x");
	assert_bytes_str(query->references.items[RELATIONS_LIST_MAX - 1], "84@x");
}

static void who_of_several_wrote_is_not_known(void **state)
{
	(void)state;
	static const char *const headers[] = {"From: a@firm.example, b@firm.example", "Subject: x", "From: nobody"};
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		const struct relations_query *query = scan_relations_query(make(headers[i], "", "", to_us));
		assert_int_equal(query->author.len + query->domain.len + query->name.len, 0);
	}
}

static void answer_dns(struct scan *scan, const char *txt)
{
	CLEANUP(buf_done) struct buf packed = BUF_INIT(1000);
	struct dns_record record = {.data = bytes_from_cstr(txt)};
	struct dns_answer answer = {.state = DNS_FOUND, .records = &record, .n_records = 1};
	dns_answer_pack(&packed, &answer);
	assert_ok(scan_answer(scan, FACT_DNS, BYTES_LIT("TXT firm.example"), FACT_KNOWN, buf_bytes(&packed)));
}

static void an_author_is_proven_by_aligned_spf(void **state)
{
	(void)state;
	static const struct {
		const char *from, *record;
		bool proven;
	} cases[] = {
		{"bounce@firm.example", "v=spf1 ip4:192.0.2.10 -all", true},
		{"bounce@firm.example", "v=spf1 ip4:192.0.2.11 -all", false},
		{"bounce@firm.example", "v=spf1 ?all", false},
		{"bounce@mailer.example", NULL, false},
		{"", NULL, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scan *scan = make("From: bob@firm.example", cases[i].from, "", to_us);
		if (cases[i].record) {
			assert_null(scan_relations_query(scan));
			assert_null(scan_relations(scan));
			assert_null(scan_relations_key(scan).ptr);
			answer_dns(scan, cases[i].record);
		}
		assert_non_null(scan_relations_query(scan));
		assert_int_equal(scan_relations_query(scan)->proven, cases[i].proven);
	}
}

static void our_own_user_is_proven_and_asked_for_under_its_domain(void **state)
{
	(void)state;
	static const char *const to[] = {"bob@firm.example", "eve@shop.example", NULL};
	struct scan *scan = make("From: ann@ours.example", "ann@ours.example", "ann", to);
	const struct relations_query *query = scan_relations_query(scan);
	assert_true(query->proven && query->outgoing);
	assert_bytes_str(query->org, "ours.example");
	assert_int_equal(query->recipients.count, 2);
}

static void an_answer_that_is_none_knows_nothing(void **state)
{
	(void)state;
	static const struct {
		enum fact_state state;
		const char *answer;
		unsigned days;
	} cases[] = {
		{FACT_KNOWN, "1 org=20,0,10 address=5,4,3", 3},
		{FACT_KNOWN, "1 org=20,0,10 address=5,4", 0},
		{FACT_KNOWN, "", 0},
		{FACT_FAILED, "", 0},
		{FACT_NEGATIVE, "1 address=5,4,3", 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scan *scan = make("From: bob@firm.example", "", "", to_us);
		assert_null(scan_relations(scan));
		assert_ok(scan_answer(scan, FACT_RELATION, scan_relations_key(scan), cases[i].state,
				      bytes_from_cstr(cases[i].answer)));
		assert_non_null(scan_relations(scan));
		assert_int_equal(scan_relations(scan)->address.days, cases[i].days);
	}
	/* Nobody's mail is not asked for. */
	static const char *const nobody[] = {NULL};
	struct scan *scan = make("From: bob@firm.example", "", "", nobody);
	assert_non_null(scan_relations(scan));
	assert_int_equal(scan_relations(scan)->org.days, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static const struct CMUnitTest tests[] = {
	TEST(a_question_holds_what_the_message_says),
	TEST(many_references_leave_the_newest),
	TEST(who_of_several_wrote_is_not_known),
	TEST(an_author_is_proven_by_aligned_spf),
	TEST(our_own_user_is_proven_and_asked_for_under_its_domain),
	TEST(an_answer_that_is_none_knows_nothing),
};

UNIT_MAIN(tests)
