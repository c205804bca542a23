/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	if (text_shape(scan_visible_text(scan)).printable > 0)
		return CHECK_DONE;
	for (size_t i = 0; i < message->tree.n_parts; i++) {
		const struct mime_part *part = message->tree.parts[i];
		if ((is_file(part) && part->content.len > 0) || (part->html && part->html->images > 0))
			return CHECK_DONE;
	}
	scan_evidence(scan, where_none(), (struct bytes){0}, (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(body_empty){
	.symbol = "BODY_EMPTY",
	.family = "body",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "nothing to read and nothing to save",
	.text_en = "The message has no text, no picture and no file.",
	.text_ja = "本文も画像も添付ファイルもありません。",
	.manual = "Fires when there is no visible character and no part that is a file or picture. Such mail "
		  "probes whether an address exists, or is spam whose sender's program broke. People who write "
		  "all of their message into the subject are the honest case.",
};
