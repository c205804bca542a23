/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * sys/log.h: one line an event: a name and typed fields, logfmt or JSON, to standard error. Foreign text is escaped
 * here. Never content of mail.
 *
 *     log_event(LOG_NOTICE, "scan.done", log_str("id", id), log_int("usec", usec));
 *
 * An event that comes too often (LOG_BURST in LOG_BURST_MS) is held back and counted; the count is said with the next
 * one.
 */
#include "base/bytes.h"
#include "base/err.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON };

#define LOG_LINE_MAX 8192
#define LOG_BURST    200
#define LOG_BURST_MS 10000

struct log_field {
	const char *key;
	enum { LOG_FIELD_END, LOG_FIELD_STRING, LOG_FIELD_INT } kind;
	struct bytes string;
	int64_t number;
};

static inline struct log_field log_str(const char *key, struct bytes value)
{
	return (struct log_field){.key = key, .kind = LOG_FIELD_STRING, .string = value};
}

static inline struct log_field log_cstr(const char *key, const char *value)
{
	return log_str(key, bytes_from_cstr(value));
}

static inline struct log_field log_int(const char *key, int64_t value)
{
	return (struct log_field){.key = key, .kind = LOG_FIELD_INT, .number = value};
}

/* Before any event: level, form and the name of this process on each line. `journal`: lines begin with "<N>". */
void log_setup(enum log_level level, enum log_format format, const char *process, bool journal);
void log_set_process(const char *process);

void log_fields(enum log_level level, const char *event, const struct log_field *fields);
#define log_event(level, event, ...)                                                                                   \
	log_fields((level), (event), (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})

/* The line without its end, for tests. `now_ms` is wall time. */
struct buf;
void log_format_line(struct buf *buf, enum log_format format, enum log_level level, const char *process, int pid,
		     int64_t now_ms, const char *event, const struct log_field *fields, uint64_t suppressed);
bool log_level_find(struct bytes name, enum log_level *ret_level);
