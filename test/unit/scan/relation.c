/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/relation.h"

#include "auth/dns.h"
#include "base/buf.h"
#include "scan/auth.h"
#include "scan/check.h"
#include "scan/scan.h"
#include "unit_arena.h"

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

/* A scan of that header, from a client at 45.0.0.9. */
static struct scan *make_with(bool dns, const char *header, const char *from, const char *user,
			      const char *const *recipients)
{
	struct scan_case *in = arena_new(arena, struct scan_case, 1);
	struct scan_plan *plan;
	struct scan *scan;
	struct error error;
	*in = (struct scan_case){
		.message = arena_printf(arena, "%s\r\n\r\nText\r\n", header),
		.settings = scan_settings_default,
		.envelope = {.has_client = true,
			     .client_ip = {[10] = 0xff, [11] = 0xff, 45, 0, 0, 9},
			     .client_name = BYTES_LIT("out.relay.example"),
			     .helo = BYTES_LIT("out.relay.example"),
			     .has_from = true,
			     .from = bytes_from_cstr(from),
			     .user = bytes_from_cstr(user)},
	};
	in->envelope.recipients = arena_new(arena, struct bytes, 40);
	in->settings.dns = dns;
	for (; *recipients; recipients++)
		in->envelope.recipients[in->envelope.n_recipients++] = bytes_from_cstr(*recipients);
	assert_ok(fact_set(arena, &in->facts, FACT_TIME, (struct bytes){0}, FACT_KNOWN, BYTES_LIT("1768478400")));
	assert_ok(plan_new(arena, &plan, &error));
	assert_ok(scan_new(arena, plan, in, &scan));
	assert_ok(scan_parse(scan));
	return scan;
}

static struct scan *make(const char *header, const char *from, const char *user, const char *const *recipients)
{
	return make_with(false, header, from, user, recipients);
}

/* Answers all questions to the DNS: `txt` is what stands at firm.example; strict.example and ours.example have a
 * policy; no more. */
static void answer_dns(struct scan *scan, const char *txt)
{
	CLEANUP(buf_done) struct buf found = BUF_INIT(1000), policy = BUF_INIT(1000), none = BUF_INIT(1000);
	struct dns_record record = {.data = bytes_from_cstr(txt)};
	dns_answer_pack(&found, &(struct dns_answer){.state = DNS_FOUND, .records = &record, .n_records = 1});
	record.data = BYTES_LIT("v=DMARC1; p=reject");
	dns_answer_pack(&policy, &(struct dns_answer){.state = DNS_FOUND, .records = &record, .n_records = 1});
	dns_answer_pack(&none, &(struct dns_answer){.state = DNS_NO_NAME});
	size_t i = 0;
	for (const struct fact *fact; (fact = scan_question(scan, &i)) != NULL;) {
		bool strict = bytes_eq(fact->key, BYTES_LIT("TXT _dmarc.strict.example")) ||
			      bytes_eq(fact->key, BYTES_LIT("TXT _dmarc.ours.example"));
		const struct buf *answer = bytes_eq(fact->key, BYTES_LIT("TXT firm.example")) ? &found
					   : strict                                           ? &policy
											      : &none;
		if (fact->kind == FACT_DNS)
			assert_ok(scan_answer(scan, FACT_DNS, fact->key, FACT_KNOWN, buf_bytes(answer)));
	}
}

static const char *const to_us[] = {"ann@ours.example", NULL};

static struct scan *make_asking(const char *header, const char *from)
{
	return make_with(true, header, from, "", to_us);
}

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
	assert_bytes_str(
		scan_relations_key(scan),
		"1 org=ours.example from=Bob@mail.firm.example domain=firm.example name=Smith,%20Bob "
		"ip=00000000000000000000ffff2d000009 rcpt=Ann@mail.ours.example rcpt=carl@ours.example "
		"id=1@firm.example ref=b@x ref=a@x ref=d@x ref=c@x list=dev.list.example%20via%20relay.example");
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

static void an_author_is_proven_by_aligned_spf(void **state)
{
	(void)state;
	static const struct {
		const char *from, *record;
		bool proven;
	} cases[] = {
		{"bounce@firm.example", "v=spf1 ip4:45.0.0.9 -all", true},
		{"bounce@firm.example", "v=spf1 ip4:45.0.0.8 -all", false},
		{"bounce@firm.example", "v=spf1 ?all", false},
		{"bounce@mailer.example", "v=spf1 ip4:45.0.0.9 -all", false},
		{"", "v=spf1 ip4:45.0.0.9 -all", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scan *scan = make_asking("From: bob@firm.example", cases[i].from);
		assert_null(scan_relations_query(scan));
		assert_null(scan_relations(scan));
		assert_null(scan_relations_key(scan).ptr);
		while (!scan_relations_query(scan))
			answer_dns(scan, cases[i].record);
		assert_int_equal(scan_relations_query(scan)->proven, cases[i].proven);
	}
}

static void a_domain_is_compared_as_the_dns_has_it(void **state)
{
	(void)state;
	struct scan *scan = make("From: bob@mail.b\xc3\xbc"
				 "cher.example",
				 "", "", to_us);
	assert_bytes_str(scan_relations_query(scan)->domain, "xn--bcher-kva.example");
	assert_bytes_str(scan_relations_query(scan)->author, "bob@mail.b\xc3\xbc"
							     "cher.example");
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

static void what_a_mailbox_answers_by_itself_is_not_written_by_us(void **state)
{
	(void)state;
	static const char *const to[] = {"bob@firm.example", NULL};
	static const struct {
		const char *field, *from;
		bool counts;
	} cases[] = {
		{"", "ann@ours.example", true},
		{"Auto-Submitted: no\r\n", "ann@ours.example", true},
		{"Auto-Submitted:\r\n NO (by hand)\r\n", "ann@ours.example", true},
		{"Auto-Submitted: auto-replied\r\n", "ann@ours.example", false},
		{"Auto-Submitted: auto-generated; x=y\r\n", "ann@ours.example", false},
		{"Auto-Submitted: notify\r\n", "ann@ours.example", false},
		{"Auto-Submitted:\r\n", "ann@ours.example", false},
		{"", "", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *header =
			(const char *)arena_printf(arena, "%sFrom: ann@ours.example\r\nMessage-ID: <1@ours.example>%c",
						   cases[i].field, 0)
				.ptr;
		const struct relations_query *query = scan_relations_query(make(header, cases[i].from, "ann", to));
		assert_int_equal(query->recipients.count, cases[i].counts ? 1 : 0);
		assert_int_equal(query->message_id.len > 0, cases[i].counts);
	}
	/* Who writes to us may do so by a program. */
	struct scan *scan = make("Auto-Submitted: auto-generated\r\nFrom: bob@firm.example", "", "", to_us);
	assert_int_equal(scan_relations_query(scan)->recipients.count, 1);
}

static void a_forwarder_is_named_so_that_nobody_else_can_be(void **state)
{
	(void)state;
	static const struct {
		const char *header, *from, *relay, *list;
		enum forwarder_state state;
	} cases[] = {
		/* Straight from its author's domain. */
		{"From: bob@firm.example\r\nList-Id: <l.firm.example>", "bob@firm.example", "", "", FORWARDER_NONE},
		/* A list, by the name of its relay. */
		{"From: eve@other.example\r\nTo: l@list.example\r\nList-Id: L <l.list.example>", "l@list.example", "",
		 "l.list.example via relay.example", FORWARDER_NONE},
		/* By the domain that SPF proves. */
		{"From: eve@other.example\r\nList-Id: L <l.list.example>", "l@firm.example", "",
		 "l.list.example via firm.example", FORWARDER_NONE},
		/* Addressed to somebody else. */
		{"From: eve@other.example\r\nTo: ann@old.example", "x@old.example", "relay.example", "",
		 FORWARDER_NONE},
		/* A list that breaks what its author could prove. */
		{"From: eve@strict.example\r\nList-Id: L <l.list.example>", "l@firm.example", "",
		 "l.list.example via firm.example", FORWARDER_BROKEN},
		/* What a provider sends for its customer. */
		{"From: eve@other.example\r\nTo: Ann <Ann@ours.example>", "x@mailer.example", "", "", FORWARDER_NONE},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scan *scan = make_asking(cases[i].header, cases[i].from);
		while (!scan_relations_query(scan))
			answer_dns(scan, "v=spf1 ip4:45.0.0.9 -all");
		const struct relations_query *query = scan_relations_query(scan);
		assert_bytes_str(query->relay, cases[i].relay);
		assert_bytes_str(query->list, cases[i].list);
		assert_int_equal(query->forwarded, cases[i].state);
		assert_int_equal(query->sealer.len, 0);
	}
}

static void a_known_list_excuses_a_broken_proof_but_not_in_our_name(void **state)
{
	(void)state;
	static const struct {
		const char *author, *answer;
		bool excused;
	} cases[] = {
		{"eve@strict.example", "1 list=100,1,50,90,4,2,0,20", true},
		{"ann@ours.example", "1 list=100,1,50,90,4,2,0,20", false},
		{"chief@mail.ours.example", "1 list=100,1,50,90,4,2,0,20", false},
		{"eve@strict.example", "1 list=100,1,50,0,90,2,0,20", false}, /* its own word */
		{"eve@strict.example", "1 list=100,1,50,90,0,0,20,20", false},
		{"eve@strict.example", "", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *header = (const char *)arena_printf(arena, "From: %s\r\nList-Id: L <l.list.example>%c",
								cases[i].author, 0)
					     .ptr;
		struct scan *scan = make_asking(header, "l@firm.example");
		struct forwarder_figures figures;
		struct bytes name;
		while (!scan_relations_query(scan))
			answer_dns(scan, "v=spf1 ip4:45.0.0.9 -all");
		assert_int_equal(scan_auth(scan)->dmarc.code, DMARC_FAIL);
		(void)scan_relations(scan);
		assert_ok(scan_answer(scan, FACT_RELATION, scan_relations_key(scan), FACT_KNOWN,
				      bytes_from_cstr(cases[i].answer)));
		assert_true(scan_known_forwarder(scan, &name, &figures));
		assert_bytes_str(name, cases[i].excused ? "l.list.example via firm.example" : "");
	}
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

static const struct CMUnitTest tests[] = {
	TEST(a_question_holds_what_the_message_says),
	TEST(many_references_leave_the_newest),
	TEST(who_of_several_wrote_is_not_known),
	TEST(an_author_is_proven_by_aligned_spf),
	TEST(a_domain_is_compared_as_the_dns_has_it),
	TEST(our_own_user_is_proven_and_asked_for_under_its_domain),
	TEST(what_a_mailbox_answers_by_itself_is_not_written_by_us),
	TEST(a_forwarder_is_named_so_that_nobody_else_can_be),
	TEST(a_known_list_excuses_a_broken_proof_but_not_in_our_name),
	TEST(an_answer_that_is_none_knows_nothing),
};

UNIT_MAIN(tests)
