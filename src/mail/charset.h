/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/charset.h: bytes in any charset to UTF-8. ICU, behind our own alias table, with the Japanese charsets as mail
 * has them: ISO-2022-JP with its Microsoft (CP50220, CP50221) and KDDI forms, CP932, EUC-JP, CP51932, half-width kana,
 * NEC row 13.
 *
 * Start:  charset_init() loads every converter that can be asked for, once, before the sandbox: later calls touch no
 * file. UTF-7:  never decoded; it is evidence.
 */
#include "base/bytes.h"
#include "base/err.h"

struct arena;
struct charset; /* static; compare by pointer */

/* ERR_INTERNAL when ICU's data is missing. Not calling it is fine for tests: converters are then opened at first use.
 */
NODISCARD enum err charset_init(void);
void charset_done(void);

/* By any alias, any case, quotes and blanks around it ignored; NULL when nobody knows it. */
const struct charset *charset_find(struct bytes name);
const char *charset_name(const struct charset *charset); /* the canonical name, lower case: "iso-2022-jp" */
bool charset_is_utf7(const struct charset *charset);
extern const struct charset *const charset_utf8;

struct charset_result {
	struct bytes text;          /* UTF-8, always valid */
	size_t errors;              /* sequences that became U+FFFD */
	bool ascii;                 /* the input was pure ASCII and is returned as it is (no copy) */
	const struct charset *used; /* differs from what was asked when a mislabelled one was recognised */
};

/*
 * Decodes all of `in`. NULL charset, or one whose reading gives errors: guessed (valid UTF-8, the Japanese encodings by
 * their bytes, else windows-1252). Sole failure: ERR_NOMEM.
 */
NODISCARD enum err charset_decode(struct arena *arena, const struct charset *charset, struct bytes in,
				  struct charset_result *ret);
/* As above, without the guess: errors stay U+FFFD. */
NODISCARD enum err charset_decode_strict(struct arena *arena, const struct charset *charset, struct bytes in,
					 struct charset_result *ret);
