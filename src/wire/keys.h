/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * wire/keys.h: signing keys on disk, below the state folder: keys/index (auth/keyring.h), which says what the public
 * may know, and keys/DOMAIN/SELECTOR.pem, the secrets, which only their owner may read. `postern keys` writes both; the
 * scanners read the index, and the signer alone the secrets.
 *
 * Owns:  the list and its text live in the arena. A secret is wiped as soon as the key was made of it.
 * Fails: ERR_IO, ERR_SYNTAX, ERR_NOMEM with a text that names the file.
 */
#include "auth/keyring.h"

/* The text of the index; where there is none it is empty. */
NODISCARD enum err keys_read_index(struct arena *arena, struct bytes state_dir, struct bytes *ret_text,
				   struct error *reterr);
/* The list that it is. */
NODISCARD enum err keys_read(struct arena *arena, struct bytes state_dir, struct keyring *ret_ring,
			     struct error *reterr);
NODISCARD enum err keys_write(struct arena *arena, struct bytes state_dir, const struct keyring *ring,
			      struct error *reterr);
/* The path of the index ("keys/index"), and of a secret; NULL when there is no memory. */
const char *keys_index_path(struct arena *arena, struct bytes state_dir);
const char *keys_secret_path(struct arena *arena, struct bytes state_dir, const struct keyring_key *key);
NODISCARD enum err keys_read_secret(struct bytes state_dir, const struct keyring_key *key, struct crypto_key **ret_key,
				    struct error *reterr);
/* Makes the folders that are missing. */
NODISCARD enum err keys_write_secret(struct arena *arena, struct bytes state_dir, const struct keyring_key *key,
				     const struct crypto_key *secret, struct error *reterr);
