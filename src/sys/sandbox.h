/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * sys/sandbox.h: what a process may still do, once and for all: Landlock for files, seccomp for everything else. A
 * forbidden call kills the process. Called after ids were dropped and every file and socket is open, before the first
 * foreign byte.
 *
 * Files:   none; SANDBOX_VAULT: below `folder`. Where the kernel has no Landlock the profiles without file calls lose
 * nothing. Fails:   ERR_UNSUPPORTED when the kernel cannot; start-up must refuse to go on then, unless told to in so
 * many words. What the kernel can do of the two is in force even so.
 */
#include "base/err.h"

enum sandbox_profile {
	SANDBOX_GATE,     /* sockets that it accepts, connects to the next hop, memory files */
	SANDBOX_SCANNER,  /* the sockets and memory files it is given, memory, time */
	SANDBOX_RESOLVER, /* sockets that ask: UDP and TCP, from any port */
	SANDBOX_VAULT,    /* files below one folder, the sockets it is given */
	SANDBOX_SIGNER,   /* the sockets it is given, memory, time, chance; maps nothing that came from elsewhere */
	SANDBOX_PARSER,   /* memory, and writing the result to what is open: it reads nothing and lives for a moment */
	SANDBOX_COURIER,  /* connections by TCP that it opens itself, the sockets it is given */
};

NODISCARD enum err sandbox_enter(enum sandbox_profile profile, const char *folder, struct error *reterr);
