/* SPDX-License-Identifier: Apache-2.0 */
#include "base/compress.h"

#include "base/num.h"
#include "fuzz.h"

/* Feeds `data` in steps; what comes out stays within `max`. */
static enum err unpack(struct bytes data, size_t step, uint64_t max, struct buf *plain)
{
	CLEANUP(decompress_free) struct decompress *decompress = NULL;
	struct bytes piece;
	enum err err = decompress_new(max, &decompress);
	ASSERT(err == ERR_OK);
	for (size_t at = 0; at < data.len; at += MIN(step, data.len - at)) {
		decompress_feed(decompress, bytes_sub(data, at, step));
		while ((err = decompress_next(decompress, &piece)) == ERR_OK) {
			ASSERT(piece.len > 0 && piece.len <= DECOMPRESS_PIECE_MAX);
			buf_add(plain, piece);
		}
		ASSERT(plain->len <= max && buf_err(plain) == ERR_OK);
		if (err != ERR_AGAIN) {
			ASSERT(decompress_end(decompress) == err);
			return err;
		}
	}
	return decompress_end(decompress);
}

/* The first byte says how the rest, which is taken for frames, is cut. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t max = 1000000;
	CLEANUP(buf_done) struct buf whole = BUF_INIT((size_t)max);
	CLEANUP(buf_done) struct buf cut = BUF_INIT((size_t)max);
	struct bytes packed = bytes_from(bytes_make(data, size), 1);
	enum err err = unpack(packed, SIZE_MAX, max, &whole);
	enum err other = unpack(packed, size > 0 ? (size_t)data[0] + 1 : 1, max, &cut);
	/* Frames of the library's forms before 1.0 it takes or refuses by how they are cut; what it takes is the same.
	 */
	ASSERT(err != ERR_OK || other != ERR_OK || bytes_eq(buf_bytes(&whole), buf_bytes(&cut)));
	/* And back. */
	CLEANUP(buf_done) struct buf again = BUF_INIT(compress_bound(size));
	compress_add(&again, bytes_make(data, size));
	ASSERT(buf_err(&again) == ERR_OK);
	buf_clear(&cut);
	ASSERT(unpack(buf_bytes(&again), 100, size, &cut) == ERR_OK);
	ASSERT(bytes_eq(buf_bytes(&cut), bytes_make(data, size)));
	return 0;
}
