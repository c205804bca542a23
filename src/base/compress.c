/* SPDX-License-Identifier: Apache-2.0 */
#include "base/compress.h"

#include <zstd.h>
#include <zstd_errors.h>

#include "base/mem.h"

#include "base/banned.h"

#define LEVEL      3
#define WINDOW_LOG 23 /* 8 MB */

size_t compress_bound(size_t len)
{
	size_t room = ZSTD_compressBound(len);
	return ZSTD_isError(room) ? SIZE_MAX : room;
}

void compress_add(struct buf *out, struct bytes plain)
{
	size_t room = compress_bound(plain.len);
	uint8_t *to = buf_reserve(out, room);
	ZSTD_CCtx *context = to ? ZSTD_createCCtx() : NULL;
	if (!context) {
		out->err = out->err == ERR_OK ? ERR_NOMEM : out->err;
		return;
	}
	(void)ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, LEVEL);
	(void)ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
	size_t len = ZSTD_compress2(context, to, room, plain.ptr, plain.len);
	(void)ZSTD_freeCCtx(context);
	if (ZSTD_isError(len))
		out->err = ERR_NOMEM; /* with room enough there is no other reason */
	else
		buf_commit(out, len);
}

struct decompress {
	ZSTD_DCtx *context;
	struct bytes in;
	uint64_t left;  /* of the maximum */
	enum err err;   /* sticks */
	bool at_end;    /* of a frame, with nothing of a next one */
	bool more;      /* the library may hold output that had no room */
	uint8_t *piece; /* DECOMPRESS_PIECE_MAX */
};

enum err decompress_new(uint64_t max, struct decompress **ret_decompress)
{
	struct decompress *decompress = mem_new(struct decompress, 1);
	*ret_decompress = decompress;
	if (!decompress)
		return ERR_NOMEM;
	decompress->left = max;
	decompress->piece = mem_alloc(DECOMPRESS_PIECE_MAX);
	decompress->context = ZSTD_createDCtx();
	if (!decompress->piece || !decompress->context ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(decompress->context, ZSTD_d_windowLogMax, WINDOW_LOG))) {
		decompress_free(ret_decompress);
		return ERR_NOMEM;
	}
	return ERR_OK;
}

void decompress_free(struct decompress **decompress)
{
	if (!*decompress)
		return;
	(void)ZSTD_freeDCtx((*decompress)->context);
	mem_free((*decompress)->piece);
	mem_free(*decompress);
	*decompress = NULL;
}

void decompress_feed(struct decompress *decompress, struct bytes data)
{
	decompress->in = data;
}

static enum err error_of(size_t result)
{
	ZSTD_ErrorCode code = ZSTD_getErrorCode(result);
	return code == ZSTD_error_memory_allocation               ? ERR_NOMEM
	       : code == ZSTD_error_frameParameter_windowTooLarge ? ERR_LIMIT
	       : code == ZSTD_error_dictionary_wrong              ? ERR_UNSUPPORTED
								  : ERR_SYNTAX;
}

enum err decompress_next(struct decompress *decompress, struct bytes *ret_piece)
{
	*ret_piece = (struct bytes){0};
	while (decompress->err == ERR_OK && (decompress->in.len > 0 || decompress->more)) {
		ZSTD_inBuffer in = {decompress->in.ptr, decompress->in.len, 0};
		ZSTD_outBuffer out = {decompress->piece, DECOMPRESS_PIECE_MAX, 0};
		size_t result = ZSTD_decompressStream(decompress->context, &out, &in);
		decompress->in = bytes_from(decompress->in, in.pos);
		decompress->at_end = result == 0;
		decompress->more = out.pos == out.size && !decompress->at_end;
		if (ZSTD_isError(result))
			decompress->err = error_of(result);
		else if (out.pos > decompress->left)
			decompress->err = ERR_LIMIT;
		else if (out.pos > 0) {
			decompress->left -= out.pos;
			*ret_piece = bytes_make(decompress->piece, out.pos);
			return ERR_OK;
		}
	}
	return decompress->err == ERR_OK ? ERR_AGAIN : decompress->err;
}

enum err decompress_end(const struct decompress *decompress)
{
	return decompress->err != ERR_OK ? decompress->err : decompress->at_end ? ERR_OK : ERR_SYNTAX;
}
