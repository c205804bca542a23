/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static bool worth_telling(enum defect_id id)
{
	static const enum defect_id ids[] = {
		DEFECT_HEADER_NUL,       DEFECT_HEADER_NAME,      DEFECT_HEADER_BLANK_COLON,
		DEFECT_CONTENT_TYPE_BAD, DEFECT_ENCODING_UNKNOWN, DEFECT_PARAM_SYNTAX,
		DEFECT_BOUNDARY_LONG,    DEFECT_BODY_NUL,         DEFECT_BASE64_JUNK,
		DEFECT_BASE64_TRUNCATED, DEFECT_QP_JUNK,          DEFECT_UU_JUNK,
		DEFECT_YENC_JUNK,        DEFECT_ENCODED_8BIT,     DEFECT_WORD_CHARSET,
		DEFECT_EMPTY_MESSAGE,
	};
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (ids[i] == id)
			return true;
	return false;
}

static enum check_step run(struct scan *scan)
{
	tell_defects(scan, worth_telling);
	return CHECK_DONE;
}

CHECK_REGISTER(mime_malformed){
	.symbol = "MIME_MALFORMED",
	.family = "mime",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.most = 5,
	.run = run,
	.summary = "the structure is broken in a way programs do not break it",
	.text_en = "The message is malformed: {1}",
	.text_ja = "メールの構造に誤りがあります（{2}）。",
	.manual = "Fires for defects of the structure that mail programs do not make but scripts do: a Content-"
		  "Type or transfer encoding of impossible form, NUL bytes, raw 8-bit bytes inside encoded "
		  "content, damaged base64 or quoted-printable, broken encoded words. All clients read these "
		  "alike, so they hide nothing. Mail that was cut off or altered on its way shows the same "
		  "signs.",
};
