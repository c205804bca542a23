/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/address.h: address lists (RFC 5322 3.4, RFC 6854, RFC 6532): groups flattened, comments, quoted strings, UTF-8
 * local parts, and malformed ones read as mail clients read them.
 *
 * Bounds: at most ADDRESS_MAX addresses a list; more is a defect. Comment nesting needs no recursion. Time is linear.
 */
#include "base/bytes.h"
#include "base/err.h"
#include "mail/defect.h"

#define ADDRESS_MAX 2000

struct charset;

struct address {
	struct bytes name;    /* display name, decoded UTF-8; a comment where there is no other; {NULL, 0} when none */
	struct bytes address; /* local@domain, quotes of the local part removed where they are not needed; {NULL, 0}
				 when none */
	struct bytes local, domain; /* slices of `address`; domain empty when there is no @ */
	size_t at, len;             /* of the mailbox in the field value as given */
};

struct address_list {
	struct address *items;
	size_t count;
	bool present; /* the field was there, whatever it held */
	bool group;   /* group syntax was used */
};

/*
 * Parses the (still folded) value of one address field and adds to *list. `at` is the offset of the value in the
 * message, for the defects; `header` names the field there. `raw` as in words_decode().
 */
NODISCARD enum err address_parse(struct arena *arena, struct bytes value, const struct charset *raw, size_t at,
				 struct bytes header, struct defect_list *defects, struct address_list *list);

/* The address of an SMTP path ("<a@b>", "a@b", "<>", source routes cut): raw slices. False when it is none. */
bool address_from_path(struct bytes path, struct bytes *ret_address);
