/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/verdict.h"

#include <math.h>

#include "base/banned.h"

static const char *const class_names[CLASS_COUNT] = {"clean",   "bulk",        "spam",  "phish",
						     "malware", "unscannable", "policy"};
static const char *const action_names[ACTION_COUNT] = {"deliver", "tag", "quarantine", "reject", "discard", "tempfail"};

/* Index of `name` in `names`, or `n`. */
static unsigned find_name(const char *const *names, unsigned n, struct bytes name)
{
	unsigned i = 0;
	while (i < n && !bytes_eq(name, bytes_from_cstr(names[i])))
		i++;
	return i;
}

const struct evidence *verdict_reason(const struct verdict *verdict)
{
	const struct evidence *heaviest = NULL;
	for (size_t i = 0; i < verdict->n_evidence; i++) {
		const struct evidence *evidence = &verdict->evidence[i];
		enum check_kind kind = evidence->check->kind;
		if (evidence->overruled)
			continue;
		if ((verdict->class == CLASS_MALWARE && kind == KIND_MALWARE) ||
		    (verdict->class == CLASS_POLICY && (kind == KIND_POLICY || kind == KIND_SENDER)) ||
		    (verdict->class == CLASS_PHISH && kind == KIND_PHISH))
			return evidence;
		if (!heaviest && evidence->weight > 0)
			heaviest = evidence;
	}
	return heaviest;
}

const char *verdict_class_name(enum verdict_class class)
{
	return class_names[class];
}

bool verdict_class_find(struct bytes name, enum verdict_class *ret)
{
	unsigned i = find_name(class_names, CLASS_COUNT, name);
	if (i < CLASS_COUNT)
		*ret = (enum verdict_class)i;
	return i < CLASS_COUNT;
}

const char *verdict_action_name(enum verdict_action action)
{
	return action_names[action];
}

bool verdict_action_find(struct bytes name, enum verdict_action *ret)
{
	unsigned i = find_name(action_names, ACTION_COUNT, name);
	if (i < ACTION_COUNT)
		*ret = (enum verdict_action)i;
	return i < ACTION_COUNT;
}

#define LOG_ODDS_END 40000

double verdict_probability(int log_odds)
{
	if (log_odds > LOG_ODDS_END)
		log_odds = LOG_ODDS_END;
	if (log_odds < -LOG_ODDS_END)
		log_odds = -LOG_ODDS_END;
	return 1.0 / (1.0 + exp(-(double)log_odds / 1000.0));
}

int verdict_log_odds(double probability)
{
	if (!(probability > 0.0))
		return -LOG_ODDS_END;
	if (probability >= 1.0)
		return LOG_ODDS_END;
	double nats = log(probability / (1.0 - probability));
	double milli = round(nats * 1000.0);
	return milli > LOG_ODDS_END ? LOG_ODDS_END : milli < -LOG_ODDS_END ? -LOG_ODDS_END : (int)milli;
}

enum verdict_action verdict_default_action(enum verdict_class class, int log_odds, const struct scan_settings *settings)
{
	switch (class) {
	case CLASS_CLEAN:
	case CLASS_BULK:
		return ACTION_DELIVER;
	case CLASS_SPAM:
		return log_odds >= settings->quarantine_at ? ACTION_QUARANTINE : ACTION_TAG;
	case CLASS_PHISH:
	case CLASS_MALWARE:
	case CLASS_UNSCANNABLE:
	case CLASS_POLICY:
	case CLASS_COUNT:
		break;
	}
	return ACTION_QUARANTINE;
}

enum verdict_action verdict_stricter(enum verdict_action a, enum verdict_action b)
{
	static const int rank[ACTION_COUNT] = {[ACTION_DELIVER] = 0,    [ACTION_TAG] = 1,     [ACTION_TEMPFAIL] = 2,
					       [ACTION_QUARANTINE] = 3, [ACTION_DISCARD] = 4, [ACTION_REJECT] = 5};
	return rank[b] > rank[a] ? b : a;
}
