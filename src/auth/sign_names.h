/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/sign_names.h: what DKIM signing and ARC sealing have in common: which fields are signed, and the words of tags.
 */
#include "auth/canon.h"

struct sign_names {
	struct bytes *items; /* lower case where they are ours, as given otherwise */
	size_t count;
};

/*
 * `names` in their order, with "from" in front where it is not among them; without names all fields of the message that
 * are worth it, each as often as it is there. Then `oversign`; NULL without names: those that a reader sees. With
 * `chain` signatures are worth it as well (RFC 8617 4.1.2). ERR_SYNTAX for what is no field name.
 */
NODISCARD enum err sign_names_make(const struct canon_message *message, const struct bytes *names, size_t n_names,
				   const struct bytes *oversign, size_t n_oversign, bool chain, struct sign_names *ret,
				   struct error *reterr);
bool sign_domain_valid(struct bytes name);
/* Whether they name a key in DNS. ERR_SYNTAX with a text. */
NODISCARD enum err sign_key_valid(struct bytes domain, struct bytes selector, struct error *reterr);
/* Whether fields can be put in front of it. ERR_SYNTAX with a text: a header too large, or one that begins with a
 * blank, which would continue the field before it. */
NODISCARD enum err sign_message_valid(const struct canon_message *message, struct error *reterr);
const char *sign_algorithm(enum crypto_type type);          /* "rsa-sha256" */
const char *sign_canon(enum canon header, enum canon body); /* "relaxed/simple" */
