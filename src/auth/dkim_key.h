/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/dkim_key.h: key records (RFC 6376 3.6.1, RFC 8463).
 */
#include "auth/crypto.h"

struct arena;
struct buf;

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

/*
 * The record to publish for that key: "v=DKIM1; k=rsa; p=...", one text, which DNS carries in strings of 255 bytes.
 * ERR_NOMEM.
 */
NODISCARD enum err dkim_key_write(struct arena *arena, const struct crypto_key *key, struct bytes *ret_record);
/* The record as a line of a zone file (RFC 1035 5.1), `name` without a dot at its end: strings of 255 bytes at most. */
#define DKIM_KEY_TTL 3600 /* seconds */
void dkim_key_zone_line(struct buf *buf, struct bytes name, struct bytes record);
