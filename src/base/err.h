/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * base/err.h: how functions fail, and how they must not.
 *
 * Three types never mix: `enum err` says that *we* could not do something; defects (mail/mime.h) say what is wrong with
 * the mail; verdicts (scan/verdict.h) say what we think of it.
 */
#include <stddef.h>
#include <stdint.h>

#define NODISCARD               __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define UNUSED                  __attribute__((unused))
#define NORETURN                __attribute__((noreturn))

enum err {
	ERR_OK = 0,
	ERR_NOMEM = -1,       /* no memory, or the budget of an arena is used up and no limit says so better */
	ERR_LIMIT = -2,       /* a limit of ours was met */
	ERR_SHORT = -3,       /* the input ends too early; with more of it this might succeed */
	ERR_SYNTAX = -4,      /* the input is wrong */
	ERR_UNSUPPORTED = -5, /* the input asks for what we do not do */
	ERR_IO = -6,          /* the system refused; errno has more when the header says so */
	ERR_TIMEOUT = -7,
	ERR_DENIED = -8,
	ERR_CLOSED = -9, /* the peer is gone */
	ERR_AGAIN = -10, /* nothing there now */
	ERR_INTERNAL = -11,
};

/* One of the words above, lower case, for logs ("short"); never NULL. */
const char *err_name(enum err err);

/* Where a human must know more than the code. `at` is a byte offset or line, as the function says. */
struct error {
	enum err code;
	size_t at;
	char text[160];
};

/* Fills *reterr (which may be NULL) and returns `code`; a text that is too long is cut. */
PRINTF_LIKE(4, 5) enum err error_set(struct error *reterr, enum err code, size_t at, const char *fmt, ...);

/* Returns early with what `expr` failed with. */
#define TRY(expr)                                                                                                      \
	do {                                                                                                           \
		enum err try_err_ = (expr);                                                                            \
		if (try_err_ != ERR_OK)                                                                                \
			return try_err_;                                                                               \
	} while (0)

/* `CLEANUP(foo_free) struct foo *f = NULL;` calls foo_free(&f) when f goes out of scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* For what cannot happen; stays in release builds. Never on anything that a peer sent. */
NORETURN void assert_failed(const char *expr, const char *file, int line);
#define ASSERT(expr) ((expr) ? (void)0 : assert_failed(#expr, __FILE__, __LINE__))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
