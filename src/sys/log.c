/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/log.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "base/escape.h"
#include "base/json.h"
#include "base/utf8.h"
#include "sys/clock.h"

#include "base/banned.h"

#define VALUE_MAX 1024 /* bytes of one field's value that are kept */
#define BURSTS    32   /* event names whose rate is watched; the oldest makes room */

static const char *const level_names[] = {"error", "warning", "notice", "info", "debug"};
static const int level_priorities[] = {3, 4, 5, 6, 7}; /* syslog(3) */

static struct {
	enum log_level level;
	enum log_format format;
	char process[32];
	bool journal;
	struct burst {
		const char *event;
		int64_t since_ms;
		unsigned count;
		uint64_t suppressed;
	} bursts[BURSTS];
	unsigned next_burst;
} logger = {.level = LOG_NOTICE, .process = "postern"};

void log_setup(enum log_level level, enum log_format format, const char *process, bool journal)
{
	logger.level = level;
	logger.format = format;
	logger.journal = journal;
	log_set_process(process);
}

void log_set_process(const char *process)
{
	(void)snprintf(logger.process, sizeof(logger.process), "%s", process);
}

bool log_level_find(struct bytes name, enum log_level *ret_level)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
		if (bytes_eq(name, bytes_from_cstr(level_names[i]))) {
			*ret_level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

/* logfmt: bare when it is one plain word, else in quotes. */
static void add_value(struct buf *buf, struct bytes value)
{
	bool plain = value.len > 0;
	for (size_t i = 0; i < value.len && plain; i++)
		plain = ascii_is_print(value.ptr[i]) && value.ptr[i] != ' ' && value.ptr[i] != '"' &&
			value.ptr[i] != '=' && value.ptr[i] != '\\';
	if (plain) {
		buf_add(buf, value);
		return;
	}
	buf_add_byte(buf, '"');
	escape_json(buf, value);
	buf_add_byte(buf, '"');
}

static void add_time(char out[static 32], int64_t now_ms)
{
	char seconds[24];
	clock_format(now_ms / 1000, seconds);
	(void)snprintf(out, 32, "%.19s.%03dZ", seconds, (int)(now_ms % 1000));
}

void log_format_line(struct buf *buf, enum log_format format, enum log_level level, const char *process, int pid,
		     int64_t now_ms, const char *event, const struct log_field *fields, uint64_t suppressed)
{
	char time_text[32];
	add_time(time_text, now_ms);
	if (format == LOG_JSON) {
		struct json json;
		jsonw_init(&json, buf);
		jsonw_object(&json, NULL);
		jsonw_cstr(&json, "time", time_text);
		jsonw_cstr(&json, "level", level_names[level]);
		jsonw_cstr(&json, "process", process);
		jsonw_int(&json, "pid", pid);
		jsonw_cstr(&json, "event", event);
		for (; fields->kind != LOG_FIELD_END; fields++) {
			if (fields->kind == LOG_FIELD_INT)
				jsonw_int(&json, fields->key, fields->number);
			else
				jsonw_string(&json, fields->key, utf8_prefix(fields->string, VALUE_MAX));
		}
		if (suppressed > 0)
			jsonw_uint(&json, "suppressed", suppressed);
		jsonw_end(&json);
		return;
	}
	buf_printf(buf, "time=%s level=%s process=%s pid=%d event=%s", time_text, level_names[level], process, pid,
		   event);
	for (; fields->kind != LOG_FIELD_END; fields++) {
		buf_printf(buf, " %s=", fields->key);
		if (fields->kind == LOG_FIELD_INT)
			buf_printf(buf, "%lld", (long long)fields->number);
		else
			add_value(buf, utf8_prefix(fields->string, VALUE_MAX));
	}
	if (suppressed > 0)
		buf_printf(buf, " suppressed=%llu", (unsigned long long)suppressed);
}

/* Whether this one may be said; *ret_suppressed is how many were not since the last one. */
static bool within_rate(const char *event, uint64_t *ret_suppressed)
{
	int64_t now = clock_monotonic_ms();
	struct burst *burst = NULL;
	*ret_suppressed = 0;
	for (size_t i = 0; i < BURSTS && !burst; i++)
		if (logger.bursts[i].event == event)
			burst = &logger.bursts[i];
	if (!burst) {
		burst = &logger.bursts[logger.next_burst++ % BURSTS];
		*burst = (struct burst){.event = event, .since_ms = now};
	}
	if (now - burst->since_ms > LOG_BURST_MS) {
		*ret_suppressed = burst->suppressed;
		*burst = (struct burst){.event = event, .since_ms = now};
	}
	if (burst->count++ < LOG_BURST)
		return true;
	burst->suppressed++;
	return false;
}

static void add_line(struct buf *buf, enum log_level level, const char *event, const struct log_field *fields,
		     uint64_t suppressed)
{
	if (logger.journal)
		buf_printf(buf, "<%d>", level_priorities[level]);
	log_format_line(buf, logger.format, level, logger.process, (int)getpid(), clock_wall_ms(), event, fields,
			suppressed);
	buf_add_byte(buf, '\n');
}

void log_fields(enum log_level level, const char *event, const struct log_field *fields)
{
	uint64_t suppressed = 0;
	if (level > logger.level)
		return;
	/* What says what became of a message or a process is never held back. */
	if (level != LOG_NOTICE && level != LOG_INFO && !within_rate(event, &suppressed))
		return;
	CLEANUP(buf_done) struct buf buf = BUF_INIT(LOG_LINE_MAX);
	add_line(&buf, level, event, fields, suppressed);
	if (buf_err(&buf) != ERR_OK) {
		/* What is too long for one line is told by its name. */
		const struct log_field none = {0};
		buf_clear(&buf);
		add_line(&buf, level, event, &none, suppressed);
	}
	if (write(STDERR_FILENO, buf.ptr, buf.len) < 0)
		return; /* nobody is left to tell */
}
