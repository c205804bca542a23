/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/check.h"

#include "base/banned.h"

/* Put together from two halves, so that neither this file nor the program is taken for what it looks for. */
static const char first_half[] = "XJS*C4JDBQADN1.NSBN3*2IDNEN*";
static const char second_half[] = "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X";

static enum check_step run(struct scan *scan)
{
	const struct mime_tree *tree = &scan_message(scan)->tree;
	for (size_t i = 0; i < tree->n_parts; i++) {
		const struct mime_part *part = tree->parts[i];
		struct bytes text = part->leaf ? part->content : (struct bytes){0};
		size_t at;
		while ((at = bytes_find(text, BYTES_LIT(first_half))) != BYTES_NONE) {
			text = bytes_from(text, at + sizeof(first_half) - 1);
			if (bytes_starts(text, BYTES_LIT(second_half))) {
				scan_evidence(scan, where_text(part, BYTES_LIT(second_half)), (struct bytes){0}, (struct bytes){0});
				return CHECK_DONE;
			}
		}
	}
	return CHECK_DONE;
}
