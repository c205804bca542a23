/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * test/unit/store/folder.h: a folder of its own for a test, and a store in it.
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/store.h"
#include "unit.h"

struct folder {
	char path[64];
	struct store *store;
};

static inline void folder_open(struct folder *folder)
{
	struct error error = {0};
	if (store_open(folder->path, false, &folder->store, &error) != ERR_OK)
		fail_msg("%s", error.text);
}

static inline void folder_reopen(struct folder *folder)
{
	store_close(&folder->store);
	folder_open(folder);
}

static inline void folder_make(struct folder *folder)
{
	*folder = (struct folder){.path = "/tmp/postern-store-XXXXXX"};
	assert_non_null(mkdtemp(folder->path));
	folder_open(folder);
}

static inline int folder_remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static inline void folder_remove(struct folder *folder)
{
	store_close(&folder->store);
	(void)nftw(folder->path, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#define T(s) bytes_from_cstr(s)

static inline void folder_begin(struct folder *folder)
{
	assert_ok(store_begin(folder->store, true, NULL));
}

static inline void folder_commit(struct folder *folder)
{
	struct error error = {0};
	if (store_commit(folder->store, &error) != ERR_OK)
		fail_msg("%s", error.text);
}
