/* SPDX-License-Identifier: Apache-2.0 */
/* A milter that does nothing, by Sendmail's library: what Postfix is measured against. null_milter SOCKET */
#include <libmilter/mfapi.h>
#include <stdio.h>

static sfsistat accept_all(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	static char name[] = "null";
	struct smfiDesc description = {.xxfi_name = name, .xxfi_version = SMFI_VERSION, .xxfi_eom = accept_all};
	if (argc != 2 || smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(description) != MI_SUCCESS) {
		(void)fprintf(stderr, "usage: null_milter inet:PORT@127.0.0.1\n");
		return 2;
	}
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
