/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan/check.h: what a check sees, and all that it sees. One file in checks/ = one check: it defines one constant
 * object with CHECK_REGISTER and includes this header and those of mail/ and base/.
 *
 * A check is pure: it looks at the message, the envelope and at facts, and gives evidence. It keeps no state, and every
 * loop of its own is bounded by what the parser has bounded already. It may be called again after CHECK_WAIT.
 *
 *     static enum check_step run(struct scan *scan)
 *     {
 *             const struct message *message = scan_message(scan);
 *             if (message->from.count == 0)
 *                     scan_evidence(scan, where_none(), (struct bytes){0}, (struct bytes){0});
 *             return CHECK_DONE;
 *     }
 *
 *     CHECK_REGISTER(from_missing) {
 *             .symbol = "FROM_MISSING", .family = "header", .stage = STAGE_HEADER, .run = run,
 *             .summary = "no author is named",
 *             .text_en = "The message names no author.", .text_ja = "...",
 *             .manual = "...",
 *     };
 */
#include "base/arena.h"
#include "base/bytes.h"
#include "mail/html.h"
#include "mail/message.h"
#include "scan/case.h"
#include "scan/fact.h"

struct scan;

enum check_step { CHECK_DONE, CHECK_WAIT };

/* Checks run in this order; within a stage by symbol. */
enum check_stage {
	STAGE_ENVELOPE, /* looks at the envelope alone */
	STAGE_HEADER,
	STAGE_CONTENT, /* text, HTML, URLs */
	STAGE_FILE,    /* attachments */
	STAGE_LATE,    /* looks at the evidence of the others */
};

/* What a hit of the check speaks for. It decides the class (scan/verdict.h), the weights decide the probability. */
enum check_kind {
	KIND_UNWANTED, /* for (weight > 0) or against (< 0) unwanted mail */
	KIND_PHISH,    /* as KIND_UNWANTED, and for phishing */
	KIND_BULK,     /* the message says itself that it is bulk mail */
	KIND_MALWARE,  /* a signature: the class is malware whatever the sum is */
	KIND_POLICY,   /* the organisation does not want it: class policy */
	KIND_SENDER,   /* what the author domain asks for mail in its name: class policy; never weighed */
	KIND_INFO,     /* told, never weighed */
};

struct check {
	const char *symbol;  /* "URL_TEXT_MISMATCH"; the file's name in capitals */
	const char *family;  /* evidence of one family is capped together: "header", "link"... (scan/verdict.c has the
				list) */
	const char *summary; /* half a sentence, lower case, for lists */
	const char *text_en; /* a sentence for people; {1} and {2} stand for the arguments of scan_evidence() */
	const char *text_ja;
	const char *manual; /* mdoc-free plain paragraphs: what it looks at, why that matters, when it is wrong */
	enum check_kind kind;
	enum check_stage stage;
	int fixed_weight; /* thousandths of a nat; not 0: never fitted (test strings, signatures) */
	bool in_favour; /* may speak for a message: its weight may be negative, down to one nat, since senders can forge
			   it */
	int most;       /* evidence records kept of one message; 0 means 1. Only the first one is weighed */
	enum check_step (*run)(struct scan *scan);
};

/*
 * Puts a pointer to the object into the linker section "checks". scan/plan.c sorts and refuses duplicates; the folder
 * is linked with link_whole, or the link fails.
 */
#define CHECK_REGISTER(name)                                                                                           \
	static const struct check check_##name;                                                                        \
	__attribute__((section("checks"), used, retain)) static const struct check *const check_pointer_##name =       \
		&check_##name;                                                                                         \
	static const struct check check_##name =

/* -- What there is to look at ---- */

const struct message *scan_message(const struct scan *scan);
const struct scan_envelope *scan_envelope(const struct scan *scan);
const struct scan_settings *scan_settings(const struct scan *scan);
/* The arena of the message, for what a check must build. */
struct arena *scan_arena(struct scan *scan);
/* The time of the case: the only clock there is. Seconds since 1970, UTC. */
int64_t scan_now(const struct scan *scan);
/* All visible text of the message, as UTF-8: text/plain parts and the visible text of HTML parts, in order; made once.
 */
struct bytes scan_visible_text(struct scan *scan);
/* The relay that handed the message to us: the client of the envelope, else the first untrusted Received hop, or NULL.
 */
const struct received_hop *scan_relay_hop(const struct scan *scan);
/* True for addresses that are ours or that the administrator trusts. */
bool scan_trusted_ip(const uint8_t ip[16], void *scan);

/* -- Where something was found ---- */

struct where {
	const struct mime_part *part; /* NULL: the message as a whole */
	size_t at, len;               /* byte range in the raw message; at == DEFECT_NOWHERE: none */
	struct bytes snippet;         /* what stands there, as text; empty: taken from the range */
};

struct where where_none(void);
struct where where_part(const struct mime_part *part);
/* A range of the raw message. */
struct where where_range(const struct mime_part *part, size_t at, size_t len);
struct where where_field(const struct header_field *field);
/* Text that has no range of its own, because it was decoded: only the snippet tells. */
struct where where_text(const struct mime_part *part, struct bytes snippet);

/*
 * Gives evidence in the name of the running check. `one` and `two` replace {1} and {2} in its sentences: foreign text
 * is fine (made valid UTF-8, and cut).
 */
void scan_evidence(struct scan *scan, struct where where, struct bytes one, struct bytes two);

/* For STAGE_LATE: whether another check has given evidence. */
bool scan_has_evidence(const struct scan *scan, const char *symbol);
