/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/compress.h"
#include "base/mem.h"

/* Frames by hand (RFC 8878, 3.1.1): magic number, descriptor, window, and what the descriptor says is there. */
#define MAGIC        "\x28\xb5\x2f\xfd"
#define HEAD         MAGIC "\x00\x38" /* a window of 128 KB; no size, no checksum */
#define RAW_HELLO    "\x28\x00\x00hello"
#define LAST_HELLO   "\x29\x00\x00hello"
#define LAST_RLE     "\x53\x00\x00x" /* ten times */
#define LAST_NOTHING "\x01\x00\x00"
#define SKIPPED      "\x51\x2a\x4d\x18\x04\x00\x00\x00skip"

#define MAX 100

static const struct {
	const char *name;
	struct bytes packed;
	enum err want;
	const char *plain;
} cases[] = {
	{"a raw block", BYTES_INIT(HEAD LAST_HELLO), ERR_OK, "hello"},
	{"two blocks", BYTES_INIT(HEAD RAW_HELLO LAST_RLE), ERR_OK, "helloxxxxxxxxxx"},
	{"nothing, packed", BYTES_INIT(HEAD LAST_NOTHING), ERR_OK, ""},
	{"two frames", BYTES_INIT(HEAD LAST_HELLO HEAD LAST_RLE), ERR_OK, "helloxxxxxxxxxx"},
	{"a frame to be skipped", BYTES_INIT(SKIPPED HEAD LAST_HELLO), ERR_OK, "hello"},
	{"with its size", BYTES_INIT(MAGIC "\x20\x05" LAST_HELLO), ERR_OK, "hello"},
	{"a window of 8 MB", BYTES_INIT(MAGIC "\x00\x68" LAST_HELLO), ERR_OK, "hello"},
	{"a window over 8 MB", BYTES_INIT(MAGIC "\x00\x69" LAST_HELLO), ERR_LIMIT, ""},
	{"the largest window", BYTES_INIT(MAGIC "\x00\xff" LAST_HELLO), ERR_LIMIT, ""},
	{"nothing at all", BYTES_INIT(""), ERR_SYNTAX, ""},
	{"no frame", BYTES_INIT("Subject: x\r\n"), ERR_SYNTAX, ""},
	{"a frame of a version before", BYTES_INIT("\x27\xb5\x2f\xfd\x00\x38" LAST_HELLO), ERR_SYNTAX, ""},
	{"half a head", BYTES_INIT(MAGIC), ERR_SYNTAX, ""},
	{"half a block", BYTES_INIT(HEAD "\x29\x00\x00hel"), ERR_SYNTAX, NULL},
	{"no last block", BYTES_INIT(HEAD RAW_HELLO), ERR_SYNTAX, "hello"},
	{"something behind it", BYTES_INIT(HEAD LAST_HELLO "\x28"), ERR_SYNTAX, "hello"},
	{"a block of the reserved type", BYTES_INIT(HEAD "\x2f\x00\x00hello"), ERR_SYNTAX, ""},
	{"a block over its maximum", BYTES_INIT(HEAD "\xf9\xff\xffhello"), ERR_SYNTAX, ""},
	{"another size than is said", BYTES_INIT(MAGIC "\x20\x04" LAST_HELLO), ERR_SYNTAX, NULL},
	{"a wrong checksum", BYTES_INIT(MAGIC "\x04\x38" LAST_HELLO "\0\0\0\0"), ERR_SYNTAX, NULL},
	{"a dictionary", BYTES_INIT(MAGIC "\x01\x38\x07" LAST_HELLO), ERR_UNSUPPORTED, ""},
};

struct unpacking {
	struct decompress *decompress;
	struct buf plain;
	enum err err;
};

static int feed(void *ctx, struct bytes data)
{
	struct unpacking *u = ctx;
	struct bytes piece;
	decompress_feed(u->decompress, data);
	while ((u->err = decompress_next(u->decompress, &piece)) == ERR_OK) {
		assert_in_range(piece.len, 1, DECOMPRESS_PIECE_MAX);
		buf_add(&u->plain, piece);
	}
	return u->err == ERR_AGAIN ? 0 : 1;
}

static enum err unpack(struct bytes packed, uint64_t max, unsigned seed, struct buf *ret_plain)
{
	struct unpacking u = {.plain = BUF_INIT((size_t)64 << 20)};
	assert_ok(decompress_new(max, &u.decompress));
	if (unit_chunks(packed, seed, feed, &u) == 0)
		u.err = decompress_end(u.decompress);
	else
		assert_int_equal(decompress_end(u.decompress), u.err); /* it sticks */
	decompress_free(&u.decompress);
	assert_null(u.decompress);
	assert_ok(buf_err(&u.plain));
	*ret_plain = u.plain;
	return u.err;
}

static void reads_whole_frames_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (unsigned seed = 0; seed < 5; seed++) {
			CLEANUP(buf_done) struct buf plain;
			enum err err = unpack(cases[i].packed, MAX, seed, &plain);
			if (err != cases[i].want)
				fail_msg("%s, cut %u: %s", cases[i].name, seed, err_name(err));
			if (cases[i].plain)
				assert_bytes_str(buf_bytes(&plain), cases[i].plain);
		}
	}
}

static void stops_over_its_maximum(void **state)
{
	static const struct bytes packed = BYTES_INIT(HEAD RAW_HELLO LAST_RLE);
	(void)state;
	for (unsigned seed = 0; seed < 2; seed++) {
		for (uint64_t max = 0; max < 20; max++) {
			CLEANUP(buf_done) struct buf plain;
			assert_int_equal(unpack(packed, max, seed, &plain), max < 15 ? ERR_LIMIT : ERR_OK);
			assert_true(plain.len <= max);
		}
	}
}

static void gives_a_bomb_no_more_than_that(void **state)
{
	static const uint64_t max = 10000000;
	CLEANUP(buf_done) struct buf bomb = BUF_INIT(100000);
	CLEANUP(buf_done) struct buf plain;
	(void)state;
	buf_add(&bomb, (struct bytes)BYTES_INIT(HEAD));
	for (unsigned i = 0; i < 8192; i++) /* 1 GB */
		buf_add(&bomb, (struct bytes)BYTES_INIT("\x02\x00\x10x"));
	buf_add(&bomb, (struct bytes)BYTES_INIT(LAST_NOTHING));
	assert_int_equal(unpack(buf_bytes(&bomb), max, 0, &plain), ERR_LIMIT);
	assert_in_range(plain.len, max - DECOMPRESS_PIECE_MAX, max);
}

static void undoes_what_it_does(void **state)
{
	static const size_t sizes[] = {0,      1,       1000,   DECOMPRESS_PIECE_MAX - 1, DECOMPRESS_PIECE_MAX, 131072,
				       131073, 1000000, 9 << 20};
	CLEANUP(buf_done) struct buf text = BUF_INIT((size_t)16 << 20);
	uint32_t random = 1;
	(void)state;
	for (size_t i = 0; i < (9 << 20); i++) {
		random = random * 1664525u + 1013904223u;
		buf_add_byte(&text, (uint8_t)(random >> 24 & (i >> 16)));
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct bytes part = bytes_sub(buf_bytes(&text), 0, sizes[i]);
		CLEANUP(buf_done) struct buf packed = BUF_INIT(compress_bound(part.len));
		CLEANUP(buf_done) struct buf plain;
		compress_add(&packed, part);
		assert_ok(buf_err(&packed));
		assert_ok(unpack(buf_bytes(&packed), part.len, i % 2 == 0 ? 0 : 2, &plain));
		assert_bytes(buf_bytes(&plain), part);
	}
}

static void says_what_it_lacks(void **state)
{
	CLEANUP(buf_done) struct buf small = BUF_INIT(compress_bound(5) - 1);
	CLEANUP(buf_done) struct buf packed = BUF_INIT(compress_bound(5));
	struct decompress *decompress;
	(void)state;
	compress_add(&small, BYTES_LIT("hello"));
	assert_int_equal(buf_err(&small), ERR_LIMIT);
	mem_fail_after(1, 0);
	compress_add(&packed, BYTES_LIT("hello"));
	assert_int_equal(buf_err(&packed), ERR_NOMEM);
	for (uint64_t nth = 1; nth <= 2; nth++) {
		mem_fail_after(nth, 0);
		assert_int_equal(decompress_new(10, &decompress), ERR_NOMEM);
		assert_null(decompress);
	}
	mem_fail_after(0, 0);
	decompress_free(&decompress);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_whole_frames_alone),
	cmocka_unit_test(stops_over_its_maximum),
	cmocka_unit_test(gives_a_bomb_no_more_than_that),
	cmocka_unit_test(undoes_what_it_does),
	cmocka_unit_test(says_what_it_lacks),
};
UNIT_MAIN(tests)
