/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy.h"

#include "base/arena.h"
#include "base/buf.h"

#include "base/banned.h"

#define SPELLING_MAX 512 /* of an address; a longer one is no mailbox */

void policy_init(struct policy *policy, const struct settings *settings)
{
	*policy = (struct policy){
		.settings = settings,
		.tag_at = verdict_log_odds(settings->tag_at),
		.quarantine_at = verdict_log_odds(settings->quarantine_at),
	};
}

/*
 * The sender chooses how a recipient is spelled: "name"@example.org and example.org. reach the same mailbox. In `text`
 * without needless quotes; as it is where that would be no address.
 */
static struct bytes plain_spelling(struct bytes address, uint8_t text[static SPELLING_MAX])
{
	if (bytes_ends(address, BYTES_LIT(".")))
		address.len--;
	if (address.len > SPELLING_MAX || !bytes_starts(address, BYTES_LIT("\"")))
		return address;
	size_t i = 1, n = 0;
	while (i < address.len && address.ptr[i] != '"') {
		i += address.ptr[i] == '\\';
		if (i < address.len)
			text[n++] = address.ptr[i++];
	}
	struct bytes domain = bytes_from(address, i + 1);
	if (i >= address.len || !bytes_starts(domain, BYTES_LIT("@")))
		return address;
	memcpy(text + n, domain.ptr, domain.len);
	return bytes_make(text, n + domain.len);
}

static bool fits(struct bytes pattern, struct bytes address)
{
	size_t star = bytes_find_byte(pattern, '*');
	if (star == BYTES_NONE)
		return bytes_eq_nocase(pattern, address);
	struct bytes head = bytes_sub(pattern, 0, star), tail = bytes_from(pattern, star + 1);
	return address.len >= head.len + tail.len && bytes_starts_nocase(address, head) &&
	       bytes_ends_nocase(address, tail);
}

bool policy_matches(struct bytes pattern, struct bytes address)
{
	uint8_t text[SPELLING_MAX];
	return fits(pattern, address) || fits(pattern, plain_spelling(address, text));
}

static const struct settings_actions *actions_for(const struct settings *settings, struct bytes recipient)
{
	const struct settings_recipients *groups = settings->recipients.items;
	for (size_t i = 0; i < settings->recipients.count; i++)
		for (size_t j = 0; j < groups[i].match.count; j++)
			if (policy_matches(groups[i].match.items[j], recipient))
				return &groups[i].actions;
	return NULL;
}

static int choose(const struct settings_actions *special, size_t offset, const struct settings_actions *general)
{
	int of_group = special ? *(const int *)((const uint8_t *)special + offset) : SET_INHERIT;
	return of_group != SET_INHERIT ? of_group : *(const int *)((const uint8_t *)general + offset);
}

static enum verdict_action action_of(const struct policy *policy, const struct settings_actions *special, size_t offset)
{
	_Static_assert((int)ACTION_DELIVER == SET_DELIVER && (int)ACTION_TEMPFAIL == SET_TEMPFAIL,
		       "one order of actions");
	return (enum verdict_action)choose(special, offset, &policy->settings->actions);
}

static enum verdict_action fate_of_class(const struct policy *policy, const struct settings_actions *special,
					 enum verdict_class class, int log_odds)
{
	size_t offset;
	switch (class) {
	case CLASS_MALWARE:
		offset = offsetof(struct settings_actions, malware);
		break;
	case CLASS_PHISH:
		offset = offsetof(struct settings_actions, phish);
		break;
	case CLASS_SPAM:
		offset = log_odds >= policy->quarantine_at ? offsetof(struct settings_actions, spam)
							   : offsetof(struct settings_actions, spam_tag);
		break;
	case CLASS_UNSCANNABLE:
		offset = offsetof(struct settings_actions, unscannable);
		break;
	case CLASS_POLICY:
		offset = offsetof(struct settings_actions, policy);
		break;
	case CLASS_CLEAN:
	case CLASS_BULK:
	case CLASS_COUNT:
	default:
		return ACTION_DELIVER;
	}
	return action_of(policy, special, offset);
}

enum verdict_action policy_fate(const struct policy *policy, enum verdict_class class, int log_odds,
				enum dmarc_policy sender_policy, struct bytes recipient)
{
	const struct settings_actions *special = actions_for(policy->settings, recipient);
	enum verdict_action fate = fate_of_class(policy, special, class, log_odds);
	if (sender_policy == DMARC_POLICY_REJECT)
		return verdict_stricter(fate,
					action_of(policy, special, offsetof(struct settings_actions, dmarc_reject)));
	if (sender_policy == DMARC_POLICY_QUARANTINE)
		return verdict_stricter(
			fate, action_of(policy, special, offsetof(struct settings_actions, dmarc_quarantine)));
	return fate;
}

void policy_reject_text(struct buf *buf, const struct policy *policy, struct bytes reason, struct bytes id)
{
	struct bytes text = policy->settings->reject_text;
	while (text.len > 0) {
		if (bytes_starts(text, BYTES_LIT("%reason%"))) {
			buf_add(buf, reason);
			text = bytes_from(text, 8);
		} else if (bytes_starts(text, BYTES_LIT("%id%"))) {
			buf_add(buf, id);
			text = bytes_from(text, 4);
		} else {
			buf_add_byte(buf, text.ptr[0]);
			text = bytes_from(text, 1);
		}
	}
}

enum err networks_parse(struct arena *arena, const struct conf_strings *texts, struct scan_network **ret_networks,
			size_t *ret_count)
{
	struct scan_network *networks = arena_new(arena, struct scan_network, texts->count + 1);
	if (!networks)
		return ERR_NOMEM;
	for (size_t i = 0; i < texts->count; i++)
		TRY(scan_network_parse(texts->items[i], &networks[i]));
	*ret_networks = networks;
	*ret_count = texts->count;
	return ERR_OK;
}

bool networks_hold(const struct scan_network *networks, size_t n, const uint8_t ip[16])
{
	for (size_t i = 0; i < n; i++)
		if (scan_network_holds(&networks[i], ip))
			return true;
	return false;
}
