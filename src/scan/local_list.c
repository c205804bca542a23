/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/local_list.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "base/ip.h"
#include "mail/received.h"
#include "scan/case.h"

#include "base/banned.h"

#define BITS     128
#define NAME_MAX 254 /* RFC 5321 4.5.3.1.3, RFC 1035 3.1 with the dot in front */

struct net {
	uint8_t ip[16], bits;
};

/*
 * Networks by the length of their prefix, then by address: those of length n are nets[starts[n]] up to
 * nets[starts[n + 1]]. Names as places in `pool`, where each has its length in front, in the order of their bytes.
 */
struct local_list {
	struct net *nets;
	uint32_t *names;
	uint8_t *pool;
	size_t n_nets, n_names, pool_len;
	uint32_t starts[BITS + 2];
};

/* -- Lines ---- */

enum entry_kind { ENTRY_NONE, ENTRY_NET, ENTRY_NAME, ENTRY_WRONG };

/* The entry of a line, without comment and blanks around; of the first line without a byte order mark. */
static struct bytes entry_of(struct bytes line, bool first)
{
	size_t at = 0;
	if (first && bytes_starts(line, BYTES_LIT("\xef\xbb\xbf")))
		line = bytes_from(line, 3);
	while (at < line.len && !(line.ptr[at] == '#' && (at == 0 || ascii_is_space(line.ptr[at - 1]))))
		at++;
	return bytes_trim(bytes_sub(line, 0, at));
}

static bool is_domain(struct bytes text)
{
	struct bytes label;
	if (text.len == 0 || text.len > NAME_MAX - 1 || text.ptr[text.len - 1] == '.')
		return false;
	while (bytes_split(&text, '.', &label)) {
		if (label.len == 0 || label.len > 63)
			return false;
		for (size_t i = 0; i < label.len; i++)
			if (!ascii_is_alnum(label.ptr[i]) && label.ptr[i] != '-' && label.ptr[i] != '_')
				return false;
	}
	return true;
}

static bool is_local_part(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!ascii_is_print(text.ptr[i]) && text.ptr[i] < 0x80)
			return false;
	return text.len > 0;
}

static bool looks_like_net(struct bytes entry)
{
	bool digits = entry.len > 0 && !bytes_starts(entry, BYTES_LIT("."));
	for (size_t i = 0; i < entry.len; i++)
		digits &= ascii_is_digit(entry.ptr[i]) || entry.ptr[i] == '.';
	return digits || bytes_has(entry, ':') || bytes_has(entry, '/');
}

static enum entry_kind read_net(struct bytes entry, struct net *net, const char **ret_why)
{
	struct scan_network network;
	*ret_why = "is no address and no network";
	/* Brackets and zones, which mail may have, no list has. */
	for (size_t i = 0; i < entry.len; i++)
		if (!bytes_has(BYTES_LIT("0123456789abcdefABCDEF.:/"), entry.ptr[i]))
			return ENTRY_WRONG;
	if (scan_network_parse(entry, &network) != ERR_OK)
		return ENTRY_WRONG;
	*ret_why = "would name every address";
	if (network.bits == 0 || (network.bits == 96 && !bytes_has(entry, ':')))
		return ENTRY_WRONG;
	*ret_why = "has bits beyond its prefix";
	for (unsigned bit = network.bits; bit < BITS; bit++)
		if (network.ip[bit / 8] & 0x80u >> bit % 8)
			return ENTRY_WRONG;
	memcpy(net->ip, network.ip, sizeof(net->ip));
	net->bits = (uint8_t)network.bits;
	return ENTRY_NET;
}

/* `ret_why` tells of ENTRY_WRONG. */
static enum entry_kind classify(struct bytes entry, struct net *net, const char **ret_why)
{
	if (entry.len == 0)
		return ENTRY_NONE;
	*ret_why = "is too long";
	if (entry.len > NAME_MAX)
		return ENTRY_WRONG;
	*ret_why = "is more than one entry (a line has one)";
	for (size_t i = 0; i < entry.len; i++)
		if (ascii_is_space(entry.ptr[i]))
			return ENTRY_WRONG;
	size_t at = bytes_rfind_byte(entry, '@');
	if (at == BYTES_NONE && looks_like_net(entry))
		return read_net(entry, net, ret_why);
	if (at != BYTES_NONE) {
		*ret_why = "is no mail address (for a whole domain write the domain)";
		return is_local_part(bytes_sub(entry, 0, at)) && is_domain(bytes_from(entry, at + 1)) ? ENTRY_NAME
												      : ENTRY_WRONG;
	}
	*ret_why = "is no address, network, domain or mail address (what is below a domain is written .example.com, "
		   "other letters than those of ASCII as xn--)";
	struct bytes domain = bytes_from(entry, bytes_starts(entry, BYTES_LIT(".")) ? 1 : 0);
	return is_domain(domain) && !looks_like_net(domain) ? ENTRY_NAME : ENTRY_WRONG;
}

/* -- Building ---- */

static struct bytes name_at(const uint8_t *pool, uint32_t place)
{
	return bytes_make(pool + place + 1, pool[place]);
}

static int by_name(const void *left, const void *right, void *pool)
{
	return bytes_cmp(name_at(pool, *(const uint32_t *)left), name_at(pool, *(const uint32_t *)right));
}

static int by_net(const void *left, const void *right)
{
	const struct net *a = left, *b = right;
	return a->bits != b->bits ? (a->bits < b->bits ? -1 : 1) : memcmp(a->ip, b->ip, sizeof(a->ip));
}

static void count_entry(struct local_list *list, enum entry_kind kind, struct bytes entry)
{
	list->n_nets += kind == ENTRY_NET;
	list->n_names += kind == ENTRY_NAME;
	list->pool_len += kind == ENTRY_NAME ? entry.len + 1 : 0;
}

static void add_entry(struct local_list *list, enum entry_kind kind, struct bytes entry, const struct net *net)
{
	if (kind == ENTRY_NET)
		list->nets[list->n_nets++] = *net;
	if (kind != ENTRY_NAME)
		return;
	list->names[list->n_names++] = (uint32_t)list->pool_len;
	list->pool[list->pool_len++] = (uint8_t)entry.len;
	for (size_t i = 0; i < entry.len; i++)
		list->pool[list->pool_len++] = (uint8_t)ascii_lower(entry.ptr[i]);
}

static void sort_and_unite(struct local_list *list)
{
	size_t kept = 0;
	if (list->n_nets > 0)
		qsort(list->nets, list->n_nets, sizeof(list->nets[0]), by_net);
	for (size_t i = 0; i < list->n_nets; i++)
		if (kept == 0 || by_net(&list->nets[kept - 1], &list->nets[i]) != 0)
			list->nets[kept++] = list->nets[i];
	list->n_nets = kept;
	for (size_t i = 0, bits = 0; bits <= BITS + 1; bits++) {
		while (i < list->n_nets && list->nets[i].bits < bits)
			i++;
		list->starts[bits] = (uint32_t)i;
	}
	if (list->n_names > 0)
		qsort_r(list->names, list->n_names, sizeof(list->names[0]), by_name, list->pool);
	kept = 0;
	for (size_t i = 0; i < list->n_names; i++)
		if (kept == 0 || by_name(&list->names[kept - 1], &list->names[i], list->pool) != 0)
			list->names[kept++] = list->names[i];
	list->n_names = kept;
}

enum err local_list_parse(struct arena *arena, struct bytes text, local_list_wrong *wrong, void *ctx,
			  struct local_list **ret_list)
{
	struct local_list *list = arena_new(arena, struct local_list, 1);
	if (!list || text.len > LOCAL_LIST_MAX)
		return list ? ERR_LIMIT : ERR_NOMEM;
	for (int pass = 0; pass < 2; pass++) {
		struct bytes rest = text, line;
		for (size_t number = 1; bytes_split(&rest, '\n', &line); number++) {
			struct net net;
			const char *why = "";
			struct bytes entry = entry_of(line, number == 1);
			enum entry_kind kind = classify(entry, &net, &why);
			if (pass == 1)
				add_entry(list, kind, entry, &net);
			else if (kind == ENTRY_WRONG)
				wrong(ctx, number, entry, why);
			else
				count_entry(list, kind, entry);
		}
		if (pass == 1)
			break;
		list->nets = arena_new(arena, struct net, list->n_nets + 1);
		list->names = arena_new(arena, uint32_t, list->n_names + 1);
		list->pool = arena_alloc_raw(arena, list->pool_len + 1);
		if (!list->nets || !list->names || !list->pool)
			return ERR_NOMEM;
		list->n_nets = list->n_names = list->pool_len = 0;
	}
	sort_and_unite(list);
	*ret_list = list;
	return ERR_OK;
}

size_t local_list_count(const struct local_list *list)
{
	return list->n_nets + list->n_names;
}

/* -- Looking up ---- */

static bool has_net(const struct local_list *list, const uint8_t ip[16], unsigned bits)
{
	size_t low = list->starts[bits], high = list->starts[bits + 1];
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(list->nets[middle].ip, ip, 16);
		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static bool has_name(const struct local_list *list, struct bytes name)
{
	size_t low = 0, high = list->n_names;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = bytes_cmp(name_at(list->pool, list->names[middle]), name);
		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static void write_net(struct buf *entry, const uint8_t ip[16], unsigned bits)
{
	char text[IP_TEXT_MAX];
	buf_add(entry, ip_format(ip, text));
	if (bits < BITS)
		buf_printf(entry, "/%u", bits - (ip_is_v4(ip) ? 96 : 0));
}

static bool find_net(const struct local_list *list, const uint8_t address[16], struct buf *entry)
{
	uint8_t ip[16];
	memcpy(ip, address, sizeof(ip));
	for (unsigned bits = BITS; bits > 0; bits--) {
		if (bits < BITS)
			ip[bits / 8] &= (uint8_t) ~(0x80u >> bits % 8);
		if (!has_net(list, ip, bits))
			continue;
		write_net(entry, ip, bits);
		return true;
	}
	return false;
}

static bool find_name(const struct local_list *list, struct bytes name, struct buf *entry)
{
	if (!has_name(list, name))
		return false;
	buf_add(entry, name);
	return true;
}

/* The domain by itself, with all below it, and all below those that it is in. */
static bool find_domain(const struct local_list *list, struct bytes domain, struct buf *entry)
{
	uint8_t dotted[NAME_MAX];
	if (domain.len == 0 || domain.len >= sizeof(dotted))
		return false;
	if (find_name(list, domain, entry))
		return true;
	dotted[0] = '.';
	memcpy(dotted + 1, domain.ptr, domain.len);
	for (size_t at = 0; at <= domain.len; at++)
		if (dotted[at] == '.' && find_name(list, bytes_make(dotted + at, domain.len + 1 - at), entry))
			return true;
	return false;
}

bool local_list_find(const struct local_list *list, struct bytes value, struct buf *entry)
{
	size_t at = bytes_rfind_byte(value, '@');
	uint8_t ip[16];
	if (at != BYTES_NONE)
		return find_name(list, value, entry) || find_domain(list, bytes_from(value, at + 1), entry);
	if (looks_like_net(value))
		return received_parse_ip(value, ip) && find_net(list, ip, entry);
	return find_domain(list, value, entry);
}

bool local_lists_answer(const struct local_lists *lists, struct bytes value, struct buf *answer)
{
	bool found = false;
	for (size_t i = 0; i < lists->count; i++) {
		CLEANUP(buf_done) struct buf entry = BUF_INIT(512);
		if (!local_list_find(lists->items[i].list, value, &entry))
			continue;
		buf_printf(answer, "%.*s %.*s\n", BYTES_FMT(lists->items[i].name), BYTES_FMT(buf_bytes(&entry)));
		found = true;
	}
	return found;
}
