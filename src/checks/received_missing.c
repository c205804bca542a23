/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/check.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct scan_envelope *envelope = scan_envelope(scan);
	bool inside = envelope->user.len > 0 || (envelope->has_client && scan_trusted_ip(envelope->client_ip, scan));
	if (!inside && header_count(scan_message(scan)->header, HEADER_RECEIVED) == 0)
		scan_evidence(scan, where_none(), (struct bytes){0}, (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(received_missing){
	.symbol = "RECEIVED_MISSING",
	.family = "path",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "handed over without any server in between",
	.text_en = "The message came from outside without passing any server.",
	.text_ja = "外部から、どのメールサーバーも経由せずに直接届いています。",
	.manual = "There is no Received field at all, though the client is neither trusted nor logged in: the "
		  "program that wrote the message handed it straight to us. Bots do so. Shops and devices that "
		  "deliver by themselves do so too, and messages that were saved before they were sent have "
		  "none either.",
};
