/* SPDX-License-Identifier: Apache-2.0 */
/* The form of a list in a recorded case, with its codes: what was read is written and read again to the same. */
#include "fuzz.h"

#include "auth/dns.h"
#include "base/arena.h"
#include "base/buf.h"
#include "scan/zone.h"

/* Answers that never count, whatever the codes are. */
static void ask(struct arena *arena, const struct list_zone *zone)
{
	static const uint8_t never[][4] = {{127, 255, 255, 254}, {10, 0, 0, 1}, {0, 0, 0, 0}, {128, 0, 0, 2}};
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		struct dns_record record = {.data = bytes_make(never[i], 4)};
		struct dns_answer answer = {.records = &record, .n_records = 1};
		struct bytes meaning;
		uint32_t address;
		ASSERT(!list_zone_hit(arena, zone, &answer, &meaning));
		ASSERT(list_zone_refusal(&answer, &address));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf first = BUF_INIT((size_t)1 << 22), second = BUF_INIT((size_t)1 << 22);
	struct list_zone zone;
	struct list_local local;
	if (list_local_read(bytes_make(data, size), &local) == ERR_OK)
		ASSERT((local.about & ~(unsigned)LIST_ABOUT_ALL) == 0);
	if (list_zone_read(arena, bytes_make(data, size), &zone) != ERR_OK)
		return 0;
	ask(arena, &zone);
	list_zone_write(&first, &zone);
	ASSERT(list_zone_read(arena, buf_bytes(&first), &zone) == ERR_OK);
	list_zone_write(&second, &zone);
	ASSERT(bytes_eq(buf_bytes(&first), buf_bytes(&second)));
	return 0;
}
