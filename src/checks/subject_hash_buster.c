/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ascii.h"
#include "scan/check.h"

#include "base/banned.h"

static bool no_vowels(struct bytes word)
{
	for (size_t i = 0; i < word.len; i++)
		if (!ascii_is_lower(word.ptr[i]) || bytes_has(BYTES_LIT("aeiouy"), word.ptr[i]))
			return false;
	return word.len >= 6;
}

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	struct bytes subject = bytes_sub(message->subject, 0, 1000);
	size_t from = subject.len;
	while (from > 0 && !ascii_is_space(subject.ptr[from - 1]))
		from--;
	struct bytes tail = bytes_from(subject, from);
	size_t gap = from;
	while (gap > 0 && ascii_is_space(subject.ptr[gap - 1]))
		gap--;
	if (gap > 0 && tail.len > 0 && tail.len <= 30 && (from - gap >= 5 || no_vowels(tail)))
		scan_evidence(scan, where_field(header_find(message->header, HEADER_SUBJECT, 0)), tail,
			      (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(subject_hash_buster){
	.symbol = "SUBJECT_HASH_BUSTER",
	.family = "subject",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "a random tail in the subject",
	.text_en = "The subject ends in a meaningless tail: {1}",
	.text_ja = "件名の末尾に意味のない文字列が付いています: {1}",
	.manual = "Bulk mailers hang a random word or number at the end of each subject, so that no two are the"
		  " same, and push it out of sight with blanks. Fires on a last word behind five blanks or "
		  "more, and on a last word of six or more small letters without any vowel. Tables in a "
		  "subject, padded by some monitoring systems, look like the first kind.",
};
