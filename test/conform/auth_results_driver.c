/* SPDX-License-Identifier: Apache-2.0 */
/* Reads Authentication-Results values, one a line, and prints what is read of each and how it is written again. */
#include "auth/authres.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"

#include <stdio.h>

static void print_value(struct arena *arena, struct bytes value)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT((size_t)4 << 20), written = BUF_INIT(2 * AUTHRES_FIELD_MAX);
	struct authres authres;
	struct json json;
	ASSERT(authres_parse(arena, value, &authres) == ERR_OK);
	(void)authres_write(&written, &authres);
	jsonw_init(&json, &out);
	jsonw_object(&json, NULL);
	jsonw_string(&json, "id", authres.id);
	jsonw_uint(&json, "version", authres.version);
	jsonw_bool(&json, "malformed", authres.malformed);
	jsonw_bool(&json, "ours", authres_is_ours(arena, value, BYTES_LIT("mx.example.org")));
	jsonw_string(&json, "written", buf_bytes(&written));
	jsonw_array(&json, "results");
	for (size_t i = 0; i < authres.n_results; i++) {
		const struct authres_result *result = &authres.results[i];
		jsonw_object(&json, NULL);
		jsonw_string(&json, "method", result->method);
		jsonw_uint(&json, "version", result->version);
		jsonw_string(&json, "result", result->result);
		jsonw_string_or_null(&json, "reason", result->reason);
		jsonw_array(&json, "properties");
		for (size_t j = 0; j < result->n_properties; j++) {
			jsonw_array(&json, NULL);
			jsonw_string(&json, NULL, result->properties[j].type);
			jsonw_string(&json, NULL, result->properties[j].name);
			jsonw_string(&json, NULL, result->properties[j].value);
			jsonw_end(&json);
		}
		jsonw_end(&json);
		jsonw_end(&json);
	}
	jsonw_end(&json);
	jsonw_end(&json);
	ASSERT(buf_err(&out) == ERR_OK);
	printf("%.*s\n", BYTES_FMT(buf_bytes(&out)));
}

int main(void)
{
	static char line[1 << 16];
	while (fgets(line, sizeof(line), stdin)) {
		CLEANUP(arena_free) struct arena *arena = arena_create((size_t)16 << 20);
		print_value(arena, bytes_chomp(bytes_from_cstr(line)));
	}
	return 0;
}
