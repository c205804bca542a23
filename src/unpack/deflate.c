/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack/deflate.h"

#define ZLIB_CONST
#include <limits.h>
#include <zlib.h>

#include "base/cursor.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"

#include "base/banned.h"

#define PIECE           ((size_t)32 << 10)
#define WINDOW_GZIP     (16 + MAX_WBITS)
#define WINDOW_RAW      (-MAX_WBITS)
#define ZIP_LOCAL       0x04034b50u
#define ZIP_CENTRAL     0x02014b50u
#define ZIP_END         0x06054b50u
#define ZIP_END_SIZE    22
#define ZIP_LOCAL_SIZE  30
#define ZIP_COMMENT_MAX 0xffff
#define ZIP_ENTRIES_MAX 64 /* folders included */

enum deflate_kind deflate_kind_of(struct bytes in)
{
	if (bytes_starts(in, BYTES_LIT("\x1f\x8b")))
		return DEFLATE_GZIP;
	return bytes_starts(in, BYTES_LIT("PK\x03\x04")) ? DEFLATE_ZIP : DEFLATE_NONE;
}

static void *zlib_alloc(void *ctx, uInt n, uInt size)
{
	(void)ctx;
	return mem_calloc(n, size);
}

static void zlib_free(void *ctx, void *ptr)
{
	(void)ctx;
	mem_free(ptr);
}

/* -- Inflating within a budget ---- */

struct inflating {
	z_stream stream;
	struct bytes in;
	size_t at; /* of the input, taken */
	struct buf *out;
	size_t begin, most; /* of out: where ours begins, and its length at most */
	bool open;
};

static enum err inflate_begin(struct inflating *run, struct bytes in, unsigned ratio, int window, struct buf *out,
			      struct error *reterr)
{
	size_t most, room = out->max > out->len ? out->max - out->len : 0;
	if (ckd_mul(&most, in.len, ratio) || ckd_add(&most, most, DEFLATE_FREE))
		most = SIZE_MAX;
	*run = (struct inflating){.in = in, .out = out, .begin = out->len, .most = out->len + MIN(most, room)};
	run->stream.zalloc = zlib_alloc;
	run->stream.zfree = zlib_free;
	if (inflateInit2(&run->stream, window) != Z_OK)
		return error_set(reterr, ERR_NOMEM, 0, "no memory to unpack");
	run->open = true;
	return ERR_OK;
}

static void inflate_done(struct inflating *run)
{
	if (run->open)
		(void)inflateEnd(&run->stream);
	run->open = false;
}

/* Until the end of one stream. One byte more than is allowed is asked for, which tells a full one from one too large.
 */
static enum err inflate_run(struct inflating *run, struct error *reterr)
{
	z_stream *stream = &run->stream;
	int rc;
	do {
		size_t left = run->most - run->out->len, give = MIN(run->in.len - run->at, UINT_MAX);
		size_t room = MIN(left, PIECE);
		uint8_t over, *into = room ? buf_reserve(run->out, room) : &over;
		if (!into)
			return error_set(reterr, buf_err(run->out), run->at, "no memory to unpack");
		stream->next_in = run->in.ptr + run->at;
		stream->avail_in = (uInt)give;
		stream->next_out = into;
		stream->avail_out = (uInt)(room ? room : 1);
		rc = inflate(stream, Z_NO_FLUSH);
		size_t taken = give - stream->avail_in, made = (room ? room : 1) - stream->avail_out;
		run->at += taken;
		if (room == 0 && made > 0)
			return error_set(reterr, ERR_LIMIT, run->at,
					 "unpacked it would be larger than the %zu bytes allowed",
					 run->most - run->begin);
		if (room > 0)
			buf_commit(run->out, made);
		if (rc == Z_BUF_ERROR || (rc == Z_OK && taken == 0 && made == 0))
			return error_set(reterr, ERR_SHORT, run->at, "the packed data ends too early");
	} while (rc == Z_OK);
	if (rc == Z_STREAM_END)
		return ERR_OK;
	if (rc == Z_MEM_ERROR)
		return error_set(reterr, ERR_NOMEM, run->at, "no memory to unpack");
	return error_set(reterr, ERR_SYNTAX, run->at, "the packed data is damaged (%s)",
			 stream->msg ? stream->msg : "a dictionary is asked for");
}

/* -- gzip ---- */

enum err deflate_gzip_read(struct bytes in, unsigned ratio, struct buf *out, struct error *reterr)
{
	struct inflating run;
	if (deflate_kind_of(in) != DEFLATE_GZIP)
		return error_set(reterr, ERR_SYNTAX, 0, "this is no gzip file");
	enum err err = inflate_begin(&run, in, ratio, WINDOW_GZIP, out, reterr);
	while (err == ERR_OK) {
		err = inflate_run(&run, reterr);
		if (err != ERR_OK || deflate_kind_of(bytes_from(in, run.at)) != DEFLATE_GZIP)
			break;
		if (inflateReset(&run.stream) != Z_OK)
			err = error_set(reterr, ERR_INTERNAL, run.at, "the next member cannot be begun");
	}
	inflate_done(&run);
	return err;
}

enum err deflate_gzip_write(struct bytes in, struct buf *out)
{
	z_stream stream = {.zalloc = zlib_alloc, .zfree = zlib_free};
	gz_header header = {.os = 255}; /* unknown: no trace of where it was made */
	if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, WINDOW_GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return ERR_NOMEM;
	enum err err = deflateSetHeader(&stream, &header) == Z_OK ? ERR_OK : ERR_INTERNAL;
	size_t at = 0;
	int rc = Z_OK;
	while (err == ERR_OK && rc != Z_STREAM_END) {
		size_t give = MIN(in.len - at, UINT_MAX);
		uint8_t *into = buf_reserve(out, PIECE);
		if (!into) {
			err = buf_err(out);
			break;
		}
		stream.next_in = in.ptr + at;
		stream.avail_in = (uInt)give;
		stream.next_out = into;
		stream.avail_out = (uInt)PIECE;
		rc = deflate(&stream, at + give == in.len ? Z_FINISH : Z_NO_FLUSH);
		at += give - stream.avail_in;
		buf_commit(out, PIECE - stream.avail_out);
		if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
			err = ERR_INTERNAL;
	}
	(void)deflateEnd(&stream);
	return err;
}

/* -- zip ---- */

struct zip_entry {
	uint16_t flags, method;
	uint32_t crc, packed, size, local;
	struct bytes name;
};

/* The end record is the last one whose comment reaches exactly to the end of the file. */
static size_t zip_find_end(struct bytes in)
{
	if (in.len < ZIP_END_SIZE)
		return BYTES_NONE;
	size_t last = in.len - ZIP_END_SIZE, first = last > ZIP_COMMENT_MAX ? last - ZIP_COMMENT_MAX : 0;
	for (size_t at = last + 1; at-- > first;) {
		struct cursor cur = cursor_make(bytes_from(in, at));
		if (cursor_le32(&cur) != ZIP_END)
			continue;
		(void)cursor_take(&cur, 16);
		if (cursor_le16(&cur) == last - at)
			return at;
	}
	return BYTES_NONE;
}

static void zip_read_entry(struct cursor *cur, struct zip_entry *entry)
{
	if (cursor_le32(cur) != ZIP_CENTRAL)
		cursor_fail(cur, ERR_SYNTAX);
	(void)cursor_take(cur, 4); /* versions */
	entry->flags = cursor_le16(cur);
	entry->method = cursor_le16(cur);
	(void)cursor_take(cur, 4); /* time */
	entry->crc = cursor_le32(cur);
	entry->packed = cursor_le32(cur);
	entry->size = cursor_le32(cur);
	uint16_t name = cursor_le16(cur), extra = cursor_le16(cur), comment = cursor_le16(cur);
	(void)cursor_take(cur, 8); /* disk, attributes */
	entry->local = cursor_le32(cur);
	entry->name = cursor_take(cur, name);
	(void)cursor_take(cur, (size_t)extra + comment);
}

static enum err zip_find_entry(struct bytes in, struct zip_entry *ret_entry, struct error *reterr)
{
	size_t end = zip_find_end(in), files = 0;
	if (end == BYTES_NONE)
		return error_set(reterr, ERR_SHORT, in.len, "the zip archive has no end record");
	struct cursor cur = cursor_make(bytes_from(in, end + 4));
	uint16_t disk = cursor_le16(&cur), first_disk = cursor_le16(&cur), here = cursor_le16(&cur);
	uint16_t entries = cursor_le16(&cur);
	uint32_t size = cursor_le32(&cur), at = cursor_le32(&cur);
	if (disk != 0 || first_disk != 0 || here != entries || at == UINT32_MAX)
		return error_set(reterr, ERR_UNSUPPORTED, end,
				 "zip archives of several disks or of zip64 are not read");
	if (entries > ZIP_ENTRIES_MAX)
		return error_set(reterr, ERR_UNSUPPORTED, end, "the zip archive holds %u files, one is expected",
				 (unsigned)entries);
	if (at > end || size > end - at)
		return error_set(reterr, ERR_SYNTAX, end, "the directory of the zip archive lies outside it");
	cur = cursor_make(bytes_sub(in, at, size));
	for (unsigned i = 0; i < entries; i++) {
		struct zip_entry entry = {0};
		size_t here_at = at + cur.at;
		zip_read_entry(&cur, &entry);
		if (cur.err != ERR_OK)
			return error_set(reterr, ERR_SYNTAX, here_at, "the directory of the zip archive is damaged");
		if (bytes_ends(entry.name, BYTES_LIT("/")) && entry.size == 0)
			continue;
		if (files++ == 0)
			*ret_entry = entry;
	}
	if (files != 1)
		return error_set(reterr, ERR_UNSUPPORTED, end, "the zip archive holds %zu files, one is expected",
				 files);
	return ERR_OK;
}

/* The packed bytes of the entry: behind its local header, before the end of the file. */
static enum err zip_data(struct bytes in, const struct zip_entry *entry, struct bytes *ret_data, struct error *reterr)
{
	struct cursor cur = cursor_make(bytes_from(in, entry->local));
	if (cursor_le32(&cur) != ZIP_LOCAL)
		return error_set(reterr, ERR_SYNTAX, entry->local, "the file of the zip archive is not where it says");
	(void)cursor_take(&cur, 2);
	uint16_t flags = cursor_le16(&cur), method = cursor_le16(&cur);
	/* With a data descriptor (flag 3) sizes and checksum here are 0; those of the directory are used in any case.
	 */
	(void)cursor_take(&cur, 16);
	uint16_t name = cursor_le16(&cur), extra = cursor_le16(&cur);
	(void)cursor_take(&cur, (size_t)name + extra);
	*ret_data = cursor_take(&cur, entry->packed);
	if (cur.err != ERR_OK)
		return error_set(reterr, ERR_SHORT, entry->local, "the file of the zip archive ends too early");
	if ((entry->flags | flags) & 0x2041) /* encrypted, strongly so, or its header hidden */
		return error_set(reterr, ERR_UNSUPPORTED, entry->local, "the zip archive is encrypted");
	if (method != entry->method)
		return error_set(reterr, ERR_SYNTAX, entry->local,
				 "the zip archive contradicts itself (methods %u and %u)", (unsigned)method,
				 (unsigned)entry->method);
	return ERR_OK;
}

enum err deflate_zip_read(struct bytes in, unsigned ratio, struct buf *out, struct bytes *ret_name,
			  struct error *reterr)
{
	struct zip_entry entry = {0};
	struct bytes data;
	struct inflating run = {0};
	size_t begin = out->len;
	TRY(zip_find_entry(in, &entry, reterr));
	TRY(zip_data(in, &entry, &data, reterr));
	size_t data_at = (size_t)(data.ptr - in.ptr);
	if (entry.method != 0 && entry.method != 8)
		return error_set(reterr, ERR_UNSUPPORTED, entry.local,
				 "the zip archive is packed by method %u, unknown here", (unsigned)entry.method);
	if (entry.method == 0) {
		buf_add(out, data);
		if (buf_err(out) != ERR_OK)
			return error_set(reterr, buf_err(out), data_at, "the file of the zip archive is too large");
	} else {
		enum err err = inflate_begin(&run, data, ratio, WINDOW_RAW, out, reterr);
		if (err == ERR_OK)
			err = inflate_run(&run, reterr);
		inflate_done(&run);
		if (err != ERR_OK) {
			if (reterr)
				reterr->at += data_at;
			return err;
		}
	}
	struct bytes made = bytes_from(buf_bytes(out), begin);
	if (made.len != entry.size || hash_crc32(0, made) != entry.crc)
		return error_set(reterr, ERR_SYNTAX, data_at,
				 "the file of the zip archive has another size or checksum than it says");
	if (ret_name)
		*ret_name = entry.name;
	return ERR_OK;
}
