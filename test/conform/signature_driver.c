/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signature_driver RECORD-FILE: signs and verifies, one request after another, as long as standard input lasts.
 *
 * A request is a line "VERB NOW LENGTH WORD..." and LENGTH bytes of message; the answer a line with a length and as
 * many bytes:
 *
 *   dkim                                                        one line for each signature, "RESULT SELECTOR REASON"
 *   arc                                                         "RESULT REASON"
 *   sign KEY-FILE DOMAIN SELECTOR FORM NAMES IDENTITY EXPIRE    the new field; IDENTITY "-": none
 *   seal KEY-FILE DOMAIN SELECTOR FORM NAMES AUTHSERV-ID        the new fields
 *
 * FORM is two letters, s or r, for header and body. RECORD-FILE holds lines "NAME RECORD"; a name may come again.
 */
#include <string.h>

#include "auth/arc.h"
#include "auth/dkim.h"
#include "driver.h"

#define NAMES_MAX 200
#define WORDS_MAX 10

static void verify_dkim(struct canon_message *message, const struct dns_host *host, int64_t now, struct buf *buf)
{
	struct dkim_options options = {.now = now, .verify_max = DKIM_VERIFY_MAX};
	struct dkim *dkim = NULL;
	enum auth_step step;
	need(dkim_begin(message, &options, &dkim) == ERR_OK && dkim_step(dkim, host, &step) == ERR_OK &&
		     step == AUTH_DONE,
	     "dkim");
	for (size_t i = 0; i < dkim->count; i++) {
		const struct dkim_signature *one = &dkim->signatures[i];
		buf_printf(buf, "%s ", dkim_result_name(one->result));
		buf_add(buf, bytes_empty(one->selector) ? BYTES_LIT("-") : one->selector);
		buf_add_byte(buf, ' ');
		buf_add(buf, one->reason);
		buf_add_byte(buf, '\n');
	}
}

static struct arc *verify_arc(struct canon_message *message, const struct dns_host *host, int64_t now)
{
	struct arc *arc = NULL;
	enum auth_step step;
	need(arc_begin(message, &(struct arc_options){.now = now}, &arc) == ERR_OK &&
		     arc_step(arc, host, &step) == ERR_OK && step == AUTH_DONE,
	     "arc");
	return arc;
}

static struct crypto_key *key_of(struct arena *arena, const char *path)
{
	struct crypto_key *key = NULL;
	struct error error = {0};
	need(crypto_key_read_pem(slurp(arena, fopen(path, "rb"), path), &key, &error) == ERR_OK, "a private key");
	return key;
}

static enum canon canon_of(char letter)
{
	return letter == 'r' ? CANON_RELAXED : CANON_SIMPLE;
}

/* words: KEY-FILE DOMAIN SELECTOR FORM NAMES ... */
static void sign(struct canon_message *message, const struct dns_host *host, int64_t now, bool seal, char **words,
		 struct buf *buf)
{
	CLEANUP(crypto_key_free) struct crypto_key *key = key_of(message->arena, words[0]);
	struct bytes names[NAMES_MAX], rest = bytes_from_cstr(words[4]), fields = {0};
	struct error error = {0};
	size_t n = 0;
	while (n < NAMES_MAX && bytes_split(&rest, ':', &names[n]))
		n++;
	if (seal) {
		struct arc_seal_options options = {.domain = bytes_from_cstr(words[1]),
						   .selector = bytes_from_cstr(words[2]),
						   .authserv_id = bytes_from_cstr(words[5]),
						   .header = canon_of(words[3][0]),
						   .body = canon_of(words[3][1]),
						   .names = names,
						   .n_names = n,
						   .now = now};
		need(arc_seal(verify_arc(message, host, now), key, &options, &fields, &error) == ERR_OK, "sealing");
	} else {
		bool plain = strcmp(words[5], "-") == 0;
		struct dkim_sign_options options = {.domain = bytes_from_cstr(words[1]),
						    .selector = bytes_from_cstr(words[2]),
						    .identity = plain ? (struct bytes){0} : bytes_from_cstr(words[5]),
						    .header = canon_of(words[3][0]),
						    .body = canon_of(words[3][1]),
						    .names = names,
						    .n_names = n,
						    .now = now,
						    .expire = strtoll(words[6], NULL, 10)};
		need(dkim_sign(message, key, &options, &fields, &error) == ERR_OK, "signing");
	}
	buf_add(buf, fields);
}

static void serve(struct arena *arena, struct zone *zone, char *line)
{
	CLEANUP(buf_done) struct buf answer = BUF_INIT(1 << 24);
	char *words[WORDS_MAX + 1] = {0}, *save = NULL;
	struct canon_message *message = NULL;
	struct dns_host host = {.ask = zone_ask, .data = zone};
	size_t n = 0;
	for (char *word = strtok_r(line, " \n", &save); word && n < WORDS_MAX; word = strtok_r(NULL, " \n", &save))
		words[n++] = word;
	need(n >= 3, "a request");
	int64_t now = strtoll(words[1], NULL, 10);
	size_t size = strtoull(words[2], NULL, 10);
	uint8_t *raw = arena_alloc_raw(arena, size + 1);
	need(raw && fread(raw, 1, size, stdin) == size &&
		     canon_message_read(arena, bytes_make(raw, size), &message) == ERR_OK,
	     "a message");
	if (strcmp(words[0], "dkim") == 0) {
		verify_dkim(message, &host, now, &answer);
	} else if (strcmp(words[0], "arc") == 0) {
		const struct arc *arc = verify_arc(message, &host, now);
		buf_printf(&answer, "%s ", arc_result_name(arc->result));
		buf_add(&answer, arc->reason);
	} else {
		bool seal = strcmp(words[0], "seal") == 0;
		need((seal && n == 9) || (strcmp(words[0], "sign") == 0 && n == 10), "a request");
		sign(message, &host, now, seal, words + 3, &answer);
	}
	need(buf_err(&answer) == ERR_OK, "an answer");
	(void)printf("%zu\n", answer.len);
	(void)fwrite(answer.ptr, 1, answer.len, stdout);
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	CLEANUP(arena_free) struct arena *records = arena_create(SIZE_MAX);
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	char line[4096];
	need(argc == 2 && records && arena && crypto_init() == ERR_OK, "arguments");
	struct zone zone = {.text = slurp(records, fopen(argv[1], "rb"), argv[1]), .arena = arena};
	while (fgets(line, sizeof(line), stdin)) {
		serve(arena, &zone, line);
		arena_reset(arena);
	}
	return 0;
}
