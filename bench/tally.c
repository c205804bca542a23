/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/tally FOLDER [N]: what a message costs more where reports.dmarc is on: its tally packed by the scanner, read
 * and added by the vault, transactions of 500 included. 200 domains; of one message in ten the server is new, the
 * others come from one of 20 of the domain.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "scan/tally.h"
#include "store/reports.h"

#define BATCH 500

static uint32_t draw(uint32_t below)
{
	static uint64_t state = 88172645463325252ULL;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 20) % below);
}

static double seconds(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Two signatures, as most mail of today has. */
static void pack(struct arena *arena, struct buf *packed)
{
	struct bytes domain = arena_printf(arena, "domain%u.example", draw(200));
	struct bytes rua = arena_printf(arena, "mailto:dmarc@%.*s", BYTES_FMT(domain));
	struct dmarc_record record = {.p = DMARC_POLICY_REJECT, .rua = {&rua, 1}};
	struct dkim_signature signatures[] = {
		{.result = DKIM_PASS, .domain = BYTES_LIT("sender.example.net"), .selector = BYTES_LIT("k1")},
		{.result = DKIM_PASS, .domain = domain, .selector = BYTES_LIT("s1")}};
	struct dkim dkim = {.signatures = signatures, .count = 2};
	uint32_t server = draw(10) == 0 ? 1000 + draw(60000) : draw(20);
	struct scan_auth auth = {
		.has_spf = true,
		.has_source = true,
		.source_ip = {[10] = 0xff, 0xff, 192, 0, (uint8_t)(server >> 8), (uint8_t)(server & 255)},
		.spf = {.code = SPF_PASS, .domain = domain},
		.dkim = &dkim,
		.dmarc = {.code = DMARC_PASS,
			  .domain = domain,
			  .policy_domain = domain,
			  .organizational_domain = domain,
			  .policy = DMARC_POLICY_REJECT,
			  .disposition = DMARC_POLICY_NONE,
			  .tag = "p",
			  .aligned = {true, true},
			  .record = &record},
		.disposition = DMARC_POLICY_NONE};
	buf_clear(packed);
	tally_pack(arena, &auth, DMARC_RFC9989, packed);
}

int main(int argc, char **argv)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)1 << 20);
	CLEANUP(store_close) struct store *store = NULL;
	CLEANUP(buf_done) struct buf packed = BUF_INIT(TALLY_MAX);
	struct error error = {.text = "usage: tally FOLDER [N]"};
	int n = argc > 2 ? atoi(argv[2]) : 200000;
	double packing = 0, begin;
	if (argc < 2 || !arena || store_open(argv[1], false, &store, &error) != ERR_OK)
		goto failed;
	begin = seconds();
	for (int i = 0; i < n; i++) {
		struct tally tally;
		double before = seconds();
		arena_reset(arena);
		pack(arena, &packed);
		packing += seconds() - before;
		if (i % BATCH == 0 && store_begin(store, false, &error) != ERR_OK)
			goto failed;
		if (tally_read(arena, buf_bytes(&packed), DMARC_POLICY_NONE, &tally) != ERR_OK ||
		    store_owed_add(store, 20000, &tally.policy, tally.rua, &tally.record, &error) != ERR_OK)
			goto failed;
		if ((i % BATCH == BATCH - 1 || i == n - 1) && store_commit(store, &error) != ERR_OK)
			goto failed;
	}
	printf("tally: %d messages, %.2f us CPU each in the scanner, %.2f us in the vault\n", n, packing * 1e6 / n,
	       (seconds() - begin - packing) * 1e6 / n);
	return 0;
failed:
	(void)fprintf(stderr, "%s\n", error.text);
	return 1;
}
