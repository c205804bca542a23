/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sample file and the manual page of the configuration are written by the program; the ones in the tree must be
 * what it writes. `test_conf_files --update` writes them anew.
 */
#include "unit.h"

#include <stdlib.h>

#include "base/buf.h"
#include "conf/settings.h"

#define BEGIN ".\\\" Written by test_conf_files --update; do not edit from here\n"
#define END   ".\\\" to here.\n"

static const char *path_of(char *path, size_t size, const char *file)
{
	const char *root = getenv("POSTERN_ROOT");
	(void)snprintf(path, size, "%s/%s", root ? root : ".", file);
	return path;
}

static void read_file(struct buf *buf, const char *name)
{
	char path[4096], piece[4096];
	FILE *file = fopen(path_of(path, sizeof(path), name), "re");
	size_t n;
	if (!file)
		fail_msg("%s cannot be read", path);
	while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
		buf_add(buf, bytes_make(piece, n));
	(void)fclose(file);
}

static bool write_file(const char *name, struct bytes content)
{
	char path[4096];
	FILE *file = fopen(path_of(path, sizeof(path), name), "we");
	return file && fwrite(content.ptr, 1, content.len, file) == content.len && fclose(file) == 0;
}

/* The page in the tree with the keys between its two marks put in anew. */
static void make_page(struct buf *page, struct bytes old)
{
	size_t begin = bytes_find(old, BYTES_LIT(BEGIN)), end = bytes_find(old, BYTES_LIT(END));
	assert_true(begin != BYTES_NONE && end != BYTES_NONE && begin < end);
	buf_add(page, bytes_sub(old, 0, begin + sizeof(BEGIN) - 1));
	settings_manual(page);
	buf_add(page, bytes_from(old, end));
}

static void etc_postern_yaml_is_the_sample(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf got = BUF_INIT(1000000);
	CLEANUP(buf_done) struct buf want = BUF_INIT(1000000);
	read_file(&got, "etc/postern.yaml");
	settings_sample(&want);
	assert_bytes(buf_bytes(&got), buf_bytes(&want));
}

static void the_manual_page_has_all_keys(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf got = BUF_INIT(1000000);
	CLEANUP(buf_done) struct buf want = BUF_INIT(1000000);
	read_file(&got, "man/postern.yaml.5");
	make_page(&want, buf_bytes(&got));
	assert_bytes(buf_bytes(&got), buf_bytes(&want));
}

static int update(void)
{
	CLEANUP(buf_done) struct buf sample = BUF_INIT(1000000);
	CLEANUP(buf_done) struct buf old = BUF_INIT(1000000);
	CLEANUP(buf_done) struct buf page = BUF_INIT(1000000);
	settings_sample(&sample);
	read_file(&old, "man/postern.yaml.5");
	make_page(&page, buf_bytes(&old));
	return write_file("etc/postern.yaml", buf_bytes(&sample)) && write_file("man/postern.yaml.5", buf_bytes(&page))
		       ? 0
		       : 1;
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(etc_postern_yaml_is_the_sample),
		cmocka_unit_test(the_manual_page_has_all_keys),
	};
	if (argc > 1 && strcmp(argv[1], "--update") == 0)
		return update();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
