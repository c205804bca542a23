/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/report_tls.h"

#include <jansson.h>

#include "base/arena.h"
#include "base/ascii.h"
#include "base/hash.h"
#include "base/num.h"
#include "base/utf8.h"

#include "base/banned.h"

/* -- Before anything is built ---- */

/*
 * Depth, number of values, and members of each object, from the marks outside strings: what is wrong otherwise the
 * parser tells. Members, since the parser keeps them in tables that a sender could aim at.
 */
static enum err measure(struct bytes json, struct error *reterr)
{
	size_t depth = 0, values = 0, line = 1, commas[REPORT_TLS_DEPTH + 1] = {0};
	bool string = false, object[REPORT_TLS_DEPTH + 1] = {false};
	for (size_t i = 0; i < json.len; i++) {
		uint8_t c = json.ptr[i];
		line += c == '\n';
		if (string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				string = false;
			continue;
		}
		string = c == '"';
		values += c == '{' || c == '[' || c == ',';
		if (c == '{' || c == '[') {
			if (++depth > REPORT_TLS_DEPTH)
				return error_set(reterr, ERR_LIMIT, line,
						 "line %zu: lists lie too deep in each other (%zu at most)", line,
						 REPORT_TLS_DEPTH);
			object[depth] = c == '{';
			commas[depth] = 0;
		}
		depth -= (c == '}' || c == ']') && depth > 0;
		commas[depth] += c == ',';
		if (values > REPORT_TLS_VALUES)
			return error_set(reterr, ERR_LIMIT, line, "line %zu: there are too many values (%zu at most)",
					 line, REPORT_TLS_VALUES);
		if (object[depth] && commas[depth] >= REPORT_TLS_MEMBERS)
			return error_set(reterr, ERR_LIMIT, line,
					 "line %zu: an object has too many members (%zu at most)", line,
					 REPORT_TLS_MEMBERS);
	}
	return ERR_OK;
}

/* -- Values ---- */

struct reading {
	struct arena *arena;
	bool nomem;
};

/* The text of a member: a string, or the first string of a list; absent: {NULL, 0}. */
static struct bytes text_of(struct reading *reading, const json_t *object, const char *key, bool lower)
{
	const json_t *value = json_object_get(object, key);
	if (json_is_array(value))
		value = json_array_get(value, 0);
	if (!json_is_string(value))
		return (struct bytes){0};
	struct bytes text = bytes_trim(bytes_make(json_string_value(value), json_string_length(value)));
	text = utf8_prefix(text, REPORT_TEXT_MAX);
	text = lower ? arena_copy_lower(reading->arena, text) : arena_copy(reading->arena, text);
	reading->nomem |= !text.ptr;
	return text;
}

/* Some write numbers as strings. */
static uint64_t count_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	uint64_t count = 0;
	if (json_is_integer(value))
		count = json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
	else if (json_is_real(value))
		count = json_real_value(value) >= (double)REPORT_COUNT_MAX ? REPORT_COUNT_MAX
			: json_real_value(value) > 0                       ? (uint64_t)json_real_value(value)
									   : 0;
	else if (json_is_string(value) && num_parse(bytes_make(json_string_value(value), json_string_length(value)), 10,
						    REPORT_COUNT_MAX, &count) == ERR_LIMIT)
		count = REPORT_COUNT_MAX;
	return MIN(count, REPORT_COUNT_MAX);
}

static bool take_digits(struct bytes *rest, size_t n, int *ret)
{
	*ret = 0;
	for (size_t i = 0; i < n; i++) {
		if (i >= rest->len || !ascii_is_digit(rest->ptr[i]))
			return false;
		*ret = *ret * 10 + (rest->ptr[i] - '0');
	}
	*rest = bytes_from(*rest, n);
	return true;
}

static bool take_byte(struct bytes *rest, char byte)
{
	if (rest->len == 0 || ascii_upper(rest->ptr[0]) != (uint8_t)byte)
		return false;
	*rest = bytes_from(*rest, 1);
	return true;
}

/* Days since 1970 of the Gregorian calendar. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

/* "T10:00:00.5": seconds since midnight. */
static bool take_clock(struct bytes *rest, int64_t *ret_seconds)
{
	int hour, minute, second;
	if ((!take_byte(rest, 'T') && !take_byte(rest, ' ')) || !take_digits(rest, 2, &hour) || !take_byte(rest, ':') ||
	    !take_digits(rest, 2, &minute) || !take_byte(rest, ':') || !take_digits(rest, 2, &second))
		return false;
	if (take_byte(rest, '.'))
		while (rest->len > 0 && ascii_is_digit(rest->ptr[0]))
			*rest = bytes_from(*rest, 1);
	*ret_seconds = hour * 3600 + minute * 60 + second;
	return hour <= 23 && minute <= 59 && second <= 60;
}

/* "Z", "+01:00", "-0500", or nothing: seconds east of Greenwich. */
static bool take_zone(struct bytes *rest, int64_t *ret_seconds)
{
	int hour, minute, sign = 1;
	*ret_seconds = 0;
	if (rest->len == 0 || take_byte(rest, 'Z'))
		return true;
	if (take_byte(rest, '-'))
		sign = -1;
	else if (!take_byte(rest, '+'))
		return false;
	if (!take_digits(rest, 2, &hour))
		return false;
	(void)take_byte(rest, ':');
	if (!take_digits(rest, 2, &minute))
		return false;
	*ret_seconds = sign * (hour * 3600 + minute * 60);
	return hour <= 23 && minute <= 59;
}

/* RFC 3339, with a blank for the T too, and a date alone; no zone is UTC. */
static bool time_of(struct bytes text, int64_t *ret_time)
{
	int year, month, day;
	int64_t clock = 0, zone = 0;
	if (!take_digits(&text, 4, &year) || !take_byte(&text, '-') || !take_digits(&text, 2, &month) ||
	    !take_byte(&text, '-') || !take_digits(&text, 2, &day))
		return false;
	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31)
		return false;
	if (text.len > 0 && (!take_clock(&text, &clock) || !take_zone(&text, &zone)))
		return false;
	*ret_time = days_of(year, month, day) * 86400 + clock - zone;
	return text.len == 0;
}

/* -- The report ---- */

static struct report_tls_failure read_failure(struct reading *reading, const json_t *item)
{
	return (struct report_tls_failure){
		.result_type = text_of(reading, item, "result-type", true),
		.sending_ip = text_of(reading, item, "sending-mta-ip", false),
		.receiving_ip = text_of(reading, item, "receiving-ip", false),
		.receiving_mx = text_of(reading, item, "receiving-mx-hostname", true),
		.receiving_helo = text_of(reading, item, "receiving-mx-helo", true),
		.additional = text_of(reading, item, "additional-information", false),
		.reason = text_of(reading, item, "failure-reason-code", false),
		.sessions = count_of(item, "failed-session-count"),
	};
}

static void read_mx_hosts(struct reading *reading, const json_t *policy, struct report_tls_policy *out)
{
	const json_t *list = json_object_get(policy, "mx-host");
	size_t n = json_is_string(list) ? 1 : json_array_size(list);
	struct bytes *hosts = arena_new(reading->arena, struct bytes, n);
	reading->nomem |= n > 0 && !hosts;
	if (!hosts)
		return;
	for (size_t i = 0; i < n; i++) {
		const json_t *host = json_is_string(list) ? list : json_array_get(list, i);
		struct bytes name = bytes_make(json_string_value(host), json_string_length(host));
		if (!json_is_string(host))
			continue;
		name = arena_copy_lower(reading->arena, utf8_prefix(name, REPORT_TEXT_MAX));
		reading->nomem |= !name.ptr;
		hosts[out->n_mx_hosts++] = name;
	}
	out->mx_hosts = hosts;
}

static struct report_tls_policy read_policy(struct reading *reading, const json_t *item)
{
	const json_t *policy = json_object_get(item, "policy"), *summary = json_object_get(item, "summary");
	const json_t *details = json_object_get(item, "failure-details");
	size_t n = json_array_size(details);
	struct report_tls_policy out = {
		.type = text_of(reading, policy, "policy-type", true),
		.domain = text_of(reading, policy, "policy-domain", true),
		.successful = count_of(summary, "total-successful-session-count"),
		.failed = count_of(summary, "total-failure-session-count"),
	};
	read_mx_hosts(reading, policy, &out);
	struct report_tls_failure *failures = arena_new(reading->arena, struct report_tls_failure, n);
	reading->nomem |= n > 0 && !failures;
	for (size_t i = 0; failures && i < n; i++)
		failures[i] = read_failure(reading, json_array_get(details, i));
	out.failures = failures;
	out.n_failures = failures ? n : 0;
	return out;
}

static enum err read_report(struct reading *reading, const json_t *root, struct report_tls *report,
			    struct error *reterr)
{
	const json_t *range = json_object_get(root, "date-range"), *policies = json_object_get(root, "policies");
	size_t n = json_array_size(policies);
	if (!json_is_object(root) || !json_is_array(policies))
		return error_set(reterr, ERR_SYNTAX, 0, "this is no TLS report: there is no list of policies");
	report->org = text_of(reading, root, "organization-name", false);
	report->contact = text_of(reading, root, "contact-info", false);
	report->report_id = text_of(reading, root, "report-id", false);
	if (!time_of(text_of(reading, range, "start-datetime", false), &report->begin) ||
	    !time_of(text_of(reading, range, "end-datetime", false), &report->end))
		return error_set(reterr, ERR_SYNTAX, 0, "the TLS report does not say of which time it is");
	if (report->end < report->begin)
		return error_set(reterr, ERR_SYNTAX, 0, "the TLS report ends before it begins");
	struct report_tls_policy *out = arena_new(reading->arena, struct report_tls_policy, n);
	reading->nomem |= n > 0 && !out;
	for (size_t i = 0; out && i < n; i++) {
		out[i] = read_policy(reading, json_array_get(policies, i));
		if (out[i].domain.len == 0)
			return error_set(reterr, ERR_SYNTAX, 0, "policy %zu of the TLS report names no domain", i + 1);
	}
	report->policies = out;
	report->n_policies = out ? n : 0;
	return reading->nomem ? error_set(reterr, ERR_NOMEM, 0, "no memory for the report") : ERR_OK;
}

enum err report_tls_read(struct arena *arena, struct bytes json, struct report_tls *ret_report, struct error *reterr)
{
	static const struct hash_key key = {0x706f737465726e74, 0x6c732d7265706f72};
	struct reading reading = {.arena = arena};
	json_error_t wrong;
	*ret_report = (struct report_tls){0};
	if (json.len > REPORT_TLS_MAX)
		return error_set(reterr, ERR_LIMIT, 0, "the TLS report is larger than %zu bytes", REPORT_TLS_MAX);
	TRY(measure(json, reterr));
	/* Else the library opens a file of the system for it; only the first call counts. */
	json_object_seed((size_t)hash_sip(key, json) | 1);
	json_t *root = json_loadb(json.len ? (const char *)json.ptr : "", json.len, 0, &wrong);
	if (!root)
		return json_error_code(&wrong) == json_error_out_of_memory
			       ? error_set(reterr, ERR_NOMEM, 0, "no memory for the report")
			       : error_set(reterr, ERR_SYNTAX, (size_t)MAX(wrong.line, 0), "line %d: %.100s",
					   wrong.line, wrong.text);
	enum err err = read_report(&reading, root, ret_report, reterr);
	json_decref(root);
	return err;
}
