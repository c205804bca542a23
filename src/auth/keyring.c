/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/keyring.h"

#include "auth/sign_names.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/num.h"

#include "base/banned.h"

#define TIME_MAX ((uint64_t)1 << 40)

static const char *const states[] = {"next", "active", "retired"};
static const char *const types[] = {"rsa", "ed25519"};

const char *keyring_state_name(enum keyring_state state)
{
	return states[state];
}

const char *keyring_type_name(enum crypto_type type)
{
	return types[type];
}

static bool find_word(const char *const *words, size_t n, struct bytes word, unsigned *ret)
{
	for (unsigned i = 0; i < n; i++) {
		if (bytes_eq(word, bytes_from_cstr(words[i]))) {
			*ret = i;
			return true;
		}
	}
	return false;
}

bool keyring_type_find(struct bytes name, enum crypto_type *ret_type)
{
	unsigned type = 0;
	bool found = find_word(types, ARRAY_LEN(types), name, &type);
	*ret_type = (enum crypto_type)type;
	return found;
}

/* -- Text ---- */

static bool is_lower(struct bytes name)
{
	for (size_t i = 0; i < name.len; i++)
		if (ascii_lower(name.ptr[i]) != name.ptr[i])
			return false;
	return true;
}

static bool read_number(struct bytes word, uint64_t max, uint64_t *ret)
{
	return num_parse(word, 10, max, ret) == ERR_OK;
}

static bool read_line(struct bytes line, struct keyring_key *ret_key)
{
	struct bytes words[7], rest = line;
	size_t n = 0;
	unsigned type, state;
	uint64_t bits, created, changed;
	while (n < ARRAY_LEN(words) && bytes_split(&rest, ' ', &words[n]))
		n++;
	if (n < ARRAY_LEN(words) || rest.len > 0 || sign_key_valid(words[0], words[1], NULL) != ERR_OK ||
	    !is_lower(words[0]) || !is_lower(words[1]) || !find_word(types, ARRAY_LEN(types), words[2], &type) ||
	    !read_number(words[3], CRYPTO_RSA_MAX, &bits) || !find_word(states, ARRAY_LEN(states), words[4], &state) ||
	    !read_number(words[5], TIME_MAX, &created) || !read_number(words[6], TIME_MAX, &changed))
		return false;
	*ret_key = (struct keyring_key){.domain = words[0],
					.selector = words[1],
					.type = (enum crypto_type)type,
					.bits = (unsigned)bits,
					.state = (enum keyring_state)state,
					.created = (int64_t)created,
					.changed = (int64_t)changed};
	return true;
}

enum err keyring_parse(struct arena *arena, struct bytes text, struct keyring *ret_ring, struct error *reterr)
{
	struct bytes rest = text, line;
	*ret_ring = (struct keyring){0};
	if (text.len > KEYRING_TEXT_MAX)
		return error_set(reterr, ERR_SYNTAX, 0, "the list of keys is too long");
	for (size_t at = 1; bytes_split(&rest, '\n', &line); at++) {
		struct keyring_key key;
		if (line.len == 0 || line.ptr[0] == '#')
			continue;
		if (!read_line(line, &key))
			return error_set(reterr, ERR_SYNTAX, at, "line %zu does not describe a key", at);
		if (keyring_find(ret_ring, key.domain, key.selector))
			return error_set(reterr, ERR_SYNTAX, at, "line %zu names a key that was there already", at);
		if (key.state == KEYRING_ACTIVE && keyring_in_state(ret_ring, key.domain, key.type, KEYRING_ACTIVE))
			return error_set(reterr, ERR_SYNTAX, at, "line %zu is a second active key of its type", at);
		enum err err = keyring_add(arena, ret_ring, &key);
		if (err != ERR_OK)
			return error_set(reterr, err == ERR_LIMIT ? ERR_SYNTAX : err, at,
					 err == ERR_LIMIT ? "there are more than %d keys" : "no memory", KEYRING_MAX);
	}
	return ERR_OK;
}

void keyring_write(struct buf *buf, const struct keyring *ring)
{
	buf_add_cstr(buf,
		     "# The keys that sign, written by `postern keys`: domain, selector, type, bits, state, created, "
		     "changed\n");
	for (size_t i = 0; i < ring->count; i++) {
		const struct keyring_key *key = &ring->items[i];
		buf_printf(buf, "%.*s %.*s %s %u %s %lld %lld\n", BYTES_FMT(key->domain), BYTES_FMT(key->selector),
			   types[key->type], key->bits, states[key->state], (long long)key->created,
			   (long long)key->changed);
	}
}

/* -- The list ---- */

enum err keyring_add(struct arena *arena, struct keyring *ring, const struct keyring_key *key)
{
	if (ring->count == KEYRING_MAX)
		return ERR_LIMIT;
	struct keyring_key *items = arena_grow(arena, ring->items, &ring->capacity, ring->count, sizeof(*items));
	if (!items)
		return ERR_NOMEM;
	ring->items = items;
	items[ring->count++] = *key;
	return ERR_OK;
}

struct keyring_key *keyring_find(const struct keyring *ring, struct bytes domain, struct bytes selector)
{
	for (size_t i = 0; i < ring->count; i++)
		if (bytes_eq_nocase(ring->items[i].domain, domain) &&
		    bytes_eq_nocase(ring->items[i].selector, selector))
			return &ring->items[i];
	return NULL;
}

struct keyring_key *keyring_in_state(const struct keyring *ring, struct bytes domain, enum crypto_type type,
				     enum keyring_state state)
{
	for (size_t i = 0; i < ring->count; i++) {
		struct keyring_key *key = &ring->items[i];
		if (key->type == type && key->state == state && bytes_eq_nocase(key->domain, domain))
			return key;
	}
	return NULL;
}

size_t keyring_signers(const struct keyring *ring, struct bytes host,
		       const struct keyring_key *ret_keys[static KEYRING_SIGNERS])
{
	while (host.len > 0) {
		size_t n = 0;
		for (enum crypto_type type = CRYPTO_RSA; type <= CRYPTO_ED25519; type++) {
			const struct keyring_key *key = keyring_in_state(ring, host, type, KEYRING_ACTIVE);
			if (key)
				ret_keys[n++] = key;
		}
		if (n > 0)
			return n;
		size_t dot = bytes_find_byte(host, '.');
		host = dot == BYTES_NONE ? (struct bytes){0} : bytes_from(host, dot + 1);
	}
	return 0;
}

void keyring_activate(struct keyring *ring, struct keyring_key *key, int64_t now)
{
	struct keyring_key *before = keyring_in_state(ring, key->domain, key->type, KEYRING_ACTIVE);
	if (before == key)
		return;
	if (before) {
		before->state = KEYRING_RETIRED;
		before->changed = now;
	}
	key->state = KEYRING_ACTIVE;
	key->changed = now;
}
