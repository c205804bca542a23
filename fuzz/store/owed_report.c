/* SPDX-License-Identifier: Apache-2.0 */
#include "store/owed_report.h"

#include "base/arena.h"
#include "unpack/deflate.h"

#include "fuzz.h"

/* Records as the vault tells them: what is not left out makes a report that can be read, with as many records. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct owed_reporter reporter = {.org = BYTES_INIT("o"),
						      .email = BYTES_INIT("r@r.example"),
						      .receiver = BYTES_INIT("r.example"),
						      .host = BYTES_INIT("h")};
	static const struct report_policy policy = {.domain = BYTES_INIT("a.example"), .p = BYTES_INIT("none")};
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)64 << 20);
	CLEANUP(owed_report_done) struct owed_report report;
	CLEANUP(buf_done) struct buf gzip = BUF_INIT((size_t)16 << 20);
	CLEANUP(buf_done) struct buf xml = BUF_INIT((size_t)64 << 20);
	struct bytes in = bytes_make(data, size), rows = in, row, last = {0};
	struct report_dmarc back;
	struct error error = {0};
	size_t n = 0;
	while (owed_row_next(&rows, &row)) {
		CLEANUP(buf_done) struct buf again = BUF_INIT((size_t)1 << 20);
		struct owed_row its;
		n++;
		last = row;
		if (owed_row_unpack(row, &its) != ERR_OK || !owed_row_pack(&again, &its))
			continue;
		rows = buf_bytes(&again);
		struct bytes second;
		ASSERT(owed_row_next(&rows, &second) && bytes_eq(second, row) && rows.len == 0);
		rows = bytes_from(in, (size_t)(row.ptr + row.len - in.ptr));
	}
	ASSERT(owed_report_begin(&report, arena, &reporter, 20718, &policy, BYTES_LIT("mailto:a@a.example"), &error) ==
	       ERR_OK);
	ASSERT(owed_report_add(&report, arena, in, &row, &error) == ERR_OK);
	ASSERT(bytes_eq(row, last) && report.report.n_records + report.damaged == n);
	if (owed_report_end(&report, &gzip, &error) != ERR_OK)
		return 0;
	ASSERT(deflate_gzip_read(buf_bytes(&gzip), 2000, &xml, &error) == ERR_OK);
	ASSERT(report_dmarc_read(arena, buf_bytes(&xml), &back, &error) == ERR_OK);
	ASSERT(back.n_records == report.report.n_records);
	return 0;
}
