/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/release.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "mail/message.h"

#include "base/banned.h"

static bool is_word(struct bytes word, size_t max)
{
	if (word.len == 0 || word.len > max)
		return false;
	for (size_t i = 0; i < word.len; i++)
		if (!ascii_is_alnum(word.ptr[i]) && word.ptr[i] != '-')
			return false;
	return true;
}

/* Offset of the first byte after the first empty line. */
static size_t body_begin(struct bytes message)
{
	size_t at = 0;
	while (at < message.len) {
		struct bytes line = bytes_from(message, at);
		size_t end = bytes_find_byte(line, '\n');
		if (end == BYTES_NONE)
			return message.len;
		at += end + 1;
		if (end == 0 || (end == 1 && line.ptr[0] == '\r'))
			return at;
	}
	return message.len;
}

bool release_body_hash(struct arena *arena, struct bytes message, char out[static DIGEST_SHA256_HEX])
{
	struct bytes body = bytes_from(message, body_begin(message));
	uint8_t *plain = arena_alloc_raw(arena, body.len);
	size_t n = 0;
	if (!plain)
		return false;
	for (size_t i = 0; i < body.len; i++)
		if (body.ptr[i] != '\r' || i + 1 == body.len || body.ptr[i + 1] != '\n')
			plain[n++] = body.ptr[i];
	while (n > 0 && plain[n - 1] == '\n')
		n--;
	digest_sha256_hex(bytes_make(plain, n), out);
	return true;
}

struct bytes release_key(struct arena *arena, const struct message *message)
{
	const struct header_field *field = header_find(message->header, HEADER_X_POSTERN_RELEASE, 0);
	char hash[DIGEST_SHA256_HEX];
	if (!field || header_count(message->header, HEADER_X_POSTERN_RELEASE) != 1)
		return (struct bytes){0};
	struct bytes rest = bytes_trim(field->value), version, id, token;
	if (!bytes_split(&rest, ' ', &version) || !bytes_split(&rest, ' ', &id) || !bytes_split(&rest, ' ', &token) ||
	    rest.len > 0)
		return (struct bytes){0};
	if (!bytes_eq(version, BYTES_LIT("v1")) || !is_word(id, 64) || !is_word(token, 64) ||
	    !release_body_hash(arena, message->raw, hash))
		return (struct bytes){0};
	return arena_printf(arena, "%.*s %.*s %s", BYTES_FMT(id), BYTES_FMT(token), hash);
}
