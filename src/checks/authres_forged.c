/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/authres.h"
#include "scan/check.h"

#include "base/banned.h"

#define FIELDS_MAX 50

static enum check_step run(struct scan *scan)
{
	const struct scan_envelope *envelope = scan_envelope(scan);
	struct bytes id = scan_settings(scan)->authserv_id;
	const struct header *header = scan_message(scan)->header;
	/* What one of our own servers hands on may hold what another of them wrote. */
	if (id.len == 0 || !envelope->has_client || scan_trusted_ip(envelope->client_ip, scan))
		return CHECK_DONE;
	for (size_t i = 0; i < FIELDS_MAX; i++) {
		const struct header_field *field = header_find_name(header, BYTES_LIT("Authentication-Results"), i);
		if (!field)
			break;
		if (authres_is_ours(scan_arena(scan), field->value, id)) {
			scan_evidence(scan, where_field(field), id, (struct bytes){0});
			break;
		}
	}
	return CHECK_DONE;
}

CHECK_REGISTER(authres_forged){
	.symbol = "AUTHRES_FORGED",
	.family = "auth",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "an Authentication-Results field speaks in our name",
	.text_en = "The message brought a field Authentication-Results in the name of {1}, which is ours.",
	.text_ja = "このサーバー（{1}）の名をかたる Authentication-Results ヘッダーが付いていました。",
	.manual = "Whoever reads Authentication-Results (RFC 8601) trusts the fields in our name, so a sender may try "
		  "to bring one along. Such fields are removed (RFC 8601 5). Mail that left the organisation and comes "
		  "back by a server that is not in trusted_networks shows it as well.",
};
