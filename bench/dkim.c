/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_dkim ROUNDS: what it costs to check DKIM signatures of a message of 5 kB, with the keys at hand (as they are
 * for most mail) and read anew, and what bodies of several sizes, many signatures and odd keys add.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "auth/arc.h"
#include "auth/dkim.h"
#include "base/arena.h"
#include "base/buf.h"

static double cpu_seconds(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void need(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "bench_dkim: %s\n", what);
	exit(2);
}

/* One key of a size, in the forms that signing and DNS want. */
struct pair {
	struct crypto_key *key;
	struct dns_record record;
	struct dns_answer answer;
};

static void load_pair(struct arena *arena, const char *path, struct pair *pair)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	CLEANUP(buf_done) struct buf buf = BUF_INIT(100000), record = BUF_INIT(100000);
	char piece[4096];
	size_t n;
	struct error error = {0};
	struct bytes data;
	FILE *file = fopen(path, "rb");
	need(file != NULL, path);
	while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
		buf_add(&buf, bytes_make(piece, n));
	(void)fclose(file);
	need(crypto_key_read_pem(buf_bytes(&buf), &pair->key, &error) == ERR_OK, error.text);
	need(crypto_key_public(pair->key, arena, &data) == ERR_OK, path);
	buf_printf(&record, "k=%s; p=", crypto_key_type(pair->key) == CRYPTO_RSA ? "rsa" : "ed25519");
	for (size_t bit = 0; bit < data.len * 8; bit += 6) {
		unsigned two =
			(unsigned)(data.ptr[bit / 8] << 8 | (bit / 8 + 1 < data.len ? data.ptr[bit / 8 + 1] : 0));
		buf_add_byte(&record, (uint8_t)digits[two >> (10 - bit % 8) & 63]);
	}
	pair->record.data = arena_copy(arena, buf_bytes(&record));
	pair->answer = (struct dns_answer){.state = DNS_FOUND, .records = &pair->record, .n_records = 1};
}

static const struct dns_answer *ask(void *data, enum dns_type type, struct bytes name)
{
	(void)type;
	(void)name;
	return &((struct pair *)data)->answer;
}

static struct bytes message_of(struct arena *arena, struct pair *pair, size_t body, size_t signatures)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT((size_t)256 << 20);
	struct canon_message *message;
	struct bytes field = {0};
	buf_add_cstr(&buf, "Received: from mx.example.org (mx.example.org [192.0.2.1])\r\n\tby mx.example.com with "
			   "ESMTPS id 1;\r\n"
			   "\tTue, 1 Sep 2026 10:00:00 +0000\r\nFrom: A <a@example.com>\r\nTo: B <b@example.org>\r\n"
			   "Subject: A subject of some length\r\nDate: Tue, 1 Sep 2026 10:00:00 +0000\r\n"
			   "Message-ID: <1.2.3@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n");
	while (buf.len < body)
		buf_add_cstr(&buf, "A line of  text, as there are in most messages, with 72 bytes or so.\r\n");
	struct dkim_sign_options options = {.domain = BYTES_LIT("example.com"),
					    .selector = BYTES_LIT("s"),
					    .header = CANON_RELAXED,
					    .body = CANON_RELAXED,
					    .now = 1};
	need(canon_message_read(arena, buf_bytes(&buf), &message) == ERR_OK &&
		     dkim_sign(message, pair->key, &options, &field, NULL) == ERR_OK,
	     "signing");
	CLEANUP(buf_done) struct buf all = BUF_INIT((size_t)256 << 20);
	for (size_t i = 0; i < signatures; i++)
		buf_add(&all, field);
	buf_add(&all, buf_bytes(&buf));
	need(buf_err(&all) == ERR_OK, "memory");
	return arena_copy(arena, buf_bytes(&all));
}

static void measure(const char *what, struct pair *pair, struct bytes raw, struct crypto_keys *keys, int rounds)
{
	CLEANUP(arena_free) struct arena *scratch = arena_create(SIZE_MAX);
	struct dns_host host = {.ask = ask, .data = pair};
	struct dkim_options options = {.now = 1, .verify_max = DKIM_VERIFY_MAX, .keys = keys};
	struct canon_message *message;
	struct dkim *dkim = NULL;
	enum auth_step step;
	double begin = cpu_seconds();
	for (int i = 0; i < rounds; i++) {
		arena_reset(scratch);
		need(canon_message_read(scratch, raw, &message) == ERR_OK &&
			     dkim_begin(message, &options, &dkim) == ERR_OK && dkim_step(dkim, &host, &step) == ERR_OK,
		     what);
	}
	double spent = (cpu_seconds() - begin) * 1e6 / rounds;
	(void)printf("%-50s %10.1f us  (%zu entries, the first: %s)\n", what, spent, dkim->count,
		     dkim->count ? dkim_result_name(dkim->signatures[0].result) : "none");
}

int main(int argc, char **argv)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(crypto_keys_free) struct crypto_keys *keys = crypto_keys_new(64);
	int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0;
	need(argc == 5 && rounds > 0 && arena && keys && crypto_init() == ERR_OK,
	     "usage: bench_dkim ROUNDS RSA-2048.pem RSA-4096.pem ED25519.pem");
	static struct pair rsa, large, ed25519;
	load_pair(arena, argv[2], &rsa);
	load_pair(arena, argv[3], &large);
	load_pair(arena, argv[4], &ed25519);
	measure("no signature, 5 kB", &rsa, message_of(arena, &rsa, 5000, 0), keys, rounds);
	measure("2 x RSA 2048, 5 kB, keys at hand", &rsa, message_of(arena, &rsa, 5000, 2), keys, rounds);
	measure("2 x RSA 2048, 5 kB, keys read anew", &rsa, message_of(arena, &rsa, 5000, 2), NULL, rounds);
	measure("2 x RSA 4096, 5 kB, keys at hand", &large, message_of(arena, &large, 5000, 2), keys, rounds);
	measure("2 x Ed25519, 5 kB, keys at hand", &ed25519, message_of(arena, &ed25519, 5000, 2), keys, rounds);
	measure("16 x RSA 4096, 5 kB, keys read anew", &large, message_of(arena, &large, 5000, 16), NULL,
		rounds / 10 + 1);
	measure("1000 x RSA 2048, 5 kB", &rsa, message_of(arena, &rsa, 5000, 1000), keys, rounds / 100 + 1);
	measure("2 x RSA 2048, 1 MB", &rsa, message_of(arena, &rsa, 1000000, 2), keys, rounds / 100 + 1);
	measure("2 x RSA 2048, 50 MB", &rsa, message_of(arena, &rsa, 50000000, 2), keys, 3);
	crypto_key_free(&rsa.key);
	crypto_key_free(&large.key);
	crypto_key_free(&ed25519.key);
	return 0;
}
