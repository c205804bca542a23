/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"
#include "mail/sniff.h"

#include "base/banned.h"

/* The type, when the content is one that runs; else empty. Scripts in text cannot be told from text about scripts. */
static struct bytes active_content(struct bytes content)
{
	static const char *const types[] = {"application/vnd.microsoft.portable-executable",
					    "application/x-dosexec",
					    "application/x-executable",
					    "application/x-mach-binary",
					    "application/x-ms-shortcut",
					    "application/java-archive",
					    "application/hta",
					    "application/vnd.ms-htmlhelp"};
	struct bytes type = bytes_from_cstr(sniff_content(content).type);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (bytes_eq(type, bytes_from_cstr(types[i])))
			return type;
	return (struct bytes){0};
}

static enum check_step run(struct scan *scan)
{
	const struct mime_tree *tree = &scan_message(scan)->tree;
	for (size_t i = 0; i < tree->n_parts; i++) {
		const struct mime_part *part = tree->parts[i];
		struct bytes name = part->n_names > 0 ? part->names[0].text : (struct bytes){0}, extension = {0};
		for (size_t n = 0; n < part->n_names && extension.len == 0; n++)
			if (is_active_extension(file_extension(part->names[n].text)))
				extension = file_extension(part->names[n].text);
		if (extension.len == 0 && is_file(part) && part->content.len > 0)
			extension = active_content(part->content);
		if (extension.len > 0)
			scan_evidence(scan, where_text(part, name), name.len > 0 ? name : part->path, extension);
	}
	return CHECK_DONE;
}

CHECK_REGISTER(file_dangerous_type){
	.symbol = "FILE_DANGEROUS_TYPE",
	.family = "file",
	.stage = STAGE_FILE,
	.kind = KIND_UNWANTED,
	.most = 5,
	.run = run,
	.summary = "a file that runs when it is opened",
	.text_en = "The file {1} runs when it is opened ({2}).",
	.text_ja = "ファイル {1} は開くと実行される種類です（{2}）。",
	.manual = "Looks at the extension of each name that some client would use, and at the content: "
		  "programs, scripts, shortcuts, installers, disk images and the like. It says what the file "
		  "can do, not that it is malware. Developers and administrators mail such files in earnest; "
		  "most organisations keep them out by policy all the same.",
};
