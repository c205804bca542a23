/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arc_driver DOMAIN SELECTOR AUTHSERV-ID HEADERS TIME KEY-FILE RECORD-FILE < message
 *
 * Seals the message and prints three parts between lines "--": what became of the chain that was there, the new fields,
 * and what a receiver of the sealed message says of the chain. RECORD-FILE is the key record of every name that is
 * asked.
 */
#include "auth/arc.h"
#include "driver.h"

static const struct dns_answer *ask(void *data, enum dns_type type, struct bytes name)
{
	(void)name;
	(void)type;
	return data;
}

static struct arc *check(struct arena *arena, struct bytes raw, const struct dns_host *host, int64_t now)
{
	struct canon_message *message;
	struct arc *arc = NULL;
	enum auth_step step;
	need(canon_message_read(arena, raw, &message) == ERR_OK &&
		     arc_begin(message, &(struct arc_options){.now = now}, &arc) == ERR_OK &&
		     arc_step(arc, host, &step) == ERR_OK && step == AUTH_DONE,
	     "checking");
	return arc;
}

int main(int argc, char **argv)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(crypto_key_free) struct crypto_key *key = NULL;
	need(argc == 8 && arena && crypto_init() == ERR_OK, "arguments");
	struct bytes raw = slurp(arena, stdin, "standard input");
	struct bytes pem = slurp(arena, fopen(argv[6], "rb"), argv[6]);
	struct dns_record record = {.data = slurp(arena, fopen(argv[7], "rb"), argv[7])};
	struct dns_answer answer = {.state = DNS_FOUND, .records = &record, .n_records = 1};
	struct dns_host host = {.ask = ask, .data = &answer};
	struct bytes names[100], rest = bytes_from_cstr(argv[4]), fields;
	struct error error = {0};
	size_t n = 0;
	while (n < ARRAY_LEN(names) && bytes_split(&rest, ':', &names[n]))
		n++;
	struct arc_seal_options options = {.domain = bytes_from_cstr(argv[1]),
					   .selector = bytes_from_cstr(argv[2]),
					   .authserv_id = bytes_from_cstr(argv[3]),
					   .header = CANON_RELAXED,
					   .body = CANON_RELAXED,
					   .names = names,
					   .n_names = n,
					   .now = strtoll(argv[5], NULL, 10)};
	need(crypto_key_read_pem(pem, &key, &error) == ERR_OK, error.text);
	struct arc *arc = check(arena, raw, &host, options.now);
	need(arc_seal(arc, key, &options, &fields, &error) == ERR_OK, error.text);
	struct arc *sealed =
		check(arena, arena_printf(arena, "%.*s%.*s", BYTES_FMT(fields), BYTES_FMT(raw)), &host, options.now);
	(void)printf("%s %.*s\n--\n%.*s--\n%s %.*s\n", arc_result_name(arc->result), BYTES_FMT(arc->reason),
		     BYTES_FMT(fields), arc_result_name(sealed->result), BYTES_FMT(sealed->reason));
	return 0;
}
