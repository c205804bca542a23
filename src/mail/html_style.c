/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/html_style.h"

#include "base/ascii.h"
#include "base/num.h"
#include "base/utf8.h"

#include "base/banned.h"

#define FAR_OUT   300000 /* thousandths of a pixel: no honest layout moves text that far left or up */
#define NAME_ROOM 32
#define TEXT_ROOM 256

/*
 * Copies CSS as it is meant: lower case, comments out, escapes decoded, blanks folded and trimmed. What does not fit is
 * cut; what is not ASCII becomes '?', for no value that is looked for has any.
 */
static struct bytes simplify(struct bytes css, uint8_t *out, size_t room)
{
	size_t n = 0;
	for (size_t at = 0; at < css.len && n < room;) {
		uint32_t c = css.ptr[at++];
		if (c == '/' && at < css.len && css.ptr[at] == '*') {
			size_t end = bytes_find(bytes_from(css, at + 1), BYTES_LIT("*/"));
			at = end == BYTES_NONE ? css.len : at + 1 + end + 2;
			c = ' ';
		} else if (c == '\\' && at < css.len) {
			uint32_t code = 0;
			size_t from = at;
			while (at < css.len && at - from < 6 && ascii_is_xdigit(css.ptr[at]))
				code = code << 4 | (uint32_t)ascii_hex(css.ptr[at++]);
			if (at > from && at < css.len && ascii_is_space(css.ptr[at]))
				at++;
			c = at > from ? code : css.ptr[at++];
		}
		if (c > 0x7f || c == 0)
			c = '?';
		if (!ascii_is_space(c))
			out[n++] = ascii_lower((uint8_t)c);
		else if (n > 0 && out[n - 1] != ' ')
			out[n++] = ' ';
	}
	return bytes_trim(bytes_make(out, n));
}

static bool is(struct bytes text, const char *word)
{
	return bytes_eq(text, bytes_from_cstr(word));
}

/* Takes a number with its sign and fraction off the front, in thousandths, clamped to a million. */
static bool take_number(struct bytes *text, int32_t *ret_milli)
{
	size_t at = 0;
	bool minus = false, digits = false;
	int32_t value = 0, scale = 100;

	if (at < text->len && (text->ptr[at] == '-' || text->ptr[at] == '+'))
		minus = text->ptr[at++] == '-';
	for (; at < text->len && ascii_is_digit(text->ptr[at]); at++, digits = true)
		value = MIN(value * 10 + (text->ptr[at] - '0'), 1000000);
	value *= 1000;
	if (at + 1 < text->len && text->ptr[at] == '.' && ascii_is_digit(text->ptr[at + 1]))
		for (at++; at < text->len && ascii_is_digit(text->ptr[at]); at++, digits = true) {
			value += (text->ptr[at] - '0') * scale;
			scale /= 10;
		}
	if (!digits)
		return false;
	*text = bytes_from(*text, at);
	*ret_milli = minus ? -value : value;
	return true;
}

/* A length in thousandths of a pixel; `*ret_relative` when it is a share of the parent's. */
static bool parse_length(struct bytes text, int32_t *ret_length, bool *ret_relative)
{
	static const struct {
		const char *unit;
		int32_t permille; /* of a pixel, or of the parent's size */
		bool relative;
	} units[] = {
		{"px", 1000, false},  {"", 1000, false},     {"pt", 1333, false},   {"em", 1000, true},
		{"%", 10, true},      {"rem", 16000, false}, {"ex", 500, true},     {"ch", 500, true},
		{"in", 96000, false}, {"cm", 37800, false},  {"mm", 3780, false},   {"pc", 16000, false},
		{"vw", 8000, false},  {"vh", 6000, false},   {"vmin", 6000, false}, {"vmax", 8000, false},
	};
	int32_t number;

	if (!take_number(&text, &number))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (!is(text, units[i].unit))
			continue;
		int64_t length = (int64_t)number * units[i].permille / 1000;
		*ret_length = (int32_t)MAX(MIN(length, 1000000000), -1000000000);
		*ret_relative = units[i].relative;
		return true;
	}
	return false;
}

/* A length for layout, where an em and a per cent are taken as so many pixels of a usual page. */
static bool parse_px(struct bytes text, int32_t *ret_length)
{
	bool relative;
	if (!parse_length(text, ret_length, &relative))
		return false;
	if (relative)
		*ret_length = (int32_t)MAX(
			MIN((int64_t)*ret_length * (bytes_ends(text, BYTES_LIT("%")) ? 800 : 16), 1000000000),
			-1000000000);
	return true;
}

static bool parse_font_size(struct bytes text, struct html_style *style)
{
	static const struct {
		const char *word;
		int32_t size;
		bool relative;
	} words[] = {
		{"xx-small", 9000, false},  {"x-small", 10000, false}, {"small", 13000, false},
		{"medium", 16000, false},   {"large", 18000, false},   {"x-large", 24000, false},
		{"xx-large", 32000, false}, {"smaller", 833, true},    {"larger", 1200, true},
		{"inherit", 1000, true},
	};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (is(text, words[i].word)) {
			style->font_size = words[i].size;
			style->font_relative = words[i].relative;
			return true;
		}
	return parse_length(text, &style->font_size, &style->font_relative) && style->font_size >= 0;
}

/* The next word; what stands in parentheses belongs to it. */
static bool next_word(struct bytes *text, struct bytes *ret_word)
{
	size_t depth = 0, at = 0;
	*text = bytes_trim(*text);
	for (; at < text->len && (depth > 0 || text->ptr[at] != ' '); at++) {
		if (text->ptr[at] == '(')
			depth++;
		else if (text->ptr[at] == ')' && depth > 0)
			depth--;
	}
	*ret_word = bytes_sub(*text, 0, at);
	*text = bytes_from(*text, at);
	return at > 0;
}

/* True when a length among the words satisfies: all zero, or any far out. */
static bool any_far_out(struct bytes text, bool both_ways)
{
	struct bytes word;
	int32_t length;
	while (next_word(&text, &word))
		if (parse_px(word, &length) && (length <= -FAR_OUT || (both_ways && length >= FAR_OUT * 3)))
			return true;
	return false;
}

static bool next_to_zero(struct bytes text)
{
	int32_t length;
	return parse_px(text, &length) && length >= 0 && length <= 1000;
}

/* clip: rect(0 0 0 0), rect(1px,1px,1px,1px); clip-path: inset(50%) and more, circle(0). */
static bool clips_all(struct bytes text)
{
	int32_t length;
	bool zero = true;
	size_t open = bytes_find_byte(text, '(');
	if (open == BYTES_NONE)
		return false;
	struct bytes function = bytes_sub(text, 0, open);
	uint8_t inner[TEXT_ROOM];
	size_t n = 0;
	for (size_t at = open + 1; at < text.len && text.ptr[at] != ')'; at++)
		inner[n++] = text.ptr[at] == ',' ? ' ' : text.ptr[at];
	struct bytes rest = bytes_make(inner, n), word, first = {0};
	while (next_word(&rest, &word)) {
		zero = zero && next_to_zero(word);
		if (!first.ptr)
			first = word;
	}
	if (is(function, "inset")) {
		bool relative;
		return parse_length(first, &length, &relative) && relative && length >= 500;
	}
	return first.ptr && (is(function, "rect") ? zero : is(function, "circle") && next_to_zero(first));
}

static bool transforms_away(struct bytes text)
{
	size_t open = bytes_find_byte(text, '(');
	if (open == BYTES_NONE)
		return false;
	struct bytes inner = bytes_from(text, open + 1);
	size_t end = 0;
	while (end < inner.len && inner.ptr[end] != ')' && inner.ptr[end] != ',')
		end++;
	inner = bytes_trim(bytes_sub(inner, 0, end));
	int32_t length;
	if (bytes_starts(text, BYTES_LIT("scale")))
		return parse_px(inner, &length) && length > -50 && length < 50;
	return bytes_starts(text, BYTES_LIT("translate")) && any_far_out(inner, true);
}

static void set_flag(struct html_style *style, uint32_t property, bool hides)
{
	style->set |= property;
	style->hides = hides ? style->hides | property : style->hides & ~property;
}

/* background: the colour among the words; an image makes it unknown. */
static void set_background(struct html_style *style, struct bytes value)
{
	struct bytes word;
	uint32_t colour;
	while (next_word(&value, &word)) {
		if (bytes_starts(word, BYTES_LIT("url(")) || bytes_find(word, BYTES_LIT("gradient(")) != BYTES_NONE)
			colour = HTML_COLOUR_UNKNOWN;
		else if (!html_colour_parse(word, &colour))
			continue;
		style->set |= HTML_CSS_BACKGROUND;
		style->background = colour;
		if (colour == HTML_COLOUR_UNKNOWN)
			return;
	}
}

/* font: the size is the first word with a length; "/line-height" may follow it. */
static void set_font(struct html_style *style, struct bytes value)
{
	struct bytes word;
	while (next_word(&value, &word)) {
		size_t slash = bytes_find_byte(word, '/');
		int32_t weight;
		struct bytes size = slash == BYTES_NONE ? word : bytes_sub(word, 0, slash), number = size;
		if (take_number(&number, &weight) && number.len == 0 && weight >= 100000)
			continue; /* a weight */
		if (parse_font_size(size, style)) {
			style->set |= HTML_CSS_FONT_SIZE;
			return;
		}
	}
}

static void set_opacity(struct html_style *style, struct bytes value)
{
	int32_t number;
	if (take_number(&value, &number))
		set_flag(style, HTML_CSS_OPACITY, number <= (is(value, "%") ? 5000 : 50));
}

enum how {
	IS,
	IS_EITHER,
	POSITION,
	FAR_NEGATIVE,
	FAR_MARGIN,
	ZERO,
	EXACT_ZERO,
	CLIPS,
	TRANSFORMS,
	OPACITY,
	COLOUR,
	BACKGROUND,
	FONT_SIZE,
	FONT
};

static const struct property {
	const char *name;
	enum how how;
	uint32_t property;
	const char *word, *other;
} properties[] = {
	{"display", IS, HTML_CSS_DISPLAY, "none", NULL},
	{"visibility", IS_EITHER, HTML_CSS_VISIBILITY, "hidden", "collapse"},
	{"opacity", OPACITY, HTML_CSS_OPACITY, NULL, NULL},
	{"mso-hide", IS, HTML_CSS_MSO_HIDE, "all", NULL},
	{"position", POSITION, HTML_CSS_POSITION, NULL, NULL},
	{"left", FAR_NEGATIVE, HTML_CSS_OFFSET, NULL, NULL},
	{"top", FAR_NEGATIVE, HTML_CSS_OFFSET, NULL, NULL},
	{"right", FAR_NEGATIVE, HTML_CSS_OFFSET, NULL, NULL},
	{"bottom", FAR_NEGATIVE, HTML_CSS_OFFSET, NULL, NULL},
	{"margin", FAR_MARGIN, HTML_CSS_MARGIN, NULL, NULL},
	{"margin-left", FAR_MARGIN, HTML_CSS_MARGIN, NULL, NULL},
	{"margin-top", FAR_MARGIN, HTML_CSS_MARGIN, NULL, NULL},
	{"text-indent", FAR_MARGIN, HTML_CSS_INDENT, NULL, NULL},
	{"clip", CLIPS, HTML_CSS_CLIP, NULL, NULL},
	{"clip-path", CLIPS, HTML_CSS_CLIP, NULL, NULL},
	{"transform", TRANSFORMS, HTML_CSS_TRANSFORM, NULL, NULL},
	{"overflow", IS_EITHER, HTML_CSS_OVERFLOW, "hidden", "clip"},
	{"overflow-x", IS_EITHER, HTML_CSS_OVERFLOW, "hidden", "clip"},
	{"overflow-y", IS_EITHER, HTML_CSS_OVERFLOW, "hidden", "clip"},
	{"height", ZERO, HTML_CSS_HEIGHT, NULL, NULL},
	{"width", ZERO, HTML_CSS_WIDTH, NULL, NULL},
	{"max-height", ZERO, HTML_CSS_MAX_HEIGHT, NULL, NULL},
	{"max-width", ZERO, HTML_CSS_MAX_WIDTH, NULL, NULL},
	{"line-height", EXACT_ZERO, HTML_CSS_LINE_HEIGHT, NULL, NULL},
	{"white-space", IS_EITHER, HTML_CSS_PRE, "pre", "pre-wrap"},
	{"color", COLOUR, HTML_CSS_COLOUR, NULL, NULL},
	{"-webkit-text-fill-color", COLOUR, HTML_CSS_COLOUR, NULL, NULL},
	{"background", BACKGROUND, HTML_CSS_BACKGROUND, NULL, NULL},
	{"background-color", BACKGROUND, HTML_CSS_BACKGROUND, NULL, NULL},
	{"background-image", BACKGROUND, HTML_CSS_BACKGROUND, NULL, NULL},
	{"font-size", FONT_SIZE, HTML_CSS_FONT_SIZE, NULL, NULL},
	{"font", FONT, HTML_CSS_FONT_SIZE, NULL, NULL},
};

static void apply_value(struct html_style *style, const struct property *property, struct bytes value)
{
	int32_t length;
	switch (property->how) {
	case IS:
	case IS_EITHER:
		set_flag(style, property->property,
			 is(value, property->word) || (property->other && is(value, property->other)));
		break;
	case POSITION:
		set_flag(style, property->property,
			 is(value, "absolute") || is(value, "fixed") || is(value, "relative") || is(value, "sticky"));
		break;
	case FAR_NEGATIVE:
		/* One flag for four sides: a later side that is not far out does not bring the text back. */
		if (any_far_out(value, true))
			set_flag(style, property->property, true);
		break;
	case FAR_MARGIN:
		set_flag(style, property->property, any_far_out(value, false));
		break;
	case ZERO:
		set_flag(style, property->property, next_to_zero(value));
		break;
	case EXACT_ZERO:
		set_flag(style, property->property, parse_px(value, &length) && length >= 0 && length < 100);
		break;
	case CLIPS:
		set_flag(style, property->property, clips_all(value));
		break;
	case TRANSFORMS:
		set_flag(style, property->property, transforms_away(value));
		break;
	case OPACITY:
		set_opacity(style, value);
		break;
	case COLOUR:
		if (html_colour_parse(value, &style->colour))
			style->set |= HTML_CSS_COLOUR;
		break;
	case BACKGROUND:
		set_background(style, value);
		break;
	case FONT_SIZE:
		if (parse_font_size(value, style))
			style->set |= HTML_CSS_FONT_SIZE;
		break;
	case FONT:
		set_font(style, value);
		break;
	}
}

static void declare(struct html_style *style, struct bytes name, struct bytes raw)
{
	uint8_t name_room[NAME_ROOM], text_room[TEXT_ROOM];
	const struct property *property = NULL;

	name = simplify(name, name_room, sizeof(name_room));
	for (size_t i = 0; i < ARRAY_LEN(properties) && !property; i++)
		if (is(name, properties[i].name))
			property = &properties[i];
	if (!property)
		return;
	struct bytes value = simplify(raw, text_room, sizeof(text_room));
	size_t bang = bytes_rfind_byte(value, '!');
	bool important = bang != BYTES_NONE && is(bytes_trim(bytes_from(value, bang + 1)), "important");
	if (important)
		value = bytes_trim(bytes_sub(value, 0, bang));
	if (bytes_starts(value, BYTES_LIT("calc(")) && bytes_ends(value, BYTES_LIT(")"))) /* of a single number */
		value = bytes_trim(bytes_sub(value, 5, value.len - 6));
	struct html_style one = {0};
	apply_value(&one, property, value);
	if (important)
		one.important = one.set;
	html_style_merge(style, &one);
}

void html_style_merge(struct html_style *style, const struct html_style *over)
{
	uint32_t mask = over->set & ~(style->important & ~over->important);
	style->set |= mask;
	style->important |= over->important & mask;
	style->hides = (style->hides & ~mask) | (over->hides & mask);
	if (mask & HTML_CSS_COLOUR)
		style->colour = over->colour;
	if (mask & HTML_CSS_BACKGROUND)
		style->background = over->background;
	if (mask & HTML_CSS_FONT_SIZE) {
		style->font_size = over->font_size;
		style->font_relative = over->font_relative;
	}
}

/* Where the declaration from `at` on ends: at a ; outside of quotes, parentheses and comments. */
static size_t declaration_end(struct bytes css, size_t at)
{
	uint8_t quote = 0;
	size_t depth = 0;
	for (; at < css.len; at++) {
		uint8_t c = css.ptr[at];
		if (c == '\\') {
			at++;
		} else if (quote) {
			if (c == quote || c == '\n')
				quote = 0;
		} else if (c == '"' || c == '\'') {
			quote = c;
		} else if (c == '(') {
			depth++;
		} else if (c == ')') {
			depth -= depth > 0;
		} else if (c == '/' && at + 1 < css.len && css.ptr[at + 1] == '*') {
			size_t end = bytes_find(bytes_from(css, at + 2), BYTES_LIT("*/"));
			if (end == BYTES_NONE)
				return css.len;
			at += end + 3;
		} else if (c == ';' && depth == 0) {
			break;
		}
	}
	return MIN(at, css.len);
}

void html_style_parse(struct bytes css, struct html_style *style)
{
	for (size_t at = 0; at < css.len;) {
		size_t end = declaration_end(css, at);
		struct bytes one = bytes_sub(css, at, end - at);
		size_t colon = bytes_find_byte(one, ':');
		if (colon != BYTES_NONE)
			declare(style, bytes_sub(one, 0, colon), bytes_from(one, colon + 1));
		at = end + 1;
	}
}

bool html_style_url(struct bytes *css, struct bytes *ret_url)
{
	for (size_t open; (open = bytes_find_byte(*css, '(')) != BYTES_NONE;) {
		bool url = open >= 3 && bytes_eq_nocase(bytes_sub(*css, open - 3, 3), BYTES_LIT("url"));
		*css = bytes_from(*css, open + 1);
		if (!url)
			continue;
		struct bytes rest = bytes_trim(*css);
		uint8_t quote = rest.len && (rest.ptr[0] == '"' || rest.ptr[0] == '\'') ? rest.ptr[0] : ')';
		if (quote != ')')
			rest = bytes_from(rest, 1);
		size_t end = bytes_find_byte(rest, quote);
		struct bytes inner = bytes_sub(rest, 0, MIN(end, rest.len));
		*css = bytes_from(rest, inner.len);
		*ret_url = bytes_trim(inner);
		if (ret_url->len > 0)
			return true;
	}
	*css = (struct bytes){0};
	return false;
}
