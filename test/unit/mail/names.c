/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "mail/mime.h"

#define CD(rest) "Content-Disposition: attachment; " rest "\n\n"
#define CT(rest) "Content-Type: application/octet-stream; " rest "\n"

/* Names joined with "|", and "?" where clients differ in a way that counts. */
static const struct {
	const char *rule;
	struct bytes in;
	const char *want;
} cases[] = {
	{"none", BYTES_INIT(CD("size=3")), ""},
	{"the disposition's comes first", BYTES_INIT(CT("name=b.txt") CD("filename=a.txt")), "a.txt|b.txt?"},
	{"that of the type alone", BYTES_INIT(CT("name=b.txt") "\n"), "b.txt"},
	{"the same twice is one", BYTES_INIT(CT("name=a.txt") CD("filename=\"a.txt\"")), "a.txt"},
	{"case alone is no difference", BYTES_INIT(CT("name=A.TXT") CD("filename=a.txt")), "a.txt|A.TXT"},
	{"a folder alone is no difference", BYTES_INIT(CT("name=a.txt") CD("filename=\"x/a.txt\"")), "x/a.txt|a.txt"},
	{"a folder of Windows neither", BYTES_INIT(CT("name=a.txt") CD("filename=\"x\\\\a.txt\"")), "x\\a.txt|a.txt"},
	{"the folder's name is not the file's", BYTES_INIT(CT("name=a.exe") CD("filename=\"a.exe/b.txt\"")),
	 "a.exe/b.txt|a.exe?"},
	{"the extended one before the plain one", BYTES_INIT(CD("filename=a.txt; filename*=utf-8''b.txt")),
	 "b.txt|a.txt?"},
	{"the parameter of the other field", BYTES_INIT(CD("name=a.txt")), "a.txt"},
	{"its own parameter comes first", BYTES_INIT(CD("name=a.txt; filename=b.txt")), "b.txt|a.txt?"},
	{"encoded words", BYTES_INIT(CD("filename=\"=?utf-8?Q?=C3=BC.txt?=\"")), "\xc3\xbc.txt"},
	{"encoded words without quotes", BYTES_INIT(CD("filename==?utf-8?Q?=C3=BC.txt?=")), "\xc3\xbc.txt"},
	{"raw bytes are guessed",
	 BYTES_INIT(CD("filename=\"Gr\xfc\xdf"
		       "e.txt\"")),
	 "Gr\xc3\xbc\xc3\x9f"
	 "e.txt"},
	{"an extended one in another charset", BYTES_INIT(CD("filename*=iso-8859-1''%FC.txt")), "\xc3\xbc.txt"},
	{"an extended one whose charset is wrong", BYTES_INIT(CD("filename*=us-ascii''%C3%BC.txt")), "\xc3\xbc.txt"},
	{"blanks without quotes: all of it before its first word", BYTES_INIT(CD("filename=my file.exe")),
	 "my file.exe|my?"},
	{"blanks around it are cut", BYTES_INIT(CD("filename=\" a.txt \"")), "a.txt"},
	{"a NUL is dropped, or ends it", BYTES_INIT(CD("filename=\"a.txt\0.exe\"")), "a.txt.exe|a.txt?"},
	{"an escaped NUL likewise", BYTES_INIT(CD("filename*=utf-8''a.exe%00.txt")), "a.exe.txt|a.exe?"},
	{"an encoded NUL likewise", BYTES_INIT(CD("filename=\"=?utf-8?Q?a.exe=00.txt?=\"")), "a.exe.txt|a.exe?"},
	{"a name that is empty is none", BYTES_INIT(CD("filename=\"\"")), ""},
	{"of a form's field it is that of the file",
	 BYTES_INIT("Content-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\n\n"), "a.txt"},
	{"a disposition that is left out", BYTES_INIT("Content-Disposition: filename=\"a;b.txt\"; size=3\n\n"),
	 "a;b.txt"},
	{"one that is left out of the type", BYTES_INIT("Content-Type: name=a.exe\n\n"), "a.exe"},
	{"two fields", BYTES_INIT("Content-Disposition: inline; filename=a.txt\n" CD("filename=b.exe")),
	 "a.txt|b.exe?"},
	{"the last of repeated sections", BYTES_INIT(CD("filename*0=a.; filename*1=txt; filename*1=exe")),
	 "a.txt|a.exe?"},
	{"encoded words in an extended one", BYTES_INIT(CD("filename*=\"=?utf-8?Q?a.exe?=\"")),
	 "=?utf-8?Q?a.exe?=|a.exe?"},
	{"encoded words of a charset that nobody knows", BYTES_INIT(CD("filename=\"=?x-foo?Q?a=2Eexe?=\"")), "a.exe"},
	{"several of them", BYTES_INIT(CD("filename=\"=?x-foo?Q?a=2E?= =?x-foo?Q?exe?=\"")), "a.exe"},
	{"all of it in encoded words", BYTES_INIT("Content-Disposition: =?utf-8?Q?attachment;_filename=3Da.exe?=\n\n"),
	 "a.exe"},
	{"a fold in the middle is no difference", BYTES_INIT(CD("filename=\"a.\n\texe\"")), "a.\texe|a.exe"},
	{"quotes inside are no difference", BYTES_INIT(CD("filename=a\".exe\"")), "a\".exe\"|a.exe"},
	{"percent escapes that make another file of it", BYTES_INIT(CD("filename=a.pdf%2Eexe")),
	 "a.pdf%2Eexe|a.pdf.exe?"},
	{"percent escapes that do not", BYTES_INIT(CD("filename=a%20b.pdf")), "a%20b.pdf"},
	{"a comment dropped", BYTES_INIT(CD("filename=a.(x)exe")), "a.(x)exe|a.|a.exe?"},
	{"comments around it", BYTES_INIT(CD("filename=(x)a.exe(y)")), "(x)a.exe(y)|a.exe?"},
	{"a comment behind the name of the parameter", BYTES_INIT(CD("filename(x)=a.exe")), "a.exe"},
	{"a field that is a name", BYTES_INIT("Content-Name: a.exe\n\n"), "a.exe"},
	{"it counts when there is no other", BYTES_INIT("X-Sun-Data-Name: b.exe\n" CD("filename=a.exe")), "a.exe"},
	{"a field behind a line of blanks", BYTES_INIT("X: y\n \n" CD("filename=b.exe")), "b.exe"},
};

static void draw(const struct mime_part *part, const struct defect_list *defects, struct buf *out)
{
	for (size_t i = 0; i < part->n_names; i++) {
		buf_add_cstr(out, i ? "|" : "");
		buf_add(out, part->names[i].text);
	}
	buf_add_cstr(out, defect_seen(defects, DEFECT_NAME_AMBIGUOUS) ? "?" : "");
}

static void are_what_the_table_says(void **state)
{
	int failed = 0;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		CLEANUP(buf_done) struct buf out = BUF_INIT(1 << 16);
		struct defect_list defects;
		struct mime_tree tree;
		defect_list_init(&defects, arena);
		assert_ok(mime_parse(arena, cases[i].in, &mime_limits_default, &defects, &tree));
		draw(tree.root, &defects, &out);
		if (!bytes_eq(buf_bytes(&out), bytes_from_cstr(cases[i].want))) {
			print_error("%s\ngot  %.*s\nwant %s\n", cases[i].rule, BYTES_FMT(buf_bytes(&out)),
				    cases[i].want);
			failed++;
		}
	}
	assert_int_equal(failed, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(are_what_the_table_says),
};
UNIT_MAIN(tests)
