/* SPDX-License-Identifier: Apache-2.0 */
/* The tokenizer on any text, and any text as every field of a query against a small store in memory of a real one. */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "store/private.h"

static int add(void *ctx, struct bytes token)
{
	struct buf *out = ctx;
	ASSERT(token.len > 0 && token.len <= 64 && utf8_valid(token));
	for (size_t i = 0; i < token.len; i++)
		ASSERT(token.ptr[i] > ' ' && token.ptr[i] != '"'); /* nothing that could end the quotes of a phrase */
	buf_add(out, token);
	buf_add_byte(out, ' ');
	return 0;
}

static void tokenize(struct bytes text)
{
	CLEANUP(buf_done) struct buf once = BUF_INIT(SIZE_MAX / 2), twice = BUF_INIT(SIZE_MAX / 2);
	ASSERT(store_tokenize(text, add, &once));
	ASSERT(store_tokenize(text, add, &twice));
	ASSERT(bytes_eq(buf_bytes(&once), buf_bytes(&twice)));
	buf_done(&twice);
}

static struct store *opened(void)
{
	static struct store *store;
	static char folder[] = "/tmp/postern-fuzz-XXXXXX";
	if (store)
		return store;
	struct store_recipient bob = {BYTES_LIT("bob@example.org"), BYTES_LIT("delivered")};
	struct store_trace trace = {.id = BYTES_LIT("one"),
				    .time_ms = 1000,
				    .mail_from = BYTES_LIT("alice@example.com"),
				    .subject = BYTES_LIT("\xe8\xab\x8b\xe6\xb1\x82\xe6\x9b\xb8 report"),
				    .client_ip = BYTES_LIT("192.0.2.1"),
				    .recipients = &bob,
				    .n_recipients = 1};
	ASSERT(mkdtemp(folder) && store_open(folder, false, &store, NULL) == ERR_OK);
	ASSERT(store_begin(store, false, NULL) == ERR_OK && store_trace_add(store, &trace, NULL) == ERR_OK &&
	       store_commit(store, NULL) == ERR_OK);
	/* The open files are all that is needed. */
	static const char *const names[] = {"postern.db", "postern.db-wal", "postern.db-shm"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[100];
		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)remove(path);
	}
	(void)remove(folder);
	return store;
}

static bool on_row(void *ctx, const struct store_trace *trace)
{
	(void)trace;
	(*(int *)ctx)++;
	return true;
}

/* A query is answered or refused; it is never the database that fails on it. */
static void ask(struct store_query query)
{
	struct error error = {0};
	int count = 0;
	query.limit = 10;
	enum err err = store_trace_find(opened(), &query, on_row, &count, &error);
	ASSERT(err == ERR_OK || err == ERR_UNSUPPORTED || err == ERR_LIMIT);
	ASSERT(count <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_make(data, size);
	tokenize(text);
	ask((struct store_query){.address = text});
	ask((struct store_query){.sender = text, .class = text, .id = text});
	ask((struct store_query){.subject = text, .before = text});
	ask((struct store_query){.subject = text, .recipient = text, .status = text, .message_id = text});
	ask((struct store_query){.ip = text});
	return 0;
}
