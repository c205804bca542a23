/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/message.h"

#include "base/arena.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "mail/describe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)64 * 1024 * 1024);
	CLEANUP(buf_done) struct buf out = BUF_INIT(SIZE_MAX / 2);
	struct message *message;
	struct json json;
	ASSERT(message_parse(arena, bytes_make(data, size), &mime_limits_default, &message) == ERR_OK);
	jsonw_init(&json, &out);
	jsonw_object(&json, NULL);
	describe_message(&json, BYTES_LIT("-"), message, true);
	jsonw_end(&json);
	ASSERT(buf_err(&out) == ERR_OK && utf8_valid(buf_bytes(&out)));
	return 0;
}
