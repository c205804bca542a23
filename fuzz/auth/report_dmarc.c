/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/report_dmarc.h"

#include "base/arena.h"
#include "base/buf.h"

#include "fuzz.h"

/* What can be read and may be written must read back as the same, and be written again with the same bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)64 << 20);
	CLEANUP(buf_done) struct buf one = BUF_INIT((size_t)16 << 20);
	CLEANUP(buf_done) struct buf two = BUF_INIT((size_t)16 << 20);
	struct report_dmarc report, back;
	struct error error = {0};
	if (report_dmarc_read(arena, bytes_make(data, size), &report, &error) != ERR_OK) {
		ASSERT(error.text[0] != '\0');
		return 0;
	}
	ASSERT(report.n_records <= REPORT_RECORDS_MAX && report.begin <= report.end);
	for (size_t i = 0; i < report.n_records; i++) {
		const struct report_record *record = &report.records[i];
		ASSERT(record->count <= REPORT_COUNT_MAX && record->source_ip.len > 0 && record->header_from.len > 0);
		ASSERT(record->n_dkim <= REPORT_RESULTS_MAX && record->n_spf <= REPORT_RESULTS_MAX);
	}
	if (report_dmarc_write(&report, &one, &error) != ERR_OK)
		return 0;
	ASSERT(report_dmarc_read(arena, buf_bytes(&one), &back, &error) == ERR_OK);
	ASSERT(back.n_records == report.n_records && bytes_eq(back.policy.domain, report.policy.domain));
	ASSERT(report_dmarc_write(&back, &two, &error) == ERR_OK);
	ASSERT(bytes_eq(buf_bytes(&one), buf_bytes(&two)));
	return 0;
}
