/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_parse ROUNDS FILE...: parses every message ROUNDS times (MIME, charsets, HTML, URLs) and prints messages and
 * bytes a second of CPU, and how the cost grows with size and number of parts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "mail/charset.h"
#include "mail/message.h"

static double cpu_seconds(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct bytes read_file(struct arena *arena, const char *path)
{
	FILE *file = fopen(path, "rb");
	struct bytes content = {0};
	if (!file)
		return content;
	if (fseek(file, 0, SEEK_END) == 0) {
		long size = ftell(file);
		rewind(file);
		uint8_t *data = size > 0 ? arena_alloc_raw(arena, (size_t)size) : NULL;
		if (data)
			content = bytes_make(data, fread(data, 1, (size_t)size, file));
	}
	(void)fclose(file);
	return content;
}

static size_t parse_once(struct arena *scratch, struct bytes raw)
{
	struct message *message;
	enum err err = message_parse(scratch, raw, &mime_limits_default, &message);
	size_t parts = err == ERR_OK ? message->tree.n_parts : 0;
	arena_reset(scratch);
	return parts;
}

static void corpus(struct arena *arena, struct arena *scratch, int rounds, int n, char **paths)
{
	struct bytes *messages = arena_new(arena, struct bytes, (size_t)n);
	size_t total = 0;
	if (!messages)
		return;
	for (int i = 0; i < n; i++) {
		messages[i] = read_file(arena, paths[i]);
		total += messages[i].len;
	}
	double begin = cpu_seconds();
	for (int round = 0; round < rounds; round++)
		for (int i = 0; i < n; i++)
			(void)parse_once(scratch, messages[i]);
	double spent = cpu_seconds() - begin;
	printf("corpus: %d messages of %.1f kB: %.0f messages/s, %.1f MB/s, %.1f us a message\n", n,
	       (double)total / n / 1000, (double)n * rounds / spent, (double)total * rounds / spent / 1e6,
	       spent * 1e6 / ((double)n * rounds));
}

static void header(struct buf *buf, const char *type)
{
	buf_printf(
		buf,
		"From: a@example.com\r\nTo: b@example.org\r\nSubject: size\r\nDate: Tue, 1 Sep 2026 10:00:00 +0000\r\n"
		"Message-ID: <1@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: %s\r\n\r\n",
		type);
}

static void curve_of_size(struct arena *scratch)
{
	for (size_t mega = 1; mega <= 50; mega = mega < 10 ? mega * 2 : mega + 14) {
		CLEANUP(buf_done) struct buf buf = BUF_INIT((size_t)200 << 20);
		header(&buf, "multipart/mixed; boundary=b");
		buf_add_cstr(&buf, "--b\r\nContent-Type: text/html\r\n\r\n");
		while (buf.len < mega * 500000)
			buf_add_cstr(&buf, "<p>Some <b>text</b> with <a href=\"http://www.example.com/x\">a link</a> "
					   "in it.</p>\r\n");
		buf_add_cstr(&buf, "--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n");
		while (buf.len < mega * 1000000)
			buf_add_cstr(
				&buf,
				"JVBERi0xLjQKJcOkw7zDtsOfCjIgMCBvYmoKPDwvTGVuZ3RoIDMgMCBSL0ZpbHRlci9GbGF0ZURl\r\n");
		buf_add_cstr(&buf, "--b--\r\n");
		double begin = cpu_seconds();
		(void)parse_once(scratch, buf_bytes(&buf));
		double spent = cpu_seconds() - begin;
		printf("size: %3zu MB %8.2f ms %6.2f ms/MB\n", mega, spent * 1e3, spent * 1e3 / (double)mega);
	}
}

static void curve_of_parts(struct arena *scratch)
{
	for (size_t parts = 10; parts <= 1000000; parts *= 10) {
		CLEANUP(buf_done) struct buf buf = BUF_INIT((size_t)200 << 20);
		header(&buf, "multipart/mixed; boundary=b");
		for (size_t i = 0; i < parts; i++)
			buf_add_cstr(&buf, "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n");
		buf_add_cstr(&buf, "--b--\r\n");
		double begin = cpu_seconds();
		size_t seen = parse_once(scratch, buf_bytes(&buf));
		double spent = cpu_seconds() - begin;
		printf("parts: %7zu (%5zu examined) %8.2f ms %6.2f us a part\n", parts, seen, spent * 1e3,
		       spent * 1e6 / (double)parts);
	}
}

int main(int argc, char **argv)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(arena_free) struct arena *scratch = arena_create((size_t)2 << 30);
	if (argc < 2 || !arena || !scratch || charset_init() != ERR_OK) {
		(void)fprintf(stderr, "usage: bench_parse ROUNDS FILE...\n");
		return 2;
	}
	if (argc > 2)
		corpus(arena, scratch, (int)strtol(argv[1], NULL, 10), argc - 2, argv + 2);
	curve_of_size(scratch);
	curve_of_parts(scratch);
	return 0;
}
