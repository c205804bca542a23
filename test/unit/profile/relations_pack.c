/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "profile/relations.h"
#include "unit_arena.h"

static void a_question_is_one_line(void **state)
{
	(void)state;
	struct relations_query query = {
		.org = BYTES_LIT("ours.example"),
		.author = BYTES_LIT("bob@firm.example"),
		.domain = BYTES_LIT("firm.example"),
		.name = BYTES_LIT("Bob = 100% \xc3\xa9\n"),
		.proven = true,
		.has_client = true,
		.client = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1},
		.message_id = BYTES_LIT("1@firm.example"),
		.forwarded = FORWARDER_SEALED,
		.relay = BYTES_LIT("relay.example"),
		.list = BYTES_LIT("list.example"),
	};
	relations_list_add(&query.dkim, BYTES_LIT("firm.example"));
	relations_list_add(&query.dkim, BYTES_LIT("mailer.example"));
	relations_list_add(&query.recipients, BYTES_LIT("ann@ours.example"));
	relations_list_add(&query.references, BYTES_LIT("2@ours.example"));
	CLEANUP(buf_done) struct buf line = BUF_INIT(RELATIONS_QUERY_MAX), again = BUF_INIT(RELATIONS_QUERY_MAX);
	relations_query_pack(&line, &query);
	assert_bytes_str(buf_bytes(&line), "1 org=ours.example from=bob@firm.example domain=firm.example "
					   "name=Bob%20=%20100%25%20%C3%A9%0A proven=1 dkim=firm.example "
					   "dkim=mailer.example ip=00000000000000000000ffffc0000201 "
					   "rcpt=ann@ours.example id=1@firm.example ref=2@ours.example fwd=2 "
					   "relay=relay.example list=list.example");
	struct relations_query got;
	assert_ok(relations_query_unpack(arena, buf_bytes(&line), &got));
	assert_bytes(got.name, query.name);
	assert_bytes(got.dkim.items[1], query.dkim.items[1]);
	assert_int_equal(got.dkim.count, 2);
	assert_true(got.proven && got.has_client && !got.outgoing);
	assert_memory_equal(got.client, query.client, 16);
	assert_int_equal(got.forwarded, FORWARDER_SEALED);
	relations_query_pack(&again, &got);
	assert_bytes(buf_bytes(&again), buf_bytes(&line));
}

static void the_largest_question_fits(void **state)
{
	(void)state;
	static char text[RELATIONS_TEXT_MAX];
	struct bytes most = bytes_make(text, sizeof(text)); /* NULs: three bytes each */
	struct relations_query query = {.org = most,
					.author = most,
					.domain = most,
					.name = most,
					.message_id = most,
					.relay = most,
					.sealer = most,
					.list = most,
					.outgoing = true,
					.proven = true,
					.has_client = true,
					.forwarded = FORWARDER_BROKEN};
	for (int i = 0; i < RELATIONS_LIST_MAX; i++) {
		relations_list_add(&query.dkim, most);
		relations_list_add(&query.recipients, most);
		relations_list_add(&query.references, most);
	}
	CLEANUP(buf_done) struct buf line = BUF_INIT(RELATIONS_QUERY_MAX);
	struct relations_query got;
	relations_query_pack(&line, &query);
	assert_ok(buf_err(&line));
	assert_ok(relations_query_unpack(arena, buf_bytes(&line), &got));
	assert_bytes(got.references.items[RELATIONS_LIST_MAX - 1], most);
	/* What the store would not look at is not asked. */
	query = (struct relations_query){.author = bytes_make(text, sizeof(text))};
	query.author.len++;
	buf_clear(&line);
	relations_query_pack(&line, &query);
	assert_bytes_str(buf_bytes(&line), "1");
}

static void a_line_that_packing_does_not_give_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"",
		" ",
		"2",
		"1 ",
		"1  org=a",
		"1 org=",
		"1 org",
		"1 org=a org=b",
		"1 from=a org=b",
		"1 what=a",
		"1 org=%",
		"1 org=%4",
		"1 org=%0",
		"1 org=%0a",
		"1 org=%41",
		"1 org=a\n",
		"1 org=\xc3\xa9",
		"1 proven=0",
		"1 proven=11",
		"1 proven",
		"1 ip=00",
		"1 ip=00000000000000000000FFFFc0000201",
		"1 ip=0000000000000000000zffffc0000201",
		"1 ip=00000000000000000000ffffc0000201 ip=00000000000000000000ffffc0000201",
		"1 fwd=0",
		"1 fwd=4",
		"1 fwd=01",
		"1 rcpt=a rcpt=",
	};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct relations_query query;
		assert_int_equal(relations_query_unpack(arena, bytes_from_cstr(wrong[i]), &query), ERR_SYNTAX);
	}
	CLEANUP(buf_done) struct buf line = BUF_INIT(1000);
	buf_add_cstr(&line, "1");
	struct relations_query query;
	for (int i = 0; i < RELATIONS_LIST_MAX; i++)
		buf_add_cstr(&line, " ref=a");
	assert_ok(relations_query_unpack(arena, buf_bytes(&line), &query));
	buf_add_cstr(&line, " ref=a");
	assert_int_equal(relations_query_unpack(arena, buf_bytes(&line), &query), ERR_SYNTAX);
}

static void an_answer_survives_packing(void **state)
{
	(void)state;
	struct relations_answer answer = {
		.org = {400, 0, 300},
		.address = {12, 2, 2},
		.name_here = {65535, 65535, 65535},
		.reply_there = {1, 1, 1},
		.wrote_first = true,
		.usual_days = 7,
		.usual = BYTES_LIT("bob@firm.example"),
		.forwarders = {[RELATIONS_LIST] = {100, 1, 50, 900, 20, 3, 1, 40}},
	};
	CLEANUP(buf_done) struct buf line = BUF_INIT(RELATIONS_ANSWER_MAX), again = BUF_INIT(RELATIONS_ANSWER_MAX);
	struct relations_answer got;
	relations_answer_pack(&line, &answer);
	assert_bytes_str(buf_bytes(&line), "1 org=400,0,300 address=12,2,2 name_here=65535,65535,65535 "
					   "reply_there=1,1,1 wrote_first=1 usual_days=7 usual=bob@firm.example "
					   "list=100,1,50,900,20,3,1,40");
	assert_ok(relations_answer_unpack(arena, buf_bytes(&line), &got));
	assert_bytes(got.usual, answer.usual);
	got.usual = answer.usual;
	assert_memory_equal(&got.org, &answer.org, offsetof(struct relations_answer, wrote_first));
	assert_memory_equal(got.forwarders, answer.forwarders, sizeof(got.forwarders));
	relations_answer_pack(&again, &got);
	assert_bytes(buf_bytes(&again), buf_bytes(&line));
	memset(&answer, 0xff, sizeof(answer.org) * 13);
	for (size_t i = 0; i < ARRAY_LEN(answer.forwarders); i++)
		memset(&answer.forwarders[i], 0xff, sizeof(answer.forwarders[i]));
	buf_clear(&again);
	relations_answer_pack(&again, &answer);
	assert_ok(buf_err(&again));
}

static void an_answer_that_packing_does_not_give_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"0",
		"1 org=0,0,0",
		"1 org=1,2",
		"1 org=1,2,3,4",
		"1 org=1,2,65536",
		"1 org=01,2,3",
		"1 org=,2,3",
		"1 org=1,2,-3",
		"1 list=1,2,3",
		"1 usual_days=0",
		"1 usual_days=1,2",
		"1 usual=",
		"1 wrote_first=2",
		"1 pair=1,1,1 address=1,1,1",
	};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct relations_answer answer;
		assert_int_equal(relations_answer_unpack(arena, bytes_from_cstr(wrong[i]), &answer), ERR_SYNTAX);
	}
}

static const struct CMUnitTest tests[] = {
	TEST(a_question_is_one_line),
	TEST(the_largest_question_fits),
	TEST(a_line_that_packing_does_not_give_is_refused),
	TEST(an_answer_survives_packing),
	TEST(an_answer_that_packing_does_not_give_is_refused),
};

UNIT_MAIN(tests)
