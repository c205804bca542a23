/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack/deflate.h"

#include "fuzz.h"

#define MOST  ((size_t)256 << 10)
#define RATIO 20

/* Either kind, within both limits; what came out of gzip must survive being packed again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_make(data, size), name;
	for (int kind = 0; kind < 2; kind++) {
		CLEANUP(buf_done) struct buf out = BUF_INIT(MOST);
		CLEANUP(buf_done) struct buf packed = BUF_INIT(MOST * 2);
		CLEANUP(buf_done) struct buf back = BUF_INIT(MOST);
		struct error error;
		enum err err = kind ? deflate_zip_read(in, RATIO, &out, &name, &error)
				    : deflate_gzip_read(in, RATIO, &out, &error);
		ASSERT(out.len <= MOST);
		if (err != ERR_OK)
			continue;
		ASSERT(kind ? deflate_kind_of(in) != DEFLATE_GZIP || out.len < MOST
			    : out.len <= size * RATIO + DEFLATE_FREE);
		ASSERT(deflate_gzip_write(buf_bytes(&out), &packed) == ERR_OK);
		ASSERT(deflate_gzip_read(buf_bytes(&packed), 2000, &back, &error) == ERR_OK);
		ASSERT(bytes_eq(buf_bytes(&out), buf_bytes(&back)));
	}
	return 0;
}
