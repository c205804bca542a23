/* SPDX-License-Identifier: Apache-2.0 */
/* Message bodies as files: zstd with a checksum, written so that a crash leaves a whole file or none. The only file
 * that knows zstd. */
#include <errno.h>
#include <zstd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "store/private.h"
#include "sys/file.h"

#include "base/banned.h"

#define LEVEL    3
#define BODY_MAX ((uint64_t)2 << 30)

static size_t compress(uint8_t *packed, size_t room, struct bytes body)
{
	ZSTD_CCtx *context = ZSTD_createCCtx();
	if (!context)
		return 0;
	(void)ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, LEVEL);
	(void)ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
	size_t len = ZSTD_compress2(context, packed, room, body.ptr, body.len);
	(void)ZSTD_freeCCtx(context);
	return ZSTD_isError(len) ? 0 : len;
}

enum err store_body_write(const char *path, struct bytes body, uint64_t *ret_disk, struct error *reterr)
{
	size_t room = ZSTD_compressBound(body.len);
	uint8_t *packed = ZSTD_isError(room) ? NULL : mem_alloc(room);
	size_t len = packed ? compress(packed, room, body) : 0;
	enum err err = len > 0 ? file_write_atomic(path, bytes_make(packed, len), 0600)
			       : error_set(reterr, ERR_NOMEM, 0, "no memory to compress the message");
	if (len > 0 && err != ERR_OK)
		err = error_set(reterr, err, 0, "the message could not be written to the quarantine: %s",
				strerror(errno));
	mem_free(packed);
	*ret_disk = len;
	return err;
}

enum err store_body_read(const char *path, uint64_t size, uint8_t **ret_body, size_t *ret_len, struct error *reterr)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct bytes packed;
	if (!arena || size > BODY_MAX)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the message");
	enum err err = file_read(arena, path, (size_t)BODY_MAX, &packed);
	if (err != ERR_OK)
		return error_set(reterr, err, 0, "the body of the message cannot be read: %s",
				 err == ERR_IO ? strerror(errno) : err_name(err));
	uint8_t *body = mem_alloc((size_t)size + 1);
	if (!body)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the message");
	size_t len = ZSTD_decompress(body, (size_t)size + 1, packed.ptr, packed.len);
	if (ZSTD_isError(len) || len != size) {
		mem_free(body);
		return error_set(reterr, ERR_SYNTAX, 0, "the body of the message is damaged");
	}
	*ret_body = body;
	*ret_len = len;
	return ERR_OK;
}
