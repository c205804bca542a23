/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ascii.h"
#include "scan/check.h"

#include "base/banned.h"

static bool starts_one_of(const struct header_field *field, const char *words)
{
	struct bytes value = bytes_trim(field->value), rest = bytes_from_cstr(words), word;
	while (bytes_split(&rest, ' ', &word))
		if (bytes_starts_nocase(value, word) && (value.len == word.len || !ascii_is_alnum(value.ptr[word.len])))
			return true;
	return false;
}

static enum check_step run(struct scan *scan)
{
	const struct header *header = scan_message(scan)->header;
	const struct header_field *field = header_find(header, HEADER_X_PRIORITY, 0);
	bool high = field && starts_one_of(field, "1 2");
	if (!high && (field = header_find(header, HEADER_IMPORTANCE, 0)))
		high = starts_one_of(field, "high");
	if (!high && (field = header_find(header, HEADER_X_MSMAIL_PRIORITY, 0)))
		high = starts_one_of(field, "high");
	if (!high && (field = header_find_name(header, BYTES_LIT("Priority"), 0)))
		high = starts_one_of(field, "urgent");
	if (high)
		scan_evidence(scan, where_field(field), (struct bytes){0}, (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(priority_high){
	.symbol = "PRIORITY_HIGH",
	.family = "header",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "marked as urgent",
	.text_en = "The message is marked as urgent.",
	.text_ja = "重要度「高」が指定されています。",
	.manual = "Looks for X-Priority 1 or 2, Importance: high, Priority: urgent and X-MSMail-Priority: High."
		  " Advertisers like the red mark, colleagues use it now and then, alarm systems use it always."
		  " It is weak evidence.",
};
