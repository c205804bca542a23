/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cli/command.h: the subcommands of `postern`: one file each. `argv` begins after the name of the subcommand. Exit
 * status: 0 nothing found (or done), 1 something found (or different, or nothing there), 2 the command could not do its
 * work.
 */
#define COMMANDS(X)                                                                                                    \
	X(scan, "scan", "judge messages: what they are, and why")                                                      \
	X(replay, "replay", "judge a recorded case again and compare")                                                 \
	X(mime, "mime", "show the parts of a message as the engine sees them")                                         \
	X(auth, "auth", "who really sent a message: SPF, DKIM, ARC, DMARC")                                            \
	X(spf, "spf", "whether a host may send mail for a domain")                                                     \
	X(sign, "sign", "sign a message by DKIM, or seal it by ARC")                                                   \
	X(keys, "keys", "the keys that sign outgoing mail: make, list, rotate, their DNS records")                     \
	X(checks, "checks", "list the checks, or explain one")                                                         \
	X(fit, "fit", "fit the weights of the checks to known mail")                                                   \
	X(trace, "trace", "what happened to a message: who, to whom, when, and why")                                   \
	X(quarantine, "quarantine", "list, show, release or delete held messages")                                     \
	X(dmarc, "dmarc", "reports of others on mail in our name: what passes, what would break")                      \
	X(check_config, "check-config", "check the configuration")                                                     \
	X(explain_config, "explain-config", "explain one key of the configuration")                                    \
	X(status, "status", "whether the daemons run and are well")                                                    \
	X(reload, "reload", "have the daemons read their configuration again")                                         \
	X(drain, "drain", "have the daemons finish what they have, and end")

#define COMMAND_DECLARE(id, name, summary) int cmd_##id(int argc, char **argv);
COMMANDS(COMMAND_DECLARE)
#undef COMMAND_DECLARE
