/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/html_style.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/hash.h"
#include "base/num.h"

#include "base/banned.h"

#define BUCKETS 256

/* A rule with a class or an id. Rules of the same selector are laid over each other as they come. */
struct rule {
	struct rule *next; /* in its bucket */
	uint32_t hash;
	uint8_t mark;      /* '.' or '#' */
	enum html_tag tag; /* HTML_TAG_UNKNOWN: any */
	struct bytes name;
	struct html_style style;
};

struct html_sheet {
	struct arena *arena;
	size_t n_rules;
	bool complete;
	struct html_style tags[HTML_TAG_COUNT]; /* by element; HTML_TAG_UNKNOWN: of all */
	struct rule *buckets[BUCKETS];
};

struct html_sheet *html_sheet_new(struct arena *arena)
{
	struct html_sheet *sheet = arena_new(arena, struct html_sheet, 1);
	if (sheet)
		sheet->arena = arena;
	return sheet;
}

static uint32_t rule_hash(uint8_t mark, struct bytes name)
{
	return (uint32_t)hash_sip((struct hash_key){mark, 0x68746d6c}, name);
}

static struct rule *rule_find(const struct html_sheet *sheet, uint8_t mark, enum html_tag tag, struct bytes name)
{
	uint32_t hash = rule_hash(mark, name);
	for (struct rule *rule = sheet->buckets[hash % BUCKETS]; rule; rule = rule->next)
		if (rule->hash == hash && rule->mark == mark && rule->tag == tag && bytes_eq(rule->name, name))
			return rule;
	return NULL;
}

static bool name_char(uint8_t c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_' || c > 0x7f;
}

static enum html_tag tag_of(struct bytes name)
{
	/* The tokenizer owns the look-up; a start tag without attributes is the way to ask it. */
	uint8_t raw[20] = {'<'};
	if (name.len == 0 || name.len > 16)
		return HTML_TAG_UNKNOWN;
	memcpy(raw + 1, name.ptr, name.len);
	raw[name.len + 1] = '>';
	struct html_tokenizer tok = {.source = bytes_make(raw, name.len + 2)};
	struct html_token token;
	html_token_next(&tok, &token);
	return token.kind == HTML_TOKEN_START ? token.tag : HTML_TAG_UNKNOWN;
}

/* "html", "body" and "*" before a selector say nothing: all that is shown stands in them. */
static struct bytes without_ancestors(struct bytes selector)
{
	static const struct bytes all[] = {BYTES_INIT("html"), BYTES_INIT("body"), BYTES_INIT("*")};
	for (size_t i = 0; i < ARRAY_LEN(all);) {
		size_t n = all[i].len;
		if (selector.len > n && bytes_starts_nocase(selector, all[i]) && ascii_is_space(selector.ptr[n])) {
			selector = bytes_trim(bytes_from(selector, n));
			i = 0;
		} else {
			i++;
		}
	}
	return selector;
}

/* One selector; one that is not simple is passed over. */
static void add_rule(struct html_sheet *sheet, struct bytes selector, const struct html_style *style)
{
	selector = without_ancestors(bytes_trim(selector));
	size_t at = 0;
	while (at < selector.len && (name_char(selector.ptr[at]) || (at == 0 && selector.ptr[0] == '*')))
		at++;
	struct bytes element = bytes_sub(selector, 0, at);
	bool any = element.len == 0 || bytes_eq(element, BYTES_LIT("*"));
	enum html_tag tag = any ? HTML_TAG_UNKNOWN : tag_of(element);
	if (!any && tag == HTML_TAG_UNKNOWN)
		return;
	if (at == selector.len) {
		if (selector.len > 0)
			html_style_merge(&sheet->tags[tag], style);
		return;
	}
	uint8_t mark = selector.ptr[at];
	struct bytes name = bytes_from(selector, at + 1);
	if ((mark != '.' && mark != '#') || name.len == 0)
		return;
	for (size_t i = 0; i < name.len; i++)
		if (!name_char(name.ptr[i]))
			return;
	struct rule *rule = rule_find(sheet, mark, tag, name);
	if (!rule) {
		rule = sheet->n_rules < HTML_MAX_RULES ? arena_new(sheet->arena, struct rule, 1) : NULL;
		if (!rule) {
			sheet->complete = false;
			return;
		}
		uint32_t hash = rule_hash(mark, name);
		*rule = (struct rule){sheet->buckets[hash % BUCKETS], hash, mark, tag, name, {0}};
		sheet->buckets[hash % BUCKETS] = rule;
		sheet->n_rules++;
	}
	html_style_merge(&rule->style, style);
}

/* Where spaces, comments and <!-- --> around rules end. */
static size_t skip_gap(struct bytes css, size_t at)
{
	for (;;) {
		struct bytes rest = bytes_from(css, at);
		if (rest.len == 0)
			return at;
		if (ascii_is_space(rest.ptr[0]) || rest.ptr[0] == '}' || rest.ptr[0] == ';') {
			at++;
		} else if (bytes_starts(rest, BYTES_LIT("/*"))) {
			size_t end = bytes_find(bytes_from(rest, 2), BYTES_LIT("*/"));
			at = end == BYTES_NONE ? css.len : at + end + 4;
		} else if (bytes_starts(rest, BYTES_LIT("<!--"))) {
			at += 4;
		} else if (bytes_starts(rest, BYTES_LIT("-->"))) {
			at += 3;
		} else {
			return at;
		}
	}
}

/* The next of { } ; from `at` on, outside of strings and comments. */
static size_t next_mark(struct bytes css, size_t at)
{
	uint8_t quote = 0;
	for (; at < css.len; at++) {
		uint8_t c = css.ptr[at];
		if (c == '\\') {
			at++;
		} else if (quote) {
			if (c == quote || c == '\n')
				quote = 0;
		} else if (c == '"' || c == '\'') {
			quote = c;
		} else if (c == '/' && at + 1 < css.len && css.ptr[at + 1] == '*') {
			size_t end = bytes_find(bytes_from(css, at + 2), BYTES_LIT("*/"));
			if (end == BYTES_NONE)
				return css.len;
			at += end + 3;
		} else if (c == '{' || c == '}' || c == ';') {
			return at;
		}
	}
	return css.len;
}

/* The end of the block whose { is before `at`, whatever is nested in it. */
static size_t block_end(struct bytes css, size_t at)
{
	size_t depth = 1;
	for (; (at = next_mark(css, at)) < css.len; at++) {
		if (css.ptr[at] == '{')
			depth++;
		else if (css.ptr[at] == '}' && --depth == 0)
			return at;
	}
	return css.len;
}

#define SCREEN_WIDTH 1000 /* pixels: wider than any telephone, narrower than any screen of a desk */

/* One feature "(min-width: 400px)"; false when it does not hold, or is none that is known. */
static bool feature_holds(struct bytes feature)
{
	size_t colon = bytes_find_byte(feature, ':');
	if (colon == BYTES_NONE || feature.ptr[0] != '(' || feature.ptr[feature.len - 1] != ')')
		return false;
	struct bytes name = bytes_trim(bytes_sub(feature, 1, colon - 1));
	struct bytes value = bytes_trim(bytes_sub(feature, colon + 1, feature.len - colon - 2));
	size_t digits = 0;
	uint64_t width = 0;
	while (digits < value.len && ascii_is_digit(value.ptr[digits]))
		digits++;
	if (num_parse(bytes_sub(value, 0, digits), 10, UINT32_MAX, &width) != ERR_OK)
		return false;
	struct bytes unit = bytes_from(value, digits);
	if (bytes_eq_nocase(unit, BYTES_LIT("em")) || bytes_eq_nocase(unit, BYTES_LIT("rem")))
		width *= 16;
	else if (width > 0 && !bytes_eq_nocase(unit, BYTES_LIT("px")))
		return false;
	bool min =
		bytes_eq_nocase(name, BYTES_LIT("min-width")) || bytes_eq_nocase(name, BYTES_LIT("min-device-width"));
	bool max =
		bytes_eq_nocase(name, BYTES_LIT("max-width")) || bytes_eq_nocase(name, BYTES_LIT("max-device-width"));
	return (min && width <= SCREEN_WIDTH) || (max && width >= SCREEN_WIDTH);
}

/* One query of a list: "only screen and (min-width: 400px)". */
static bool query_holds(struct bytes query)
{
	query = bytes_trim(query);
	if (bytes_starts_nocase(query, BYTES_LIT("only ")))
		query = bytes_trim(bytes_from(query, 5));
	for (bool first = true; query.len > 0; first = false) {
		size_t at = 0;
		while (at < query.len && !ascii_is_space(query.ptr[at]))
			at += query.ptr[at] == '('
				      ? MIN(bytes_find_byte(bytes_from(query, at), ')'), query.len - at - 1) + 1
				      : 1;
		struct bytes word = bytes_sub(query, 0, at);
		query = bytes_trim(bytes_from(query, at));
		bool medium = bytes_eq_nocase(word, BYTES_LIT("all")) || bytes_eq_nocase(word, BYTES_LIT("screen"));
		if (!(first && medium) && !(!first && bytes_eq_nocase(word, BYTES_LIT("and"))) && !feature_holds(word))
			return false;
	}
	return true;
}

bool html_sheet_for_screens(struct bytes media)
{
	struct bytes query;
	if (bytes_trim(media).len == 0)
		return true;
	while (bytes_split(&media, ',', &query))
		if (bytes_trim(query).len > 0 && query_holds(query))
			return true;
	return false;
}

static bool for_screens(struct bytes prelude)
{
	return bytes_starts_nocase(prelude, BYTES_LIT("@media")) && html_sheet_for_screens(bytes_from(prelude, 6));
}

bool html_sheet_add(struct html_sheet *sheet, struct bytes css)
{
	sheet->complete = true;
	for (size_t at = 0; (at = skip_gap(css, at)) < css.len;) {
		size_t open = next_mark(css, at);
		struct bytes prelude = bytes_trim(bytes_sub(css, at, open - at));
		at = open + 1;
		if (open == css.len)
			break;
		if (css.ptr[open] != '{')
			continue;
		if (prelude.len > 0 && prelude.ptr[0] == '@') {
			/* The rules of a group for screens are read as if they stood outside; its } is a gap. */
			if (!for_screens(prelude))
				at = block_end(css, at) + 1;
			continue;
		}
		size_t end = next_mark(css, at);
		while (end < css.len && css.ptr[end] == ';')
			end = next_mark(css, end + 1);
		struct html_style style = {0};
		html_style_parse(bytes_sub(css, at, end - at), &style);
		at = end < css.len && css.ptr[end] == '{' ? block_end(css, end + 1) + 1 : end + 1;
		struct bytes selector;
		while (style.set && bytes_split(&prelude, ',', &selector))
			add_rule(sheet, selector, &style);
	}
	return sheet->complete;
}

static void apply_named(const struct html_sheet *sheet, uint8_t mark, enum html_tag tag, struct bytes name,
			struct html_style *style)
{
	const struct rule *rule = rule_find(sheet, mark, HTML_TAG_UNKNOWN, name);
	if (rule)
		html_style_merge(style, &rule->style);
	rule = tag != HTML_TAG_UNKNOWN ? rule_find(sheet, mark, tag, name) : NULL;
	if (rule)
		html_style_merge(style, &rule->style);
}

void html_sheet_apply(const struct html_sheet *sheet, enum html_tag tag, struct bytes classes, struct bytes id,
		      struct html_style *style)
{
	if (sheet->tags[HTML_TAG_UNKNOWN].set)
		html_style_merge(style, &sheet->tags[HTML_TAG_UNKNOWN]);
	if (tag != HTML_TAG_UNKNOWN && sheet->tags[tag].set)
		html_style_merge(style, &sheet->tags[tag]);
	if (sheet->n_rules == 0)
		return;
	size_t at = 0;
	for (size_t n = 0; n < HTML_MAX_CLASSES && at < classes.len; n++) {
		while (at < classes.len && ascii_is_space(classes.ptr[at]))
			at++;
		size_t from = at;
		while (at < classes.len && !ascii_is_space(classes.ptr[at]))
			at++;
		if (at > from)
			apply_named(sheet, '.', tag, bytes_sub(classes, from, at - from), style);
	}
	if (id.len > 0)
		apply_named(sheet, '#', tag, id, style);
}
