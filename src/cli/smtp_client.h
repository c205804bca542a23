/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cli/smtp_client.h: hands one message to an SMTP server, blocking, with time-outs: for `postern quarantine release`.
 */
#include "base/bytes.h"
#include "base/err.h"

struct smtp_delivery {
	struct bytes server;     /* ADDRESS:PORT or unix:PATH */
	struct bytes helo, from; /* `from` without <> */
	const struct bytes *recipients;
	size_t n_recipients;
	struct bytes head, body; /* sent one after the other; line ends are made CRLF, dots are stuffed */
};

#define SMTP_CLIENT_TIMEOUT_S  60
#define SMTP_CLIENT_PATIENCE_S 600 /* for the last word about a message: who leaves too early delivers twice */

/* ERR_OK only when the server took it for every recipient; else *reterr holds its words. */
NODISCARD enum err smtp_deliver(const struct smtp_delivery *delivery, struct error *reterr);
