/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/supervisor_generation.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "daemon/supervisor_config.h"
#include "daemon/supervisor_lists.h"
#include "sys/file.h"
#include "sys/log.h"
#include "sys/net.h"
#include "wire/keys.h"

#include "base/banned.h"

#define LISTEN_TRIES 50 /* 20 ms apart */

struct generation *generation_read(const char *file)
{
	struct arena *arena = arena_create(SIZE_MAX);
	struct generation *generation = mem_new(struct generation, 1);
	if (!arena || !generation || !supervisor_read_config(arena, file, &generation->settings) ||
	    !(generation->lists = lists_status_new(arena, &generation->settings))) {
		arena_free(&arena);
		mem_free(generation);
		return NULL;
	}
	generation->arena = arena;
	generation->gates = (unsigned)generation->settings.gates;
	generation->resolvers = generation->settings.dns_enabled ? 1 : 0;
	generation->ledgers = generation->settings.relations_enabled ? 1 : 0;
	generation->couriers = generation->settings.report_dmarc ? 1 : 0;
	struct error error;
	if (keys_read_index(arena, generation->settings.state_dir, &generation->keyring, &error) != ERR_OK)
		log_event(LOG_ERROR, "keys.unreadable", log_cstr("why", error.text));
	generation->signers = generation->keyring.len > 0 ? 1 : 0;
	int cores = get_nprocs();
	generation->scanners = generation->settings.scanners > 0 ? (unsigned)generation->settings.scanners
								 : (unsigned)(cores < 2    ? 2
									      : cores > 32 ? 32
											   : cores);
	for (size_t i = 0; i < FRONTENDS; i++)
		generation->listeners[i] = -1;
	generation->local_lists = -1;
	return generation;
}

static struct bytes listen_text(const struct settings *settings, size_t frontend)
{
	const struct bytes texts[FRONTENDS] = {settings->milter_listen, settings->smtp_listen, settings->http_listen,
					       settings->spamd_listen};
	return texts[frontend];
}

/*
 * A start right after the death of another supervisor meets its gates, which are about to notice: that is worth a
 * moment of patience.
 */
static enum err listen_patiently(const struct net_address *address, bool patient, int *ret_fd, struct error *reterr)
{
	enum err err;
	const struct timespec moment = {.tv_nsec = 20 * 1000 * 1000};
	for (int tries = 0; (err = net_listen(address, ret_fd, reterr)) != ERR_OK; tries++) {
		if (!patient || errno != EADDRINUSE || tries == LISTEN_TRIES)
			break;
		(void)nanosleep(&moment, NULL);
	}
	return err;
}

/* The socket of that address in the generation before, whichever front end has it there; -1 when there is none. */
static int find_listener(const struct generation *before, const struct net_address *address)
{
	for (size_t i = 0; before && i < FRONTENDS; i++) {
		struct net_address had;
		if (before->listeners[i] >= 0 && net_parse(listen_text(&before->settings, i), &had, NULL) == ERR_OK &&
		    net_equal(&had, address))
			return before->listeners[i];
	}
	return -1;
}

bool generation_open_listeners(struct generation *generation, struct generation *before)
{
	for (size_t i = 0; i < FRONTENDS; i++) {
		struct bytes text = listen_text(&generation->settings, i);
		struct net_address address;
		struct error error;
		if (text.len == 0)
			continue;
		if (!before && (generation->listeners[i] = net_inherited(frontend_names[i])) >= 0)
			continue;
		bool good = net_parse(text, &address, &error) == ERR_OK;
		int had = good ? find_listener(before, &address) : -1;
		/* Two front ends may have changed places: what comes before the old gates drain is theirs still. */
		if (had >= 0 && (generation->listeners[i] = dup(had)) >= 0)
			continue;
		if (!good || listen_patiently(&address, !before, &generation->listeners[i], &error) != ERR_OK) {
			log_event(LOG_ERROR, "listen.failed", log_cstr("frontend", frontend_names[i]),
				  log_cstr("why", error.text));
			return false;
		}
	}
	return true;
}

void generation_close_listeners(struct generation *generation)
{
	for (size_t i = 0; i < FRONTENDS; i++) {
		if (generation->listeners[i] >= 0)
			(void)close(generation->listeners[i]);
		generation->listeners[i] = -1;
	}
}

void generation_close_lists(struct generation *generation)
{
	if (generation->local_lists >= 0)
		(void)close(generation->local_lists);
	generation->local_lists = -1;
}

void generation_free(struct generation *generation)
{
	if (!generation)
		return;
	generation_close_listeners(generation);
	generation_close_lists(generation);
	arena_free(&generation->arena);
	mem_free(generation);
}

bool generation_make_folders(struct generation *generation)
{
	const struct settings *settings = &generation->settings;
	const struct bytes folders[] = {settings->state_dir, settings->run_dir};
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		const char *path = arena_cstr(generation->arena, folders[i]);
		if (!path || file_make_folder(path, i == 0 ? 0700 : 0755) != ERR_OK ||
		    (generation->user.change && chown(path, generation->user.uid, generation->user.gid) != 0)) {
			log_event(LOG_ERROR, "folder.failed", log_str("folder", folders[i]),
				  log_cstr("why", strerror(errno)));
			return false;
		}
	}
	return true;
}
