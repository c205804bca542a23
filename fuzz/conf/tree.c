/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a packed tree: what is taken for one says the same when it is packed and unpacked again, and can be
 * applied; and as YAML: what is parsed comes through packing as it was. */
#include "conf/tree.h"
#include "base/arena.h"
#include "base/buf.h"
#include "conf/settings.h"
#include "fuzz.h"

static void go_round(struct arena *arena, const struct yaml_node *root)
{
	CLEANUP(buf_done) struct buf first = BUF_INIT(YAML_PACKED_MAX);
	CLEANUP(buf_done) struct buf second = BUF_INIT(YAML_PACKED_MAX);
	struct yaml_node *again;
	struct error error;
	yaml_pack(&first, root);
	ASSERT(buf_err(&first) == ERR_OK);
	ASSERT(yaml_unpack(arena, buf_bytes(&first), &again, &error) == ERR_OK);
	yaml_pack(&second, again);
	ASSERT(bytes_eq(buf_bytes(&first), buf_bytes(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)256 << 20);
	struct conf_errors errors = {0};
	struct settings settings;
	struct yaml_node *root;
	struct error error;
	ASSERT(arena);
	if (yaml_unpack(arena, bytes_make(data, size), &root, &error) == ERR_OK) {
		go_round(arena, root);
		bool good = settings_apply(arena, root, &settings, NULL, &errors);
		ASSERT(good == (errors.count == 0));
	}
	if (yaml_parse(arena, bytes_make(data, size), &root, &error) == ERR_OK)
		go_round(arena, root);
	return 0;
}
