/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/keyring.h"

#include "base/arena.h"
#include "base/buf.h"

#include "fuzz.h"

/* A list of keys: what is read is written as it was read, and no name in it leads out of a folder. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)16 << 20);
	CLEANUP(buf_done) struct buf once = BUF_INIT(KEYRING_TEXT_MAX), twice = BUF_INIT(KEYRING_TEXT_MAX);
	const struct keyring_key *signers[KEYRING_SIGNERS];
	struct keyring ring, again;
	struct error error = {0};
	enum err err = keyring_parse(arena, bytes_make(data, size), &ring, &error);
	ASSERT(err == ERR_OK || (err != ERR_NOMEM && error.text[0]));
	if (err != ERR_OK || ring.count > 100)
		return 0;
	for (size_t i = 0; i < ring.count; i++) {
		ASSERT(!bytes_has(ring.items[i].domain, '/') && !bytes_has(ring.items[i].selector, '/'));
		ASSERT(ring.items[i].domain.ptr[0] != '.' && ring.items[i].selector.ptr[0] != '.');
		ASSERT(keyring_signers(&ring, ring.items[i].domain, signers) <= KEYRING_SIGNERS);
	}
	keyring_write(&once, &ring);
	ASSERT(keyring_parse(arena, buf_bytes(&once), &again, &error) == ERR_OK && again.count == ring.count);
	keyring_write(&twice, &again);
	ASSERT(bytes_eq(buf_bytes(&once), buf_bytes(&twice)));
	return 0;
}
