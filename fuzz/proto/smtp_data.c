/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/run.h"

struct coder {
	struct smtp_data decoder;
	struct smtp_data_encoder encoder;
	struct buf out;
	size_t left; /* what stands behind the end of the message */
};

static int decode(void *ctx, struct bytes piece)
{
	struct coder *coder = ctx;
	while (piece.len > 0 && coder->decoder.state != SMTP_DATA_END)
		buf_add(&coder->out, smtp_data_next(&coder->decoder, &piece));
	coder->left += piece.len;
	return 0;
}

static int encode(void *ctx, struct bytes piece)
{
	struct coder *coder = ctx;
	smtp_data_encode(&coder->encoder, &coder->out, piece);
	return 0;
}

static struct coder decoded(struct bytes input, unsigned seed)
{
	struct coder coder = {.out = BUF_INIT(SIZE_MAX / 4)};
	smtp_data_init(&coder.decoder);
	run_cut(input, seed, decode, &coder);
	return coder;
}

static struct coder encoded(struct bytes input, unsigned seed, bool repair)
{
	struct coder coder = {.out = BUF_INIT(SIZE_MAX / 4)};
	smtp_data_encoder_init(&coder.encoder, repair);
	run_cut(input, seed, encode, &coder);
	smtp_data_finish(&coder.encoder, &coder.out);
	return coder;
}

/* The line ends of `text` made CRLF, the slow way. */
static void repaired(struct buf *out, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '\r' && i + 1 < text.len && text.ptr[i + 1] == '\n')
			i++;
		if (text.ptr[i] == '\r' || text.ptr[i] == '\n')
			buf_add_cstr(out, "\r\n");
		else
			buf_add_byte(out, text.ptr[i]);
	}
}

static bool ends_line(struct bytes text)
{
	return text.len >= 2 && bytes_eq(bytes_from(text, text.len - 2), BYTES_LIT("\r\n"));
}

/* decode(encode(x)) is x, with the CRLF that its last line may have lacked. */
static void check_round_trip(struct bytes input, unsigned seed, bool repair)
{
	struct coder out = encoded(input, seed, repair), whole = encoded(input, 0, repair);
	ASSERT(bytes_eq(buf_bytes(&out.out), buf_bytes(&whole.out)));
	struct coder back = decoded(buf_bytes(&out.out), seed);
	CLEANUP(buf_done) struct buf want = BUF_INIT(SIZE_MAX / 4);
	if (repair)
		repaired(&want, input);
	else
		buf_add(&want, input);
	if (want.len > 0 && !ends_line(buf_bytes(&want)))
		buf_add_cstr(&want, "\r\n");
	ASSERT(back.decoder.state == SMTP_DATA_END && back.left == 0);
	ASSERT(bytes_eq(buf_bytes(&back.out), buf_bytes(&want)) && back.decoder.size == want.len);
	ASSERT(!repair || (back.decoder.bare_cr == 0 && back.decoder.bare_lf == 0));
	buf_done(&out.out);
	buf_done(&whole.out);
	buf_done(&back.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned seed = size > 0 ? data[0] + 1u : 0;
	struct bytes input = bytes_from(bytes_make(data, size), 1);
	struct coder whole = decoded(input, 0), cut = decoded(input, seed);
	ASSERT(bytes_eq(buf_bytes(&whole.out), buf_bytes(&cut.out)) && whole.left == cut.left);
	ASSERT(memcmp(&whole.decoder.bare_cr, &cut.decoder.bare_cr, 2 * sizeof(uint64_t)) == 0);
	ASSERT(whole.decoder.state == cut.decoder.state && whole.decoder.longest_line == cut.decoder.longest_line);
	/* Only CRLF.CRLF ends a message, and the first one does. */
	CLEANUP(buf_done) struct buf framed = BUF_INIT(SIZE_MAX / 4);
	buf_add_cstr(&framed, "\r\n");
	buf_add(&framed, input);
	size_t end = bytes_find(buf_bytes(&framed), BYTES_LIT("\r\n.\r\n"));
	ASSERT((end != BYTES_NONE) == (whole.decoder.state == SMTP_DATA_END));
	ASSERT(end == BYTES_NONE || framed.len - (end + 5) == whole.left);
	buf_done(&whole.out);
	buf_done(&cut.out);
	check_round_trip(input, seed, false);
	check_round_trip(input, seed, true);
	return 0;
}
