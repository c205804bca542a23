/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/report_read.h"

#include "base/arena.h"
#include "mail/charset.h"
#include "mail/message.h"

#include "fuzz.h"

#define UNPACKED_MAX ((size_t)1 << 20)

/* In steps of so much work. */
static enum err read_in_steps(struct arena *arena, struct bytes content, size_t work)
{
	CLEANUP(report_reader_close) struct report_reader *reader = NULL;
	struct report report;
	struct error error;
	bool end = false;
	TRY(report_reader_open(arena, content, UNPACKED_MAX, &reader, &error));
	while (!end)
		TRY(report_reader_step(reader, work, &end, &report, &error));
	return ERR_OK;
}

/* What is read in steps is what is read at once; which of two mistakes is met first may differ. */
static void compare_steps(struct arena *arena, struct bytes in)
{
	struct report report;
	struct error error;
	bool good = report_read(arena, in, UNPACKED_MAX, &report, &error) == ERR_OK;
	for (size_t work = 100; work <= 10000; work *= 10)
		ASSERT((read_in_steps(arena, in, work) == ERR_OK) == good);
}

/* A file of any kind, and the same bytes as a message: what is found in it is a part of it, and sure finds are guessed.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_make(data, size), sure, guessed, name;
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)64 << 20);
	struct report report;
	struct message *message;
	struct error error = {0};
	ASSERT(charset_init() == ERR_OK);
	enum err err = report_read_file(arena, in, UNPACKED_MAX, &report, &error);
	ASSERT(err == ERR_OK ? report.kind != REPORT_NONE : error.text[0] != '\0');
	compare_steps(arena, in);
	if (message_parse(arena, in, &mime_limits_default, &message) != ERR_OK)
		return 0;
	enum report_kind kind = report_find_in_message(message, false, &sure, &name);
	ASSERT((kind != REPORT_NONE) == (sure.len > 0));
	if (kind != REPORT_NONE) {
		ASSERT(report_find_in_message(message, true, &guessed, &name) == kind);
		ASSERT(bytes_eq(sure, guessed));
	}
	return 0;
}
