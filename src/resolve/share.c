/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve/share.h"

#include "base/ascii.h"
#include "base/err.h"
#include "mail/url.h"

#include "base/banned.h"

#define IN_ADDR_LABELS 5  /* 2.0.192.in-addr.arpa */
#define IP6_LABELS     14 /* twelve nibbles, and ip6.arpa */

static struct bytes last_labels(struct bytes name, unsigned labels)
{
	for (size_t i = name.len; i-- > 0;)
		if (name.ptr[i] == '.' && --labels == 0)
			return bytes_from(name, i + 1);
	return name;
}

static bool is_of_hosts(uint8_t c)
{
	return ascii_is_alnum(c) || c == '.' || c == '-' || c == '_';
}

struct bytes share_zone(struct bytes name)
{
	if (bytes_ends(name, BYTES_LIT(".in-addr.arpa")))
		return last_labels(name, IN_ADDR_LABELS);
	if (bytes_ends(name, BYTES_LIT(".ip6.arpa")))
		return last_labels(name, IP6_LABELS);
	/* What is no host name to the rules of suffixes is still a name to the DNS, and somebody's: "a:b.example.com".
	 */
	size_t start = name.len;
	while (start > 0 && is_of_hosts(name.ptr[start - 1]))
		start--;
	while (start > 0 && start < name.len && name.ptr[start - 1] != '.')
		start++;
	return url_registrable(bytes_from(name, start));
}

static bool is_known(const struct shares *shares, struct share share)
{
	uint32_t known = shares->known[share.slot];
	return known != 0 && (known & ~(uint32_t)SHARE_CREDIT) == share.tag;
}

bool share_take(struct shares *shares, struct bytes name, struct share *ret_share)
{
	uint64_t hash = hash_sip(shares->secret, share_zone(name));
	struct share share = {.slot = (uint32_t)(hash % SHARE_SLOTS),
			      .tag = (uint32_t)(hash >> 32) & ~(uint32_t)SHARE_CREDIT};
	size_t room = is_known(shares, share) ? shares->room : shares->room - shares->kept;
	if (shares->taken >= room || shares->slots[share.slot] > (room - shares->taken) / SHARE_PART)
		return false;
	shares->slots[share.slot]++;
	shares->taken++;
	*ret_share = share;
	return true;
}

void share_return(struct shares *shares, struct share share)
{
	ASSERT(shares->slots[share.slot] > 0 && shares->taken > 0);
	shares->slots[share.slot]--;
	shares->taken--;
}

void share_learn(struct shares *shares, struct share share, bool answered)
{
	uint32_t *known = &shares->known[share.slot];
	if (answered && !is_known(shares, share))
		*known = share.tag | 1;
	else if (answered && (*known & SHARE_CREDIT) < SHARE_CREDIT)
		++*known;
	else if (!answered && is_known(shares, share) && (--*known & SHARE_CREDIT) == 0)
		*known = 0;
}
