/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/escape.h"
#include "cli/command.h"
#include "cli/opt.h"
#include "cli/sources.h"
#include "mail/charset.h"
#include "mail/describe.h"

#include "base/banned.h"

#define MEMORY_MAX ((size_t)4 << 30)

static void print_text(struct buf *out, struct bytes path, const struct message *message)
{
	escape_plain(out, path);
	buf_printf(out, ": %zu bytes\n", message->raw.len);
	for (size_t i = 0; i < message->tree.n_parts; i++) {
		const struct mime_part *part = message->tree.parts[i];
		buf_printf(out, "  %*s%.*s ", (int)(2 * part->depth), "", BYTES_FMT(part->path));
		escape_plain(out, part->type);
		if (part->n_names > 0) {
			buf_add_cstr(out, " \"");
			escape_plain(out, part->names[0].text);
			buf_add_byte(out, '"');
		}
		if (part->leaf)
			buf_printf(out, ", %zu bytes", part->content.len);
		buf_printf(out, "%s\n", part->reading > 1 ? ", in another reading" : "");
	}
	for (size_t i = 0; i < message->defects.count; i++) {
		const struct defect *defect = &message->defects.items[i];
		buf_printf(out, "  ! %s: %s\n", defect_name(defect->id), defect_text(defect->id));
	}
}

static enum err show(struct arena *arena, const struct source *source, bool json_wanted, bool text, struct buf *out)
{
	struct source_file file;
	struct message *message;
	TRY(source_open(source, &file));
	arena_reset(arena);
	enum err err = message_parse(arena, file.content, &mime_limits_default, &message);
	if (err == ERR_OK && json_wanted) {
		struct json json;
		jsonw_init(&json, out);
		jsonw_object(&json, NULL);
		describe_message(&json, source->path, message, text);
		jsonw_end(&json);
		buf_add_byte(out, '\n');
	} else if (err == ERR_OK) {
		print_text(out, source->path, message);
	}
	source_close(&file);
	if (err == ERR_OK)
		err = buf_err(out);
	return err;
}

int cmd_mime(int argc, char **argv)
{
	bool json = false, text = false;
	const struct opt options[] = {
		{.name = "json", .help = "one JSON object a message", .given = &json},
		{.name = "text", .help = "with the text of the text parts", .given = &text},
	};
	const struct opt_set set = {"mime",
				    "[--json] [--text] FILE...",
				    "Shows the parts of a message as the engine sees them, and what is wrong with it. "
				    "\"-\" is standard input.",
				    "postern mime --json message.eml",
				    options,
				    ARRAY_LEN(options)};
	int n;
	int rc = opt_parse(&set, argc, argv, &n);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (n == 0)
		return opt_wrong(&set, "which file? (\"-\" is standard input)");
	CLEANUP(arena_free) struct arena *arena = arena_create(MEMORY_MAX);
	CLEANUP(arena_free) struct arena *names = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf out = BUF_INIT(MEMORY_MAX);
	struct source_list list;
	if (!arena || !names || charset_init() != ERR_OK || sources_expand(names, argv, (size_t)n, &list) != ERR_OK)
		return opt_wrong(&set, "not enough memory");
	bool failed = list.failed;
	for (size_t i = 0; i < list.count; i++) {
		buf_clear(&out);
		errno = 0;
		enum err err = show(arena, &list.items[i], json, text, &out);
		if (err != ERR_OK) {
			(void)opt_wrong(&set, "%.*s: %s", BYTES_FMT(list.items[i].path),
					errno ? strerror(errno) : err_name(err));
			failed = true;
			continue;
		}
		(void)fwrite(out.ptr, 1, out.len, stdout);
	}
	return failed ? 2 : 0;
}
