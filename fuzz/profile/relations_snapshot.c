/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/hash.h"
#include "profile/relations.h"

#include "fuzz.h"

#define HEAD 42
#define NOW  (INT64_C(20500) * 86400)

static void put64(uint8_t *at, uint64_t v)
{
	for (size_t i = 0; i < 8; i++)
		at[i] = (uint8_t)(v >> 8 * i);
}

/* Makes the hashes right, as a hostile writer could: what stands under them is to be looked at. */
static void sign(uint8_t *file, size_t size)
{
	static const size_t sizes[] = {12, 12, 64, 32, 0};
	struct hash_key key = {0};
	if (size < HEAD)
		return;
	for (size_t i = 0; i < 8; i++) {
		key.k0 |= (uint64_t)file[8 + i] << 8 * i;
		key.k1 |= (uint64_t)file[16 + i] << 8 * i;
	}
	put64(file + HEAD - 8, hash_sip((struct hash_key){0}, bytes_make(file, HEAD - 8)));
	uint32_t number = 0;
	for (size_t at = HEAD; size - at >= 16;) {
		size_t section = file[at] % ARRAY_LEN(sizes);
		size_t len = 8 + sizes[section] * (file[at + 2] | (size_t)file[at + 3] << 8);
		if (size - at < 8 || len > size - at - 8)
			return;
		for (size_t i = 0; i < 4; i++)
			file[at + 4 + i] = (uint8_t)(number >> 8 * i);
		number++;
		put64(file + at + len, hash_sip(key, bytes_make(file + at, len)));
		at += len + 8;
	}
}

/* A file that is read works as a store, and can be written and read again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf file = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20);
	CLEANUP(relations_free) struct relations *relations = NULL, *second = NULL;
	struct relations_query query = {.author = BYTES_LIT("a@b.example"), .name = BYTES_LIT("A"), .proven = true};
	struct relations_answer answer;
	struct relations_writer writer;
	struct error error;
	if (relations_snapshot_read(bytes_make(data, size), 65536, &relations, &error) != ERR_OK) {
		buf_add(&file, bytes_make(data, size));
		if (buf_err(&file) != ERR_OK || size == 0)
			return 0;
		sign(file.ptr, file.len);
		if (relations_snapshot_read(buf_bytes(&file), 65536, &relations, &error) != ERR_OK)
			return 0;
	}
	relations_learn(relations, &query, RELATIONS_WANTED, NOW);
	relations_ask(relations, &query, NOW, &answer);
	relations_snapshot_begin(relations, NOW, &writer);
	while (relations_snapshot_next(&writer, &again))
		;
	ASSERT(relations_snapshot_read(buf_bytes(&again), 65536, &second, &error) == ERR_OK);
	return 0;
}
