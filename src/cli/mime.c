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

struct shower {
	struct arena *arena;
	bool json, text;
	struct buf out;
};

static enum err show(struct shower *shower, struct bytes raw, struct bytes path)
{
	struct message *message;
	arena_reset(shower->arena);
	buf_clear(&shower->out);
	TRY(message_parse(shower->arena, raw, &mime_limits_default, &message));
	if (shower->json) {
		struct json json;
		jsonw_init(&json, &shower->out);
		jsonw_object(&json, NULL);
		describe_message(&json, path, message, shower->text);
		jsonw_end(&json);
		buf_add_byte(&shower->out, '\n');
	} else {
		print_text(&shower->out, path, message);
	}
	TRY(buf_err(&shower->out));
	(void)fwrite(shower->out.ptr, 1, shower->out.len, stdout);
	return ERR_OK;
}

/* False when any message of the source could not be shown, which is said; the others are shown all the same. */
static bool show_all(const struct opt_set *set, struct shower *shower, const struct source *source)
{
	struct source_file file;
	struct source_walk walk;
	struct bytes message, path;
	bool shown = true;
	errno = 0;
	enum err err = source_open(source, &file);
	if (err != ERR_OK) {
		(void)opt_wrong(set, "%.*s: %s", BYTES_FMT(source->path), errno ? strerror(errno) : err_name(err));
		return false;
	}
	source_walk_init(&walk, source, file.content);
	while (source_walk_next(&walk, &message, &path)) {
		err = show(shower, message, path);
		if (err != ERR_OK)
			(void)opt_wrong(set, "%.*s: %s", BYTES_FMT(path), err_name(err));
		shown = shown && err == ERR_OK;
	}
	source_close(&file);
	return shown;
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
	struct shower shower = {.arena = arena, .json = json, .text = text, .out = BUF_INIT(MEMORY_MAX)};
	struct source_list list;
	if (!arena || !names || charset_init() != ERR_OK || sources_expand(names, argv, (size_t)n, &list) != ERR_OK)
		return opt_wrong(&set, "not enough memory");
	bool failed = list.failed;
	for (size_t i = 0; i < list.count; i++)
		failed = !show_all(&set, &shower, &list.items[i]) || failed;
	buf_done(&shower.out);
	return failed ? 2 : 0;
}
