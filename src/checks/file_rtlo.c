/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"
#include "checks/common.h"

#include "base/banned.h"

static bool turns(struct bytes name)
{
	while (name.len > 0) {
		uint32_t code = utf8_next(&name, NULL);
		if ((code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069))
			return true;
	}
	return false;
}

static enum check_step run(struct scan *scan)
{
	return name_evidence(scan, turns);
}

CHECK_REGISTER(file_rtlo){
	.symbol = "FILE_RTLO",
	.family = "file",
	.stage = STAGE_FILE,
	.kind = KIND_POLICY,
	.most = 3,
	.run = run,
	.summary = "a file name that turns the direction of writing",
	.text_en = "A file name turns the direction of writing, so that it reads wrong: {1}",
	.text_ja = "ファイル名に文字の並びを逆転させる制御文字が含まれています: {1}",
	.manual = "Looks for the characters that turn the direction of writing (U+202A to U+202E, U+2066 to "
		  "U+2069) in file names. \"invoice\" + U+202E + \"fdp.exe\" is shown as invoiceexe.pdf and is "
		  "a program. Arabic and Hebrew names need none of these characters, and none is known in "
		  "honest mail.",
};
