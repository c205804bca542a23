/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan/verdict.h: what we think of a message, and why.
 *
 * Weights are log-odds in thousandths of a nat and add as integers, so that the same case gives the same sum
 * everywhere. Evidence of one family counts up to the family's cap, which the fitted table gives together with the
 * weights.
 */
#include "base/bytes.h"
#include "base/err.h"
#include "scan/check.h"

enum verdict_class {
	CLASS_CLEAN,
	CLASS_BULK,
	CLASS_SPAM,
	CLASS_PHISH,
	CLASS_MALWARE,
	CLASS_UNSCANNABLE,
	CLASS_POLICY,
	CLASS_COUNT
};

enum verdict_action {
	ACTION_DELIVER,
	ACTION_TAG,
	ACTION_QUARANTINE,
	ACTION_REJECT,
	ACTION_DISCARD,
	ACTION_TEMPFAIL,
	ACTION_COUNT
};

struct evidence {
	const struct check *check;
	int weight;     /* as it was counted, before the cap of the family; 0 when overruled or repeated */
	bool overruled; /* by a release from the quarantine */
	struct bytes text_en, text_ja;
	struct bytes part;    /* path; {NULL, 0}: none */
	size_t at, len;       /* at == DEFECT_NOWHERE: none */
	struct bytes snippet; /* valid UTF-8; {NULL, 0}: none */
};
#define EVIDENCE_MAX 100

struct verdict {
	enum verdict_class class;
	enum verdict_class own_class;    /* what it would be but for the author domain's policy */
	enum dmarc_policy sender_policy; /* what that asks for: ABSENT, NONE, QUARANTINE or REJECT */
	enum verdict_action
		action;     /* by the default policy (verdict_default_action); the daemon's configuration may differ */
	int log_odds;       /* thousandths of a nat, that the message is unwanted */
	double probability; /* of the same */
	struct evidence *evidence; /* the heaviest first, then by symbol */
	size_t n_evidence;
	unsigned evidence_dropped; /* beyond EVIDENCE_MAX */
};

/* The piece of evidence that says best why the class is what it is; NULL for clean mail, and where only limits speak.
 */
const struct evidence *verdict_reason(const struct verdict *verdict);

const char *verdict_class_name(enum verdict_class class);
bool verdict_class_find(struct bytes name, enum verdict_class *ret);
const char *verdict_action_name(enum verdict_action action);
bool verdict_action_find(struct bytes name, enum verdict_action *ret);

/* 1 / (1 + e^-x), and its inverse rounded to thousandths; probabilities outside (0, 1) give the ends, +-40 nats. */
double verdict_probability(int log_odds);
int verdict_log_odds(double probability);

/* DESIGN section 6: malware, phish, unscannable, policy and spam from quarantine_at on are quarantined, spam below is
 * tagged. */
enum verdict_action verdict_default_action(enum verdict_class class, int log_odds,
					   const struct scan_settings *settings);
/* The one that keeps more from the recipient. */
enum verdict_action verdict_stricter(enum verdict_action a, enum verdict_action b);
