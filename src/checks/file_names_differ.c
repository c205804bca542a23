/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct mime_tree *tree = &scan_message(scan)->tree;
	for (size_t i = 0; i < tree->n_parts; i++) {
		const struct mime_part *part = tree->parts[i];
		for (size_t n = 1; n < part->n_names; n++) {
			struct bytes first = part->names[0].text, other = part->names[n].text;
			if (!bytes_eq_nocase(file_extension(first), file_extension(other))) {
				scan_evidence(scan, where_text(part, other), first, other);
				break;
			}
		}
	}
	return CHECK_DONE;
}

CHECK_REGISTER(file_names_differ){
	.symbol = "FILE_NAMES_DIFFER",
	.family = "file",
	.stage = STAGE_FILE,
	.kind = KIND_UNWANTED,
	.most = 3,
	.run = run,
	.summary = "mail clients save the file under different names",
	.text_en = "Depending on the mail client the file is called {1} or {2}.",
	.text_ja = "メールソフトによってファイル名が {1} または {2} になります。",
	.manual = "The part names the file in several ways (Content-Disposition, Content-Type, with and without"
		  " encoding), and the names have different extensions. A filter that believes in one of them "
		  "lets the other pass. Names that differ only in their coding, as from programs that write "
		  "both old and new forms, are left out.",
};
