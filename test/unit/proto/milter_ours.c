/* SPDX-License-Identifier: Apache-2.0 */
/* The filter of milter_oracle.c on our codec; the protocol is on standard input and output. */
#include <unistd.h>

#include "proto/milter.h"

#include "base/banned.h"

#define PATH  BYTES_LIT("<n@example.org>")
#define VALUE BYTES_LIT("b c")

static void change(struct buf *out)
{
	milter_progress(out);
	milter_add_header(out, BYTES_LIT("X-A"), VALUE);
	milter_insert_header(out, 1, BYTES_LIT("X-A"), BYTES_LIT("one\n two"));
	milter_change_header(out, 1, BYTES_LIT("Subject"), VALUE);
	milter_change_header(out, 2, BYTES_LIT("Subject"), (struct bytes){0});
	milter_change_from(out, PATH, (struct bytes){0});
	milter_change_from(out, PATH, BYTES_LIT("NOTIFY=NEVER"));
	milter_add_recipient(out, PATH);
	milter_add_recipient_with(out, PATH, BYTES_LIT("NOTIFY=NEVER"));
	milter_delete_recipient(out, PATH);
	milter_replace_body(out, BYTES_LIT("new body\r\n"));
	milter_quarantine(out, BYTES_LIT("held"));
}

static bool has(struct bytes from, const char *word)
{
	return bytes_find(from, bytes_from_cstr(word)) != BYTES_NONE;
}

static void end(struct buf *out, struct bytes from)
{
	if (has(from, "change"))
		change(out);
	if (has(from, "accept"))
		milter_accept(out);
	else if (has(from, "discard"))
		milter_discard(out);
	else if (has(from, "tempfail"))
		milter_tempfail(out);
	else if (has(from, "refuse"))
		milter_reject(out);
	else if (has(from, "words"))
		milter_reply(out, "550", "5.7.1", BYTES_LIT("50% off"));
	else if (has(from, "lines"))
		milter_reply(out, "451", "4.7.1", BYTES_LIT("first\nsecond %s"));
	else
		milter_continue(out);
}

int main(void)
{
	/* What libmilter asks for with these call-backs. */
	uint32_t steps = 0x1 | 0x2 | 0x8 | 0x10 | 0x20 | 0x40 | 0x100 | 0x200, actions;
	struct milter milter;
	struct milter_event event;
	struct buf out = BUF_INIT((size_t)1 << 20), from = BUF_INIT(1000);
	static uint8_t block[65536];
	ssize_t n;
	milter_init(&milter);
	while ((n = read(0, block, sizeof(block))) > 0) {
		enum err err;
		milter_feed(&milter, bytes_make(block, (size_t)n));
		while ((err = milter_next(&milter, &event)) == ERR_OK) {
			if (event.command == MILTER_OPTIONS) {
				milter_negotiate(&milter, &out, &event, 0x1ff, steps, &actions);
			} else if (event.command == MILTER_EOM) {
				end(&out, buf_bytes(&from));
			} else if (event.command == MILTER_QUIT) {
				n = 0;
				break;
			} else {
				if (event.command == MILTER_MAIL) {
					buf_clear(&from);
					buf_add(&from, event.one);
				}
				if (milter_wants_reply(&milter, event.command))
					milter_continue(&out);
			}
		}
		if (out.len > 0 && write(1, out.ptr, out.len) != (ssize_t)out.len)
			break;
		buf_clear(&out);
		if (err != ERR_AGAIN)
			break;
	}
	milter_done(&milter);
	buf_done(&out);
	buf_done(&from);
	return 0;
}
