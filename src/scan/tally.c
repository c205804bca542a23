/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/tally.h"

#include "auth/report_mail.h"
#include "base/arena.h"
#include "base/ip.h"
#include "scan/short_text.h"

#include "base/banned.h"

#define REASONS_MAX  3
#define SELECTOR_MAX 100

/* -- Packing ---- */

/* RFC 9990, 3.1.3: passed and strictly aligned, passed and aligned, passed, the others. */
static unsigned rank_of(const struct dkim_signature *signature, const struct dmarc_result *dmarc)
{
	struct bytes domain = signature->domain, organization = dmarc->organizational_domain;
	if (signature->result != DKIM_PASS)
		return 3;
	if (bytes_eq_nocase(domain, dmarc->domain))
		return 0;
	bool below = organization.len > 0 && bytes_ends_nocase(domain, organization) &&
		     (domain.len == organization.len || domain.ptr[domain.len - organization.len - 1] == '.');
	return below ? 1 : 2;
}

static void pack_dkim(struct buf *buf, const struct scan_auth *auth)
{
	const struct dkim_signature *chosen[TALLY_DKIM_MAX];
	size_t n = 0;
	for (unsigned rank = 0; rank < 4; rank++) {
		for (size_t i = 0; i < auth->dkim->count && n < TALLY_DKIM_MAX; i++) {
			const struct dkim_signature *signature = &auth->dkim->signatures[i];
			if (signature->domain.len > 0 && rank_of(signature, &auth->dmarc) == rank)
				chosen[n++] = signature;
		}
	}
	buf_add_be16(buf, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		short_text_put(buf, bytes_sub(chosen[i]->domain, 0, DNS_NAME_MAX));
		short_text_put(buf, bytes_sub(chosen[i]->selector, 0, SELECTOR_MAX));
		short_text_put(buf, bytes_from_cstr(dkim_result_name(chosen[i]->result)));
	}
}

static void pack_policy(struct buf *buf, const struct report_policy *policy)
{
	const struct bytes texts[] = {policy->domain, policy->p,       policy->sp,
				      policy->np,     policy->adkim,   policy->aspf,
				      policy->fo,     policy->testing, policy->discovery_method};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		short_text_put(buf, texts[i]);
}

static void pack_rua(struct buf *buf, const struct dmarc_uris *rua)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT(SHORT_TEXT_MAX);
	for (size_t i = 0; i < rua->count && i < REPORT_RUA_MAX; i++) {
		if (text.len + rua->items[i].len + 2 > SHORT_TEXT_MAX)
			break; /* half an address would be another one */
		buf_printf(&text, "%s%.*s", i ? ", " : "", BYTES_FMT(rua->items[i]));
	}
	short_text_put(buf, buf_bytes(&text));
}

void tally_pack(struct arena *arena, const struct scan_auth *auth, enum dmarc_mode mode, struct buf *buf)
{
	const struct dmarc_result *dmarc = &auth->dmarc;
	char ip[IP_TEXT_MAX];
	struct report_policy policy;
	if (!auth->has_spf || !auth->has_source || !auth->dkim || !dmarc->record || dmarc->record->rua.count == 0 ||
	    dmarc->domain.len == 0 || dmarc->code == DMARC_NONE || dmarc->code == DMARC_PERMERROR ||
	    report_policy_of(arena, dmarc, mode, &policy) != ERR_OK)
		return;
	pack_policy(buf, &policy);
	pack_rua(buf, &dmarc->record->rua);
	short_text_put(buf, ip_format(auth->source_ip, ip));
	short_text_put(buf, dmarc->domain);
	buf_add_byte(buf, (uint8_t)dmarc->code);
	buf_add_byte(buf, dmarc->aligned.dkim);
	buf_add_byte(buf, dmarc->aligned.spf);
	buf_add_byte(buf, (uint8_t)auth->disposition);
	buf_add_byte(buf, dmarc->code == DMARC_FAIL && dmarc->record->testing && dmarc->policy != dmarc->disposition);
	short_text_put(buf,
		       auth->explained_by ? bytes_sub(auth->explained_by->domain, 0, DNS_NAME_MAX) : (struct bytes){0});
	buf_add_byte(buf, auth->spf.helo_scope);
	short_text_put(buf, bytes_sub(auth->spf.domain, 0, DNS_NAME_MAX));
	short_text_put(buf, bytes_from_cstr(spf_code_name(auth->spf.code)));
	pack_dkim(buf, auth);
}

/* -- Reading ---- */

static void read_policy(struct cursor *cur, struct report_policy *policy)
{
	struct bytes *const texts[] = {&policy->domain, &policy->p,       &policy->sp,
				       &policy->np,     &policy->adkim,   &policy->aspf,
				       &policy->fo,     &policy->testing, &policy->discovery_method};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*texts[i] = short_text_take(cur);
}

static enum dmarc_policy read_disposition(struct cursor *cur)
{
	uint8_t asked = cursor_u8(cur);
	if (asked > DMARC_POLICY_REJECT)
		cursor_fail(cur, ERR_SYNTAX);
	return asked == DMARC_POLICY_QUARANTINE || asked == DMARC_POLICY_REJECT ? (enum dmarc_policy)asked
										: DMARC_POLICY_NONE;
}

static enum err read_dkim(struct arena *arena, struct cursor *cur, struct report_record *record)
{
	size_t n = cursor_be16(cur);
	if (n > TALLY_DKIM_MAX)
		return ERR_SYNTAX;
	struct report_result *results = arena_new(arena, struct report_result, n + 1);
	if (!results)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		results[i].domain = short_text_take(cur);
		results[i].selector = short_text_take(cur);
		results[i].result = short_text_take(cur);
	}
	record->dkim_results = results;
	record->n_dkim = n;
	return ERR_OK;
}

enum err tally_read(struct arena *arena, struct bytes packed, enum dmarc_policy done, struct tally *ret_tally)
{
	struct cursor cur = cursor_make(packed);
	struct report_record *record = &ret_tally->record;
	struct report_reason *reasons = arena_new(arena, struct report_reason, REASONS_MAX);
	struct report_result *spf = arena_new(arena, struct report_result, 1);
	if (!reasons || !spf)
		return ERR_NOMEM;
	*ret_tally = (struct tally){.record = {.count = 1, .reasons = reasons, .spf_results = spf, .n_spf = 1}};
	read_policy(&cur, &ret_tally->policy);
	ret_tally->rua = short_text_take(&cur);
	record->source_ip = short_text_take(&cur);
	record->header_from = short_text_take(&cur);
	bool passed = cursor_u8(&cur) == DMARC_PASS;
	record->dkim = cursor_u8(&cur) ? REPORT_PASS : REPORT_FAIL;
	record->spf = cursor_u8(&cur) ? REPORT_PASS : REPORT_FAIL;
	enum dmarc_policy asked = read_disposition(&cur);
	bool testing = cursor_u8(&cur) != 0;
	struct bytes forwarder = short_text_take(&cur);
	bool null_sender = cursor_u8(&cur) != 0;
	*spf = (struct report_result){.domain = short_text_take(&cur), .scope = BYTES_LIT("mfrom")};
	spf->result = short_text_take(&cur);
	record->envelope_from = null_sender ? BYTES_LIT("") : spf->domain;
	TRY(read_dkim(arena, &cur, record));
	if (cur.err != ERR_OK || !cursor_end(&cur))
		return ERR_SYNTAX;
	/* What other reasons did to a message that DMARC had nothing against is not DMARC's doing. */
	if (asked == DMARC_POLICY_NONE)
		done = DMARC_POLICY_NONE;
	record->disposition = passed ? BYTES_LIT("pass") : bytes_from_cstr(dmarc_policy_name(done));
	if (testing)
		reasons[record->n_reasons++] = (struct report_reason){.type = BYTES_LIT("policy_test_mode")};
	if (forwarder.ptr)
		reasons[record->n_reasons++] = (struct report_reason){BYTES_LIT("trusted_forwarder"), forwarder};
	if (done != asked)
		reasons[record->n_reasons++] = (struct report_reason){.type = BYTES_LIT("local_policy")};
	return ERR_OK;
}
