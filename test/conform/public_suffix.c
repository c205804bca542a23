/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The test vectors of the public suffix project against url_registrable(): lines of "host domain", null for none. Given
 * the root of the source; the vectors are beside it, or where POSTERN_SHARED says.
 */
#include "unit.h"

#include <stdlib.h>

#include "base/arena.h"
#include "mail/url.h"

static FILE *vectors;

static struct bytes a_labels(struct arena *arena, struct bytes host)
{
	struct url url;
	struct bytes raw = arena_printf(arena, "http://%.*s/", BYTES_FMT(host));
	return url_parse(arena, raw, false, &url) == ERR_OK ? url.host : (struct bytes){0};
}

static void agrees_with_the_vectors(void **state)
{
	char line[1024];
	size_t cases = 0, wrong = 0;
	(void)state;
	while (fgets(line, sizeof(line), vectors)) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct bytes want = bytes_trim(bytes_from_cstr(line)), host;
		if (want.len == 0 || bytes_starts(want, BYTES_LIT("//")) || !bytes_split(&want, ' ', &host) ||
		    bytes_eq(host, BYTES_LIT("null")))
			continue;
		want = bytes_trim(want);
		struct bytes got = {0};
		struct bytes name = host.ptr[0] == '.' ? (struct bytes){0} : a_labels(arena, host);
		if (name.len > 0 && !url_is_suffix(name))
			got = url_registrable(name);
		want = bytes_eq(want, BYTES_LIT("null")) ? (struct bytes){0} : a_labels(arena, want);
		cases++;
		if (!bytes_eq(got, want)) {
			wrong++;
			print_error("%.*s: got %.*s, want %.*s\n", BYTES_FMT(host), BYTES_FMT(got), BYTES_FMT(want));
		}
	}
	print_message("# %zu vectors, %zu wrong\n", cases, wrong);
	assert_true(cases > 50);
	assert_int_equal(wrong, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(agrees_with_the_vectors),
};

int main(int argc, char **argv)
{
	char path[4096];
	const char *shared = getenv("POSTERN_SHARED");
	(void)snprintf(path, sizeof(path), "%s%s/data/psl/tests.txt",
		       shared     ? shared
		       : argc > 1 ? argv[1]
				  : ".",
		       shared ? "" : "/../shared");
	vectors = fopen(path, "r");
	if (!vectors) {
		printf("1..0 # SKIP no vectors at %s\n", path);
		return 0;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)fclose(vectors);
	return failed;
}
