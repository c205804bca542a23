/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * unpack/deflate.h: gzip (RFC 1952) and a zip archive of one file (PKWARE APPNOTE), which is how reports travel.
 *
 * Owns:   nothing: what comes out is added to the caller's buffer.
 * Bounds: the buffer's maximum, and DEFLATE_FREE + `ratio` times the input: what would grow beyond the lesser of them
 * is refused while it grows. Sizes that the input claims are compared, never believed. Memory: 64 kB beside the buffer.
 * Time is linear in input and output. Fails:  ERR_LIMIT (budget, ratio), ERR_SYNTAX and ERR_SHORT (the data is wrong,
 * or ends too early), ERR_UNSUPPORTED (encrypted, another method, not exactly one file, zip64), ERR_NOMEM. *reterr says
 * which, at which byte of the input. What was added until then is to be thrown away.
 */
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

#define DEFLATE_FREE ((size_t)64 << 10)

enum deflate_kind { DEFLATE_NONE, DEFLATE_GZIP, DEFLATE_ZIP };

/* What the first bytes say it is. */
enum deflate_kind deflate_kind_of(struct bytes in);

/*
 * All members, one after another, each with its checksum and size checked. What follows the last one and begins no
 * member is not looked at (RFC 1952 says nothing of it; padding is common).
 */
NODISCARD enum err deflate_gzip_read(struct bytes in, unsigned ratio, struct buf *out, struct error *reterr);

/*
 * The only file of the archive, stored or deflated; folders beside it do not count. The central directory decides, and
 * the local header must name the same method; sizes and checksum must be those of what came out. *ret_name (may be
 * NULL) is a slice of the input.
 */
NODISCARD enum err deflate_zip_read(struct bytes in, unsigned ratio, struct buf *out, struct bytes *ret_name,
				    struct error *reterr);

/*
 * The same in steps, for who has others to serve between them: `most` bytes may come out, and deflate_next() adds what
 * comes next, taking and giving about `work` bytes; *ret_end: that was all, and all of it is as it should be. `kind` is
 * not DEFLATE_NONE; the input must outlive the reading. After an error, deflate_free() only.
 */
struct deflate;
NODISCARD enum err deflate_open(enum deflate_kind kind, struct bytes in, unsigned ratio, size_t most,
				struct deflate **ret_deflate, struct error *reterr);
NODISCARD enum err deflate_next(struct deflate *deflate, size_t work, struct buf *out, bool *ret_end,
				struct error *reterr);
void deflate_free(struct deflate **deflate);

/* One member without name and time: the same input gives the same bytes. ERR_NOMEM, or the error of the buffer. */
NODISCARD enum err deflate_gzip_write(struct bytes in, struct buf *out);
