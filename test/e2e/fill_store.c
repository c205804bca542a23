/* SPDX-License-Identifier: Apache-2.0 */
/* fill_store FOLDER: a store with a few records and held messages, for tests of the command line. */
#include <stdio.h>

#include "store/store.h"

#include "base/banned.h"

#define T0 INT64_C(1790000000000) /* 2026-09-21T14:13:20Z */

static const struct store_recipient to[] = {
	{BYTES_INIT("bob@example.org"), BYTES_INIT("quarantined")},
	{BYTES_INIT("carol@example.org"), BYTES_INIT("quarantined")},
};

static const struct store_trace traces[] = {
	{.id = BYTES_INIT("id1"),
	 .time_ms = T0,
	 .frontend = BYTES_INIT("milter"),
	 .client_ip = BYTES_INIT("192.0.2.1"),
	 .client_name = BYTES_INIT("mx.example.com"),
	 .helo = BYTES_INIT("mx.example.com"),
	 .mail_from = BYTES_INIT("alice@example.com"),
	 .from_address = BYTES_INIT("alice@example.com"),
	 .from_name = BYTES_INIT("Alice"),
	 .subject = BYTES_INIT("Report"),
	 .message_id = BYTES_INIT("one@example.com"),
	 .size = 1234,
	 .class = BYTES_INIT("clean"),
	 .action = BYTES_INIT("deliver"),
	 .status = BYTES_INIT("delivered"),
	 .reason_en = BYTES_INIT("Nothing speaks against it."),
	 .reason_ja = BYTES_INIT("問題は見つかりませんでした。"),
	 .evidence = BYTES_INIT("[]"),
	 .log_odds = -4000,
	 .recipients = to,
	 .n_recipients = 1},
	{.id = BYTES_INIT("id2"),
	 .time_ms = T0 + 60000,
	 .frontend = BYTES_INIT("milter"),
	 .client_ip = BYTES_INIT("198.51.100.7"),
	 .mail_from = BYTES_INIT("x@evil.example.net"),
	 .from_address = BYTES_INIT("bank@example.com"),
	 .from_name = BYTES_INIT("Bank \x1b[31m\xe2\x80\xae"),
	 .subject = BYTES_INIT("請求書 \x1b]0;title\x07 \xe2\x80\xaegpj.exe"),
	 .size = 99,
	 .class = BYTES_INIT("phish"),
	 .action = BYTES_INIT("quarantine"),
	 .status = BYTES_INIT("quarantined"),
	 .reason_en = BYTES_INIT("It pretends to come from a bank."),
	 .reason_ja = BYTES_INIT("銀行を装っています。"),
	 .evidence = BYTES_INIT("[{\"id\":\"FROM_NAME\",\"weight\":2.5,\"text\":\"The name lies.\",\"text_ja\":"
				"\"名前が偽りです。\",\"part\":null,\"at\":null,\"len\":null,\"snippet\":null}]"),
	 .log_odds = 3000,
	 .recipients = to,
	 .n_recipients = 2},
};

static const char message[] = "From: Bank <bank@example.com>\nTo: bob@example.org\nSubject: =?utf-8?B?6KuL5rGC5pu4?=\n"
			      "X-Evil: \x1b[2J\n\nPay now\x1b[31m.\n.\n..dots\nEnd without a line end";

int main(int argc, char **argv)
{
	struct error error = {0};
	struct store *store = NULL;
	enum err err = argc == 2 ? store_open(argv[1], false, &store, &error) : ERR_SYNTAX;
	if (err == ERR_OK)
		err = store_begin(store, true, &error);
	for (size_t i = 0; err == ERR_OK && i < ARRAY_LEN(traces); i++)
		err = store_trace_add(store, &traces[i], &error);
	static const char *const ids[] = {"id2", "id3"};
	for (size_t i = 0; err == ERR_OK && i < ARRAY_LEN(ids); i++) {
		struct store_item item = {.id = bytes_from_cstr(ids[i]),
					  .time_ms = T0 + 60000 * (int64_t)(i + 1),
					  .mail_from = traces[1].mail_from,
					  .from_address = traces[1].from_address,
					  .subject = traces[1].subject,
					  .class = traces[1].class,
					  .ids = BYTES_LIT("FROM_NAME"),
					  .reason_en = traces[1].reason_en,
					  .reason_ja = traces[1].reason_ja,
					  .recipients = to,
					  .n_recipients = 2};
		err = store_quarantine_put(store, &item, bytes_make(message, sizeof(message) - 1), &error);
	}
	if (err == ERR_OK)
		err = store_commit(store, &error);
	store_close(&store);
	if (err != ERR_OK)
		(void)fprintf(stderr, "fill_store: %s\n", error.text);
	return err == ERR_OK ? 0 : 1;
}
