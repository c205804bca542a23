/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/html_style.h"

#include "base/ascii.h"
#include "base/num.h"

#include "base/banned.h"

/* The names of CSS Color 4, and the system colours that mean black on white; sorted. */
static const struct {
	char name[21];
	uint32_t rgb;
} names[] = {
	{"aliceblue", 0xf0f8ff},
	{"antiquewhite", 0xfaebd7},
	{"aqua", 0x00ffff},
	{"aquamarine", 0x7fffd4},
	{"azure", 0xf0ffff},
	{"beige", 0xf5f5dc},
	{"bisque", 0xffe4c4},
	{"black", 0x000000},
	{"blanchedalmond", 0xffebcd},
	{"blue", 0x0000ff},
	{"blueviolet", 0x8a2be2},
	{"brown", 0xa52a2a},
	{"burlywood", 0xdeb887},
	{"cadetblue", 0x5f9ea0},
	{"canvas", 0xffffff},
	{"canvastext", 0x000000},
	{"chartreuse", 0x7fff00},
	{"chocolate", 0xd2691e},
	{"coral", 0xff7f50},
	{"cornflowerblue", 0x6495ed},
	{"cornsilk", 0xfff8dc},
	{"crimson", 0xdc143c},
	{"cyan", 0x00ffff},
	{"darkblue", 0x00008b},
	{"darkcyan", 0x008b8b},
	{"darkgoldenrod", 0xb8860b},
	{"darkgray", 0xa9a9a9},
	{"darkgreen", 0x006400},
	{"darkgrey", 0xa9a9a9},
	{"darkkhaki", 0xbdb76b},
	{"darkmagenta", 0x8b008b},
	{"darkolivegreen", 0x556b2f},
	{"darkorange", 0xff8c00},
	{"darkorchid", 0x9932cc},
	{"darkred", 0x8b0000},
	{"darksalmon", 0xe9967a},
	{"darkseagreen", 0x8fbc8f},
	{"darkslateblue", 0x483d8b},
	{"darkslategray", 0x2f4f4f},
	{"darkslategrey", 0x2f4f4f},
	{"darkturquoise", 0x00ced1},
	{"darkviolet", 0x9400d3},
	{"deeppink", 0xff1493},
	{"deepskyblue", 0x00bfff},
	{"dimgray", 0x696969},
	{"dimgrey", 0x696969},
	{"dodgerblue", 0x1e90ff},
	{"firebrick", 0xb22222},
	{"floralwhite", 0xfffaf0},
	{"forestgreen", 0x228b22},
	{"fuchsia", 0xff00ff},
	{"gainsboro", 0xdcdcdc},
	{"ghostwhite", 0xf8f8ff},
	{"gold", 0xffd700},
	{"goldenrod", 0xdaa520},
	{"gray", 0x808080},
	{"green", 0x008000},
	{"greenyellow", 0xadff2f},
	{"grey", 0x808080},
	{"honeydew", 0xf0fff0},
	{"hotpink", 0xff69b4},
	{"indianred", 0xcd5c5c},
	{"indigo", 0x4b0082},
	{"ivory", 0xfffff0},
	{"khaki", 0xf0e68c},
	{"lavender", 0xe6e6fa},
	{"lavenderblush", 0xfff0f5},
	{"lawngreen", 0x7cfc00},
	{"lemonchiffon", 0xfffacd},
	{"lightblue", 0xadd8e6},
	{"lightcoral", 0xf08080},
	{"lightcyan", 0xe0ffff},
	{"lightgoldenrodyellow", 0xfafad2},
	{"lightgray", 0xd3d3d3},
	{"lightgreen", 0x90ee90},
	{"lightgrey", 0xd3d3d3},
	{"lightpink", 0xffb6c1},
	{"lightsalmon", 0xffa07a},
	{"lightseagreen", 0x20b2aa},
	{"lightskyblue", 0x87cefa},
	{"lightslategray", 0x778899},
	{"lightslategrey", 0x778899},
	{"lightsteelblue", 0xb0c4de},
	{"lightyellow", 0xffffe0},
	{"lime", 0x00ff00},
	{"limegreen", 0x32cd32},
	{"linen", 0xfaf0e6},
	{"magenta", 0xff00ff},
	{"maroon", 0x800000},
	{"mediumaquamarine", 0x66cdaa},
	{"mediumblue", 0x0000cd},
	{"mediumorchid", 0xba55d3},
	{"mediumpurple", 0x9370db},
	{"mediumseagreen", 0x3cb371},
	{"mediumslateblue", 0x7b68ee},
	{"mediumspringgreen", 0x00fa9a},
	{"mediumturquoise", 0x48d1cc},
	{"mediumvioletred", 0xc71585},
	{"midnightblue", 0x191970},
	{"mintcream", 0xf5fffa},
	{"mistyrose", 0xffe4e1},
	{"moccasin", 0xffe4b5},
	{"navajowhite", 0xffdead},
	{"navy", 0x000080},
	{"oldlace", 0xfdf5e6},
	{"olive", 0x808000},
	{"olivedrab", 0x6b8e23},
	{"orange", 0xffa500},
	{"orangered", 0xff4500},
	{"orchid", 0xda70d6},
	{"palegoldenrod", 0xeee8aa},
	{"palegreen", 0x98fb98},
	{"paleturquoise", 0xafeeee},
	{"palevioletred", 0xdb7093},
	{"papayawhip", 0xffefd5},
	{"peachpuff", 0xffdab9},
	{"peru", 0xcd853f},
	{"pink", 0xffc0cb},
	{"plum", 0xdda0dd},
	{"powderblue", 0xb0e0e6},
	{"purple", 0x800080},
	{"rebeccapurple", 0x663399},
	{"red", 0xff0000},
	{"rosybrown", 0xbc8f8f},
	{"royalblue", 0x4169e1},
	{"saddlebrown", 0x8b4513},
	{"salmon", 0xfa8072},
	{"sandybrown", 0xf4a460},
	{"seagreen", 0x2e8b57},
	{"seashell", 0xfff5ee},
	{"sienna", 0xa0522d},
	{"silver", 0xc0c0c0},
	{"skyblue", 0x87ceeb},
	{"slateblue", 0x6a5acd},
	{"slategray", 0x708090},
	{"slategrey", 0x708090},
	{"snow", 0xfffafa},
	{"springgreen", 0x00ff7f},
	{"steelblue", 0x4682b4},
	{"tan", 0xd2b48c},
	{"teal", 0x008080},
	{"thistle", 0xd8bfd8},
	{"tomato", 0xff6347},
	{"turquoise", 0x40e0d0},
	{"violet", 0xee82ee},
	{"wheat", 0xf5deb3},
	{"white", 0xffffff},
	{"whitesmoke", 0xf5f5f5},
	{"window", 0xffffff},
	{"windowtext", 0x000000},
	{"yellow", 0xffff00},
	{"yellowgreen", 0x9acd32},
};

static bool by_name(struct bytes text, uint32_t *ret_rgba)
{
	size_t low = 0, high = ARRAY_LEN(names);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = bytes_cmp(text, bytes_from_cstr(names[middle].name));
		if (order == 0) {
			*ret_rgba = names[middle].rgb << 8 | 0xff;
			return true;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

static bool by_hex(struct bytes text, uint32_t *ret_rgba)
{
	uint64_t value;
	if (num_parse(text, 16, UINT32_MAX, &value) != ERR_OK)
		return false;
	uint32_t v = (uint32_t)value;
	if (text.len == 3)
		v = v << 4 | 0xf;
	if (text.len == 3 || text.len == 4) {
		*ret_rgba = ((v >> 12 & 15) << 24 | (v >> 8 & 15) << 16 | (v >> 4 & 15) << 8 | (v & 15)) * 0x11;
		return true;
	}
	*ret_rgba = text.len == 6 ? v << 8 | 0xff : v;
	return text.len == 6 || text.len == 8;
}

/* Numbers of a colour function, in thousandths; a per cent is taken of `whole`. Returns how many, 4 at most. */
static size_t arguments(struct bytes text, const int32_t whole[4], int32_t out[4])
{
	size_t n = 0;
	for (size_t at = 0; at < text.len && n < 4;) {
		uint8_t c = text.ptr[at];
		if (c == ')')
			break;
		if (!ascii_is_digit(c) && c != '.' && c != '-') {
			at++;
			continue;
		}
		bool minus = c == '-', point = false;
		int64_t value = 0, unit = 1000;
		for (at += minus; at < text.len; at++) {
			c = text.ptr[at];
			if (c == '.' && !point)
				point = true;
			else if (!ascii_is_digit(c))
				break;
			else if (!point)
				value = MIN(value, 1000000) * 10 + (c - '0') * 1000;
			else if (unit > 1)
				value += (c - '0') * (unit /= 10);
		}
		if (at < text.len && text.ptr[at] == '%')
			value = value * whole[n] / 100;
		out[n++] = (int32_t)(minus ? 0 : MIN(value, 1000000));
	}
	return n;
}

static uint32_t byte_of(int32_t milli)
{
	return (uint32_t)(MAX(MIN(milli, 255000), 0) + 500) / 1000;
}

/* One channel of hsl(): CSS Color 4, 7.1, with all values in thousandths. */
static int32_t hsl_channel(int32_t hue, int32_t saturation, int32_t lightness, int32_t n)
{
	int32_t k = (n * 1000 + hue * 12 / 360) % 12000;
	int32_t a = saturation * MIN(lightness, 1000 - lightness) / 1000;
	int32_t slope = MAX(MIN(MIN(k - 3000, 9000 - k), 1000), -1000);
	return (lightness - a * slope / 1000) * 255;
}

static bool by_function(struct bytes text, uint32_t *ret_rgba)
{
	static const int32_t rgb_whole[4] = {255, 255, 255, 1}, hsl_whole[4] = {360, 1, 1, 1};
	bool hsl = bytes_starts(text, BYTES_LIT("hsl"));
	size_t open = bytes_find_byte(text, '(');
	int32_t v[4] = {0};

	if (open == BYTES_NONE || (!hsl && !bytes_starts(text, BYTES_LIT("rgb"))))
		return false;
	size_t n = arguments(bytes_from(text, open + 1), hsl ? hsl_whole : rgb_whole, v);
	if (n < 3)
		return false;
	if (hsl) {
		int32_t hue = v[0] % 360000, saturation = MIN(v[1], 1000), lightness = MIN(v[2], 1000);
		v[0] = hsl_channel(hue, saturation, lightness, 0);
		v[1] = hsl_channel(hue, saturation, lightness, 8);
		v[2] = hsl_channel(hue, saturation, lightness, 4);
	}
	uint32_t alpha = n == 4 ? byte_of(MIN(v[3], 1000) * 255) : 255;
	*ret_rgba = byte_of(v[0]) << 24 | byte_of(v[1]) << 16 | byte_of(v[2]) << 8 | alpha;
	return true;
}

bool html_colour_parse(struct bytes text, uint32_t *ret_rgba)
{
	uint8_t lower[64];
	text = bytes_trim(text);
	if (text.len == 0 || text.len > sizeof(lower))
		return false;
	for (size_t i = 0; i < text.len; i++)
		lower[i] = ascii_lower(text.ptr[i]);
	text.ptr = lower;
	if (text.ptr[0] == '#')
		return by_hex(bytes_from(text, 1), ret_rgba);
	if (bytes_eq(text, BYTES_LIT("transparent"))) {
		*ret_rgba = 0;
		return true;
	}
	return by_name(text, ret_rgba) || by_function(text, ret_rgba);
}

/* WHATWG 2.3.6, rules for parsing a legacy colour value. */
bool html_colour_legacy(struct bytes text, uint32_t *ret_rgba)
{
	uint8_t digits[128 + 3];
	size_t n = 0;

	text = bytes_trim(text);
	if (text.len == 0 || bytes_eq_nocase(text, BYTES_LIT("transparent")))
		return false;
	if (text.len == 4 && text.ptr[0] == '#' && html_colour_parse(text, ret_rgba))
		return true;
	if (text.ptr[0] != '#' && ascii_is_alpha(text.ptr[0]) && bytes_find_byte(text, '(') == BYTES_NONE &&
	    html_colour_parse(text, ret_rgba))
		return true;
	if (text.ptr[0] == '#')
		text = bytes_from(text, 1);
	for (; n < text.len && n < 128; n++)
		digits[n] = ascii_is_xdigit(text.ptr[n]) ? text.ptr[n] : '0';
	while (n == 0 || n % 3 != 0)
		digits[n++] = '0';
	size_t third = n / 3, skip = third > 8 ? third - 8 : 0, keep = third - skip;
	while (keep > 2 && digits[skip] == '0' && digits[third + skip] == '0' && digits[2 * third + skip] == '0') {
		skip++;
		keep--;
	}
	*ret_rgba = 0xff;
	for (size_t i = 0; i < 3; i++) {
		const uint8_t *at = digits + i * third + skip;
		int value = ascii_hex(at[0]);
		if (keep > 1)
			value = value * 16 + ascii_hex(at[1]);
		*ret_rgba |= (uint32_t)value << (24 - 8 * i);
	}
	return true;
}
