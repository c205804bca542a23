/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/dkim_key.h: key records (RFC 6376 3.6.1, RFC 8463).
 */
#include "auth/crypto.h"

struct arena;

struct dkim_key {
	enum crypto_type type;
	struct bytes data; /* p=, decoded */
	bool testing;      /* t=y */
	bool strict;       /* t=s */
};

/*
 * ERR_SYNTAX: no key record; ERR_DENIED: the key is revoked; ERR_UNSUPPORTED: a key of an unknown type, or one that may
 * not be used for mail or with SHA-256. `reterr->text` says so, `reterr->at` is the byte. ERR_NOMEM.
 */
NODISCARD enum err dkim_key_read(struct arena *arena, struct bytes record, struct dkim_key *ret_key,
				 struct error *reterr);
