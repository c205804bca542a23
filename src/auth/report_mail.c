/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/report_mail.h"

#include <stdio.h>

#include "auth/dns.h"
#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/num.h"
#include "mail/date.h"

#include "base/banned.h"

/* -- What may stand where ---- */

bool report_domain_plain(struct bytes domain)
{
	for (size_t i = 0; i < domain.len; i++) {
		uint8_t c = domain.ptr[i];
		if (!ascii_is_alnum(c) && c != '-' && c != '.' && c != '_')
			return false;
	}
	return domain.len > 0 && dns_name_valid(domain) && domain.ptr[domain.len - 1] != '.';
}

/* atext of RFC 5322 and dots: quoted local parts are not written to. */
static bool plain_address(struct bytes address, struct bytes *ret_host)
{
	static const char atext[] = "!#$%&'*+-/=?^_`{|}~.";
	size_t at = bytes_rfind_byte(address, '@');
	if (at == BYTES_NONE || at == 0 || at > 64)
		return false;
	for (size_t i = 0; i < at; i++)
		if (!ascii_is_alnum(address.ptr[i]) && (address.ptr[i] == 0 || !strchr(atext, address.ptr[i])))
			return false;
	*ret_host = bytes_from(address, at + 1);
	return report_domain_plain(*ret_host);
}

/* -- Where to ---- */

/* "!10m" at the end; a size that is none makes the whole URI none. */
static bool take_size(struct bytes *uri, uint64_t *ret_max)
{
	size_t mark = bytes_rfind_byte(*uri, '!');
	*ret_max = UINT64_MAX;
	if (mark == BYTES_NONE)
		return true;
	struct bytes size = bytes_from(*uri, mark + 1);
	uint64_t number, unit = 1;
	if (num_take(&size, UINT64_MAX >> 40, &number) == ERR_SYNTAX || size.len > 1)
		return false;
	if (size.len == 1) {
		static const char units[] = "kmgt";
		const char *found = size.ptr[0] ? strchr(units, ascii_lower(size.ptr[0])) : NULL;
		if (!found)
			return false;
		unit = UINT64_C(1) << (10 * (found - units + 1));
	}
	if (ckd_mul(ret_max, number, unit))
		*ret_max = UINT64_MAX;
	*uri = bytes_sub(*uri, 0, mark);
	return true;
}

static struct bytes percent_decode(struct arena *arena, struct bytes text)
{
	uint8_t *out = arena_alloc(arena, text.len + 1);
	size_t n = 0;
	if (!out)
		return (struct bytes){0};
	for (size_t i = 0; i < text.len; i++) {
		int high = text.ptr[i] == '%' && i + 2 < text.len ? ascii_hex(text.ptr[i + 1]) : -1;
		int low = high >= 0 ? ascii_hex(text.ptr[i + 2]) : -1;
		out[n++] = low >= 0 ? (uint8_t)(high << 4 | low) : text.ptr[i];
		i += low >= 0 ? 2 : 0;
	}
	return bytes_make(out, n);
}

/* ERR_SYNTAX: it is no address that is written to. */
static enum err read_uri(struct arena *arena, struct bytes uri, struct report_target *ret_target)
{
	uri = bytes_trim(uri);
	if (!bytes_starts_nocase(uri, BYTES_LIT("mailto:")))
		return ERR_SYNTAX;
	uri = bytes_from(uri, 7);
	uri = bytes_sub(uri, 0, bytes_find_byte(uri, '?')); /* header fields of RFC 6068 are not taken */
	if (!take_size(&uri, &ret_target->size_max))
		return ERR_SYNTAX;
	ret_target->address = percent_decode(arena, uri);
	if (!ret_target->address.ptr)
		return ERR_NOMEM;
	return plain_address(ret_target->address, &ret_target->host) ? ERR_OK : ERR_SYNTAX;
}

enum err report_rua_read(struct arena *arena, struct bytes rua, struct report_target ret_targets[REPORT_RUA_MAX],
			 size_t *ret_n)
{
	struct bytes uri;
	*ret_n = 0;
	while (*ret_n < REPORT_RUA_MAX && bytes_split(&rua, ',', &uri)) {
		enum err err = read_uri(arena, uri, &ret_targets[*ret_n]);
		if (err == ERR_OK)
			++*ret_n;
		else if (err != ERR_SYNTAX)
			return err;
	}
	return ERR_OK;
}

enum err report_external_question(struct arena *arena, struct bytes policy_domain, struct bytes host,
				  struct bytes *ret_name)
{
	if (!report_domain_plain(policy_domain) || !report_domain_plain(host))
		return ERR_SYNTAX;
	struct bytes name = arena_printf(arena, "%.*s._report._dmarc.%.*s", BYTES_FMT(policy_domain), BYTES_FMT(host));
	if (!name.ptr)
		return ERR_NOMEM;
	*ret_name = arena_copy_lower(arena, name);
	if (!ret_name->ptr)
		return ERR_NOMEM;
	return dns_name_valid(*ret_name) ? ERR_OK : ERR_LIMIT;
}

enum err report_external_read(struct arena *arena, struct bytes txt, const struct report_target *asked,
			      struct report_target *ret_target)
{
	struct dmarc_record record;
	TRY(dmarc_record_read(arena, txt, DMARC_RFC9989, &record));
	*ret_target = *asked;
	for (size_t i = 0; i < record.rua.count; i++) {
		struct report_target target;
		enum err err = read_uri(arena, record.rua.items[i], &target);
		if (err == ERR_OK && bytes_eq_nocase(target.host, asked->host)) {
			target.size_max = asked->size_max;
			*ret_target = target;
			return ERR_OK;
		}
		if (err != ERR_OK && err != ERR_SYNTAX)
			return err;
	}
	return record.rua.count > 0 ? ERR_DENIED : ERR_OK;
}

/* -- Who may be written to ---- */

static enum auth_step organization(struct arena *arena, const struct dns_host *host, enum dmarc_mode mode,
				   struct bytes domain, struct bytes *ret_organization)
{
	struct address author = {.address = domain, .domain = domain};
	const struct address_list from = {.items = &author, .count = 1, .present = true};
	const struct dmarc_query query = {.mode = mode, .from = &from};
	struct dmarc_result result;
	if (dmarc_check(arena, host, &query, &result) == AUTH_WAIT)
		return AUTH_WAIT;
	*ret_organization = result.organizational_domain;
	return AUTH_DONE;
}

static enum report_wish ask_outsider(struct arena *arena, const struct dns_host *host, struct bytes policy_domain,
				     const struct report_target *target, struct report_target *ret_target)
{
	struct bytes name;
	enum err err = report_external_question(arena, policy_domain, target->host, &name);
	if (err != ERR_OK)
		return err == ERR_NOMEM ? REPORT_WISH_UNKNOWN : REPORT_WISH_NO;
	const struct dns_answer *answer = dns_ask(host, DNS_TXT, name);
	if (!answer)
		return REPORT_WISH_WAIT;
	if (answer->state == DNS_FAILED)
		return REPORT_WISH_UNKNOWN;
	for (size_t i = 0; answer->state == DNS_FOUND && i < answer->n_records; i++) {
		err = report_external_read(arena, answer->records[i].data, target, ret_target);
		if (err != ERR_SYNTAX)
			return err == ERR_OK       ? REPORT_WISH_YES
			       : err == ERR_DENIED ? REPORT_WISH_NO
						   : REPORT_WISH_UNKNOWN;
	}
	return REPORT_WISH_NO;
}

enum report_wish report_wish_ask(struct arena *arena, const struct dns_host *host, enum dmarc_mode mode,
				 struct bytes policy_domain, const struct report_target *target,
				 struct report_target *ret_target)
{
	struct bytes its = {0}, theirs = {0};
	*ret_target = *target;
	if (bytes_eq_nocase(policy_domain, target->host))
		return REPORT_WISH_YES;
	enum auth_step one = organization(arena, host, mode, policy_domain, &its);
	enum auth_step two = organization(arena, host, mode, target->host, &theirs);
	if (one == AUTH_WAIT || two == AUTH_WAIT)
		return REPORT_WISH_WAIT;
	if (its.len == 0 || theirs.len == 0)
		return REPORT_WISH_UNKNOWN;
	return bytes_eq_nocase(its, theirs) ? REPORT_WISH_YES
					    : ask_outsider(arena, host, policy_domain, target, ret_target);
}

/* -- The policy ---- */

static struct bytes policy_word(enum dmarc_policy policy)
{
	return bytes_from_cstr(dmarc_policy_name(policy));
}

enum err report_policy_of(struct arena *arena, const struct dmarc_result *result, enum dmarc_mode mode,
			  struct report_policy *ret_policy)
{
	static const struct {
		enum dmarc_fo bit;
		const char *text;
	} fo[] = {{DMARC_FO_0, "0"}, {DMARC_FO_1, "1"}, {DMARC_FO_D, "d"}, {DMARC_FO_S, "s"}};
	const struct dmarc_record *record = result->record;
	char options[8] = "";
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(fo); i++)
		if (record->fo & fo[i].bit)
			n += (size_t)snprintf(options + n, sizeof(options) - n, "%s%s", n ? ":" : "", fo[i].text);
	*ret_policy = (struct report_policy){
		.domain = arena_copy_lower(arena, result->policy_domain),
		.p = policy_word(record->p),
		.sp = policy_word(record->sp),
		.np = policy_word(record->np),
		.adkim = record->strict_dkim ? BYTES_LIT("s") : BYTES_LIT("r"),
		.aspf = record->strict_spf ? BYTES_LIT("s") : BYTES_LIT("r"),
		.fo = n ? arena_copy(arena, bytes_make(options, n)) : (struct bytes){0},
		.testing = record->testing ? BYTES_LIT("y") : BYTES_LIT("n"),
		.discovery_method = mode == DMARC_RFC9989 ? BYTES_LIT("treewalk") : BYTES_LIT("psl"),
	};
	return !ret_policy->domain.ptr || (n && !ret_policy->fo.ptr) ? ERR_NOMEM : ERR_OK;
}

/* -- Names ---- */

enum err report_filename(struct arena *arena, struct bytes receiver, const struct report_dmarc *report,
			 struct bytes *ret_name)
{
	if (!report_domain_plain(receiver) || !report_domain_plain(report->policy.domain))
		return ERR_SYNTAX;
	*ret_name = arena_printf(arena, "%.*s!%.*s!%lld!%lld!%.*s.xml.gz", BYTES_FMT(receiver),
				 BYTES_FMT(report->policy.domain), (long long)report->begin, (long long)report->end,
				 BYTES_FMT(report->report_id));
	return ret_name->ptr ? ERR_OK : ERR_NOMEM;
}

enum err report_id_make(struct arena *arena, struct bytes receiver, struct bytes host, struct bytes domain,
			int64_t begin, struct bytes *ret_id)
{
	static const struct hash_key keys[] = {{0x706f737465726e72, 0x65706f7274206964},
					       {0x706f737465726e72, 0x65706f7274203264}};
	uint64_t halves[ARRAY_LEN(keys)];
	if (!report_domain_plain(receiver) || !report_domain_plain(domain))
		return ERR_SYNTAX;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const uint64_t parts[] = {hash_sip(keys[i], receiver), hash_sip(keys[i], host),
					  hash_sip(keys[i], domain), (uint64_t)begin};
		halves[i] = hash_sip(keys[i], bytes_make(parts, sizeof(parts)));
	}
	*ret_id = arena_printf(arena, "%016llx%016llx", (unsigned long long)halves[0], (unsigned long long)halves[1]);
	return ret_id->ptr ? ERR_OK : ERR_NOMEM;
}

/* -- The message ---- */

static void add_base64(struct buf *out, struct bytes data)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < data.len; i += 3) {
		size_t n = MIN(data.len - i, (size_t)3);
		uint32_t group = (uint32_t)data.ptr[i] << 16 | (n > 1 ? (uint32_t)data.ptr[i + 1] << 8 : 0) |
				 (n > 2 ? (uint32_t)data.ptr[i + 2] : 0);
		for (size_t k = 0; k < 4; k++)
			buf_add_byte(out, k > n ? '=' : (uint8_t)alphabet[group >> (18 - 6 * k) & 63]);
		if (i / 3 % 19 == 18 || i + 3 >= data.len) /* 76 characters */
			buf_add_cstr(out, "\r\n");
	}
}

enum err report_mail_write(const struct report_mail *mail, struct buf *out)
{
	static const struct hash_key key = {0x706f737465726e6d, 0x61696c2d7265706f};
	const struct report_dmarc *report = mail->report;
	struct bytes domain = report->policy.domain, host, name;
	char date[40], begin[21], end[21], boundary[40];
	if (!report_domain_plain(domain) || !report_domain_plain(mail->receiver) ||
	    !plain_address(report->email, &host) || !plain_address(mail->to, &host) || report->report_id.len == 0)
		return ERR_SYNTAX;
	for (size_t i = 0; i < report->report_id.len; i++)
		if (!ascii_is_alnum(report->report_id.ptr[i]))
			return ERR_SYNTAX;
	name = mail->filename;
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.ptr[i]) && (name.ptr[i] == 0 || !strchr("!.-_", name.ptr[i])))
			return ERR_SYNTAX;
	date_format_rfc5322(mail->date, date);
	date_format_rfc3339(report->begin, begin);
	date_format_rfc3339(report->end, end);
	(void)snprintf(boundary, sizeof(boundary), "=_report_%016llx", (unsigned long long)hash_sip(key, mail->gzip));
	buf_printf(out, "From: <%.*s>\r\nTo: <%.*s>\r\nDate: %s\r\nMessage-ID: <%.*s@%.*s>\r\n",
		   BYTES_FMT(report->email), BYTES_FMT(mail->to), date, BYTES_FMT(report->report_id),
		   BYTES_FMT(mail->receiver));
	/* Each on a line of its own, since any may be as long as a name can be. */
	buf_printf(out, "Subject: Report Domain: %.*s\r\n Submitter: %.*s\r\n Report-ID: <%.*s>\r\n", BYTES_FMT(domain),
		   BYTES_FMT(mail->receiver), BYTES_FMT(report->report_id));
	buf_printf(out,
		   "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
		   "Content-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n--%s\r\n"
		   "Content-Type: text/plain; charset=us-ascii\r\n\r\n",
		   boundary, boundary);
	buf_printf(out,
		   "This is a DMARC aggregate report (RFC 9990) for\r\n%.*s,\r\nmade by %.*s:\r\n"
		   "mail seen from %s to %s.\r\n\r\n",
		   BYTES_FMT(domain), BYTES_FMT(mail->receiver), begin, end);
	buf_printf(out,
		   "--%s\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n"
		   "Content-Disposition: attachment;\r\n filename=\"%.*s\"\r\n\r\n",
		   boundary, BYTES_FMT(name));
	add_base64(out, mail->gzip);
	buf_printf(out, "--%s--\r\n", boundary);
	return buf_err(out);
}
