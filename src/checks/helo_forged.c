/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip.h"
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	struct client client;
	uint8_t ip[16];
	if (!find_client(scan, &client) || client.helo.len == 0)
		return CHECK_DONE;
	struct bytes ours = scan_envelope(scan)->hostname, helo = client.helo;
	bool lie = ours.len > 0 && bytes_eq_nocase(helo, ours);
	if (!lie && client.has_ip && helo.ptr[0] == '[' && received_parse_ip(helo, ip))
		lie = memcmp(ip, client.ip, sizeof(ip)) != 0 && !received_ip_is_local(ip) &&
		      !received_ip_is_local(client.ip);
	if (!lie && client.rdns.len > 0)
		lie = is_free_mail(url_registrable(helo)) && !same_site(helo, client.rdns);
	if (!lie)
		return CHECK_DONE;
	char text[IP_TEXT_MAX];
	struct bytes address = client.has_ip ? ip_format(client.ip, text) : BYTES_LIT("?");
	scan_evidence(scan, client.where, helo, client.rdns.len > 0 ? client.rdns : address);
	return CHECK_DONE;
}

CHECK_REGISTER(helo_forged){
	.symbol = "HELO_FORGED",
	.family = "path",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "the sending server takes a name that is not its own",
	.text_en = "The sending server calls itself {1}, but it is {2}.",
	.text_ja = "送信元サーバーが {1} と名乗っていますが、実際は {2} です。",
	.manual = "Three lies are told apart from honest mistakes: the client calls itself by our own name; it "
		  "gives an address in brackets that is not the one it has; it takes the name of a large "
		  "mailbox provider while its reverse name is of another domain. Looks at the envelope, or at "
		  "the first Received field that is not from a trusted server. Servers behind address "
		  "translation give an inner address, which is left out.",
};
