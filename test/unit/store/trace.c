/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"

#include "base/banned.h"

#define DAY   INT64_C(86400000)
#define BEGIN INT64_C(1790000000000)

static const struct store_recipient bob[] = {{BYTES_INIT("bob@example.org"), BYTES_INIT("delivered")}};
static const struct store_recipient two[] = {{BYTES_INIT("carol@example.org"), BYTES_INIT("quarantined")},
					     {BYTES_INIT("Dave@Sub.Example.NET"), BYTES_INIT("rejected")}};

#define ROW(number, to, ...)                                                                                           \
	{                                                                                                              \
		.id = BYTES_INIT("t" #number), .time_ms = BEGIN + number * DAY, .recipients = to,                      \
		.n_recipients = ARRAY_LEN(to), __VA_ARGS__                                                             \
	}

static const struct store_trace rows[] = {
	ROW(0, bob, .mail_from = BYTES_INIT("alice@mx.example.com"), .from_address = BYTES_INIT("alice@example.com"),
	    .from_name = BYTES_INIT("Alice Smith"), .subject = BYTES_INIT("Quarterly report"),
	    .client_ip = BYTES_INIT("192.0.2.1"), .message_id = BYTES_INIT("one@example.com"),
	    .status = BYTES_INIT("delivered"), .class = BYTES_INIT("clean")),
	ROW(1, two, .mail_from = BYTES_INIT("x@example.com.evil.test"), .subject = BYTES_INIT("請求書のご送付"),
	    .client_ip = BYTES_INIT("192.0.3.1"), .status = BYTES_INIT("quarantined"), .class = BYTES_INIT("phish"),
	    .message_id = BYTES_INIT("two@example.com")),
	ROW(2, bob, .mail_from = BYTES_INIT(""), .subject = BYTES_INIT("お支払いの請求について PDF"),
	    .client_ip = BYTES_INIT("2001:db8::17"), .status = BYTES_INIT("tagged"), .class = BYTES_INIT("spam")),
	ROW(3, bob, .mail_from = BYTES_INIT("malice@example.com"), .subject = BYTES_INIT("report of the quarter"),
	    .client_ip = BYTES_INIT("::ffff:192.0.2.129"), .status = BYTES_INIT("refused")),
	ROW(4, bob, .mail_from = BYTES_INIT("al+tag@example.com"), .subject = BYTES_INIT("ﾒｰﾙ設定 Report"),
	    .client_ip = BYTES_INIT("unix"), .status = BYTES_INIT("delivered"), .class = BYTES_INIT("clean")),
};

static void add_rows(struct folder *folder)
{
	struct error error = {0};
	folder_begin(folder);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (store_trace_add(folder->store, &rows[i], &error) != ERR_OK)
			fail_msg("%s", error.text);
	folder_commit(folder);
}

struct found {
	char ids[200];
};

static bool on_row(void *ctx, const struct store_trace *trace)
{
	struct found *found = ctx;
	size_t len = strlen(found->ids);
	(void)snprintf(found->ids + len, sizeof(found->ids) - len, "%s%.*s", len ? " " : "", BYTES_FMT(trace->id));
	return true;
}

static void find(struct folder *folder, struct store_query query, char out[static 200])
{
	struct found found = {""};
	struct error error = {0};
	query.limit = query.limit ? query.limit : 100;
	enum err err = store_trace_find(folder->store, &query, on_row, &found, &error);
	(void)snprintf(out, 200, "%s", err == ERR_OK ? found.ids : err_name(err));
}

static void every_filter_finds_its_rows_the_newest_first(void **state)
{
	static const struct {
		struct store_query query;
		const char *ids;
	} cases[] = {
		{{0}, "t4 t3 t2 t1 t0"},
		{{.limit = 2}, "t4 t3"},
		{{.limit = 2, .before = BYTES_INIT("t3")}, "t2 t1"},
		{{.before = BYTES_INIT("t0")}, ""},
		{{.before = BYTES_INIT("nope")}, "unsupported"},
		{{.since_ms = BEGIN + 3 * DAY}, "t4 t3"},
		{{.until_ms = BEGIN + 2 * DAY}, "t1 t0"},
		{{.since_ms = BEGIN + 1 * DAY, .until_ms = BEGIN + 3 * DAY}, "t2 t1"},
		{{.id = BYTES_INIT("t2")}, "t2"},
		{{.id = BYTES_INIT("t")}, ""},
		{{.id = BYTES_INIT("t2"), .status = BYTES_INIT("tagged")}, "t2"},
		{{.id = BYTES_INIT("t2"), .status = BYTES_INIT("refused")}, ""},
		{{.message_id = BYTES_INIT("two@example.com")}, "t1"},
		{{.message_id = BYTES_INIT("two")}, ""},
		{{.status = BYTES_INIT("delivered")}, "t4 t0"},
		{{.status = BYTES_INIT("deliver")}, ""},
		{{.class = BYTES_INIT("phish")}, "t1"},
		{{.status = BYTES_INIT("delivered"), .class = BYTES_INIT("phish")}, ""},
		/* words of addresses */
		{{.address = BYTES_INIT("example.com")}, "t4 t3 t1 t0"},
		{{.address = BYTES_INIT("alice")}, "t0"},
		{{.address = BYTES_INIT("ALICE")}, "t0"},
		{{.address = BYTES_INIT("smith")}, "t0"},
		{{.address = BYTES_INIT("dave")}, "t1"},
		{{.sender = BYTES_INIT("dave")}, ""},
		{{.recipient = BYTES_INIT("sub.example.net")}, "t1"},
		{{.recipient = BYTES_INIT("bob"), .sender = BYTES_INIT("alice")}, "t0"},
		{{.address = BYTES_INIT("...")}, "unsupported"},
		/* whole addresses */
		{{.address = BYTES_INIT("alice@example.com")}, "t0"},
		{{.address = BYTES_INIT("Alice@MX.example.com")}, "t0"},
		{{.address = BYTES_INIT("alice@example")}, ""},
		{{.address = BYTES_INIT("*@example.com")}, "t4 t3 t0"},
		{{.address = BYTES_INIT("@example.com")}, "t4 t3 t0"},
		{{.address = BYTES_INIT("*@*.example.com")}, "t0"},
		{{.address = BYTES_INIT("*.example.net")}, "t1"},
		{{.address = BYTES_INIT("alice@")}, "t0"},
		{{.address = BYTES_INIT("al*@example.com")}, "t4 t0"},
		{{.address = BYTES_INIT("*lice@*")}, "t3 t0"},
		{{.address = BYTES_INIT("*ic*@example.com")}, "t3 t0"},
		{{.address = BYTES_INIT("al+tag@example.com")}, "t4"},
		{{.sender = BYTES_INIT("*@example.org")}, ""},
		{{.recipient = BYTES_INIT("*@example.org")}, "t4 t3 t2 t1 t0"},
		/* subjects */
		{{.subject = BYTES_INIT("report")}, "t4 t3 t0"},
		{{.subject = BYTES_INIT("report quarterly")}, "t0"},
		{{.subject = BYTES_INIT("rep")}, ""},
		{{.subject = BYTES_INIT("請求")}, "t2 t1"},
		{{.subject = BYTES_INIT("請求書")}, "t1"},
		{{.subject = BYTES_INIT("求書")}, "t1"},
		{{.subject = BYTES_INIT("送付 請求書")}, "t1"},
		{{.subject = BYTES_INIT("送付　請求書")}, "t1"},
		{{.subject = BYTES_INIT("請")}, "t2 t1"},
		{{.subject = BYTES_INIT("pdf 請求")}, "t2"},
		{{.subject = BYTES_INIT("メール")}, "t4"},
		{{.subject = BYTES_INIT("ﾒｰﾙ設定")}, "t4"},
		{{.subject = BYTES_INIT("\" OR sender : \"")}, ""},
		{{.subject = BYTES_INIT("*")}, "unsupported"},
		/* clients */
		{{.ip = BYTES_INIT("192.0.2.1")}, "t0"},
		{{.ip = BYTES_INIT("192.0.2.0/24")}, "t3 t0"},
		{{.ip = BYTES_INIT("192.0.2.0/25")}, "t0"},
		{{.ip = BYTES_INIT("192.0.2.0/23")}, "t3 t1 t0"},
		{{.ip = BYTES_INIT("0.0.0.0/0")}, "t3 t1 t0"},
		{{.ip = BYTES_INIT("2001:db8::/32")}, "t2"},
		{{.ip = BYTES_INIT("2001:db8::17")}, "t2"},
		{{.ip = BYTES_INIT("::ffff:192.0.2.129")}, "t3"},
		{{.ip = BYTES_INIT("192.0.2.0/33")}, "unsupported"},
		{{.ip = BYTES_INIT("somewhere")}, "unsupported"},
		/* together */
		{{.ip = BYTES_INIT("192.0.0.0/16"),
		  .address = BYTES_INIT("*@example.com"),
		  .subject = BYTES_INIT("report"),
		  .since_ms = BEGIN + DAY},
		 "t3"},
	};
	struct folder folder;
	char ids[200];
	(void)state;
	folder_make(&folder);
	add_rows(&folder);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		find(&folder, cases[i].query, ids);
		if (strcmp(ids, cases[i].ids) != 0)
			fail_msg("case %zu: got \"%s\", want \"%s\"", i, ids, cases[i].ids);
	}
	folder_remove(&folder);
}

static struct store_trace full(void)
{
	return (struct store_trace){
		.time_ms = BEGIN,
		.id = T("full"),
		.frontend = T("milter"),
		.client_ip = T("192.0.2.9"),
		.client_name = T("mail.example.com"),
		.helo = T("helo.example.com"),
		.user = T("user"),
		.mail_from = T("a@example.com"),
		.recipients = two,
		.n_recipients = 2,
		.from_address = T("b@example.com"),
		.from_name = T("B \xff"),
		.subject = T("nul \0 and more"),
		.message_id = T("id@example.com"),
		.queue_id = T("4Q"),
		.size = UINT64_C(5) << 32,
		.class = T("spam"),
		.action = T("tag"),
		.status = T("tagged"),
		.reason_en = T("Because."),
		.reason_ja = T("理由"),
		.evidence = T("[{\"id\":\"X\"}]"),
		.log_odds = -12345,
		.usec = 77,
		.released = T("other"),
	};
}

static bool is_full(void *ctx, const struct store_trace *got)
{
	struct store_trace want = full();
	const struct {
		struct bytes got, want;
	} texts[] = {{got->id, want.id},
		     {got->frontend, want.frontend},
		     {got->client_ip, want.client_ip},
		     {got->client_name, want.client_name},
		     {got->helo, want.helo},
		     {got->user, want.user},
		     {got->mail_from, want.mail_from},
		     {got->from_address, want.from_address},
		     {got->from_name, want.from_name},
		     {got->subject, want.subject},
		     {got->message_id, want.message_id},
		     {got->queue_id, want.queue_id},
		     {got->class, want.class},
		     {got->action, want.action},
		     {got->status, want.status},
		     {got->reason_en, want.reason_en},
		     {got->reason_ja, want.reason_ja},
		     {got->evidence, want.evidence},
		     {got->released, want.released}};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_bytes(texts[i].got, texts[i].want);
	assert_int_equal(got->time_ms, want.time_ms);
	assert_int_equal(got->size, want.size);
	assert_int_equal(got->log_odds, want.log_odds);
	assert_int_equal(got->usec, want.usec);
	assert_int_equal(got->n_recipients, want.n_recipients);
	for (size_t i = 0; i < want.n_recipients; i++) {
		assert_bytes(got->recipients[i].address, want.recipients[i].address);
		assert_bytes(got->recipients[i].fate, want.recipients[i].fate);
	}
	(*(int *)ctx)++;
	return true;
}

static void a_record_comes_back_as_it_was_and_only_once(void **state)
{
	struct store_query query = {.limit = 10};
	struct store_trace trace = full();
	struct folder folder;
	int count = 0;
	(void)state;
	folder_make(&folder);
	for (int i = 0; i < 2; i++) {
		folder_begin(&folder);
		assert_ok(store_trace_add(folder.store, &trace, NULL));
		assert_ok(store_trace_add(folder.store, &trace, NULL));
		folder_commit(&folder);
		folder_reopen(&folder);
	}
	assert_ok(store_trace_find(folder.store, &query, is_full, &count, NULL));
	assert_int_equal(count, 1);
	folder_remove(&folder);
}

static bool count_row(void *ctx, const struct store_trace *trace)
{
	(void)trace;
	(*(int *)ctx)++;
	return true;
}

static int count(struct folder *folder, struct store_query query)
{
	int n = 0;
	query.limit = 1000000;
	assert_ok(store_trace_find(folder->store, &query, count_row, &n, NULL));
	return n;
}

static void more_records_in_one_millisecond_than_it_has_keys_are_all_kept(void **state)
{
	struct folder folder;
	char id[32];
	(void)state;
	folder_make(&folder);
	folder_begin(&folder);
	for (int i = 0; i < 9000; i++) {
		struct store_trace trace = {.time_ms = BEGIN, .id = T(id)};
		(void)snprintf(id, sizeof(id), "i%d", i);
		trace.id = T(id);
		assert_ok(store_trace_add(folder.store, &trace, NULL));
	}
	folder_commit(&folder);
	assert_int_equal(count(&folder, (struct store_query){0}), 9000);
	folder_remove(&folder);
}

static void times_out_of_range_do_no_harm(void **state)
{
	static const int64_t times[] = {INT64_MIN, -1, 0, INT64_MAX};
	struct folder folder;
	char id[32];
	(void)state;
	folder_make(&folder);
	folder_begin(&folder);
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		(void)snprintf(id, sizeof(id), "i%zu", i);
		struct store_trace trace = {.time_ms = times[i], .id = T(id)};
		assert_ok(store_trace_add(folder.store, &trace, NULL));
	}
	folder_commit(&folder);
	assert_int_equal(count(&folder, (struct store_query){0}), 4);
	folder_remove(&folder);
}

static void what_is_rolled_back_is_not_there(void **state)
{
	struct store_trace trace = full();
	struct folder folder;
	(void)state;
	folder_make(&folder);
	folder_begin(&folder);
	assert_ok(store_trace_add(folder.store, &trace, NULL));
	store_rollback(folder.store);
	assert_int_equal(count(&folder, (struct store_query){0}), 0);
	assert_int_equal(count(&folder, (struct store_query){.status = T("tagged")}), 0);
	folder_remove(&folder);
}

static void old_records_are_forgotten_with_their_words(void **state)
{
	struct folder folder;
	bool more = true;
	char ids[200];
	(void)state;
	folder_make(&folder);
	add_rows(&folder);
	while (more)
		assert_ok(store_forget(folder.store, BEGIN + 2 * DAY, 0, UINT64_MAX, &more, NULL));
	find(&folder, (struct store_query){0}, ids);
	assert_string_equal(ids, "t4 t3 t2");
	find(&folder, (struct store_query){.subject = T("請求")}, ids);
	assert_string_equal(ids, "t2");
	find(&folder, (struct store_query){.address = T("example.com")}, ids);
	assert_string_equal(ids, "t4 t3");
	assert_ok(store_check(folder.store, NULL));
	folder_remove(&folder);
}

/* A list of recipients that does not fit into a row must be indexed as it is stored, or it could not be forgotten. */
static void too_many_recipients_are_cut_and_can_be_forgotten(void **state)
{
	enum { N = 5000 };
	struct store_recipient *many = calloc(N, sizeof(*many));
	char(*names)[64] = calloc(N, sizeof(*names));
	struct store_trace trace = full();
	struct folder folder;
	bool more = true;
	(void)state;
	assert_non_null(many);
	assert_non_null(names);
	for (int i = 0; i < N; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "user%d.with.a.long.name@department.example.com", i);
		many[i] = (struct store_recipient){T(names[i]), T("delivered")};
	}
	trace.recipients = many;
	trace.n_recipients = N;
	folder_make(&folder);
	folder_begin(&folder);
	assert_ok(store_trace_add(folder.store, &trace, NULL));
	folder_commit(&folder);
	assert_int_equal(count(&folder, (struct store_query){.recipient = T("user0")}), 1);
	assert_int_equal(count(&folder, (struct store_query){.recipient = T("user4999")}), 0);
	while (more)
		assert_ok(store_forget(folder.store, BEGIN + DAY, 0, UINT64_MAX, &more, NULL));
	assert_int_equal(count(&folder, (struct store_query){.recipient = T("user0")}), 0);
	assert_ok(store_check(folder.store, NULL));
	folder_remove(&folder);
	free(many);
	free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_filter_finds_its_rows_the_newest_first),
		cmocka_unit_test(a_record_comes_back_as_it_was_and_only_once),
		cmocka_unit_test(more_records_in_one_millisecond_than_it_has_keys_are_all_kept),
		cmocka_unit_test(times_out_of_range_do_no_harm),
		cmocka_unit_test(what_is_rolled_back_is_not_there),
		cmocka_unit_test(old_records_are_forgotten_with_their_words),
		cmocka_unit_test(too_many_recipients_are_cut_and_can_be_forgotten),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
