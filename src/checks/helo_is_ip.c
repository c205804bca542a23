/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	struct client client;
	uint8_t ip[16];
	if (!find_client(scan, &client) || client.helo.len == 0 || client.helo.ptr[0] == '[')
		return CHECK_DONE;
	if (received_parse_ip(client.helo, ip))
		scan_evidence(scan, client.where, client.helo, (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(helo_is_ip){
	.symbol = "HELO_IS_IP",
	.family = "path",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "the sending server has no name, only an address",
	.text_en = "The sending server calls itself by a bare address: {1}",
	.text_ja = "送信元サーバーが名前ではなく IP アドレスだけを名乗っています: {1}",
	.manual = "Looks at the name that the client gave in HELO or EHLO; when the envelope is not known, at "
		  "the first Received field that is not from a trusted server. A bare IP address without "
		  "brackets is not allowed (RFC 5321, 4.1.3) and comes from home computers and bots. An address"
		  " in brackets is allowed and left out. Some devices in offices do it, but these seldom mail "
		  "to other organisations.",
};
