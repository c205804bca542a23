/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/ascii.h"
#include "base/num.h"
#include "base/utf8.h"
#include "mail/date.h"
#include "scan/auth.h"
#include "scan/relation.h"

#include "base/banned.h"

#define TAG_MAX 512 /* bytes of a tag that are told */

/* -- Text ---- */

static void end_word(struct text_shape *shape, size_t length, size_t capitals)
{
	if (length == 0)
		return;
	shape->words++;
	shape->loud_words += length >= 4 && capitals == length;
}

struct text_shape text_shape(struct bytes text)
{
	struct text_shape shape = {0};
	size_t length = 0, capitals = 0;
	text = bytes_sub(text, 0, SHAPE_MAX);
	while (text.len > 0) {
		uint8_t byte = text.ptr[0];
		if (ascii_is_alpha(byte)) {
			bool upper = ascii_is_upper(byte);
			shape.upper += upper;
			shape.lower += !upper;
			capitals += upper;
			length++;
			text = bytes_from(text, 1);
			continue;
		}
		end_word(&shape, length, capitals);
		length = capitals = 0;
		if (byte < 0x80) {
			shape.digits += ascii_is_digit(byte);
			shape.printable += ascii_is_print(byte) && byte != ' ';
			text = bytes_from(text, 1);
			continue;
		}
		uint32_t code = utf8_next(&text, NULL);
		bool blank = code == 0xa0 || code == 0x3000 || (code >= 0x2000 && code <= 0x200f);
		shape.wide += !blank && code >= 0x2e80;
		shape.other += !blank && code < 0x2e80;
		shape.printable += !blank;
	}
	end_word(&shape, length, capitals);
	shape.letters = shape.upper + shape.lower;
	shape.printable += shape.letters;
	return shape;
}

bool text_find_gappy(struct bytes text, size_t min, const char *separators, struct bytes *ret_word)
{
	struct bytes wanted = bytes_from_cstr(separators);
	text = bytes_sub(text, 0, SHAPE_MAX);
	for (size_t at = 0; at + 2 * min <= text.len + 1;) {
		size_t letters = 0, i = at;
		uint8_t separator = 0;
		bool starts = ascii_is_alpha(text.ptr[at]) && (at == 0 || !ascii_is_alnum(text.ptr[at - 1]));
		while (starts && i < text.len && ascii_is_alpha(text.ptr[i])) {
			letters++;
			if (i + 1 >= text.len || !bytes_has(wanted, text.ptr[i + 1]) ||
			    (separator != 0 && text.ptr[i + 1] != separator)) {
				/* A letter that goes on is the next word, not one more single letter. */
				if (i + 1 < text.len && ascii_is_alnum(text.ptr[i + 1]))
					letters--;
				i++;
				break;
			}
			separator = text.ptr[i + 1];
			i += 2;
		}
		if (letters >= min) {
			*ret_word = bytes_sub(text, at, i - at);
			return true;
		}
		at = i > at ? i : at + 1;
	}
	return false;
}

struct bytes subject_core(struct bytes subject, bool *ret_reply)
{
	static const struct bytes prefixes[] = {BYTES_INIT("re:"),  BYTES_INIT("fwd:"), BYTES_INIT("fw:"),
						BYTES_INIT("aw:"),  BYTES_INIT("wg:"),  BYTES_INIT("sv:"),
						BYTES_INIT("antw:")};
	bool reply = false, again = true;
	while (again) {
		again = false;
		subject = bytes_trim(subject);
		for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
			if (bytes_starts_nocase(subject, prefixes[i])) {
				reply |= i == 0;
				subject = bytes_from(subject, prefixes[i].len);
				again = true;
			}
		}
		size_t end = subject.len > 0 && subject.ptr[0] == '[' ? bytes_find_byte(bytes_sub(subject, 0, 80), ']')
								      : BYTES_NONE;
		if (end != BYTES_NONE && end + 1 < subject.len) {
			subject = bytes_from(subject, end + 1);
			again = true;
		}
	}
	if (ret_reply)
		*ret_reply = reply;
	return subject;
}

static unsigned script_of(uint32_t code)
{
	if (code < 0x80)
		return ascii_is_alpha(code) ? 1 : 0;
	if (code >= 0xc0 && code <= 0x24f && code != 0xd7 && code != 0xf7)
		return 1;
	if (code >= 0x370 && code <= 0x3ff)
		return 2;
	if (code >= 0x400 && code <= 0x52f)
		return 4;
	return 0;
}

struct bytes text_mixed_word(struct bytes text)
{
	struct bytes rest = bytes_sub(text, 0, SHAPE_MAX);
	struct bytes word = {0};
	unsigned scripts = 0;
	while (rest.len > 0) {
		struct bytes before = rest;
		unsigned script = script_of(utf8_next(&rest, NULL));
		size_t taken = before.len - rest.len;
		if (script == 0) {
			if ((scripts & (scripts - 1)) != 0)
				return word;
			scripts = 0;
			word = (struct bytes){0};
			continue;
		}
		word = word.ptr ? bytes_make(word.ptr, word.len + taken) : bytes_sub(before, 0, taken);
		scripts |= script;
	}
	return (scripts & (scripts - 1)) != 0 ? word : (struct bytes){0};
}

/* -- Senders ---- */

bool same_site(struct bytes host, struct bytes other)
{
	return host.len > 0 && other.len > 0 && bytes_eq_nocase(url_registrable(host), url_registrable(other));
}

bool is_free_mail(struct bytes domain)
{
	static const struct bytes domains[] = {
		BYTES_INIT("gmail.com"),    BYTES_INIT("googlemail.com"), BYTES_INIT("yahoo.com"),
		BYTES_INIT("yahoo.co.jp"),  BYTES_INIT("ymail.com"),      BYTES_INIT("rocketmail.com"),
		BYTES_INIT("hotmail.com"),  BYTES_INIT("outlook.com"),    BYTES_INIT("outlook.jp"),
		BYTES_INIT("live.com"),     BYTES_INIT("live.jp"),        BYTES_INIT("msn.com"),
		BYTES_INIT("aol.com"),      BYTES_INIT("icloud.com"),     BYTES_INIT("me.com"),
		BYTES_INIT("gmx.com"),      BYTES_INIT("gmx.net"),        BYTES_INIT("gmx.de"),
		BYTES_INIT("web.de"),       BYTES_INIT("mail.com"),       BYTES_INIT("mail.ru"),
		BYTES_INIT("yandex.ru"),    BYTES_INIT("yandex.com"),     BYTES_INIT("qq.com"),
		BYTES_INIT("163.com"),      BYTES_INIT("126.com"),        BYTES_INIT("excite.com"),
		BYTES_INIT("excite.co.jp"), BYTES_INIT("lycos.com"),      BYTES_INIT("proton.me"),
		BYTES_INIT("tutanota.com"), BYTES_INIT("zoho.com"),       BYTES_INIT("protonmail.com"),
	};
	for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++)
		if (bytes_eq_nocase(domain, domains[i]))
			return true;
	return false;
}

const struct address *first_address(const struct address_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].address.len > 0)
			return &list->items[i];
	return NULL;
}

bool is_list_mail(const struct message *message)
{
	const struct header_field *precedence = header_find(message->header, HEADER_PRECEDENCE, 0);
	return header_find(message->header, HEADER_LIST_ID, 0) || header_find(message->header, HEADER_LIST_POST, 0) ||
	       header_find(message->header, HEADER_LIST_UNSUBSCRIBE, 0) ||
	       (precedence && (bytes_eq_nocase(bytes_trim(precedence->value), BYTES_LIT("list")) ||
			       bytes_eq_nocase(bytes_trim(precedence->value), BYTES_LIT("bulk"))));
}

int64_t arrival_time(const struct scan *scan)
{
	const struct received_list *received = &scan_message(scan)->received;
	int64_t now = scan_now(scan);
	if (received->count > 0 && received->hops[0].has_date && received->hops[0].date < now)
		return received->hops[0].date;
	return now;
}

void tell_date(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	char when[21];
	date_format_rfc3339(message->date, when);
	scan_evidence(scan, where_field(header_find(message->header, HEADER_DATE, 0)), bytes_from_cstr(when),
		      (struct bytes){0});
}

bool find_client(struct scan *scan, struct client *ret_client)
{
	const struct scan_envelope *envelope = scan_envelope(scan);
	if (envelope->has_client || envelope->helo.len > 0) {
		*ret_client = (struct client){.helo = envelope->helo,
					      .rdns = envelope->client_name,
					      .has_ip = envelope->has_client,
					      .where = where_text(NULL, envelope->helo)};
		memcpy(ret_client->ip, envelope->client_ip, sizeof(ret_client->ip));
		return !envelope->has_client || !scan_trusted_ip(envelope->client_ip, scan);
	}
	const struct received_hop *hop = scan_relay_hop(scan);
	if (!hop)
		return false;
	*ret_client = (struct client){
		.helo = hop->helo, .rdns = hop->rdns, .has_ip = hop->has_ip, .where = where_field(hop->field)};
	memcpy(ret_client->ip, hop->ip, sizeof(ret_client->ip));
	return true;
}

enum check_step tell_policy(struct scan *scan, enum dmarc_policy policy)
{
	const struct scan_auth *auth = scan_auth(scan);
	if (!auth)
		return CHECK_WAIT;
	if (!auth->dkim || auth->dmarc.code != DMARC_FAIL || auth->disposition != policy)
		return CHECK_DONE;
	struct forwarder_figures figures;
	struct bytes forwarder;
	if (!scan_known_forwarder(scan, &forwarder, &figures))
		return CHECK_WAIT;
	if (forwarder.len == 0)
		scan_evidence(scan, where_field(header_find(scan_message(scan)->header, HEADER_FROM, 0)),
			      auth->dmarc.domain, auth->dmarc.policy_domain);
	return CHECK_DONE;
}

/* -- Parts and files ---- */

bool is_text_body(const struct mime_part *part)
{
	return part->leaf && mime_type_is(part, "text/") && !bytes_eq(part->disposition, BYTES_LIT("attachment"));
}

bool is_file(const struct mime_part *part)
{
	return part->leaf && (part->n_names > 0 || bytes_eq(part->disposition, BYTES_LIT("attachment")) ||
			      !mime_type_is(part, "text/"));
}

enum check_step name_evidence(struct scan *scan, bool (*odd)(struct bytes name))
{
	const struct mime_tree *tree = &scan_message(scan)->tree;
	for (size_t i = 0; i < tree->n_parts; i++) {
		const struct mime_part *part = tree->parts[i];
		for (size_t n = 0; n < part->n_names; n++) {
			struct bytes name = part->names[n].text;
			if (odd(name)) {
				scan_evidence(scan, where_text(part, name), name, (struct bytes){0});
				break;
			}
		}
	}
	return CHECK_DONE;
}

struct bytes file_extension(struct bytes name)
{
	if (bytes_ends_nocase(name, BYTES_LIT("::$DATA"))) /* the file itself, as Windows spells it */
		name.len -= 7;
	while (name.len > 0 && (name.ptr[name.len - 1] == '.' || ascii_is_space(name.ptr[name.len - 1])))
		name.len--;
	size_t dot = bytes_rfind_byte(name, '.');
	return dot == BYTES_NONE ? (struct bytes){0} : bytes_from(name, dot + 1);
}

bool extension_in(struct bytes extension, const char *list)
{
	struct bytes rest = bytes_from_cstr(list), item;
	while (bytes_split(&rest, ' ', &item))
		if (bytes_eq_nocase(item, extension))
			return true;
	return false;
}

bool is_active_extension(struct bytes extension)
{
	return extension.len >= 2 && extension.len <= 17 &&
	       extension_in(
		       extension,
		       "exe scr pif com bat cmd vbs vbe js jse wsf wsh wsc hta lnk jar ps1 psm1 msi msp mst cpl dll "
		       "reg inf sct shb shs chm hlp scf url gadget application appref-ms msc iso img vhd vhdx xll "
		       "appx appxbundle msix settingcontent-ms library-ms search-ms ade adp mde ws job "
		       "jnlp diagcab iqy website");
}

/* -- Links ---- */

bool is_web_url(const struct url *url)
{
	return bytes_eq(url->scheme, BYTES_LIT("http")) || bytes_eq(url->scheme, BYTES_LIT("https")) ||
	       bytes_eq(url->scheme, BYTES_LIT("ftp"));
}

struct where where_source(const struct mime_part *part, size_t at, size_t len)
{
	if (part && part->text.len > 0 && part->text.ptr == part->body.ptr)
		return where_range(part, part->body_at + at, len);
	return where_text(part, part ? bytes_sub(part->text, at, len) : (struct bytes){0});
}

struct where where_url(const struct url *url)
{
	struct where where = where_source(url->part, url->at, url->len);
	if (url->len == 0 || (where.at == DEFECT_NOWHERE && where.snippet.len == 0))
		where = where_text(url->part, url->url);
	return where;
}

struct where where_tag(const struct mime_part *part, const char *needle)
{
	size_t at = bytes_find_nocase(part->text, bytes_from_cstr(needle));
	if (at == BYTES_NONE)
		return where_part(part);
	size_t from = bytes_rfind_byte(bytes_sub(part->text, 0, at + 1), '<');
	if (from == BYTES_NONE || at - from > TAG_MAX)
		from = at;
	size_t len = bytes_find_byte(bytes_sub(part->text, from, TAG_MAX), '>');
	return where_source(part, from, len == BYTES_NONE ? strlen(needle) : len + 1);
}

void tell_urls(struct scan *scan, unsigned flags)
{
	const struct url_list *urls = &scan_message(scan)->urls;
	for (size_t i = 0; i < urls->count; i++) {
		const struct url *url = &urls->items[i];
		if ((url->flags & flags) != 0 && is_web_url(url))
			scan_evidence(scan, where_url(url), url->host, url->url);
	}
}

/* -- Defects and HTML ---- */

void tell_defects(struct scan *scan, bool (*wanted)(enum defect_id id))
{
	const struct defect_list *defects = &scan_message(scan)->defects;
	for (size_t i = 0; i < defects->count; i++) {
		const struct defect *defect = &defects->items[i];
		if (wanted(defect->id))
			scan_evidence(scan, where_range(defect->part, defect->at, defect->len),
				      bytes_from_cstr(defect_text(defect->id)),
				      bytes_from_cstr(defect_name(defect->id)));
	}
}

const struct mime_part *find_html(const struct message *message, bool (*wanted)(const struct html_document *html))
{
	for (size_t i = 0; i < message->tree.n_parts; i++) {
		const struct mime_part *part = message->tree.parts[i];
		if (part->html && wanted(part->html))
			return part;
	}
	return NULL;
}
