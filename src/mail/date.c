/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/date.h"

#include <stdio.h>

#include "base/ascii.h"
#include "base/num.h"
#include "mail/comment.h"

#include "base/banned.h"

static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
static const char weekdays[] = "sunmontuewedthufrisat";

/* What has been read so far; -1 where it has not. */
struct fields {
	int year, month, day, hour, minute, second, weekday;
	int32_t offset;
	bool zone, zone_known, obsolete, comma;
};

/* Index of the name that the first three letters of a word are, which has letters alone, or -1. */
static int find_name(const char *names, struct bytes word)
{
	if (word.len < 3)
		return -1;
	for (int i = 0; *names != '\0'; i++, names += 3)
		if ((word.ptr[0] | 0x20) == names[0] && (word.ptr[1] | 0x20) == names[1] &&
		    (word.ptr[2] | 0x20) == names[2])
			return i;
	return -1;
}

static bool find_zone(struct bytes word, int32_t *ret_offset)
{
	static const struct {
		struct bytes name;
		int minutes;
	} zones[] = {
		{BYTES_INIT("UT"), 0},     {BYTES_INIT("UTC"), 0},    {BYTES_INIT("GMT"), 0},
		{BYTES_INIT("Z"), 0},      {BYTES_INIT("EST"), -300}, {BYTES_INIT("EDT"), -240},
		{BYTES_INIT("CST"), -360}, {BYTES_INIT("CDT"), -300}, {BYTES_INIT("MST"), -420},
		{BYTES_INIT("MDT"), -360}, {BYTES_INIT("PST"), -480}, {BYTES_INIT("PDT"), -420},
		{BYTES_INIT("AST"), -240}, {BYTES_INIT("ADT"), -180}, {BYTES_INIT("JST"), 540},
		{BYTES_INIT("KST"), 540},  {BYTES_INIT("WET"), 0},    {BYTES_INIT("WEST"), 60},
		{BYTES_INIT("BST"), 60},   {BYTES_INIT("CET"), 60},   {BYTES_INIT("MET"), 60},
		{BYTES_INIT("CEST"), 120}, {BYTES_INIT("MEST"), 120}, {BYTES_INIT("MESZ"), 120},
		{BYTES_INIT("EET"), 120},  {BYTES_INIT("EEST"), 180}, {BYTES_INIT("MSK"), 180},
		{BYTES_INIT("AEST"), 600}, {BYTES_INIT("NZST"), 720}, {BYTES_INIT("NZDT"), 780},
	};
	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		if (bytes_eq_nocase(zones[i].name, word)) {
			*ret_offset = zones[i].minutes * 60;
			return true;
		}
	}
	return false;
}

/* Days since 1970 of a day of the proleptic Gregorian calendar, by years that begin in March. */
static int64_t days_of(int year, int month, int day)
{
	int y = year - (month <= 2), m = (month + 9) % 12;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t in_era = y - era * 400;
	return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static bool take_digits(struct bytes *rest, size_t max, int *ret, size_t *ret_n)
{
	size_t n = 0;
	int v = 0;
	while (n < rest->len && n <= max && ascii_is_digit(rest->ptr[n]))
		v = v * 10 + (rest->ptr[n++] - '0');
	*ret_n = n;
	*ret = v;
	*rest = bytes_from(*rest, n);
	return n > 0 && n <= max;
}

static bool take_byte(struct bytes *rest, uint8_t byte)
{
	if (rest->len == 0 || rest->ptr[0] != byte)
		return false;
	*rest = bytes_from(*rest, 1);
	return true;
}

/* Takes a comment off the front; an open one goes on to the end. */
static void skip_comment(struct bytes *rest)
{
	*rest = bytes_from(*rest, comment_end(*rest, 0));
}

static void skip_cfws(struct bytes *rest)
{
	while (rest->len > 0 && (ascii_is_space(rest->ptr[0]) || rest->ptr[0] == '(')) {
		if (rest->ptr[0] == '(')
			skip_comment(rest);
		else
			*rest = bytes_from(*rest, 1);
	}
}

/* Takes `byte` with blanks and comments around it (RFC 5322, 4.3); false when something else stands there. */
static bool take_separator(struct bytes *rest, uint8_t byte, struct fields *f)
{
	struct bytes next = *rest;
	skip_cfws(&next);
	if (!take_byte(&next, byte))
		return false;
	skip_cfws(&next);
	f->obsolete = f->obsolete || next.ptr - rest->ptr > 1;
	*rest = next;
	return true;
}

/* Behind the hour and its separator: "mm[:ss[.fraction]]", or all of it with dots. */
static bool read_time(struct bytes *rest, int hour, uint8_t separator, struct fields *f)
{
	size_t n;
	f->hour = hour;
	f->second = 0;
	f->obsolete = f->obsolete || separator != ':';
	if (!take_digits(rest, 2, &f->minute, &n))
		return false;
	if (take_separator(rest, separator, f) && !take_digits(rest, 2, &f->second, &n))
		return false;
	if (rest->len > 1 && (rest->ptr[0] == '.' || rest->ptr[0] == ',') && ascii_is_digit(rest->ptr[1])) {
		*rest = bytes_from(*rest, 1);
		while (rest->len > 0 && ascii_is_digit(rest->ptr[0]))
			*rest = bytes_from(*rest, 1);
		f->obsolete = true;
	}
	return true;
}

/* Behind the sign: "hhmm", "hh:mm", "hh", "h". */
static bool read_offset(struct bytes *rest, bool negative, struct fields *f)
{
	int v, minutes = 0;
	size_t n;
	if (!take_digits(rest, 4, &v, &n))
		return false;
	if (n <= 2) {
		f->obsolete = true;
		if (take_byte(rest, ':') && !take_digits(rest, 2, &minutes, &n))
			return false;
	} else {
		minutes = v % 100;
		v /= 100;
	}
	if (v > 23 || minutes > 59) {
		/* No such place: the time is taken as it stands. */
		f->zone = true;
		return true;
	}
	f->offset = (v * 60 + minutes) * 60 * (negative ? -1 : 1);
	f->zone = true;
	f->zone_known = !(negative && f->offset == 0);
	return true;
}

static bool read_number(struct bytes *rest, struct fields *f)
{
	int v;
	size_t n;
	if (!take_digits(rest, 4, &v, &n))
		return f->year >= 0 && f->hour >= 0; /* numeric junk behind a whole date */
	if (f->hour < 0 && n <= 2 && take_separator(rest, ':', f))
		return read_time(rest, v, ':', f);
	/* "18.41.09", once the date is known: "22.3.1993" has dots, too. */
	if (f->hour < 0 && n <= 2 && f->year >= 0 && rest->len > 1 && rest->ptr[0] == '.' &&
	    ascii_is_digit(rest->ptr[1])) {
		*rest = bytes_from(*rest, 1);
		return read_time(rest, v, '.', f);
	}
	if (n == 4 && f->year < 0) {
		f->year = v;
		/* "1993-03-22" */
		if (f->month < 0 && f->day < 0 && take_byte(rest, '-')) {
			f->obsolete = true;
			if (!take_digits(rest, 2, &f->month, &n) || !take_byte(rest, '-') ||
			    !take_digits(rest, 2, &f->day, &n))
				return false;
			if (rest->len > 1 && (rest->ptr[0] | 0x20) == 't')
				*rest = bytes_from(*rest, 1);
		}
		return true;
	}
	if (f->day < 0 && n <= 2) {
		f->day = v;
		return true;
	}
	if (f->year < 0 && (n == 2 || n == 3)) {
		f->year = n == 3 ? v + 1900 : v < 50 ? v + 2000 : v + 1900;
		f->obsolete = true;
		return true;
	}
	return f->year >= 0 && f->hour >= 0;
}

static void read_word(struct bytes word, struct fields *f)
{
	int month = find_name(months, word), weekday = find_name(weekdays, word);
	int32_t offset;
	if (f->hour >= 0 && f->hour <= 12 && word.len == 2 && (word.ptr[1] | 0x20) == 'm' &&
	    ((word.ptr[0] | 0x20) == 'a' || (word.ptr[0] | 0x20) == 'p')) {
		f->hour = f->hour % 12 + ((word.ptr[0] | 0x20) == 'p' ? 12 : 0);
		f->obsolete = true;
	} else if (f->hour >= 0 && !f->zone && find_zone(word, &offset)) {
		f->offset = offset;
		f->zone = f->zone_known = true;
		f->obsolete = true;
	} else if (month >= 0 && f->month < 0) {
		f->month = month + 1;
		f->obsolete = f->obsolete || f->day < 0;
	} else if (weekday >= 0 && f->weekday < 0 && f->day < 0) {
		f->weekday = weekday;
	} else {
		f->obsolete = true;
	}
}

static bool read_fields(struct bytes rest, struct fields *f)
{
	while (rest.len > 0) {
		uint8_t c = rest.ptr[0];
		if (c == '(') {
			skip_comment(&rest);
		} else if (ascii_is_digit(c)) {
			if (!read_number(&rest, f))
				return false;
		} else if (ascii_is_alpha(c)) {
			size_t n = 0;
			while (n < rest.len && ascii_is_alpha(rest.ptr[n]))
				n++;
			read_word(bytes_sub(rest, 0, n), f);
			rest = bytes_from(rest, n);
		} else if ((c == '+' || c == '-') && f->hour >= 0 && rest.len > 1 && ascii_is_digit(rest.ptr[1]) &&
			   (!f->zone || f->offset == 0) && f->day >= 0) {
			rest = bytes_from(rest, 1);
			if (!read_offset(&rest, c == '-', f))
				return f->year >= 0;
		} else {
			f->comma = f->comma || c == ',';
			rest = bytes_from(rest, 1);
		}
	}
	return true;
}

enum err date_parse(struct bytes value, struct date *ret_date)
{
	static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	struct fields f = {-1, -1, -1, -1, -1, -1, -1, 0, false, false, false, false};
	if (!read_fields(value, &f) || f.year < 0 || f.month < 1 || f.month > 12 || f.day < 1 || f.hour < 0 ||
	    f.hour > 23 || f.minute < 0 || f.minute > 59 || f.second > 60)
		return ERR_SYNTAX;
	bool leap = f.year % 4 == 0 && (f.year % 100 != 0 || f.year % 400 == 0);
	if (f.day > lengths[f.month - 1] + (f.month == 2 && leap))
		return ERR_SYNTAX;
	int64_t days = days_of(f.year, f.month, f.day);
	int weekday = (int)(((days + 4) % 7 + 7) % 7);
	*ret_date = (struct date){
		.time = days * 86400 + f.hour * 3600 + f.minute * 60 + f.second - f.offset,
		.offset = f.offset,
		.zone_known = f.zone_known,
		.obsolete = f.obsolete || !f.zone || (f.weekday >= 0 && !f.comma),
		.weekday_wrong = f.weekday >= 0 && f.weekday != weekday,
	};
	return ERR_OK;
}

struct civil {
	int year, month, day, hour, minute, second, weekday;
};

static struct civil civil_of(int64_t time)
{
	int64_t first = days_of(0, 1, 1) * 86400, last = days_of(10000, 1, 1) * 86400 - 1;
	time = MAX(first, MIN(time, last));
	int64_t days = time / 86400, rest = time % 86400;
	if (rest < 0) {
		rest += 86400;
		days--;
	}
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	int month = (int)(mp < 10 ? mp + 3 : mp - 9);
	return (struct civil){(int)(yoe + era * 400) + (month <= 2),
			      month,
			      (int)(doy - (153 * mp + 2) / 5) + 1,
			      (int)(rest / 3600),
			      (int)(rest / 60 % 60),
			      (int)(rest % 60),
			      (int)(((days + 4) % 7 + 7) % 7)};
}

void date_format_rfc3339(int64_t time, char out[static 21])
{
	struct civil c = civil_of(time);
	snprintf(out, 21, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)c.year % 10000, (unsigned)c.month % 100,
		 (unsigned)c.day % 100, (unsigned)c.hour % 100, (unsigned)c.minute % 100, (unsigned)c.second % 100);
}

void date_format_rfc5322(int64_t time, char out[static 40])
{
	static const char names[] = "SunMonTueWedThuFriSat", month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct civil c = civil_of(time);
	snprintf(out, 40, "%.3s, %02u %.3s %04u %02u:%02u:%02u +0000", names + (size_t)c.weekday * 3, (unsigned)c.day,
		 month_names + (size_t)(c.month - 1) * 3, (unsigned)c.year, (unsigned)c.hour, (unsigned)c.minute,
		 (unsigned)c.second);
}
