/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

#define HARMLESS                                                                                                       \
	"pdf doc docx xls xlsx ppt pptx rtf txt csv jpg jpeg png gif bmp tif tiff htm html xml zip mp3 mp4 wav avi "   \
	"mpg eml msg odt ods jtd"

/* Without the wide blank of Japanese and the hard one at its end, which are no part of what is seen. */
static struct bytes trim_wide(struct bytes name)
{
	for (;;) {
		if (bytes_ends(name, BYTES_LIT("\xe3\x80\x80")))
			name.len -= 3;
		else if (bytes_ends(name, BYTES_LIT("\xc2\xa0")))
			name.len -= 2;
		else
			return name;
	}
}

static bool poses(struct bytes name)
{
	struct bytes last = file_extension(name);
	if (!is_active_extension(last))
		return false;
	struct bytes front = trim_wide(bytes_trim(bytes_sub(name, 0, (size_t)(last.ptr - name.ptr) - 1)));
	return extension_in(file_extension(front), HARMLESS);
}

static enum check_step run(struct scan *scan)
{
	return name_evidence(scan, poses);
}

CHECK_REGISTER(file_double_extension){
	.symbol = "FILE_DOUBLE_EXTENSION",
	.family = "file",
	.stage = STAGE_FILE,
	.kind = KIND_POLICY,
	.most = 3,
	.run = run,
	.summary = "a program that looks like a document",
	.text_en = "The file {1} looks like a document, but opening it runs a program.",
	.text_ja = "ファイル {1} は文書に見せかけた実行ファイルです（二重拡張子）。",
	.manual = "The name ends in an extension that runs a program, and the one before it belongs to a "
		  "document or picture (invoice.pdf.exe). Windows hides the last one by default. Every name "
		  "that some mail client would use is looked at. No honest file is named so; archives such as "
		  ".tar.gz are not concerned.",
};
