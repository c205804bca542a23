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

bool share_take(struct shares *shares, struct bytes name, uint32_t *ret_slot)
{
	uint32_t slot = (uint32_t)(hash_sip(shares->secret, share_zone(name)) % SHARE_SLOTS);
	if (shares->taken >= shares->room || shares->slots[slot] > (shares->room - shares->taken) / SHARE_PART)
		return false;
	shares->slots[slot]++;
	shares->taken++;
	*ret_slot = slot;
	return true;
}

void share_return(struct shares *shares, uint32_t slot)
{
	ASSERT(shares->slots[slot] > 0 && shares->taken > 0);
	shares->slots[slot]--;
	shares->taken--;
}
