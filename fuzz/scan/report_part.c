/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/report_part.h"

#include "base/arena.h"
#include "base/buf.h"
#include "scan/tally.h"

#include "fuzz.h"

/* What a scanner may have sent: a part that is read is packed to one that reads the same; a tally names what it names.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_make(data, size);
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)16 << 20);
	CLEANUP(buf_done) struct buf again = BUF_INIT((size_t)16 << 20);
	CLEANUP(buf_done) struct buf third = BUF_INIT((size_t)16 << 20);
	struct report_part part, second;
	struct tally tally;
	if (report_part_unpack(arena, in, &part) == ERR_OK) {
		ASSERT(part.n_records + part.n_policies <= REPORT_PART_UNITS);
		report_part_pack(&again, &part);
		ASSERT(report_part_unpack(arena, buf_bytes(&again), &second) == ERR_OK);
		report_part_pack(&third, &second);
		ASSERT(bytes_eq(buf_bytes(&again), buf_bytes(&third)));
	}
	if (tally_read(arena, in, DMARC_POLICY_REJECT, &tally) == ERR_OK)
		ASSERT(tally.record.n_dkim <= TALLY_DKIM_MAX && tally.record.n_reasons <= 3 && tally.record.n_spf == 1);
	return 0;
}
