/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dkim.h"

#include "auth/signature.h"
#include "base/arena.h"
#include "base/num.h"

#include "base/banned.h"

/* A signature that needs its key. */
struct dkim_check {
	struct signature signature;
	struct dkim_signature *entry;
	uint8_t digest[CRYPTO_SHA256_LEN];
	bool body_short, body_changed;
};

const char *dkim_result_name(enum dkim_result result)
{
	static const char *const names[] = {
		[DKIM_PASS] = "pass",       [DKIM_FAIL] = "fail",           [DKIM_POLICY] = "policy",
		[DKIM_NEUTRAL] = "neutral", [DKIM_TEMPERROR] = "temperror", [DKIM_PERMERROR] = "permerror",
	};
	return names[result];
}

/* -- What is signed ---- */

static size_t times_signed(const struct signature *signature, struct bytes name)
{
	size_t n = 0;
	for (size_t i = 0; i < signature->n_names; i++)
		n += bytes_eq(signature->names[i], name);
	return n;
}

static unsigned coverage(const struct canon_message *message, const struct signature *signature)
{
	static const struct {
		struct bytes name;
		unsigned less, more;
	} rules[] = {
		{BYTES_INIT("from"), DKIM_FROM_UNSIGNED, DKIM_FROM_OVERSIGNED},
		{BYTES_INIT("subject"), DKIM_SUBJECT_UNSIGNED, DKIM_SUBJECT_OVERSIGNED},
		{BYTES_INIT("to"), DKIM_TO_UNSIGNED, 0},
		{BYTES_INIT("cc"), DKIM_CC_UNSIGNED, 0},
		{BYTES_INIT("date"), DKIM_DATE_UNSIGNED, 0},
		{BYTES_INIT("content-type"), DKIM_TYPE_UNSIGNED, 0},
	};
	unsigned flags = 0;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		const struct canon_name *name = canon_message_name(message, rules[i].name);
		size_t there = name ? name->count : 0, covered = times_signed(signature, rules[i].name);
		flags |= covered < there ? rules[i].less : covered > there ? rules[i].more : 0;
	}
	return flags;
}

static void describe(const struct canon_message *message, const struct canon_field *field,
		     const struct signature *signature, struct dkim_signature *ret)
{
	*ret = (struct dkim_signature){
		.result = signature->state == SIGNATURE_REFUSED ? DKIM_POLICY : DKIM_NEUTRAL,
		.reason = signature->reason,
		.domain = signature->domain,
		.selector = signature->selector,
		.identity = signature->identity,
		.algorithm = signature->algorithm,
		.signed_names = signature->names,
		.n_signed = signature->n_names,
		.signed_at = signature->signed_at,
		.expires_at = signature->expires_at,
		.at = field->at,
	};
	if (signature->n_names > 0)
		ret->flags = coverage(message, signature);
	if (signature->length != CANON_ALL)
		ret->flags |= DKIM_LENGTH;
}

/* -- Reading and hashing ---- */

static enum err read_one(struct dkim *dkim, size_t index)
{
	struct canon_message *message = dkim->message;
	struct dkim_signature *entry = &dkim->signatures[dkim->count++];
	struct dkim_check *check = &dkim->checks[dkim->n_checks];
	const struct canon_field *field = &message->fields[index];
	TRY(signature_read(message->arena, field, SIGNATURE_DKIM, dkim->options.now, &check->signature));
	describe(message, field, &check->signature, entry);
	if (check->signature.state != SIGNATURE_SOUND)
		return ERR_OK;
	entry->result = DKIM_POLICY;
	if (message->too_large) {
		entry->reason = BYTES_LIT("not checked: the header is too large");
		return ERR_OK;
	}
	if (dkim->n_checks >= dkim->options.verify_max) {
		entry->reason = BYTES_LIT("not checked: there are too many signatures");
		return ERR_OK;
	}
	check->entry = entry;
	dkim->n_checks++;
	return signature_digest(message, &check->signature, index, check->digest);
}

static enum err hash_bodies(struct dkim *dkim)
{
	struct arena *arena = dkim->message->arena;
	size_t n = dkim->n_checks;
	struct canon_want *wants = arena_new(arena, struct canon_want, n + 1);
	struct canon_body *bodies = arena_new(arena, struct canon_body, n + 1);
	if (!wants || !bodies)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct signature *signature = &dkim->checks[i].signature;
		wants[i] = (struct canon_want){signature->body, signature->length};
	}
	TRY(canon_body_hash(dkim->message, wants, n, bodies));
	for (size_t i = 0; i < n; i++) {
		struct dkim_check *check = &dkim->checks[i];
		check->body_changed =
			!bytes_eq(check->signature.body_hash, bytes_make(bodies[i].digest, sizeof(bodies[i].digest)));
		if (check->signature.length == CANON_ALL)
			continue;
		check->body_short = check->signature.length > bodies[i].length;
		if (check->signature.length < bodies[i].length) {
			check->entry->flags |= DKIM_PARTIAL;
			check->entry->body_uncovered = bodies[i].length - check->signature.length;
		}
	}
	return ERR_OK;
}

enum err dkim_begin(struct canon_message *message, const struct dkim_options *options, struct dkim **ret_dkim)
{
	const struct canon_name *name = canon_message_name(message, BYTES_LIT("dkim-signature"));
	size_t there = name ? name->count : 0, n = MIN(there, (size_t)DKIM_SIGNATURES_MAX);
	size_t left_out = there - n + canon_message_beyond(message, BYTES_LIT("dkim-signature"));
	struct dkim *dkim = arena_new(message->arena, struct dkim, 1);
	if (!dkim)
		return ERR_NOMEM;
	*dkim = (struct dkim){.message = message, .options = *options};
	dkim->signatures = arena_new(message->arena, struct dkim_signature, n + 1);
	dkim->checks = arena_new(message->arena, struct dkim_check, n + 1);
	if (!dkim->signatures || !dkim->checks)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) /* names have the lowest field first */
		TRY(read_one(dkim, name->fields[there - 1 - i]));
	TRY(hash_bodies(dkim));
	if (left_out > 0) {
		struct bytes reason = arena_printf(message->arena, "%zu more signature%s left out", left_out,
						   left_out == 1 ? " was" : "s were");
		if (!reason.ptr)
			return ERR_NOMEM;
		dkim->signatures[dkim->count++] = (struct dkim_signature){
			.result = DKIM_POLICY, .reason = reason, .signed_at = -1, .expires_at = -1};
	}
	*ret_dkim = dkim;
	return ERR_OK;
}

/* -- Checking ---- */

static enum err finish(struct dkim *dkim, struct dkim_check *check, const struct dns_answer *answer)
{
	struct arena *arena = dkim->message->arena;
	struct dkim_signature *entry = check->entry;
	struct signature_verdict verdict;
	TRY(signature_check(arena, &check->signature, check->digest, answer, dkim->options.keys, &verdict));
	if (verdict.result == DKIM_PASS && (check->body_changed || check->body_short)) {
		verdict.result = DKIM_FAIL;
		verdict.reason = check->body_short ? BYTES_LIT("the body is shorter than l= says")
						   : BYTES_LIT("the body was changed; the signed fields were not");
	} else if (verdict.result == DKIM_FAIL && check->body_changed) {
		verdict.reason = BYTES_LIT("header and body are not those that were signed");
	}
	if (verdict.result == DKIM_PASS && dkim->message->junk) {
		/* Who adds such a line can show text of his own above what was signed. */
		verdict.result = DKIM_POLICY;
		verdict.reason = BYTES_LIT("the signature is good, but a line of the header is no field");
	}
	entry->result = verdict.result;
	entry->reason = verdict.reason;
	if (verdict.result == DKIM_PASS && entry->body_uncovered > 0)
		entry->reason =
			arena_printf(arena, "the signature is good, but does not cover the last %llu bytes of the body",
				     (unsigned long long)entry->body_uncovered);
	if (verdict.testing && entry->reason.ptr)
		entry->reason = arena_printf(arena, "%.*s (the key is on trial)", BYTES_FMT(entry->reason));
	entry->key_bits = verdict.key_bits;
	entry->flags |= (verdict.testing ? (unsigned)DKIM_TESTING : 0) | (verdict.strict ? (unsigned)DKIM_STRICT : 0);
	return entry->reason.ptr ? ERR_OK : ERR_NOMEM;
}

enum err dkim_step(struct dkim *dkim, const struct dns_host *host, enum auth_step *ret_step)
{
	*ret_step = AUTH_DONE;
	for (size_t i = 0; i < dkim->n_checks; i++)
		if (!dns_ask(host, DNS_TXT, dkim->checks[i].signature.question))
			*ret_step = AUTH_WAIT;
	if (*ret_step == AUTH_WAIT)
		return ERR_OK;
	for (size_t i = 0; i < dkim->n_checks; i++) {
		const struct dns_answer *answer = dns_ask(host, DNS_TXT, dkim->checks[i].signature.question);
		if (!answer)
			*ret_step = AUTH_WAIT;
		else
			TRY(finish(dkim, &dkim->checks[i], answer));
	}
	return ERR_OK;
}
