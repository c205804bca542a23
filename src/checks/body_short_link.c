/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	struct bytes text = scan_visible_text(scan);
	const struct url *link = NULL;
	size_t links = 0;
	if (text.len > 4000)
		return CHECK_DONE;
	for (size_t i = 0; i < message->urls.count; i++) {
		const struct url *url = &message->urls.items[i];
		if (!is_web_url(url) || (url->flags & URL_UNROLLED))
			continue;
		link = link ? link : url;
		links += (url->flags & URL_FROM_HTML) ? 0 : url->url.len;
	}
	for (size_t i = 0; i < message->tree.n_parts; i++)
		if (is_file(message->tree.parts[i]))
			return CHECK_DONE;
	size_t shown = text_shape(text).printable;
	if (link && shown > 0 && (shown < links ? 0 : shown - links) < 80)
		scan_evidence(scan, where_url(link), link->host, (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(body_short_link){
	.symbol = "BODY_SHORT_LINK",
	.family = "body",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "hardly more than a link",
	.text_en = "The message is hardly more than a link to {1}.",
	.text_ja = "本文がほぼリンク（{1}）だけです。",
	.manual = "The visible text without its links has fewer than eighty characters, there is a web link and"
		  " no file. Hijacked accounts send such mail: there is nothing to read, so one clicks. Friends"
		  " send bare links as well, and notices of web services can be as short.",
};
