/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter on libmilter, on the unix socket named: what milter_ours.c does with our codec must look the same on the
 * wire. What it does at the end of a message is named by the sender's address.
 */
#include <libmilter/mfapi.h>
#include <stdlib.h>
#include <string.h>

static sfsistat on_mail(SMFICTX *ctx, char **args)
{
	free(smfi_getpriv(ctx)); /* of a message that was aborted */
	(void)smfi_setpriv(ctx, strdup(args[0]));
	return SMFIS_CONTINUE;
}

static sfsistat on_end(SMFICTX *ctx)
{
	char *from = smfi_getpriv(ctx);
	sfsistat answer = SMFIS_CONTINUE;
	unsigned char body[] = "new body\r\n";
	char subject[] = "Subject", x[] = "X-A", value[] = "b c", folded[] = "one\n two", path[] = "<n@example.org>";
	char parameters[] = "NOTIFY=NEVER", why[] = "held";
	if (from && strstr(from, "change")) {
		(void)smfi_progress(ctx);
		(void)smfi_addheader(ctx, x, value);
		(void)smfi_insheader(ctx, 1, x, folded);
		(void)smfi_chgheader(ctx, subject, 1, value);
		(void)smfi_chgheader(ctx, subject, 2, NULL);
		(void)smfi_chgfrom(ctx, path, NULL);
		(void)smfi_chgfrom(ctx, path, parameters);
		(void)smfi_addrcpt(ctx, path);
		(void)smfi_addrcpt_par(ctx, path, parameters);
		(void)smfi_delrcpt(ctx, path);
		(void)smfi_replacebody(ctx, body, sizeof(body) - 1);
		(void)smfi_quarantine(ctx, why);
	}
	if (from && strstr(from, "accept"))
		answer = SMFIS_ACCEPT;
	if (from && strstr(from, "discard"))
		answer = SMFIS_DISCARD;
	if (from && strstr(from, "tempfail"))
		answer = SMFIS_TEMPFAIL;
	if (from && strstr(from, "refuse"))
		answer = SMFIS_REJECT;
	if (from && strstr(from, "words")) {
		char code[] = "550", enhanced[] = "5.7.1", one[] = "50%% off";
		(void)smfi_setreply(ctx, code, enhanced, one);
		answer = SMFIS_REJECT;
	}
	if (from && strstr(from, "lines")) {
		(void)smfi_setmlreply(ctx, "451", "4.7.1", "first", "second %%s", NULL);
		answer = SMFIS_TEMPFAIL;
	}
	free(from);
	(void)smfi_setpriv(ctx, NULL);
	return answer;
}

int main(int argc, char **argv)
{
	static struct smfiDesc filter;
	static char name[] = "oracle";
	filter.xxfi_name = name;
	filter.xxfi_version = SMFI_VERSION;
	filter.xxfi_flags = 0x1ff;
	filter.xxfi_envfrom = on_mail;
	filter.xxfi_eom = on_end;
	if (argc != 2 || smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(filter) != MI_SUCCESS)
		return 2;
	return smfi_main();
}
