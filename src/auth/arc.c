/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/arc.h"

#include <stdarg.h>
#include <stdio.h>

#include "auth/arc_text.h"
#include "auth/authres.h"
#include "auth/signature.h"
#include "base/arena.h"
#include "base/num.h"

#include "base/banned.h"

/* The two signatures of one set. */
struct arc_check {
	struct signature message, seal;
	uint8_t message_digest[CRYPTO_SHA256_LEN], seal_digest[CRYPTO_SHA256_LEN];
	bool body_changed;
};

const char *arc_result_name(enum arc_result result)
{
	static const char *const names[] = {[ARC_NONE] = "none", [ARC_PASS] = "pass", [ARC_FAIL] = "fail"};
	return names[result];
}

/* -- Collecting the sets ---- */

struct collector {
	struct arc *arc;
	struct arena *arena;
	struct arc_check *checks; /* ARC_SETS_MAX of them, instance 1 first, as the sets */
};

/* The first thing that is wrong counts. */
PRINTF_LIKE(2, 3) static void fail(struct arc *arc, const char *fmt, ...)
{
	char text[200];
	if (arc->result == ARC_FAIL)
		return;
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	arc->result = ARC_FAIL;
	arc->reason = arena_printf(arc->message->arena, "%s", text);
}

enum kind { RESULTS, MESSAGE, SEAL };
static const struct {
	struct bytes key;
	const char *name;
} kinds[] = {
	[RESULTS] = {BYTES_INIT("arc-authentication-results"), "ARC-Authentication-Results"},
	[MESSAGE] = {BYTES_INIT("arc-message-signature"), "ARC-Message-Signature"},
	[SEAL] = {BYTES_INIT("arc-seal"), "ARC-Seal"},
};

static size_t *place(struct arc_set *set, enum kind kind)
{
	return kind == RESULTS ? &set->results : kind == MESSAGE ? &set->signature : &set->seal;
}

static enum err read_signature(struct collector *collector, enum kind kind, const struct canon_field *field,
			       unsigned *ret_instance)
{
	struct arc *arc = collector->arc;
	struct signature signature;
	TRY(signature_read(collector->arena, field, kind == MESSAGE ? SIGNATURE_ARC_MESSAGE : SIGNATURE_ARC_SEAL,
			   arc->options.now, &signature));
	*ret_instance = signature.instance;
	/* A seal that a rule refuses breaks the chain; of older message signatures that need not be so. */
	if (signature.state == SIGNATURE_BROKEN || (signature.state == SIGNATURE_REFUSED && kind == SEAL))
		fail(arc, "%s: %.*s", kinds[kind].name, BYTES_FMT(signature.reason));
	if (signature.instance == 0)
		return ERR_OK;
	struct arc_set *set = &arc->sets[signature.instance - 1];
	struct arc_check *check = &collector->checks[signature.instance - 1];
	if (*place(set, kind) != SIZE_MAX)
		return ERR_OK;
	if (kind == MESSAGE) {
		check->message = signature;
	} else {
		check->seal = signature;
		set->domain = signature.domain;
		set->selector = signature.selector;
	}
	return ERR_OK;
}

static enum err read_results(struct collector *collector, const struct canon_field *field, unsigned *ret_instance)
{
	struct arc *arc = collector->arc;
	struct authres authres;
	struct bytes text;
	*ret_instance = arc_text_instance(field->value, &text);
	if (*ret_instance == 0) {
		fail(arc, "%s: it does not begin with an instance from 1 to %d", kinds[RESULTS].name, ARC_SETS_MAX);
		return ERR_OK;
	}
	struct arc_set *set = &arc->sets[*ret_instance - 1];
	if (set->results != SIZE_MAX)
		return ERR_OK;
	TRY(authres_parse(collector->arena, text, &authres));
	set->text = text;
	set->authserv_id = authres.id;
	return ERR_OK;
}

/* All fields of one kind. Of more than can be in a chain the lowest, which are the oldest, are read. */
static enum err collect(struct collector *collector, enum kind kind)
{
	struct arc *arc = collector->arc;
	const struct canon_name *name = canon_message_name(arc->message, kinds[kind].key);
	size_t n = name ? MIN(name->count, (size_t)ARC_SETS_MAX) : 0;
	if (name && name->count > ARC_SETS_MAX) {
		fail(arc, "there are more than %d fields %s", ARC_SETS_MAX, kinds[kind].name);
		arc->chain = ARC_SETS_MAX;
	}
	for (size_t i = 0; i < n; i++) {
		const struct canon_field *field = &arc->message->fields[name->fields[i]];
		unsigned instance;
		if (kind == RESULTS)
			TRY(read_results(collector, field, &instance));
		else
			TRY(read_signature(collector, kind, field, &instance));
		if (instance == 0)
			continue;
		size_t *at = place(&arc->sets[instance - 1], kind);
		if (*at != SIZE_MAX)
			fail(arc, "%s: instance %u is there twice", kinds[kind].name, instance);
		else
			*at = name->fields[i];
		arc->chain = MAX(arc->chain, instance);
	}
	return ERR_OK;
}

/* RFC 8617 5.2, step 3. */
static void check_structure(struct arc *arc, const struct arc_check *checks)
{
	const struct arc_check *newest = arc->chain ? &checks[arc->chain - 1] : NULL;
	if (newest && bytes_eq(newest->seal.cv, BYTES_LIT("fail"))) {
		arc->sealed_fail = true;
		fail(arc, "the newest seal says that the chain failed before");
	}
	for (unsigned i = 1; i <= arc->chain && arc->result != ARC_FAIL; i++) {
		struct arc_set *set = &arc->sets[i - 1];
		for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++)
			if (*place(set, (enum kind)kind) == SIZE_MAX)
				fail(arc, "%s: instance %u is missing", kinds[kind].name, i);
		if (arc->result != ARC_FAIL &&
		    !bytes_eq(checks[i - 1].seal.cv, i == 1 ? BYTES_LIT("none") : BYTES_LIT("pass")))
			fail(arc, "ARC-Seal: cv= of instance %u is not \"%s\"", i, i == 1 ? "none" : "pass");
	}
}

/* -- Hashing ---- */

static enum err hash_messages(struct arc *arc)
{
	struct arena *arena = arc->message->arena;
	struct canon_want *wants = arena_new(arena, struct canon_want, arc->chain);
	struct canon_body *bodies = arena_new(arena, struct canon_body, arc->chain);
	if (!wants || !bodies)
		return ERR_NOMEM;
	for (unsigned i = 0; i < arc->chain; i++) {
		struct arc_check *check = &arc->checks[i];
		wants[i] = (struct canon_want){check->message.body, check->message.length};
		TRY(signature_digest(arc->message, &check->message, arc->sets[i].signature, check->message_digest));
	}
	TRY(canon_body_hash(arc->message, wants, arc->chain, bodies));
	for (unsigned i = 0; i < arc->chain; i++) {
		const struct signature *signature = &arc->checks[i].message;
		arc->checks[i].body_changed =
			!bytes_eq(signature->body_hash, bytes_make(bodies[i].digest, sizeof(bodies[i].digest))) ||
			(signature->length != CANON_ALL && signature->length > bodies[i].length);
	}
	return ERR_OK;
}

/* A seal is over all sets up to its own, each in the order results, signature, seal (RFC 8617 5.1.1). */
static enum err hash_seals(struct arc *arc)
{
	CLEANUP(crypto_hash_free) struct crypto_hash *hash = crypto_hash_new();
	const struct canon_field *fields = arc->message->fields;
	if (!hash)
		return ERR_NOMEM;
	for (unsigned i = 0; i < arc->chain; i++) {
		const struct arc_set *set = &arc->sets[i];
		struct arc_check *check = &arc->checks[i];
		canon_field_hash(hash, CANON_RELAXED, fields[set->results].raw);
		canon_field_hash(hash, CANON_RELAXED, fields[set->signature].raw);
		CLEANUP(crypto_hash_free) struct crypto_hash *own = crypto_hash_clone(hash);
		if (!own)
			return ERR_NOMEM;
		canon_signature_hash(own, CANON_RELAXED, fields[set->seal].raw, check->seal.from, check->seal.to);
		crypto_hash_finish(own, check->seal_digest);
		canon_field_hash(hash, CANON_RELAXED, fields[set->seal].raw);
	}
	return ERR_OK;
}

static bool has_fields(const struct canon_message *message)
{
	for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++)
		if (canon_message_name(message, kinds[kind].key))
			return true;
	return false;
}

enum err arc_begin(struct canon_message *message, const struct arc_options *options, struct arc **ret_arc)
{
	struct arc *arc = arena_new(message->arena, struct arc, 1);
	if (!arc)
		return ERR_NOMEM;
	*arc = (struct arc){.message = message, .options = *options, .reason = BYTES_LIT("there is no chain")};
	*ret_arc = arc;
	if (!has_fields(message))
		return ERR_OK;
	arc->sets = arena_new(message->arena, struct arc_set, ARC_SETS_MAX);
	struct collector collector = {.arc = arc, .arena = message->arena};
	collector.checks = arena_new(message->arena, struct arc_check, ARC_SETS_MAX);
	if (!arc->sets || !collector.checks)
		return ERR_NOMEM;
	for (size_t i = 0; i < ARC_SETS_MAX; i++)
		arc->sets[i] = (struct arc_set){.results = SIZE_MAX, .signature = SIZE_MAX, .seal = SIZE_MAX};
	for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++)
		TRY(collect(&collector, (enum kind)kind));
	if (message->too_large)
		fail(arc, "the header is too large");
	if (message->junk)
		fail(arc, "a line of the header is no field");
	check_structure(arc, collector.checks);
	if (arc->result == ARC_FAIL && !arc->reason.ptr)
		return ERR_NOMEM;
	if (arc->result == ARC_FAIL)
		return ERR_OK;
	arc->checks = collector.checks;
	TRY(hash_messages(arc));
	TRY(hash_seals(arc));
	if (!arc->checks[arc->chain - 1].body_changed)
		return ERR_OK;
	/* No key can make that good, so none is asked for. */
	arc->checks = NULL;
	fail(arc, "%s: instance %u: the body was changed", kinds[MESSAGE].name, arc->chain);
	return arc->reason.ptr ? ERR_OK : ERR_NOMEM;
}

/* -- Checking ---- */

/* *ret_verdict of one signature of a set. False when the key is not there yet. */
static enum err check(struct arc *arc, unsigned instance, enum kind kind, const struct dns_host *host,
		      struct signature_verdict *ret_verdict)
{
	const struct arc_check *set = &arc->checks[instance - 1];
	const struct signature *signature = kind == SEAL ? &set->seal : &set->message;
	if (signature->state != SIGNATURE_SOUND) {
		*ret_verdict = (struct signature_verdict){.result = DKIM_POLICY, .reason = signature->reason};
		return ERR_OK;
	}
	const struct dns_answer *answer = dns_ask(host, DNS_TXT, signature->question);
	if (!answer)
		return ERR_AGAIN;
	TRY(signature_check(arc->message->arena, signature, kind == SEAL ? set->seal_digest : set->message_digest,
			    answer, arc->options.keys, ret_verdict));
	if (kind == MESSAGE && set->body_changed && ret_verdict->result == DKIM_PASS) {
		ret_verdict->result = DKIM_FAIL;
		ret_verdict->reason = BYTES_LIT("the body was changed");
	}
	return ERR_OK;
}

static enum err refuse(struct arc *arc, enum kind kind, unsigned instance, const struct signature_verdict *verdict)
{
	arc->temporary = verdict->result == DKIM_TEMPERROR;
	fail(arc, "%s: instance %u: %.*s", kinds[kind].name, instance, BYTES_FMT(verdict->reason));
	return arc->reason.ptr ? ERR_OK : ERR_NOMEM;
}

/* RFC 8617 5.2, steps 4 to 7. */
static enum err judge(struct arc *arc, const struct dns_host *host)
{
	struct signature_verdict verdict;
	arc->oldest_pass = 0;
	TRY(check(arc, arc->chain, MESSAGE, host, &verdict));
	if (verdict.result != DKIM_PASS)
		return refuse(arc, MESSAGE, arc->chain, &verdict);
	for (unsigned i = arc->chain - 1; i > 0; i--) {
		TRY(check(arc, i, MESSAGE, host, &verdict));
		if (verdict.result != DKIM_PASS) {
			arc->oldest_pass = i + 1;
			break;
		}
	}
	for (unsigned i = arc->chain; i > 0; i--) {
		TRY(check(arc, i, SEAL, host, &verdict));
		if (verdict.result != DKIM_PASS)
			return refuse(arc, SEAL, i, &verdict);
	}
	arc->result = ARC_PASS;
	arc->reason = BYTES_LIT("the chain is good");
	return ERR_OK;
}

bool arc_asks(const struct arc *arc)
{
	return arc->checks != NULL;
}

enum err arc_step(struct arc *arc, const struct dns_host *host, enum auth_step *ret_step)
{
	*ret_step = AUTH_DONE;
	if (!arc_asks(arc))
		return ERR_OK;
	for (unsigned i = 0; i < arc->chain; i++) {
		const struct arc_check *set = &arc->checks[i];
		const struct signature *both[] = {&set->message, &set->seal};
		for (size_t j = 0; j < ARRAY_LEN(both); j++)
			if (both[j]->state == SIGNATURE_SOUND && !dns_ask(host, DNS_TXT, both[j]->question))
				*ret_step = AUTH_WAIT;
	}
	if (*ret_step == AUTH_WAIT)
		return ERR_OK;
	arc->result = ARC_NONE;
	enum err err = judge(arc, host);
	if (err != ERR_AGAIN)
		return err;
	*ret_step = AUTH_WAIT;
	return ERR_OK;
}
