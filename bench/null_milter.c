/* SPDX-License-Identifier: Apache-2.0 */
/* A milter that does nothing, by Sendmail's library: what Postfix is measured against. null_milter SOCKET [quickack] */
#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool quickack;

/*
 * Stands before that of the C library, for libmilter too: TCP_QUICKACK does not stick (tcp(7)), and without it each
 * small packet of Postfix waits for a delayed ACK. libmilter itself does not do this.
 */
ssize_t read(int fd, void *buf, size_t len)
{
	const int on = 1;
	if (quickack)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
	return syscall(SYS_read, fd, buf, len);
}

static sfsistat accept_all(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	static char name[] = "null";
	struct smfiDesc description = {.xxfi_name = name, .xxfi_version = SMFI_VERSION, .xxfi_eom = accept_all};
	quickack = argc == 3 && strcmp(argv[2], "quickack") == 0;
	if (argc != (quickack ? 3 : 2) || smfi_setconn(argv[1]) != MI_SUCCESS ||
	    smfi_register(description) != MI_SUCCESS) {
		(void)fprintf(stderr, "usage: null_milter inet:PORT@127.0.0.1 [quickack]\n");
		return 2;
	}
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
