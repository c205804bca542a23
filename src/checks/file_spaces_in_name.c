/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"
#include "checks/common.h"

#include "base/banned.h"

static bool has_gap(struct bytes name)
{
	unsigned run = 0;
	bool gap = false;
	while (name.len > 0) {
		uint32_t code = utf8_next(&name, NULL);
		bool blank = code == ' ' || code == '\t' || code == 0xa0 || code == 0x3000 ||
			     (code >= 0x2000 && code <= 0x200b);
		if (gap && code == '.' && file_extension(name).ptr == NULL && name.len > 0)
			return true;
		run = blank ? run + 1 : 0;
		gap |= run >= 8;
	}
	return false;
}

static enum check_step run(struct scan *scan)
{
	return name_evidence(scan, has_gap);
}

CHECK_REGISTER(file_spaces_in_name){
	.symbol = "FILE_SPACES_IN_NAME",
	.family = "file",
	.stage = STAGE_FILE,
	.kind = KIND_POLICY,
	.most = 3,
	.run = run,
	.summary = "blanks push the extension out of sight",
	.text_en = "The name of a file hides its extension behind blanks: {1}",
	.text_ja = "ファイル名に長い空白を入れて拡張子を隠しています: {1}",
	.manual = "Looks for eight or more blanks in a row inside a file name, behind which an extension "
		  "follows. Dialogs cut the name, so that only its harmless front is seen. The wide blank of "
		  "Japanese counts as well. Names with a few blanks too many are left out; padded names from "
		  "old systems end without an extension behind the blanks.",
};
