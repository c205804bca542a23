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
#define ZIP_ENTRIES_MAX 64                /* folders included */
#define MEMBER_WORK     ((size_t)1 << 10) /* as of so many bytes */

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

/* -- The directory of a zip archive ---- */

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

/* -- Inflating within a budget ---- */

struct deflate {
	enum deflate_kind kind;
	z_stream stream;
	bool inflates; /* the stream is open; else the file is stored */
	struct bytes in;
	size_t at;         /* of the input, taken */
	size_t made, most; /* bytes that came out, and may */
	struct zip_entry entry;
	size_t in_at; /* where the input lies in the archive */
	uint32_t crc; /* of what came out of a zip archive */
};

static enum err begin(struct deflate *deflate, unsigned ratio, size_t most, struct error *reterr)
{
	z_stream *stream = &deflate->stream;
	size_t by_ratio;
	if (deflate->kind == DEFLATE_ZIP && deflate->entry.method == 0) {
		deflate->most = most;
		return ERR_OK;
	}
	if (ckd_mul(&by_ratio, deflate->in.len, ratio) || ckd_add(&by_ratio, by_ratio, DEFLATE_FREE))
		by_ratio = SIZE_MAX;
	deflate->most = MIN(by_ratio, most);
	stream->zalloc = zlib_alloc;
	stream->zfree = zlib_free;
	if (inflateInit2(stream, deflate->kind == DEFLATE_ZIP ? WINDOW_RAW : WINDOW_GZIP) != Z_OK)
		return error_set(reterr, ERR_NOMEM, 0, "no memory to unpack");
	deflate->inflates = true;
	return ERR_OK;
}

static enum err inflate_failed(const struct deflate *deflate, int rc, struct error *reterr)
{
	if (rc == Z_MEM_ERROR)
		return error_set(reterr, ERR_NOMEM, deflate->at, "no memory to unpack");
	return error_set(reterr, ERR_SYNTAX, deflate->at, "the packed data is damaged (%s)",
			 deflate->stream.msg ? deflate->stream.msg : "a dictionary is asked for");
}

/*
 * Takes and gives `work` bytes at most; *ret_end: that was the end of the stream. One byte more than is allowed is
 * asked for, which tells a full one from one too large.
 */
static enum err inflate_some(struct deflate *deflate, size_t work, struct buf *out, size_t *ret_done, bool *ret_end,
			     struct error *reterr)
{
	z_stream *stream = &deflate->stream;
	size_t give = MIN(MIN(deflate->in.len - deflate->at, UINT_MAX), work);
	size_t room = MIN(MIN(deflate->most - deflate->made, PIECE), work);
	uint8_t over, *into = room ? buf_reserve(out, room) : &over;
	if (!into)
		return error_set(reterr, buf_err(out), deflate->at, "no memory to unpack");
	stream->next_in = deflate->in.ptr + deflate->at;
	stream->avail_in = (uInt)give;
	stream->next_out = into;
	stream->avail_out = (uInt)(room ? room : 1);
	int rc = inflate(stream, Z_NO_FLUSH);
	size_t taken = give - stream->avail_in, made = (room ? room : 1) - stream->avail_out;
	deflate->at += taken;
	*ret_done = taken + made;
	*ret_end = rc == Z_STREAM_END;
	if (room == 0 && made > 0)
		return error_set(reterr, ERR_LIMIT, deflate->at,
				 "unpacked it would be larger than the %zu bytes allowed", deflate->most);
	if (room > 0) {
		deflate->made += made;
		buf_commit(out, made);
	}
	if (rc == Z_BUF_ERROR || (rc == Z_OK && taken == 0 && made == 0))
		return error_set(reterr, ERR_SHORT, deflate->at, "the packed data ends too early");
	return rc == Z_OK || rc == Z_STREAM_END ? ERR_OK : inflate_failed(deflate, rc, reterr);
}

/* -- Reading ---- */

static enum err open_zip(struct deflate *deflate, struct bytes in, struct error *reterr)
{
	TRY(zip_find_entry(in, &deflate->entry, reterr));
	TRY(zip_data(in, &deflate->entry, &deflate->in, reterr));
	deflate->in_at = (size_t)(deflate->in.ptr - in.ptr);
	if (deflate->entry.method != 0 && deflate->entry.method != 8)
		return error_set(reterr, ERR_UNSUPPORTED, deflate->entry.local,
				 "the zip archive is packed by method %u, unknown here",
				 (unsigned)deflate->entry.method);
	return ERR_OK;
}

enum err deflate_open(enum deflate_kind kind, struct bytes in, unsigned ratio, size_t most,
		      struct deflate **ret_deflate, struct error *reterr)
{
	struct deflate *deflate = mem_new(struct deflate, 1);
	if (!deflate)
		return error_set(reterr, ERR_NOMEM, 0, "no memory to unpack");
	*deflate = (struct deflate){.kind = kind, .in = in};
	enum err err = ERR_OK;
	if (kind == DEFLATE_ZIP)
		err = open_zip(deflate, in, reterr);
	else if (deflate_kind_of(in) != DEFLATE_GZIP)
		err = error_set(reterr, ERR_SYNTAX, 0, "this is no gzip file");
	if (err == ERR_OK)
		err = begin(deflate, ratio, most, reterr);
	*ret_deflate = deflate;
	if (err != ERR_OK)
		deflate_free(ret_deflate);
	return err;
}

void deflate_free(struct deflate **deflate)
{
	if (!*deflate)
		return;
	if ((*deflate)->inflates)
		(void)inflateEnd(&(*deflate)->stream);
	mem_free(*deflate);
	*deflate = NULL;
}

static enum err stored_some(struct deflate *deflate, size_t work, struct buf *out, size_t *ret_done, bool *ret_end,
			    struct error *reterr)
{
	struct bytes piece = bytes_sub(deflate->in, deflate->at, work);
	if (piece.len > deflate->most - deflate->made)
		return error_set(reterr, ERR_LIMIT, 0, "the file of the zip archive is too large");
	buf_add(out, piece);
	if (buf_err(out) != ERR_OK)
		return error_set(reterr, buf_err(out), 0, "the file of the zip archive is too large");
	deflate->at += piece.len;
	deflate->made += piece.len;
	*ret_done = piece.len;
	*ret_end = deflate->at == deflate->in.len;
	return ERR_OK;
}

/* Behind a stream: begins the next member, if there is one; of an archive compares what came out. */
static enum err next_member(struct deflate *deflate, bool *ret_end, struct error *reterr)
{
	if (deflate->kind == DEFLATE_ZIP) {
		*ret_end = true;
		if (deflate->made == deflate->entry.size && deflate->crc == deflate->entry.crc)
			return ERR_OK;
		return error_set(reterr, ERR_SYNTAX, 0,
				 "the file of the zip archive has another size or checksum than it says");
	}
	*ret_end = deflate_kind_of(bytes_from(deflate->in, deflate->at)) != DEFLATE_GZIP;
	if (!*ret_end && inflateReset(&deflate->stream) != Z_OK)
		return error_set(reterr, ERR_INTERNAL, deflate->at, "the next member cannot be begun");
	return ERR_OK;
}

enum err deflate_next(struct deflate *deflate, size_t work, struct buf *out, bool *ret_end, struct error *reterr)
{
	enum err err = ERR_OK;
	*ret_end = false;
	while (err == ERR_OK && work > 0 && !*ret_end) {
		size_t done = 0, before = out->len;
		bool whole = false;
		err = deflate->inflates ? inflate_some(deflate, work, out, &done, &whole, reterr)
					: stored_some(deflate, work, out, &done, &whole, reterr);
		if (err == ERR_OK && deflate->kind == DEFLATE_ZIP)
			deflate->crc = hash_crc32(deflate->crc, bytes_from(buf_bytes(out), before));
		if (err == ERR_OK && whole)
			err = next_member(deflate, ret_end, reterr);
		/* Beginning a member is work, too. */
		work -= MIN(work, done + (whole ? MEMBER_WORK : 0));
	}
	if (err != ERR_OK && reterr)
		reterr->at += deflate->in_at;
	return err;
}

static enum err read_whole(enum deflate_kind kind, struct bytes in, unsigned ratio, struct buf *out,
			   struct bytes *ret_name, struct error *reterr)
{
	CLEANUP(deflate_free) struct deflate *deflate = NULL;
	bool end = false;
	TRY(deflate_open(kind, in, ratio, out->max > out->len ? out->max - out->len : 0, &deflate, reterr));
	while (!end)
		TRY(deflate_next(deflate, SIZE_MAX, out, &end, reterr));
	if (ret_name)
		*ret_name = deflate->entry.name;
	return ERR_OK;
}

enum err deflate_gzip_read(struct bytes in, unsigned ratio, struct buf *out, struct error *reterr)
{
	return read_whole(DEFLATE_GZIP, in, ratio, out, NULL, reterr);
}

enum err deflate_zip_read(struct bytes in, unsigned ratio, struct buf *out, struct bytes *ret_name,
			  struct error *reterr)
{
	return read_whole(DEFLATE_ZIP, in, ratio, out, ret_name, reterr);
}

/* -- Writing ---- */

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
