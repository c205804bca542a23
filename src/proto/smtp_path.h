/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * proto/smtp_path.h: the path of MAIL and RCPT (RFC 5321, 4.1.2; RFC 6531): in angle brackets, with quoted local parts,
 * source routes, address literals and UTF-8.
 */
#include "base/bytes.h"

/*
 * Takes "<...>" off the front of `*rest`. *ret_mailbox is what is inside, without a source route; empty for "<>". False
 * when it is not a path: nothing is taken then. A local part without a domain is a path ("<postmaster>").
 */
bool smtp_path_take(struct bytes *rest, struct bytes *ret_mailbox);
