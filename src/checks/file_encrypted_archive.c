/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"
#include "mail/sniff.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct mime_tree *tree = &scan_message(scan)->tree;
	for (size_t i = 0; i < tree->n_parts; i++) {
		const struct mime_part *part = tree->parts[i];
		if (!is_file(part) || part->content.len == 0 ||
		    sniff_content(part->content).encrypted != SNIFF_ENCRYPTED)
			continue;
		struct bytes name = part->n_names > 0 ? part->names[0].text : part->path;
		scan_evidence(scan, where_text(part, name), name, (struct bytes){0});
	}
	return CHECK_DONE;
}

CHECK_REGISTER(file_encrypted_archive){
	.symbol = "FILE_ENCRYPTED_ARCHIVE",
	.family = "file",
	.stage = STAGE_FILE,
	.kind = KIND_UNWANTED,
	.most = 3,
	.run = run,
	.summary = "an archive or document that needs a password",
	.text_en = "The file {1} is encrypted, so nobody can look inside.",
	.text_ja = "ファイル {1} はパスワードで暗号化されており、中身を検査できません。",
	.manual = "Archives and documents whose form tells that they are encrypted. Malware is sent so, with "
		  "the password in the text. In Japan encrypted ZIP files with the password in a second message"
		  " (PPAP) are still an office custom, and accountants and banks send protected PDF files, so "
		  "this alone says little.",
};
