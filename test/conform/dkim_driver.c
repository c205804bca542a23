/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dkim_driver NOW RECORD-FILE < message
 *
 * Prints one line for each DKIM signature, "RESULT REASON", and then one for the chain of ARC, "arc RESULT REASON".
 * RECORD-FILE holds lines "NAME RECORD".
 */
#include "auth/arc.h"
#include "auth/dkim.h"
#include "driver.h"

int main(int argc, char **argv)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct canon_message *message;
	struct dkim *dkim = NULL;
	struct arc *arc = NULL;
	enum auth_step step;
	need(argc == 3 && arena && crypto_init() == ERR_OK, "arguments");
	struct bytes raw = slurp(arena, stdin, "standard input");
	struct zone zone = {.text = slurp(arena, fopen(argv[2], "rb"), argv[2]), .arena = arena};
	struct dns_host host = {.ask = zone_ask, .data = &zone};
	struct dkim_options options = {.now = strtoll(argv[1], NULL, 10), .verify_max = DKIM_VERIFY_MAX};
	need(canon_message_read(arena, raw, &message) == ERR_OK && dkim_begin(message, &options, &dkim) == ERR_OK &&
		     dkim_step(dkim, &host, &step) == ERR_OK && step == AUTH_DONE &&
		     arc_begin(message, &(struct arc_options){.now = options.now}, &arc) == ERR_OK &&
		     arc_step(arc, &host, &step) == ERR_OK && step == AUTH_DONE,
	     "checking");
	for (size_t i = 0; i < dkim->count; i++)
		(void)printf("%s %.*s\n", dkim_result_name(dkim->signatures[i].result),
			     BYTES_FMT(dkim->signatures[i].reason));
	(void)printf("arc %s %.*s\n", arc_result_name(arc->result), BYTES_FMT(arc->reason));
	return 0;
}
