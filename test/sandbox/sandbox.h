/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * test/sandbox/sandbox.h: calls that are tried in a sandbox, each in a process of its own, and what must come of them.
 */
#include <stdbool.h>
#include <stddef.h>

#include "sys/sandbox.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define GATE     (1u << SANDBOX_GATE)
#define SCANNER  (1u << SANDBOX_SCANNER)
#define VAULT    (1u << SANDBOX_VAULT)
#define RESOLVER (1u << SANDBOX_RESOLVER)
#define SIGNER   (1u << SANDBOX_SIGNER)
#define PARSER   (1u << SANDBOX_PARSER)
#define COURIER  (1u << SANDBOX_COURIER)
#define DAEMONS  (GATE | SCANNER | VAULT | RESOLVER | SIGNER | COURIER)
#define ALL      (DAEMONS | PARSER)

/* What was opened before the sandbox, as a daemon would. */
struct before {
	const char *folder;  /* the vault's own */
	const char *outside; /* a folder beside it, with a file "secret" that everybody may read and write */
	int pair[2];         /* of sys/ipc.h */
	int listener;        /* on a unix socket */
	int memfd;           /* sealed; holds MEMFD_TEXT */
	void *page;          /* one page that can be written */
	void *state;         /* of the attempt's own prepare() */
};

#define MEMFD_TEXT "From: a@example.com\r\n\r\nbody\r\n"

enum outcome {
	DEADLY = 1, /* the process is killed by the filter */
	REFUSED,    /* the call fails for lack of permission */
	WORKS,      /* run() returns 0 */
	ABORTS,     /* the process ends by SIGABRT, as a failed assertion does, and not by the filter */
};

struct attempt {
	const char *name;
	unsigned profiles; /* in which it has this outcome */
	enum outcome outcome;
	/* 0, or the errno of what failed; returning at all means that the filter let it through. */
	int (*run)(struct before *before);
	bool (*prepare)(struct before *before); /* may be NULL */
	/* The sanitizers' run time wants this call, so that those builds do not forbid it. */
	bool sanitizers_may;
};

extern const struct attempt forbidden[], needed[];
extern const size_t n_forbidden, n_needed;
