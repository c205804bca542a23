/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

const char *err_name(enum err err)
{
	static const char *const names[] = {"ok", "no memory", "limit",  "short",  "syntax", "unsupported",
					    "io", "timeout",   "denied", "closed", "again",  "internal"};
	size_t i = (size_t) - (int)err;
	return i < ARRAY_LEN(names) ? names[i] : "unknown";
}

enum err error_set(struct error *reterr, enum err code, size_t at, const char *fmt, ...)
{
	if (reterr) {
		va_list ap;
		reterr->code = code;
		reterr->at = at;
		va_start(ap, fmt);
		(void)vsnprintf(reterr->text, sizeof(reterr->text), fmt, ap);
		va_end(ap);
	}
	return code;
}

void assert_failed(const char *expr, const char *file, int line)
{
	(void)fprintf(stderr, "assertion failed: %s (%s:%d)\n", expr, file, line);
	abort();
}
