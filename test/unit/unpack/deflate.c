/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack/deflate.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"
#include "unit.h"

#include "base/banned.h"

#define MOST ((size_t)1 << 20)

static void pack(struct buf *out, struct bytes in)
{
	assert_ok(deflate_gzip_write(in, out));
}

/* A zip archive of one file, with room for each lie. */
struct archive {
	const char *name;
	struct bytes data, content; /* packed, and what it is said to be */
	unsigned method, local_method, flags;
	bool descriptor, folder;
	uint32_t size; /* 0: as it is */
	const char *comment;
	unsigned entries; /* 0: as it is */
};

static void le16(struct buf *buf, unsigned v)
{
	buf_add_byte(buf, (uint8_t)(v & 0xff));
	buf_add_byte(buf, (uint8_t)(v >> 8 & 0xff));
}

static void le32(struct buf *buf, size_t v)
{
	le16(buf, (unsigned)(v & 0xffff));
	le16(buf, (unsigned)(v >> 16 & 0xffff));
}

static void directory_entry(struct buf *out, struct bytes name, unsigned flags, unsigned method, uint32_t crc,
			    size_t packed, size_t size, size_t at)
{
	le32(out, 0x02014b50);
	le16(out, 20);
	le16(out, 20);
	le16(out, flags);
	le16(out, method);
	le32(out, 0);
	le32(out, crc);
	le32(out, packed);
	le32(out, size);
	le16(out, (unsigned)name.len);
	le16(out, 0);
	le16(out, 0);
	le16(out, 0);
	le16(out, 0);
	le32(out, 0);
	le32(out, at);
	buf_add(out, name);
}

static void zip(struct buf *out, const struct archive *a)
{
	struct bytes name = bytes_from_cstr(a->name ? a->name : "report.xml");
	uint32_t crc = hash_crc32(0, a->content);
	size_t size = a->size ? a->size : a->content.len;
	unsigned flags = a->flags | (a->descriptor ? 8u : 0);
	le32(out, 0x04034b50);
	le16(out, 20);
	le16(out, flags);
	le16(out, a->local_method);
	le32(out, 0);
	le32(out, a->descriptor ? 0 : crc);
	le32(out, a->descriptor ? 0 : a->data.len);
	le32(out, a->descriptor ? 0 : size);
	le16(out, (unsigned)name.len);
	le16(out, 0);
	buf_add(out, name);
	buf_add(out, a->data);
	if (a->descriptor) {
		le32(out, 0x08074b50);
		le32(out, crc);
		le32(out, a->data.len);
		le32(out, size);
	}
	size_t at = out->len;
	if (a->folder)
		directory_entry(out, BYTES_LIT("reports/"), 0, 0, 0, 0, 0, 0);
	directory_entry(out, name, flags, a->method, crc, a->data.len, size, 0);
	size_t len = out->len - at;
	unsigned entries = a->entries ? a->entries : 1u + a->folder;
	le32(out, 0x06054b50);
	le16(out, 0);
	le16(out, 0);
	le16(out, entries);
	le16(out, entries);
	le32(out, len);
	le32(out, at);
	le16(out, (unsigned)(a->comment ? strlen(a->comment) : 0));
	buf_add_cstr(out, a->comment ? a->comment : "");
}

/* The deflated bytes inside a gzip member of ours: without its header of 10 and its trailer of 8 bytes. */
static struct bytes raw_of(const struct buf *gz)
{
	return bytes_sub(buf_bytes(gz), 10, gz->len - 18);
}

static void gzip_comes_back_and_is_the_same_each_time(void **state)
{
	(void)state;
	static const char *const cases[] = {"", "a", "<feedback>text</feedback>"};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_done) struct buf one = BUF_INIT(MOST), two = BUF_INIT(MOST), back = BUF_INIT(MOST);
		pack(&one, bytes_from_cstr(cases[i]));
		pack(&two, bytes_from_cstr(cases[i]));
		assert_bytes(buf_bytes(&one), buf_bytes(&two));
		assert_int_equal(deflate_kind_of(buf_bytes(&one)), DEFLATE_GZIP);
		assert_ok(deflate_gzip_read(buf_bytes(&one), 100, &back, NULL));
		assert_bytes_str(buf_bytes(&back), cases[i]);
		buf_done(&two);
		buf_done(&back);
	}
}

static void large_input_comes_back(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf in = BUF_INIT((size_t)16 << 20);
	CLEANUP(buf_done) struct buf gz = BUF_INIT((size_t)16 << 20);
	CLEANUP(buf_done) struct buf back = BUF_INIT((size_t)16 << 20);
	uint32_t random = 1;
	for (int i = 0; i < 300000; i++) {
		random = random * 1664525u + 1013904223u;
		buf_printf(&in, "<n>%u</n>\n", random >> 12);
	}
	pack(&gz, buf_bytes(&in));
	assert_ok(deflate_gzip_read(buf_bytes(&gz), 100, &back, NULL));
	assert_bytes(buf_bytes(&back), buf_bytes(&in));
}

static void members_are_joined_and_padding_is_left(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf in = BUF_INIT(MOST);
	CLEANUP(buf_done) struct buf back = BUF_INIT(MOST);
	pack(&in, BYTES_LIT("one "));
	pack(&in, BYTES_LIT(""));
	pack(&in, BYTES_LIT("two"));
	buf_add(&in, BYTES_LIT("\0\0\0\0"));
	assert_ok(deflate_gzip_read(buf_bytes(&in), 100, &back, NULL));
	assert_bytes_str(buf_bytes(&back), "one two");
}

static void every_cut_and_every_flipped_byte_of_gzip_is_told(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf in = BUF_INIT(MOST);
	pack(&in, BYTES_LIT("a report of some length, a report of some length, and no more"));
	for (size_t n = 0; n < in.len; n++) {
		CLEANUP(buf_done) struct buf back = BUF_INIT(MOST);
		struct error error = {0};
		enum err err = deflate_gzip_read(bytes_sub(buf_bytes(&in), 0, n), 100, &back, &error);
		assert_true(n < 2 ? err == ERR_SYNTAX : err == ERR_SHORT);
		assert_true(error.text[0] != '\0');
	}
	for (size_t n = 10; n < in.len; n++) {
		CLEANUP(buf_done) struct buf back = BUF_INIT(MOST);
		in.ptr[n] ^= 0x55;
		assert_int_not_equal(deflate_gzip_read(buf_bytes(&in), 100, &back, NULL), ERR_OK);
		in.ptr[n] ^= 0x55;
	}
}

static void a_bomb_ends_at_the_ratio_and_at_the_budget(void **state)
{
	(void)state;
	static const struct {
		unsigned ratio;
		size_t budget;
	} cases[] = {{100, (size_t)1 << 30}, {2000, (size_t)100 << 10}, {0, (size_t)1 << 30}};
	CLEANUP(buf_done) struct buf zeros = BUF_INIT((size_t)64 << 20);
	CLEANUP(buf_done) struct buf gz = BUF_INIT(MOST);
	assert_non_null(buf_reserve(&zeros, (size_t)20 << 20));
	memset(zeros.ptr, 0, (size_t)20 << 20);
	buf_commit(&zeros, (size_t)20 << 20);
	pack(&gz, buf_bytes(&zeros));
	assert_true(zeros.len / gz.len > 900);
	CLEANUP(buf_done) struct buf archive = BUF_INIT(MOST);
	zip(&archive,
	    &(struct archive){.data = raw_of(&gz), .content = buf_bytes(&zeros), .method = 8, .local_method = 8});
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (int kind = 0; kind < 2; kind++) {
			CLEANUP(buf_done) struct buf back = BUF_INIT(cases[i].budget);
			struct error error = {0};
			enum err err = kind ? deflate_zip_read(buf_bytes(&archive), cases[i].ratio, &back, NULL, &error)
					    : deflate_gzip_read(buf_bytes(&gz), cases[i].ratio, &back, &error);
			size_t most = MIN(cases[i].budget, cases[i].ratio * archive.len + DEFLATE_FREE);
			assert_int_equal(err, ERR_LIMIT);
			assert_true(back.len <= most);
			assert_non_null(strstr(error.text, "bytes allowed"));
		}
	}
}

static void what_fits_the_budget_exactly_is_not_refused(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf gz = BUF_INIT(MOST);
	struct bytes text = BYTES_LIT("exactly so many bytes");
	pack(&gz, text);
	for (size_t budget = text.len - 1; budget <= text.len + 1; budget++) {
		CLEANUP(buf_done) struct buf back = BUF_INIT(budget);
		assert_int_equal(deflate_gzip_read(buf_bytes(&gz), 100, &back, NULL),
				 budget < text.len ? ERR_LIMIT : ERR_OK);
	}
}

static void a_zip_of_one_file_is_read_and_liars_are_told(void **state)
{
	(void)state;
	struct bytes text = BYTES_LIT("<feedback>zip zip zip zip</feedback>");
	CLEANUP(buf_done) struct buf gz = BUF_INIT(MOST);
	pack(&gz, text);
	struct bytes raw = raw_of(&gz);
	const struct {
		struct archive archive;
		enum err err;
		const char *says;
	} cases[] = {
		{{.data = raw, .content = text, .method = 8, .local_method = 8}, ERR_OK, ""},
		{{.data = text, .content = text}, ERR_OK, ""},
		{{.data = raw, .content = text, .method = 8, .local_method = 8, .descriptor = true}, ERR_OK, ""},
		{{.data = raw, .content = text, .method = 8, .local_method = 8, .folder = true}, ERR_OK, ""},
		{{.data = raw, .content = text, .method = 8, .local_method = 8, .comment = "PK\005\006 comment"},
		 ERR_OK,
		 ""},
		{{.data = raw, .content = text, .method = 8, .local_method = 8, .size = 1}, ERR_SYNTAX, "another size"},
		{{.data = raw, .content = text, .method = 8, .local_method = 8, .size = 0xfffffff0},
		 ERR_SYNTAX,
		 "another size"},
		{{.data = raw, .content = BYTES_LIT("other text"), .method = 8, .local_method = 8},
		 ERR_SYNTAX,
		 "another size"},
		{{.data = raw, .content = text, .method = 8, .local_method = 0}, ERR_SYNTAX, "contradicts"},
		{{.data = raw, .content = text, .method = 8, .local_method = 8, .flags = 1},
		 ERR_UNSUPPORTED,
		 "encrypted"},
		{{.data = raw, .content = text, .method = 14, .local_method = 14}, ERR_UNSUPPORTED, "method 14"},
		{{.data = bytes_sub(raw, 0, 5), .content = text, .method = 8, .local_method = 8},
		 ERR_SHORT,
		 "too early"},
		{{.data = raw, .content = text, .method = 8, .local_method = 8, .entries = 2}, ERR_SYNTAX, "directory"},
		{{.data = raw, .content = text, .method = 8, .local_method = 8, .entries = 65},
		 ERR_UNSUPPORTED,
		 "65 files"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_done) struct buf in = BUF_INIT(MOST);
		CLEANUP(buf_done) struct buf back = BUF_INIT(MOST);
		struct error error = {0};
		struct bytes name = {0};
		zip(&in, &cases[i].archive);
		assert_int_equal(deflate_kind_of(buf_bytes(&in)), DEFLATE_ZIP);
		assert_int_equal(deflate_zip_read(buf_bytes(&in), 100, &back, &name, &error), cases[i].err);
		assert_non_null(strstr(error.text, cases[i].says));
		if (cases[i].err == ERR_OK) {
			assert_bytes(buf_bytes(&back), text);
			assert_bytes_str(name, "report.xml");
		}
	}
}

static void every_cut_of_a_zip_is_told(void **state)
{
	(void)state;
	struct bytes text = BYTES_LIT("stored as it is");
	CLEANUP(buf_done) struct buf in = BUF_INIT(MOST);
	zip(&in, &(struct archive){.data = text, .content = text});
	for (size_t n = 0; n < in.len; n++) {
		CLEANUP(buf_done) struct buf back = BUF_INIT(MOST);
		assert_int_equal(deflate_zip_read(bytes_sub(buf_bytes(&in), 0, n), 100, &back, NULL, NULL), ERR_SHORT);
	}
}

static void no_memory_is_told_and_leaks_nothing(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf gz = BUF_INIT(MOST);
	pack(&gz, BYTES_LIT("some text"));
	for (uint64_t nth = 1; nth < 4; nth++) {
		CLEANUP(buf_done) struct buf back = BUF_INIT(MOST);
		mem_fail_after(nth, 1);
		enum err err = deflate_gzip_read(buf_bytes(&gz), 100, &back, NULL);
		mem_fail_after(0, 0);
		assert_true(err == ERR_OK || err == ERR_NOMEM);
		assert_true(nth > 1 || err == ERR_NOMEM);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(gzip_comes_back_and_is_the_same_each_time),
	cmocka_unit_test(large_input_comes_back),
	cmocka_unit_test(members_are_joined_and_padding_is_left),
	cmocka_unit_test(every_cut_and_every_flipped_byte_of_gzip_is_told),
	cmocka_unit_test(a_bomb_ends_at_the_ratio_and_at_the_budget),
	cmocka_unit_test(what_fits_the_budget_exactly_is_not_refused),
	cmocka_unit_test(a_zip_of_one_file_is_read_and_liars_are_told),
	cmocka_unit_test(every_cut_of_a_zip_is_told),
	cmocka_unit_test(no_memory_is_told_and_leaks_nothing),
};
UNIT_MAIN(tests)
