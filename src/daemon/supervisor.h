/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * daemon/supervisor.h: binds, spawns, restarts with back-off, hands over descriptors; parses nothing foreign.
 *
 * A configuration is a generation of gates and scanners. A reload starts a new generation beside the old one; when all
 * of the new one are ready the old gates drain: they accept nobody, and end when their last session does. The vault is
 * one for all.
 */
#include "conf/settings.h"

/* Reads, checks and says (on standard error, "FILE:LINE: text") what is wrong; false then. */
bool supervisor_check(const char *file);
/* Runs until SIGTERM or SIGINT; returns the exit status of the program. */
int supervisor_run(const char *file);
