/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/sniff.h: what content is by its bytes, whatever it calls itself. A table of the types that matter in mail.
 *
 * Bounds: looks at SNIFF_HEAD bytes, at the tail, and at SNIFF_ENTRIES entries of a zip. Allocates nothing.
 */
#include "base/bytes.h"

#define SNIFF_HEAD    4096
#define SNIFF_ENTRIES 512

enum sniff_encrypted {
	SNIFF_UNKNOWN = -1,
	SNIFF_PLAIN = 0,
	SNIFF_ENCRYPTED = 1,
};

struct sniff {
	const char *type; /* "application/pdf"; text/plain or application/octet-stream where nothing else fits; NULL
			     when there is no content */
	enum sniff_encrypted encrypted; /* of archives and documents whose form tells */
};

struct sniff sniff_content(struct bytes content);
