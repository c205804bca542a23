/* SPDX-License-Identifier: Apache-2.0 */
/* Message bodies as files: zstd, written so that a crash leaves a whole file or none. The only file that knows zstd. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "store/private.h"
#include "sys/file.h"

#include "base/banned.h"

#define LEVEL    3
#define BODY_MAX ((uint64_t)2 << 30)

enum err store_body_write(const char *folder, const char *name, struct bytes body, struct error *reterr)
{
	char path[4400];
	size_t room = ZSTD_compressBound(body.len);
	uint8_t *packed = mem_alloc(room);
	if (!packed)
		return error_set(reterr, ERR_NOMEM, 0, "no memory to compress the message");
	size_t len = ZSTD_compress(packed, room, body.ptr, body.len, LEVEL);
	enum err err = ZSTD_isError(len) ? ERR_INTERNAL : ERR_OK;
	if (err == ERR_OK)
		err = file_make_folder(folder, 0700);
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (err == ERR_OK)
		err = file_write_atomic(path, bytes_make(packed, len), 0600);
	mem_free(packed);
	if (err != ERR_OK)
		return error_set(reterr, err, 0, "the message could not be written to the quarantine: %s",
				 strerror(errno));
	return ERR_OK;
}

enum err store_body_read(const char *path, uint64_t size, uint8_t **ret_body, size_t *ret_len, struct error *reterr)
{
	struct arena *arena = arena_create(SIZE_MAX);
	struct bytes packed;
	if (!arena || size > BODY_MAX) {
		arena_free(&arena);
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the message");
	}
	enum err err = file_read(arena, path, (size_t)BODY_MAX, &packed);
	uint8_t *body = err == ERR_OK ? mem_alloc((size_t)size + 1) : NULL;
	size_t len = body ? ZSTD_decompress(body, (size_t)size + 1, packed.ptr, packed.len) : 0;
	if (err != ERR_OK)
		(void)error_set(reterr, err, 0, "the body of the message is not there: %s", strerror(errno));
	else if (!body)
		err = error_set(reterr, ERR_NOMEM, 0, "no memory for the message");
	else if (ZSTD_isError(len) || len != size)
		err = error_set(reterr, ERR_SYNTAX, 0, "the body of the message is damaged");
	arena_free(&arena);
	if (err != ERR_OK) {
		mem_free(body);
		return err;
	}
	*ret_body = body;
	*ret_len = len;
	return ERR_OK;
}
