/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ascii.h"
#include "scan/check.h"

#include "base/banned.h"

/* In two halves, so that neither this file nor the program is taken for what it looks for. */
#define FIRST_HALF  "X5O!P%@AP[4\\PZX54(P^)7CC)7}$"
#define SECOND_HALF "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
#define LENGTH_MAX  128 /* of the whole file, by its definition */

/* The 68 characters at the beginning, and after them nothing but white space and Ctrl-Z. */
static bool is_eicar(struct bytes file)
{
	file = bytes_sub(file, 0, LENGTH_MAX + 1);
	if (file.len > LENGTH_MAX || !bytes_starts(file, BYTES_LIT(FIRST_HALF)) ||
	    !bytes_starts(bytes_from(file, sizeof(FIRST_HALF) - 1), BYTES_LIT(SECOND_HALF)))
		return false;
	for (size_t i = sizeof(FIRST_HALF) + sizeof(SECOND_HALF) - 2; i < file.len; i++)
		if (!ascii_is_space(file.ptr[i]) && file.ptr[i] != 0x1a)
			return false;
	return true;
}

static enum check_step run(struct scan *scan)
{
	const struct mime_tree *tree = &scan_message(scan)->tree;
	for (size_t i = 0; i < tree->n_parts; i++) {
		const struct mime_part *part = tree->parts[i];
		if (part->leaf && is_eicar(part->content)) {
			struct bytes name = part->n_names > 0 ? part->names[0].text : BYTES_LIT("text");
			scan_evidence(scan, where_part(part), name, (struct bytes){0});
		}
	}
	return CHECK_DONE;
}

CHECK_REGISTER(eicar_test_file){
	.symbol = "EICAR_TEST_FILE",
	.family = "test",
	.summary = "the test file for virus scanners",
	.text_en = "The part \"{1}\" is the EICAR file, which virus scanners are tested with.",
	.text_ja = "「{1}」はウイルス対策ソフトの試験用ファイル(EICAR)です。",
	.manual = "The EICAR file is a harmless program of 68 characters that every virus scanner reports, so that an "
		  "installation can be tested. By its definition it counts only where it is the whole file: at the "
		  "beginning, "
		  "followed by nothing but white space, at most 128 bytes. A text that quotes it is not the file.",
	.kind = KIND_MALWARE,
	.stage = STAGE_FILE,
	.fixed_weight = 20000,
	.most = 5,
	.run = run,
};
