/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"
#include "scan/check.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct mime_tree *tree = &scan_message(scan)->tree;
	for (size_t i = 0; i < tree->n_parts; i++) {
		const struct mime_part *part = tree->parts[i];
		if (part->leaf && part->reading > 1 && bytes_trim(part->content).len > 0)
			scan_evidence(scan, where_range(part, part->body_at, MIN(part->body.len, (size_t)160)),
				      part->path, part->type);
	}
	return CHECK_DONE;
}

CHECK_REGISTER(part_in_other_reading){
	.symbol = "PART_IN_OTHER_READING",
	.family = "mime",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.most = 3,
	.run = run,
	.summary = "a part that only some mail clients show",
	.text_en = "Only some mail clients show the part {1} ({2}).",
	.text_ja = "一部のメールソフトだけが表示する部分があります: {1}（{2}）",
	.manual = "The structure is ambiguous, and in another reading than the likeliest there is a part with "
		  "content of its own. This is what MIME_AMBIGUOUS warns of, come true: a text or file hidden "
		  "from one filter and shown by one client. Broken programs seldom produce a whole part that "
		  "way; text between boundaries that looks like a part is the honest case.",
};
