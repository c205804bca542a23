/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "mail/header.h"

/* "Name=value|..." of the fields, then "@" and the body; ">" and the body of every other end; ";" and the defects. */
static void draw(struct bytes in, const struct header *header, size_t body, const struct defect_list *defects,
		 struct arena *arena, struct buf *out)
{
	for (size_t i = 0; i < header->count; i++) {
		struct bytes value = header_unfold(arena, header->fields[i].value);
		buf_printf(out, "%s%.*s%s", i ? "|" : "", BYTES_FMT(header->fields[i].name),
			   header->fields[i].unsure ? "?=" : "=");
		buf_add(out, value);
	}
	buf_add_cstr(out, "@");
	buf_add(out, bytes_from(in, body));
	for (size_t i = 0; i < header->n_others; i++) {
		buf_printf(out, ">%zu:", header->others[i].count);
		buf_add(out, bytes_from(in, header->others[i].body));
	}
	for (size_t i = 0; i < defects->count; i++)
		buf_printf(out, "%s%s", i ? " " : ";", defect_name(defects->items[i].id));
}

static const struct {
	const char *rule, *in, *want;
} cases[] = {
	{"fields end at an empty line", "A: b\nC: d\n\nbody", "A=b|C=d@body"},
	{"CRLF ends lines", "A: b\r\nC: d\r\n\r\nbody", "A=b|C=d@body"},
	{"folds belong to the field", "A: b\n c\n\td\nE: f\n\nx", "A=b c\td|E=f@x"},
	{"a value may be empty", "A:\nB: \n\nx", "A=|B=@x"},
	{"a value may begin on the second line", "A:\n b\n\nx", "A=b@x"},
	{"a value may hold colons", "A: b:c: d\n\nx", "A=b:c: d@x"},
	{"no body", "A: b\n", "A=b@"},
	{"no line end", "A: b", "A=b@"},
	{"nothing", "", "@"},
	{"an empty line first: no fields", "\nA: b\n", "@A: b\n"},
	{"a line of blanks first: no fields", " \nA\n", "@A\n"},
	{"a line of blanks before the first field: no fields for some", " \nA: b\n\nx",
	 "A=b@x>0:A: b\n\nx;header_blank_line"},
	{"the first line is folded", " A: b\nC: d\n\nx", "A?=b|C=d@x"},
	{"blanks before the colon", "A : b\n\nx", "A?=b@x;header_blank_colon"},
	{"a blank in the name is no field", "A: b\nC D: e\nSubject: f\n\nx",
	 "A=b|Subject=f@x>1:C D: e\nSubject: f\n\nx;header_junk"},
	{"junk with a known field behind it", "A: b\njunk\nTo: d\n\nx", "A=b|To=d@x>1:junk\nTo: d\n\nx;header_junk"},
	{"junk and nothing known behind it", "A: b\njunk\nmore\n\nx", "A=b@junk\nmore\n\nx>1:x;header_junk"},
	{"a fold of junk is junk", "A: b\njunk\n more\nTo: d\n\nx", "A=b|To=d@x>1:junk\n more\nTo: d\n\nx;header_junk"},
	{"a line of blanks may end the header", "A: b\n \t\nC: d\n\nx", "A=b|C=d@x>1:C: d\n\nx;header_blank_line"},
	{"two lines of blanks are two ends", "A: b\n \nC: d\n\t\nE: f\n\nx",
	 "A=b|C=d|E=f@x>1:C: d\n\t\nE: f\n\nx>2:E: f\n\nx;header_blank_line header_blank_line"},
	{"ends before and behind junk", "A: b\n \nC: d\njunk\nTo: e\n \nF: g\n\nx",
	 "A=b|C=d|To=e|F=g@x>1:C: d\njunk\nTo: e\n \nF: g\n\nx>2:junk\nTo: e\n \nF: g\n\nx>3:F: g\n\nx;"
	 "header_blank_line header_junk header_blank_line"},
	{"beyond four ends the last is kept", "A: b\n \nA: c\n \nA: d\n \nA: e\n \nA: f\n\nx",
	 "A=b|A=c|A=d|A=e|A=f@x>1:A: c\n \nA: d\n \nA: e\n \nA: f\n\nx>2:A: d\n \nA: e\n \nA: f\n\nx>"
	 "3:A: e\n \nA: f\n\nx>4:A: f\n\nx;header_blank_line header_blank_line header_blank_line header_blank_line"},
	{"a bare CR before a field ends a line", "A: b\rTo: c\n\nx", "A=b|To?=c@x;header_bare_cr"},
	{"a bare CR elsewhere is a byte", "A: b\rc\n\nx", "A=bc@x"},
	{"lines of bare CR", "A: b\rC: d\r\rx", "A=b|C?=d@x;header_bare_cr header_bare_cr header_bare_cr"},
	{"an empty line by bare CR among LF lines", "A: b\nC: d\r\rE: f\n\nx",
	 "A=b|C=d|E?=f@x>2:E: f\n\nx;header_bare_cr header_bare_cr"},
	{"an empty line by bare LF among CRLF lines", "A: b\r\n\nC: d\r\n\r\nx",
	 "A=b@C: d\r\n\r\nx>2:x;header_bare_lf"},
	{"the same with text behind it", "A: b\r\n\nx\r\n\r\ny", "A=b@x\r\n\r\ny"},
	{"bare LF everywhere is fine", "A: b\n\nC: d\n\nx", "A=b@C: d\n\nx"},
	{"several CRs before the LF", "A: b\r\r\n\r\r\nx", "A=b@x"},
	{"a line of mbox", "From a@b.c Mon Jan 1\nA: b\n\nx", "A=b@x;header_mbox_from"},
	{"a line of mbox later on is junk", "A: b\nFrom a@b.c Mon Jan 1\nTo: d\n\nx",
	 "A=b|To=d@x>1:From a@b.c Mon Jan 1\nTo: d\n\nx;header_junk"},
	{"raw bytes", "A: \xfc\n\nx", "A=\xfc@x;header_8bit"},
	{"UTF-8 is fine", "A: \xc3\xbc\n\nx", "A=\xc3\xbc@x"},
	{"a raw byte in the name", "A\xfc: b\n\nx", "A\xfc?=b@x;header_name"},
};

static void splits_as_the_table_says(void **state)
{
	const struct header_limits limits = {.bytes = 4096, .fields = 50};
	int failed = 0;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		CLEANUP(buf_done) struct buf out = BUF_INIT(1 << 16);
		struct bytes in = bytes_from_cstr(cases[i].in);
		struct defect_list defects;
		struct header header;
		size_t body;
		defect_list_init(&defects, arena);
		assert_ok(header_parse(arena, in, 0, &limits, NULL, &defects, &header, &body));
		draw(in, &header, body, &defects, arena, &out);
		if (!bytes_eq(buf_bytes(&out), bytes_from_cstr(cases[i].want))) {
			print_error("%s\ngot  %.*s\nwant %s\n", cases[i].rule, BYTES_FMT(buf_bytes(&out)),
				    cases[i].want);
			failed++;
		}
	}
	assert_int_equal(failed, 0);
}

static void limits_leave_a_defect_and_find_the_body(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct bytes in = BYTES_LIT("A: b\nC: d\nE: f\n\nbody");
	const struct header_limits few = {.bytes = 4096, .fields = 2}, small = {.bytes = 6, .fields = 50};
	struct defect_list defects;
	struct header header;
	size_t body;
	(void)state;
	defect_list_init(&defects, arena);
	assert_ok(header_parse(arena, in, 0, &few, NULL, &defects, &header, &body));
	assert_int_equal(header.count, 2);
	assert_true(defect_seen(&defects, DEFECT_LIMIT_FIELDS));
	assert_bytes_str(bytes_from(in, body), "body");
	assert_ok(header_parse(arena, in, 0, &small, NULL, &defects, &header, &body));
	assert_int_equal(header.count, 2);
	assert_true(defect_seen(&defects, DEFECT_LIMIT_HEADER));
	assert_bytes_str(bytes_from(in, body), "body");
}

static void a_megabyte_of_bare_crs_takes_linear_time(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf in = BUF_INIT(1 << 22);
	const struct header_limits limits = {.bytes = 1 << 21, .fields = 50};
	struct defect_list defects;
	struct header header;
	size_t body;
	(void)state;
	buf_add_cstr(&in, "A: b\n");
	for (size_t i = 0; i < 1u << 20; i++)
		buf_add_byte(&in, '\r');
	defect_list_init(&defects, arena);
	assert_ok(header_parse(arena, buf_bytes(&in), 0, &limits, NULL, &defects, &header, &body));
	assert_int_equal(header.count, 1);
	assert_int_equal(header.n_others, HEADER_ENDS);
}

static void fields_are_found_by_id_and_by_name(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct bytes in = BYTES_LIT("SUBJECT: one\nX-A: b\nsubject: two\n\n");
	const struct header_limits limits = {.bytes = 4096, .fields = 50};
	struct defect_list defects;
	struct header header;
	size_t body;
	(void)state;
	defect_list_init(&defects, arena);
	assert_ok(header_parse(arena, in, 0, &limits, NULL, &defects, &header, &body));
	assert_int_equal(header_count(&header, HEADER_SUBJECT), 2);
	assert_bytes_str(header_find(&header, HEADER_SUBJECT, 0)->value, " one");
	assert_bytes_str(header_find(&header, HEADER_SUBJECT, 1)->value, " two");
	assert_null(header_find(&header, HEADER_SUBJECT, 2));
	assert_bytes_str(header_find_name(&header, BYTES_LIT("x-a"), 0)->value, " b");
	assert_null(header_find_name(&header, BYTES_LIT("x-b"), 0));
	assert_string_equal(header_id_name(HEADER_DKIM_SIGNATURE), "DKIM-Signature");
	assert_string_equal(header_id_name(HEADER_OTHER), "");
	assert_int_equal(header.fields[1].at, 13);
	assert_int_equal(header.fields[1].len, 7);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(splits_as_the_table_says),
	cmocka_unit_test(limits_leave_a_defect_and_find_the_body),
	cmocka_unit_test(a_megabyte_of_bare_crs_takes_linear_time),
	cmocka_unit_test(fields_are_found_by_id_and_by_name),
};
UNIT_MAIN(tests)
