/* SPDX-License-Identifier: Apache-2.0 */
/* Message bodies as files: zstd with a checksum, written so that a crash leaves a whole file or none. */
#include <errno.h>

#include "base/arena.h"
#include "base/compress.h"
#include "base/mem.h"
#include "store/private.h"
#include "sys/file.h"

#include "base/banned.h"

#define BODY_MAX ((uint64_t)2 << 30)

enum err store_body_write(const char *path, struct bytes body, uint64_t *ret_disk, struct error *reterr)
{
	CLEANUP(buf_done) struct buf packed = BUF_INIT(compress_bound(body.len));
	compress_add(&packed, body);
	*ret_disk = packed.len;
	if (buf_err(&packed) != ERR_OK)
		return error_set(reterr, ERR_NOMEM, 0, "no memory to compress the message");
	enum err err = file_write_atomic(path, buf_bytes(&packed), 0600);
	if (err != ERR_OK)
		return error_set(reterr, err, 0, "the message could not be written to the quarantine: %s",
				 strerror(errno));
	return ERR_OK;
}

/* Exactly `size` bytes, or ERR_SYNTAX. */
static enum err unpack(struct bytes packed, uint8_t *body, size_t size)
{
	CLEANUP(decompress_free) struct decompress *decompress = NULL;
	struct bytes piece;
	size_t len = 0;
	TRY(decompress_new(size, &decompress));
	decompress_feed(decompress, packed);
	enum err err;
	while ((err = decompress_next(decompress, &piece)) == ERR_OK) {
		memcpy(body + len, piece.ptr, piece.len);
		len += piece.len;
	}
	if (err == ERR_NOMEM)
		return err;
	return decompress_end(decompress) == ERR_OK && len == size ? ERR_OK : ERR_SYNTAX;
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
	err = unpack(packed, body, (size_t)size);
	if (err != ERR_OK) {
		mem_free(body);
		return err == ERR_NOMEM ? error_set(reterr, err, 0, "no memory for the message")
					: error_set(reterr, err, 0, "the body of the message is damaged");
	}
	*ret_body = body;
	*ret_len = (size_t)size;
	return ERR_OK;
}
