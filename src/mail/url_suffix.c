/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ascii.h"
#include "mail/url.h"

#include "suffix_table.h"

#include "base/banned.h"

#define SUFFIX_RULE      1u
#define SUFFIX_WILDCARD  2u /* any one label before it */
#define SUFFIX_EXCEPTION 4u

#define HASH_START 0x811c9dc5u

static uint32_t hash_step(uint32_t hash, uint8_t c)
{
	return (hash ^ ascii_lower(c)) * 0x01000193u;
}

/* The flags of the rules kept under `suffix`, whose hash from its end is known. */
static unsigned look_up(struct bytes suffix, uint32_t hash)
{
	size_t slots = sizeof(suffix_slots) / sizeof(suffix_slots[0]);
	for (size_t slot = hash % slots; suffix_slots[slot] != 0; slot = (slot + 1) % slots) {
		const uint8_t *row = suffix_rows + suffix_slots[slot];
		if (bytes_eq_nocase(suffix, bytes_make(row + 2, row[0])))
			return row[1];
	}
	return 0;
}

/*
 * Where the public suffix begins, and where the label before it begins (the same when there is none). One walk from the
 * end: a longer rule overrides a shorter one; an exception ends it.
 */
static void walk(struct bytes host, size_t *ret_suffix, size_t *ret_domain)
{
	uint32_t hash = HASH_START;
	size_t end = host.len, after = host.len; /* `after`: where the label right of this one begins */
	size_t suffix = host.len;
	bool wildcard = false;

	for (size_t at = end; at > 0;) {
		at--;
		hash = hash_step(hash, host.ptr[at]);
		if (at > 0 && host.ptr[at - 1] != '.')
			continue;
		unsigned flags = look_up(bytes_from(host, at), hash);
		if (flags & SUFFIX_EXCEPTION) {
			suffix = after;
			break;
		}
		if (wildcard || flags & SUFFIX_RULE || after == host.len)
			suffix = at;
		wildcard = (flags & SUFFIX_WILDCARD) != 0;
		after = at;
		if (at > 0) {
			at--; /* the dot */
			hash = hash_step(hash, '.');
		}
	}
	size_t domain = suffix;
	if (domain > 0) {
		domain--;
		while (domain > 0 && host.ptr[domain - 1] != '.')
			domain--;
	}
	*ret_suffix = suffix;
	*ret_domain = domain;
}

static bool is_address(struct bytes host)
{
	bool number = true;
	for (size_t i = 0; i < host.len; i++) {
		if (host.ptr[i] == ':')
			return true;
		number = number && (ascii_is_digit(host.ptr[i]) || host.ptr[i] == '.');
	}
	return number;
}

struct bytes url_registrable(struct bytes host)
{
	size_t suffix, domain;
	if (is_address(host))
		return host;
	walk(host, &suffix, &domain);
	return bytes_from(host, domain);
}

bool url_is_suffix(struct bytes host)
{
	size_t suffix, domain;
	if (is_address(host))
		return false;
	walk(host, &suffix, &domain);
	return suffix == 0;
}

bool url_tld_known(struct bytes label)
{
	uint32_t hash = HASH_START;
	if (label.len == 0 || label.len > 63)
		return false;
	for (size_t i = label.len; i-- > 0;)
		hash = hash_step(hash, label.ptr[i]);
	return look_up(label, hash) != 0;
}
