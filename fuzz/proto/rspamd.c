/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/rspamd.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/utf8.h"
#include "proto/run.h"

/* Answers made of anything are well-formed lines. */
static void check_answers(const struct rspamd_request *request, struct bytes text)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT((size_t)8 << 20);
	const struct rspamd_symbol symbols[] = {
		{.name = text, .description = request->helo, .score = 1234},
		{.name = BYTES_LIT("B"), .score = -50, .options = &text, .n_options = 1},
		{.name = request->user, .score = 5},
		{.name = BYTES_LIT("B"), .score = 7, .options = &text, .n_options = 1}};
	const struct rspamd_field fields[] = {{text, text}};
	const char *const removed[] = {"X-B"};
	const struct rspamd_result result = {.action = "add header",
					     .score = (int)text.len,
					     .required_score = 15000,
					     .symbols = symbols,
					     .n_symbols = ARRAY_LEN(symbols),
					     .message_id = text,
					     .queue_id = request->queue_id,
					     .smtp_message = text,
					     .urls = request->recipients,
					     .n_urls = request->n_recipients,
					     .add_headers = fields,
					     .n_add_headers = 1,
					     .remove_headers = removed,
					     .n_remove_headers = 1,
					     .signatures = request->recipients,
					     .n_signatures = request->n_recipients,
					     .usec = text.len};
	rspamd_add_check(&out, &result);
	rspamd_add_symbols(&out, &result);
	ASSERT(utf8_valid(buf_bytes(&out)) && buf_err(&out) == ERR_OK);
	for (size_t i = 0; i < out.len; i++)
		ASSERT(!ascii_is_cntrl(out.ptr[i]));
	rspamd_add_rspamc(&out, &result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct http_limits limits = HTTP_LIMITS_DEFAULT;
	struct http http;
	struct http_event event;
	struct arena *arena = arena_create((size_t)1 << 20);
	ASSERT(arena != NULL);
	http_init(&http, &limits);
	http_feed(&http, bytes_make(data, size));
	while (http_next(&http, &event) == ERR_OK) {
		struct rspamd_request request;
		if (event.kind != HTTP_HEAD)
			continue;
		ASSERT(rspamd_command_of(event.request.path) <= RSPAMD_OTHER);
		if (rspamd_request_parse(arena, &event.request, &request) != ERR_OK)
			continue;
		ASSERT(request.n_recipients <= event.request.n_headers);
		ASSERT(request.coding <= RSPAMD_UNKNOWN);
		check_answers(&request, event.request.query);
	}
	http_done(&http);
	arena_free(&arena);
	/* The scale does not turn round. */
	if (size >= 8) {
		int a = (int16_t)(data[0] << 8 | data[1]), b = (int16_t)(data[2] << 8 | data[3]);
		int tag = (int16_t)(data[4] << 8 | data[5]), act = (int16_t)(data[6] << 8 | data[7]);
		ASSERT(rspamd_score(MIN(a, b), tag, act) <= rspamd_score(MAX(a, b), tag, act));
		ASSERT(spamd_score(MIN(a, b), tag) <= spamd_score(MAX(a, b), tag));
	}
	return 0;
}
