/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/tally.h"

#include "base/arena.h"
#include "base/buf.h"
#include "unit.h"

static struct bytes uris[] = {BYTES_INIT("mailto:a@good.example"), BYTES_INIT("mailto:b@other.example")};

struct seen {
	struct dmarc_record record;
	struct dkim_signature signatures[4];
	struct dkim dkim;
	struct arc_set set;
	struct scan_auth auth;
};

/* Mail from good.example that failed, with three signatures that are not its own, and one that is broken. */
static void see(struct seen *seen)
{
	static const uint8_t ip[16] = {[10] = 0xff, 0xff, 192, 0, 2, 7};
	*seen = (struct seen){
		.record = {.p = DMARC_POLICY_REJECT, .rua = {uris, 2}},
		.signatures = {{.result = DKIM_FAIL, .domain = BYTES_LIT("good.example"), .selector = BYTES_LIT("s1")},
			       {.result = DKIM_PASS, .domain = BYTES_LIT("other.example"), .selector = BYTES_LIT("s2")},
			       {.result = DKIM_PASS,
				.domain = BYTES_LIT("sub.good.example"),
				.selector = BYTES_LIT("s3")},
			       {.result = DKIM_PASS, .domain = BYTES_LIT("good.example"), .selector = BYTES_LIT("s4")}},
		.set = {.domain = BYTES_LIT("list.example")},
	};
	seen->dkim = (struct dkim){.signatures = seen->signatures, .count = 4};
	seen->auth = (struct scan_auth){
		.has_spf = true,
		.has_source = true,
		.spf = {.code = SPF_SOFTFAIL, .domain = BYTES_LIT("bounce.example")},
		.dkim = &seen->dkim,
		.dmarc = {.code = DMARC_FAIL,
			  .domain = BYTES_LIT("good.example"),
			  .policy_domain = BYTES_LIT("good.example"),
			  .organizational_domain = BYTES_LIT("good.example"),
			  .policy = DMARC_POLICY_REJECT,
			  .disposition = DMARC_POLICY_REJECT,
			  .tag = "p",
			  .record = &seen->record},
		.disposition = DMARC_POLICY_REJECT,
	};
	memcpy(seen->auth.source_ip, ip, sizeof(ip));
}

static struct tally tally_of(struct arena *arena, const struct seen *seen, enum dmarc_policy done)
{
	CLEANUP(buf_done) struct buf packed = BUF_INIT(TALLY_MAX);
	struct tally tally;
	tally_pack(arena, &seen->auth, DMARC_RFC9989, &packed);
	assert_ok(buf_err(&packed));
	assert_ok(tally_read(arena, arena_copy(arena, buf_bytes(&packed)), done, &tally));
	return tally;
}

static void a_tally_says_who_sent_and_what_was_found(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)1 << 20);
	struct seen seen;
	see(&seen);
	struct tally tally = tally_of(arena, &seen, DMARC_POLICY_REJECT);
	assert_bytes_str(tally.rua, "mailto:a@good.example, mailto:b@other.example");
	assert_bytes_str(tally.policy.domain, "good.example");
	assert_bytes_str(tally.policy.p, "reject");
	assert_bytes_str(tally.record.source_ip, "192.0.2.7");
	assert_bytes_str(tally.record.header_from, "good.example");
	assert_bytes_str(tally.record.envelope_from, "bounce.example");
	assert_bytes_str(tally.record.spf_results[0].result, "softfail");
	assert_bytes_str(tally.record.disposition, "reject");
	assert_int_equal(tally.record.n_reasons, 0);
	assert_int_equal(tally.record.count, 1);
}

static void signatures_come_in_the_order_of_rfc_9990(void **state)
{
	(void)state;
	static const char *const order[] = {"s4", "s3", "s2", "s1"};
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)1 << 20);
	struct seen seen;
	see(&seen);
	struct tally tally = tally_of(arena, &seen, DMARC_POLICY_REJECT);
	assert_int_equal(tally.record.n_dkim, 4);
	for (size_t i = 0; i < 4; i++)
		assert_bytes_str(tally.record.dkim_results[i].selector, order[i]);
	assert_bytes_str(tally.record.dkim_results[3].result, "fail");
}

static void the_reason_says_why_the_policy_was_not_applied(void **state)
{
	(void)state;
	static const struct {
		enum dmarc_code code;
		bool testing, forwarded;
		enum dmarc_policy of_record, asked, done;
		const char *disposition, *reasons;
	} cases[] = {
		{DMARC_FAIL, false, false, DMARC_POLICY_REJECT, DMARC_POLICY_REJECT, DMARC_POLICY_REJECT, "reject", ""},
		{DMARC_FAIL, false, false, DMARC_POLICY_REJECT, DMARC_POLICY_REJECT, DMARC_POLICY_QUARANTINE,
		 "quarantine", "local_policy"},
		{DMARC_FAIL, false, false, DMARC_POLICY_REJECT, DMARC_POLICY_REJECT, DMARC_POLICY_NONE, "none",
		 "local_policy"},
		{DMARC_FAIL, false, false, DMARC_POLICY_QUARANTINE, DMARC_POLICY_QUARANTINE, DMARC_POLICY_REJECT,
		 "reject", "local_policy"},
		{DMARC_FAIL, true, false, DMARC_POLICY_QUARANTINE, DMARC_POLICY_QUARANTINE, DMARC_POLICY_QUARANTINE,
		 "quarantine", "policy_test_mode"},
		{DMARC_FAIL, false, true, DMARC_POLICY_REJECT, DMARC_POLICY_NONE, DMARC_POLICY_NONE, "none",
		 "trusted_forwarder"},
		/* Refused as malware: that is nothing of DMARC's. */
		{DMARC_FAIL, false, false, DMARC_POLICY_NONE, DMARC_POLICY_NONE, DMARC_POLICY_REJECT, "none", ""},
		{DMARC_PASS, false, false, DMARC_POLICY_NONE, DMARC_POLICY_NONE, DMARC_POLICY_REJECT, "pass", ""},
		{DMARC_TEMPERROR, false, false, DMARC_POLICY_NONE, DMARC_POLICY_NONE, DMARC_POLICY_NONE, "none", ""},
	};
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_done) struct buf reasons = BUF_INIT(1000);
		struct seen seen;
		see(&seen);
		seen.auth.dmarc.code = cases[i].code;
		seen.auth.dmarc.disposition = cases[i].of_record;
		seen.auth.disposition = cases[i].asked;
		seen.record.testing = cases[i].testing;
		seen.auth.explained_by = cases[i].forwarded ? &seen.set : NULL;
		struct tally tally = tally_of(arena, &seen, cases[i].done);
		for (size_t j = 0; j < tally.record.n_reasons; j++)
			buf_printf(&reasons, "%s%.*s", j ? " " : "", BYTES_FMT(tally.record.reasons[j].type));
		assert_bytes_str(tally.record.disposition, cases[i].disposition);
		assert_bytes_str(buf_bytes(&reasons), cases[i].reasons);
	}
}

static void nobody_asks_nothing_is_counted(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)1 << 20);
	for (int i = 0; i < 7; i++) {
		CLEANUP(buf_done) struct buf packed = BUF_INIT(TALLY_MAX);
		struct seen seen;
		see(&seen);
		if (i == 0)
			seen.record.rua.count = 0;
		else if (i == 1)
			seen.auth.dmarc.record = NULL;
		else if (i == 2)
			seen.auth.has_spf = false;
		else if (i == 3)
			seen.auth.dmarc.code = DMARC_NONE;
		else if (i == 4)
			seen.auth.dkim = NULL;
		else if (i == 6)
			seen.auth.has_source = false;
		tally_pack(arena, i == 5 ? &scan_auth_unknown : &seen.auth, DMARC_RFC9989, &packed);
		assert_int_equal(packed.len, 0);
	}
}

static void what_is_cut_or_too_long_is_refused(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)4 << 20);
	CLEANUP(buf_done) struct buf packed = BUF_INIT(TALLY_MAX);
	struct seen seen;
	struct tally tally;
	see(&seen);
	tally_pack(arena, &seen.auth, DMARC_RFC9989, &packed);
	for (size_t n = 0; n < packed.len; n++)
		assert_int_equal(tally_read(arena, bytes_sub(buf_bytes(&packed), 0, n), DMARC_POLICY_NONE, &tally),
				 ERR_SYNTAX);
	buf_add_byte(&packed, 0);
	assert_int_equal(tally_read(arena, buf_bytes(&packed), DMARC_POLICY_NONE, &tally), ERR_SYNTAX);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_tally_says_who_sent_and_what_was_found),
	cmocka_unit_test(signatures_come_in_the_order_of_rfc_9990),
	cmocka_unit_test(the_reason_says_why_the_policy_was_not_applied),
	cmocka_unit_test(nobody_asks_nothing_is_counted),
	cmocka_unit_test(what_is_cut_or_too_long_is_refused),
};
UNIT_MAIN(tests)
