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
 * An image: this, then `n_names` places of names in the pool, `n_nets` networks, and the pool. Networks stand by the
 * length of their prefix, then by address: those of length n are starts[n] up to starts[n + 1]. Names stand in the
 * order of their bytes; at its place in the pool each has its length in front.
 */
struct head {
	uint64_t n_names, n_nets, pool_len;
	uint32_t starts[BITS + 2];
};

struct local_list {
	const uint32_t *names;
	const struct net *nets;
	const uint8_t *pool;
	const struct head *head;
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

/* A name on its way into the order: its first bytes, which mostly decide, and where it is. */
struct name {
	uint64_t first;
	uint32_t place;
};

struct builder {
	struct head head;
	struct name *names;
	struct net *nets;
	uint8_t *pool;
};

static struct bytes name_at(const uint8_t *pool, uint32_t place)
{
	return bytes_make(pool + place + 1, pool[place]);
}

static int by_name(const void *left, const void *right, void *pool)
{
	const struct name *a = left, *b = right;
	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return bytes_cmp(name_at(pool, a->place), name_at(pool, b->place));
}

static int by_net(const void *left, const void *right)
{
	const struct net *a = left, *b = right;
	return a->bits != b->bits ? (a->bits < b->bits ? -1 : 1) : memcmp(a->ip, b->ip, sizeof(a->ip));
}

static void count_entry(struct head *head, enum entry_kind kind, struct bytes entry)
{
	head->n_nets += kind == ENTRY_NET;
	head->n_names += kind == ENTRY_NAME;
	head->pool_len += kind == ENTRY_NAME ? entry.len + 1 : 0;
}

static void add_entry(struct builder *builder, enum entry_kind kind, struct bytes entry, const struct net *net)
{
	struct head *head = &builder->head;
	if (kind == ENTRY_NET)
		builder->nets[head->n_nets++] = *net;
	if (kind != ENTRY_NAME)
		return;
	struct name *name = &builder->names[head->n_names++];
	*name = (struct name){.place = (uint32_t)head->pool_len};
	builder->pool[head->pool_len++] = (uint8_t)entry.len;
	for (size_t i = 0; i < entry.len; i++) {
		uint8_t byte = ascii_lower(entry.ptr[i]);
		builder->pool[head->pool_len++] = byte;
		if (i < 8)
			name->first |= (uint64_t)byte << (56 - 8 * i);
	}
}

static void sort_and_unite(struct builder *builder)
{
	struct head *head = &builder->head;
	size_t kept = 0;
	if (head->n_nets > 0)
		qsort(builder->nets, head->n_nets, sizeof(builder->nets[0]), by_net);
	for (size_t i = 0; i < head->n_nets; i++)
		if (kept == 0 || by_net(&builder->nets[kept - 1], &builder->nets[i]) != 0)
			builder->nets[kept++] = builder->nets[i];
	head->n_nets = kept;
	for (size_t i = 0, bits = 0; bits <= BITS + 1; bits++) {
		while (i < head->n_nets && builder->nets[i].bits < bits)
			i++;
		head->starts[bits] = (uint32_t)i;
	}
	if (head->n_names > 0)
		qsort_r(builder->names, head->n_names, sizeof(builder->names[0]), by_name, builder->pool);
	kept = 0;
	for (size_t i = 0; i < head->n_names; i++)
		if (kept == 0 || by_name(&builder->names[kept - 1], &builder->names[i], builder->pool) != 0)
			builder->names[kept++] = builder->names[i];
	head->n_names = kept;
}

static enum err make_image(struct arena *arena, const struct builder *builder, struct bytes *ret_image)
{
	const struct head *head = &builder->head;
	size_t names = head->n_names * sizeof(uint32_t), nets = head->n_nets * sizeof(struct net);
	size_t size = sizeof(*head) + names + nets + head->pool_len;
	uint8_t *image = arena_alloc_raw(arena, size);
	if (!image)
		return ERR_NOMEM;
	memcpy(image, head, sizeof(*head));
	for (size_t i = 0; i < head->n_names; i++)
		memcpy(image + sizeof(*head) + i * sizeof(uint32_t), &builder->names[i].place, sizeof(uint32_t));
	memcpy(image + sizeof(*head) + names, builder->nets, nets);
	memcpy(image + sizeof(*head) + names + nets, builder->pool, head->pool_len);
	*ret_image = bytes_make(image, size);
	return ERR_OK;
}

enum err local_list_build(struct arena *arena, struct bytes text, local_list_wrong *wrong, void *ctx,
			  struct bytes *ret_image)
{
	CLEANUP(arena_free) struct arena *scratch = arena_create(SIZE_MAX);
	struct builder builder = {0};
	if (!scratch || text.len > LOCAL_LIST_MAX)
		return scratch ? ERR_LIMIT : ERR_NOMEM;
	for (int pass = 0; pass < 2; pass++) {
		struct bytes rest = text, line;
		for (size_t number = 1; bytes_split(&rest, '\n', &line); number++) {
			struct net net;
			const char *why = "";
			struct bytes entry = entry_of(line, number == 1);
			enum entry_kind kind = classify(entry, &net, &why);
			if (pass == 1)
				add_entry(&builder, kind, entry, &net);
			else if (kind == ENTRY_WRONG)
				wrong(ctx, number, entry, why);
			else
				count_entry(&builder.head, kind, entry);
		}
		if (pass == 1)
			break;
		builder.nets = arena_new(scratch, struct net, builder.head.n_nets + 1);
		builder.names = arena_new(scratch, struct name, builder.head.n_names + 1);
		builder.pool = arena_alloc_raw(scratch, builder.head.pool_len + 1);
		if (!builder.nets || !builder.names || !builder.pool)
			return ERR_NOMEM;
		builder.head = (struct head){0};
	}
	sort_and_unite(&builder);
	return make_image(arena, &builder, ret_image);
}

/* -- Looking up ---- */

enum err local_list_open(struct arena *arena, struct bytes image, const struct local_list **ret_list)
{
	const struct head *head = (const void *)image.ptr;
	struct local_list *list = arena_new(arena, struct local_list, 1);
	if (!list)
		return ERR_NOMEM;
	if (image.len < sizeof(*head) || (uintptr_t)image.ptr % _Alignof(struct head) != 0)
		return ERR_SYNTAX;
	size_t rest = image.len - sizeof(*head);
	if (head->n_names > rest / sizeof(uint32_t) || head->n_nets > rest / sizeof(struct net) ||
	    head->pool_len > rest ||
	    head->n_names * sizeof(uint32_t) + head->n_nets * sizeof(struct net) + head->pool_len != rest)
		return ERR_SYNTAX;
	for (size_t i = 0; i < ARRAY_LEN(head->starts); i++)
		if (head->starts[i] > head->n_nets || (i > 0 && head->starts[i] < head->starts[i - 1]))
			return ERR_SYNTAX;
	list->head = head;
	list->names = (const uint32_t *)(const void *)(head + 1);
	list->nets = (const struct net *)(const void *)(list->names + head->n_names);
	list->pool = (const uint8_t *)(list->nets + head->n_nets);
	*ret_list = list;
	return ERR_OK;
}

size_t local_list_count(const struct local_list *list)
{
	return list->head->n_nets + list->head->n_names;
}

static bool has_net(const struct local_list *list, const uint8_t ip[16], unsigned bits)
{
	size_t low = list->head->starts[bits], high = list->head->starts[bits + 1];
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
	size_t low = 0, high = list->head->n_names, pool_len = list->head->pool_len;
	while (low < high) {
		size_t middle = low + (high - low) / 2, place = list->names[middle];
		if (place >= pool_len || list->pool[place] > pool_len - place - 1)
			return false; /* an image that local_list_build() did not make */
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

/* -- Those of a process ---- */

/* Each list in the image of all: this, its name and its image, both filled up to a multiple of eight. */
struct lists_head {
	uint64_t name_len, image_len;
};

static size_t round_up(size_t len)
{
	return (len + 7) & ~(size_t)7;
}

enum err local_lists_pack(struct arena *arena, const struct local_lists *lists, struct bytes *ret_image)
{
	size_t size = 0, at = 0;
	for (size_t i = 0; i < lists->count; i++)
		size += sizeof(struct lists_head) + round_up(lists->items[i].name.len) +
			round_up(lists->items[i].image.len);
	uint8_t *out = arena_alloc(arena, size + 1);
	if (!out)
		return ERR_NOMEM;
	for (size_t i = 0; i < lists->count; i++) {
		struct bytes name = lists->items[i].name, image = lists->items[i].image;
		struct lists_head head = {name.len, image.len};
		memcpy(out + at, &head, sizeof(head));
		at += sizeof(head);
		memcpy(out + at, name.ptr, name.len);
		at += round_up(name.len);
		memcpy(out + at, image.ptr, image.len);
		at += round_up(image.len);
	}
	*ret_image = bytes_make(out, size);
	return ERR_OK;
}

enum err local_lists_open(struct arena *arena, struct bytes image, struct local_lists *ret_lists)
{
	size_t at = 0, capacity = 0;
	*ret_lists = (struct local_lists){0};
	while (at < image.len) {
		struct lists_head head;
		struct local_lists_item item;
		if (image.len - at < sizeof(head))
			return ERR_SYNTAX;
		memcpy(&head, image.ptr + at, sizeof(head));
		at += sizeof(head);
		if (head.name_len > image.len - at || round_up(head.name_len) > image.len - at ||
		    head.image_len > image.len - at - round_up(head.name_len) ||
		    round_up(head.image_len) > image.len - at - round_up(head.name_len))
			return ERR_SYNTAX;
		item.name = bytes_sub(image, at, head.name_len);
		at += round_up(head.name_len);
		item.image = bytes_sub(image, at, head.image_len);
		at += round_up(head.image_len);
		TRY(local_list_open(arena, item.image, &item.list));
		ret_lists->items =
			arena_grow(arena, ret_lists->items, &capacity, ret_lists->count, sizeof(ret_lists->items[0]));
		if (!ret_lists->items)
			return ERR_NOMEM;
		ret_lists->items[ret_lists->count++] = item;
	}
	return ERR_OK;
}

struct bytes local_lists_image(const struct local_lists *lists, struct bytes name)
{
	for (size_t i = 0; i < lists->count; i++)
		if (bytes_eq(lists->items[i].name, name))
			return lists->items[i].image;
	return (struct bytes){0};
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
