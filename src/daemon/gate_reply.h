/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * daemon/gate_reply.h: a verdict in the words of rspamd's and of spamd's protocol.
 */
#include "daemon/transaction.h"

struct rspamd_symbol;

/* The symbols of the verdict, in the arena of the transaction. */
size_t reply_symbols(struct transaction *transaction, struct rspamd_symbol **ret_symbols);
/* rspamd's word for the fate. */
const char *reply_action(const struct transaction *transaction);
