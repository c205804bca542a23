/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * base/escape.h: the one way in which foreign text is printed, on terminals, in logs and in JSON strings.
 */
#include "base/bytes.h"

struct buf;

/*
 * Adds `text` as the inside of a JSON string: quotes, backslashes, controls (C0, DEL, C1) and the line and paragraph
 * separators escaped, malformed UTF-8 as U+FFFD. The result is valid UTF-8, is one line, and steers no terminal.
 */
void escape_json(struct buf *buf, struct bytes text);

/*
 * For people: as above, but quotes and backslashes stay, controls become U+FFFD, and characters that turn the direction
 * of writing or have no width (U+200B-200F, 202A-202E, 2060-2069, FEFF) are written as <U+202E>.
 */
void escape_plain(struct buf *buf, struct bytes text);
