/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ascii.h"
#include "base/num.h"
#include "base/utf8.h"
#include "checks/common.h"

#include "base/banned.h"

#define WORDS_MIN 20
#define WORDS_MAX 400 /* different words looked at; so the table below is never crowded */

/* A set of words by their hashes: one bit each in a table; two words on one bit count as one. */
struct words {
	uint64_t bits[64];
	size_t count;
};

static void add(struct words *words, uint32_t hash)
{
	hash ^= hash >> 15;
	hash *= 0x2c1b3c6du;
	hash ^= hash >> 12;
	uint64_t bit = (uint64_t)1 << (hash & 63), *slot = &words->bits[(hash >> 6) & 63];
	words->count += (*slot & bit) == 0;
	*slot |= bit;
}

/* Words of four letters or more; of Chinese and Japanese each pair of characters. */
static void collect(struct bytes text, struct words *ret_words)
{
	uint32_t hash = 0, before = 0;
	size_t length = 0;
	*ret_words = (struct words){0};
	text = bytes_sub(text, 0, SHAPE_MAX);
	while (text.len > 0 && ret_words->count < WORDS_MAX) {
		uint32_t code = utf8_next(&text, NULL);
		if (code >= 0x3040) {
			if (before)
				add(ret_words, before * 31 + code);
			before = code;
		} else {
			before = 0;
		}
		if (ascii_is_alpha(code) || (code >= 0xc0 && code < 0x2000)) {
			hash = (hash ^ (code | 0x20)) * 16777619u;
			length++;
			continue;
		}
		if (length >= 4)
			add(ret_words, hash);
		hash = 0;
		length = 0;
	}
	if (length >= 4)
		add(ret_words, hash);
}

static size_t common_words(const struct words *left, const struct words *right)
{
	size_t n = 0;
	for (size_t i = 0; i < 64; i++)
		n += (size_t)__builtin_popcountll(left->bits[i] & right->bits[i]);
	return n;
}

/* The text/plain child, or the HTML one; the latter also inside a multipart/related. */
static const struct mime_part *find_child(const struct mime_part *part, bool html)
{
	for (const struct mime_part *child = part->first_child; child; child = child->next_sibling) {
		const struct mime_part *leaf = child;
		if (html && child->multipart && child->first_child)
			leaf = child->first_child;
		if (html ? leaf->html != NULL : leaf->leaf && bytes_eq(leaf->type, BYTES_LIT("text/plain")))
			return leaf;
	}
	return NULL;
}

static enum check_step run(struct scan *scan)
{
	const struct mime_tree *tree = &scan_message(scan)->tree;
	for (size_t i = 0; i < tree->n_parts; i++) {
		const struct mime_part *part = tree->parts[i];
		if (!part->multipart || !bytes_eq(part->type, BYTES_LIT("multipart/alternative")))
			continue;
		const struct mime_part *plain = find_child(part, false), *html = find_child(part, true);
		if (!plain || !html)
			continue;
		struct words left, right;
		collect(plain->text, &left);
		collect(html->html->visible, &right);
		size_t smaller = MIN(left.count, right.count);
		if (smaller >= WORDS_MIN && common_words(&left, &right) * 10 < smaller) {
			scan_evidence(scan, where_text(html, bytes_trim(plain->text)), (struct bytes){0},
				      (struct bytes){0});
			return CHECK_DONE;
		}
	}
	return CHECK_DONE;
}

CHECK_REGISTER(alternatives_differ){
	.symbol = "ALTERNATIVES_DIFFER",
	.family = "mime",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "the plain text and the HTML say different things",
	.text_en = "The plain text and the HTML of the message say different things.",
	.text_ja = "テキスト版と HTML 版の内容が異なります。",
	.manual = "In multipart/alternative the parts are the same text in two forms. Compares the words of the"
		  " plain text with those of the visible HTML; fires when both have at least twenty words and "
		  "less than a tenth of the smaller set is common. Spammers put harmless prose into the part "
		  "that people do not see. A note that the reader's program cannot show HTML is too short to "
		  "count; newsletters whose plain text is an advertisement of its own are the honest case.",
};
