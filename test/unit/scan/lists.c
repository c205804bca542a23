/* SPDX-License-Identifier: Apache-2.0 */
/* What lists are asked about a message, and in which order; with a check of the test's own. */
#include "unit.h"

#include "auth/dns.h"
#include "base/arena.h"
#include "base/buf.h"
#include "mail/charset.h"
#include "scan/lists.h"
#include "scan/scan.h"

static enum check_step run(struct scan *scan)
{
	enum check_step zones = lists_tell_zones(scan, (1u << LIST_KINDS) - 1, LIST_ABOUT_ALL);
	enum check_step block = lists_tell_local(scan, false), allow = lists_tell_local(scan, true);
	return zones == CHECK_WAIT || block == CHECK_WAIT || allow == CHECK_WAIT ? CHECK_WAIT : CHECK_DONE;
}

CHECK_REGISTER(lists){
	.symbol = "LISTS",
	.family = "list",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.most = 20,
	.run = run,
	.summary = "",
	.text_en = "{1} {2}",
	.text_ja = "",
	.manual = "",
};

static const char ip_zone[] = "ip\nip.test\nip\nclient,received,urls\n127.0.0.2 = bad\n";
static const char domain_zone[] = "dom\ndom.test\ndomain\nhelo,sender,from,replies,urls\n127.0.0.2 = bad\n";
static const char head[] = "From: Alice <alice@author.example>\r\nReply-To: <r@replies.example>\r\nSubject: x\r\n\r\n";

struct world {
	struct arena *arena;
	struct scan_plan *plan;
	struct scan_case in;
	struct scan *scan;
};

static struct world world_new(const char *message)
{
	struct world world = {.arena = arena_create(SIZE_MAX)};
	struct error error;
	assert_ok(plan_new(world.arena, &world.plan, &error));
	world.in = (struct scan_case){.message = bytes_from_cstr(message), .settings = scan_settings_default};
	assert_ok(fact_set(world.arena, &world.in.facts, FACT_TIME, (struct bytes){0}, FACT_KNOWN,
			   BYTES_LIT("1768478400")));
	world.in.settings.dns = true;
	world.in.settings.zones = arena_new(world.arena, struct list_zone, 2);
	assert_ok(list_zone_read(world.arena, bytes_from_cstr(ip_zone), &world.in.settings.zones[0]));
	assert_ok(list_zone_read(world.arena, bytes_from_cstr(domain_zone), &world.in.settings.zones[1]));
	world.in.settings.n_zones = 2;
	return world;
}

static void client(struct world *world, const char *ip, const char *helo, const char *from)
{
	world->in.envelope.has_client = received_parse_ip(bytes_from_cstr(ip), world->in.envelope.client_ip);
	world->in.envelope.helo = bytes_from_cstr(helo);
	world->in.envelope.has_from = true;
	world->in.envelope.from = bytes_from_cstr(from);
}

/* Judges: `listed` (may be NULL) is on every list, nothing else exists. The names asked of the lists, in their order.
 */
static void judge(struct world *world, const char *listed, struct buf *asked)
{
	static const uint8_t no_name[] = {DNS_NO_NAME};
	CLEANUP(buf_done) struct buf hit = BUF_INIT(256);
	struct dns_record record = {.data = BYTES_LIT("\x7f\0\0\2")};
	dns_answer_pack(&hit, &(struct dns_answer){.records = &record, .n_records = 1});
	assert_ok(scan_new(world->arena, world->plan, &world->in, &world->scan));
	assert_ok(scan_parse(world->scan));
	while (scan_run(world->scan) == SCAN_WAIT) {
		size_t i = 0;
		for (const struct fact *fact; (fact = scan_question(world->scan, &i)) != NULL;) {
			bool list = fact->kind == FACT_DNS && bytes_ends(fact->key, BYTES_LIT(".test"));
			bool is_hit = list && listed && bytes_find(fact->key, bytes_from_cstr(listed)) != BYTES_NONE;
			if (list || fact->kind == FACT_LIST) {
				buf_add(asked, bytes_from(fact->key, list ? 2 : 0));
				buf_add_byte(asked, '\n');
			}
			assert_ok(scan_answer(world->scan, fact->kind, fact->key,
					      fact->kind == FACT_DNS ? FACT_KNOWN : FACT_NEGATIVE,
					      is_hit                   ? buf_bytes(&hit)
					      : fact->kind == FACT_DNS ? bytes_make(no_name, 1)
								       : (struct bytes){0}));
		}
	}
}

static void expect_asked(struct world *world, const char *want)
{
	CLEANUP(buf_done) struct buf asked = BUF_INIT(65536);
	judge(world, NULL, &asked);
	assert_bytes_str(buf_bytes(&asked), want);
	assert_int_equal(scan_verdict(world->scan)->n_evidence, 0);
	arena_free(&world->arena);
}

static void envelope_and_header_come_before_links(void **state)
{
	CLEANUP(buf_done) struct buf message = BUF_INIT(4096);
	(void)state;
	buf_add_cstr(&message, head);
	buf_add_cstr(&message,
		     "See https://www.one.example/ http://a.b.two.example/x https://45.0.0.77/ http://ONE.example/y "
		     "mailto:x@three.example ftp://a.b.two.example/ http://192.168.0.1/\r\n");
	buf_add_byte(&message, 0);
	struct world world = world_new((const char *)message.ptr);
	client(&world, "45.0.0.9", "mail.helo.example", "s@sender.example");
	expect_asked(&world, "9.0.0.45.ip.test\nmail.helo.example.dom.test\nsender.example.dom.test\n"
			     "author.example.dom.test\nreplies.example.dom.test\none.example.dom.test\n"
			     "two.example.dom.test\n77.0.0.45.ip.test\na.b.two.example.dom.test\n");
}

static void addresses_of_ipv6_are_asked_by_nibbles(void **state)
{
	struct world world = world_new(head);
	(void)state;
	client(&world, "2a00:1::ab", "[IPv6:2a00:1::ab]", "");
	world.in.settings.n_zones = 1;
	expect_asked(&world, "b.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.0.a.2.ip.test\n");
}

static void nobody_is_asked_about_what_is_ours(void **state)
{
	static const char message[] =
		"From: <a@sub.own.example>\r\nReply-To: <x@localhost>\r\n\r\n"
		"http://www.recipient.example/ http://mx.gateway.example/ http://10.1.2.3/ http://intranet/\r\n";
	struct world world = world_new(message);
	struct bytes recipient = BYTES_LIT("bob@recipient.example"), own = BYTES_LIT("own.example");
	(void)state;
	client(&world, "10.0.0.1", "mx2.gateway.example", "b@recipient.example");
	world.in.envelope.recipients = &recipient;
	world.in.envelope.n_recipients = 1;
	world.in.envelope.hostname = BYTES_LIT("mx.gateway.example");
	world.in.settings.own_domains = &own;
	world.in.settings.n_own_domains = 1;
	expect_asked(&world, "");
}

static const char path_message[] =
	"Received: from out.example (out.example [45.0.0.9]) by mx2.gateway.example; Thu, 15 Jan 2026 11:59:00 "
	"+0000\r\n"
	"Received: from home.example (home.example [45.0.0.77]) by out.example; Thu, 15 Jan 2026 11:58:00 +0000\r\n"
	"Subject: x\r\n\r\nx\r\n";

static void behind_a_host_of_ours_the_relay_before_it_is_asked_about(void **state)
{
	struct world world = world_new(path_message);
	(void)state;
	client(&world, "10.0.0.1", "mx2.gateway.example", "");
	expect_asked(&world, "9.0.0.45.ip.test\nout.example.dom.test\n");
}

static void behind_a_host_of_strangers_the_path_is_not_believed(void **state)
{
	struct world world = world_new(path_message);
	(void)state;
	client(&world, "45.0.0.5", "client.example", "");
	expect_asked(&world, "5.0.0.45.ip.test\nclient.example.dom.test\n");
}

static void the_host_of_a_user_of_ours_is_not_asked_about(void **state)
{
	struct world world = world_new(head);
	(void)state;
	client(&world, "45.0.0.5", "laptop.example", "alice@author.example");
	world.in.envelope.user = BYTES_LIT("alice");
	expect_asked(&world, "author.example.dom.test\nreplies.example.dom.test\n");
}

static void no_more_is_asked_than_is_allowed(void **state)
{
	CLEANUP(buf_done) struct buf message = BUF_INIT(65536);
	CLEANUP(buf_done) struct buf asked = BUF_INIT(65536);
	size_t lines = 0;
	(void)state;
	buf_add_cstr(&message, head);
	for (unsigned i = 0; i < 300; i++)
		buf_printf(&message, "http://www.h%u.many%u.example/\r\n", i, i);
	buf_add_byte(&message, 0);
	struct world world = world_new((const char *)message.ptr);
	client(&world, "45.0.0.5", "", "");
	world.in.settings.list_questions = 17;
	judge(&world, NULL, &asked);
	for (size_t i = 0; i < asked.len; i++)
		lines += asked.ptr[i] == '\n';
	assert_int_equal(lines, 17);
	arena_free(&world.arena);
}

static void without_dns_only_our_own_lists_are_asked(void **state)
{
	static const char message[] =
		"From: <Alice@Author.EXAMPLE>\r\n\r\nhttp://www.one.example/ http://www.one.example/x\r\n";
	struct world world = world_new(message);
	struct list_local local;
	(void)state;
	client(&world, "10.0.0.1", "helo.example", "\"a b\"@sender.example");
	assert_ok(list_local_read(BYTES_LIT("mine\nblock\nclient,sender,from,urls\n"), &local));
	world.in.settings.dns = false;
	world.in.settings.locals = &local;
	world.in.settings.n_locals = 1;
	/* A host of ours may be named in a list of ours; a local part that no list can have is left out. */
	expect_asked(&world, "10.0.0.1\nsender.example\nalice@author.example\nwww.one.example\n");
}

static void a_hit_is_told_with_what_was_asked_and_by_whom(void **state)
{
	CLEANUP(buf_done) struct buf asked = BUF_INIT(65536);
	struct world world = world_new("From: <a@author.example>\r\nReply-To: <b@author.example>\r\n\r\n"
				       "http://www.author.example/\r\n");
	(void)state;
	client(&world, "45.0.0.5", "", "c@author.example");
	judge(&world, "author.example", &asked);
	/* One question, and a hit for each place that has the name. */
	assert_bytes_str(buf_bytes(&asked), "5.0.0.45.ip.test\nauthor.example.dom.test\n");
	const struct verdict *verdict = scan_verdict(world.scan);
	assert_int_equal(verdict->n_evidence, 4);
	for (size_t i = 0; i < verdict->n_evidence; i++)
		assert_bytes_str(verdict->evidence[i].text_en, "author.example dom (bad)");
	arena_free(&world.arena);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(envelope_and_header_come_before_links),
	cmocka_unit_test(addresses_of_ipv6_are_asked_by_nibbles),
	cmocka_unit_test(nobody_is_asked_about_what_is_ours),
	cmocka_unit_test(behind_a_host_of_ours_the_relay_before_it_is_asked_about),
	cmocka_unit_test(behind_a_host_of_strangers_the_path_is_not_believed),
	cmocka_unit_test(the_host_of_a_user_of_ours_is_not_asked_about),
	cmocka_unit_test(no_more_is_asked_than_is_allowed),
	cmocka_unit_test(without_dns_only_our_own_lists_are_asked),
	cmocka_unit_test(a_hit_is_told_with_what_was_asked_and_by_whom),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	int failed = charset_init() == ERR_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
	charset_done();
	return failed;
}
