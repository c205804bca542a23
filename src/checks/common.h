/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * checks/common.h: what several checks need to look at text, names and links. Not a check itself.
 *
 * Owns:   nothing; all spans are slices of what was given.
 * Bounds: texts are looked at up to SHAPE_MAX bytes, so that a long message costs a check no more than a short one.
 */
#include "auth/dmarc.h"
#include "scan/check.h"

#define SHAPE_MAX 32768

/* What a text is made of. */
struct text_shape {
	size_t letters; /* of ASCII: upper + lower */
	size_t upper, lower, digits;
	size_t wide;       /* characters from U+2E80 on: Chinese, Japanese, Korean */
	size_t other;      /* other characters over U+007F */
	size_t words;      /* runs of ASCII letters */
	size_t loud_words; /* those of at least four letters that are all capitals */
	size_t printable;  /* all that is neither blank nor control */
};

struct text_shape text_shape(struct bytes text);

/*
 * The first word that is pulled apart: at least `min` single letters, each followed by the same one of `separators`
 * ("V-I-A-G-R-A"). False when there is none.
 */
bool text_find_gappy(struct bytes text, size_t min, const char *separators, struct bytes *ret_word);

/* A subject without "Re:", "Fwd:" and "[list]" in front; `ret_reply` (may be NULL) tells whether a "Re:" was there. */
struct bytes subject_core(struct bytes subject, bool *ret_reply);

/* The first word that mixes letters of Latin, Greek and Cyrillic, or {NULL, 0}. */
struct bytes text_mixed_word(struct bytes text);

/* True when both hosts belong to one registrable domain. Empty ones do not. */
bool same_site(struct bytes host, struct bytes other);

/* Domains where anybody gets a mailbox at once. */
bool is_free_mail(struct bytes domain);

/* The first address of a list that has one, or NULL. */
const struct address *first_address(const struct address_list *list);

/* True when the message says that it came by a mailing list. */
bool is_list_mail(const struct message *message);

/* Time that Date is measured by: the case's, or that of the newest Received where this is earlier (stored mail). */
int64_t arrival_time(const struct scan *scan);

/* Evidence about Date, which the message must have; {1} is the time in it. */
void tell_date(struct scan *scan);

/* Who handed the message to us: from the envelope, else from the first Received that is not ours. */
struct client {
	struct bytes helo, rdns;
	bool has_ip;
	uint8_t ip[16];
	struct where where;
};
/* False when nobody outside did. */
bool find_client(struct scan *scan, struct client *ret_client);

/* A leaf that people get to read, not a file that they may save. */
bool is_text_body(const struct mime_part *part);
/* A leaf that is offered as a file. */
bool is_file(const struct mime_part *part);
/* Evidence for each part with a name that is `odd`: {1} is the first such of the names that mail clients would use. */
enum check_step name_evidence(struct scan *scan, bool (*odd)(struct bytes name));
/* What stands behind the last dot, without trailing dots and blanks (Windows drops them); empty when there is none. */
struct bytes file_extension(struct bytes name);
/* True when opening such a file runs what is in it. */
bool is_active_extension(struct bytes extension);
/* True when the extension is one of the blank-separated `list`, any case. */
bool extension_in(struct bytes extension, const char *list);

/* Evidence for each URL that has one of `flags` and an http, https or ftp scheme; {1} is the host. */
void tell_urls(struct scan *scan, unsigned flags);
struct where where_url(const struct url *url);
/* A range of a part's text or HTML source: exact in the message where nothing had to be decoded, else as a snippet. */
struct where where_source(const struct mime_part *part, size_t at, size_t len);
/* The tag of an HTML part in which `needle` stands first, whatever its case. */
struct where where_tag(const struct mime_part *part, const char *needle);
bool is_web_url(const struct url *url);

/*
 * Evidence where the author domain asks for `policy` because DMARC failed, unless a forwarder that is known explains
 * the failure (scan_known_forwarder()): {1} is the domain, {2} the one that publishes the policy.
 */
enum check_step tell_policy(struct scan *scan, enum dmarc_policy policy);

/* Evidence for each defect that `wanted` accepts; {1} is the defect's sentence. */
void tell_defects(struct scan *scan, bool (*wanted)(enum defect_id id));

/* The HTML part for which `wanted` is true, the first of them, or NULL. */
const struct mime_part *find_html(const struct message *message, bool (*wanted)(const struct html_document *html));
