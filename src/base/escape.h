/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * base/escape.h: the one way in which foreign text is printed, on terminals, in logs and in JSON strings.
 */
#include "base/bytes.h"

struct buf;

/*
 * Adds `text` as the inside of a JSON string: quotes, backslashes, controls (C0, DEL, C1), the line and paragraph
 * separators, and what turns the direction of writing or has no width (U+200B-200F, 202A-202E, 2060-2069, FEFF) are
 * escaped, malformed UTF-8 is U+FFFD. The result is valid UTF-8, is one line, and steers no terminal.
 */
void escape_json(struct buf *buf, struct bytes text);

/*
 * For people: as above, but quotes and backslashes stay, controls become U+FFFD, and what turns the direction of
 * writing or has no width is written as <U+202E>.
 */
void escape_plain(struct buf *buf, struct bytes text);
