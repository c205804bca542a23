/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/scanner_sign.h"

#include "auth/arc.h"
#include "auth/dkim.h"
#include "base/arena.h"
#include "base/buf.h"
#include "scan/auth.h"

#include "base/banned.h"

struct signing {
	struct arena *arena;
	const struct keyring_key *keys[KEYRING_SIGNERS]; /* of the drafts, or of the seal */
	struct dkim_draft drafts[KEYRING_SIGNERS];
	size_t n_drafts, next; /* those before `next` are finished */
	bool sealing;
	struct arc_seal seal;
	struct bytes fields;
};

static enum err add_fields(struct signing *signing, struct bytes fields)
{
	struct bytes all = arena_printf(signing->arena, "%.*s%.*s", BYTES_FMT(fields), BYTES_FMT(signing->fields));
	if (!all.ptr)
		return ERR_NOMEM;
	signing->fields = all;
	return ERR_OK;
}

/* -- DKIM: our own mail goes out ---- */

/*
 * The message as it will leave: the proxy makes CRLF of every CR and LF. What came by milter leaves as the mail server
 * has it.
 */
static enum err outgoing_form(struct arena *arena, const struct scan_case *scan_case, struct bytes *ret_message)
{
	struct bytes message = scan_case->message;
	size_t n = 0;
	*ret_message = message;
	if (!bytes_eq(scan_case->envelope.frontend, BYTES_LIT("smtp")))
		return ERR_OK;
	for (size_t i = 0; i < message.len; i++)
		n += message.ptr[i] == '\r' && (i + 1 == message.len || message.ptr[i + 1] != '\n');
	if (n == 0)
		return ERR_OK;
	uint8_t *text = arena_alloc_raw(arena, message.len + n);
	if (!text)
		return ERR_NOMEM;
	*ret_message = bytes_make(text, message.len + n);
	for (size_t i = 0; i < message.len; i++) {
		*text++ = message.ptr[i];
		if (message.ptr[i] == '\r' && (i + 1 == message.len || message.ptr[i + 1] != '\n'))
			*text++ = '\n';
	}
	return ERR_OK;
}

static enum err draft_signatures(struct signing *signing, const struct signing_input *input)
{
	struct canon_message *message;
	struct bytes outgoing;
	size_t n = keyring_signers(input->ring, input->author, signing->keys);
	if (n == 0)
		return ERR_OK;
	TRY(outgoing_form(signing->arena, input->scan_case, &outgoing));
	TRY(canon_message_read(signing->arena, outgoing, &message));
	for (size_t i = 0; i < n; i++) {
		const struct keyring_key *key = signing->keys[i];
		const struct dkim_sign_options options = {.domain = key->domain,
							  .selector = key->selector,
							  .header = CANON_RELAXED,
							  .body = CANON_RELAXED,
							  .now = input->now};
		enum err err = dkim_sign_prepare(message, key->type, &options, &signing->drafts[i], NULL);
		if (err == ERR_SYNTAX)
			return ERR_OK; /* nobody could sign this message */
		TRY(err);
		if (signing->drafts[i].text.len > SIGNING_FIELDS_MAX / KEYRING_SIGNERS - 2048)
			return ERR_OK;
	}
	signing->n_drafts = n;
	return ERR_OK;
}

/* -- ARC: mail of others goes on ---- */

/* A chain that holds is continued; the first seal says something only where the message was proven to be somebody's. */
static bool is_worth_it(const struct scan_auth *auth)
{
	if (auth->arc->result != ARC_NONE)
		return auth->arc->result == ARC_PASS;
	bool proven = auth->dmarc.code == DMARC_PASS || (auth->has_spf && auth->spf.code == SPF_PASS);
	for (size_t i = 0; i < auth->dkim->count; i++)
		proven = proven || auth->dkim->signatures[i].result == DKIM_PASS;
	return proven;
}

static enum err draft_seal(struct signing *signing, const struct signing_input *input)
{
	CLEANUP(buf_done) struct buf results = BUF_INIT(SIGNING_FIELDS_MAX);
	const struct scan_auth *auth = scan_auth_result(input->scan);
	struct bytes outgoing;
	struct keyring_key *key = keyring_in_state(input->ring, input->arc_domain, CRYPTO_RSA, KEYRING_ACTIVE);
	if (!key)
		key = keyring_in_state(input->ring, input->arc_domain, CRYPTO_ED25519, KEYRING_ACTIVE);
	if (!key || auth == &scan_auth_unknown || auth->arc->temporary || !is_worth_it(auth))
		return ERR_OK;
	TRY(outgoing_form(signing->arena, input->scan_case, &outgoing));
	if (outgoing.len != input->scan_case->message.len)
		return ERR_OK; /* the proxy mends its line ends: what was checked is not what goes on */
	scan_auth_field(&results, auth, input->authserv_id);
	TRY(buf_err(&results));
	const struct arc_seal_options options = {.domain = key->domain,
						 .selector = key->selector,
						 .authserv_id = input->authserv_id,
						 .results = arena_copy(signing->arena, buf_bytes(&results)),
						 .header = CANON_RELAXED,
						 .body = CANON_RELAXED,
						 .now = input->now};
	if (!options.results.ptr)
		return ERR_NOMEM;
	enum err err = arc_seal_begin(auth->arc, key->type, &options, &signing->seal, NULL);
	if (err == ERR_SYNTAX)
		return ERR_OK;
	signing->keys[0] = key;
	signing->sealing = err == ERR_OK && !signing->seal.done;
	return err;
}

/* -- Steps ---- */

enum err signing_begin(struct arena *arena, const struct signing_input *input, struct signing **ret_signing)
{
	struct signing *signing = NULL;
	*ret_signing = NULL;
	if (input->right == SIGN_NOTHING || input->ring->count == 0)
		return ERR_OK;
	if (!(signing = arena_new(arena, struct signing, 1)))
		return ERR_NOMEM;
	signing->arena = arena;
	TRY(input->right == SIGN_AS_AUTHOR ? draft_signatures(signing, input) : draft_seal(signing, input));
	if (signing->n_drafts > 0 || signing->sealing)
		*ret_signing = signing;
	return ERR_OK;
}

bool signing_want(const struct signing *signing, struct wire_sign *ret_sign)
{
	if (!signing->sealing && signing->next == signing->n_drafts)
		return false;
	const struct keyring_key *key = signing->keys[signing->sealing ? 0 : signing->next];
	*ret_sign = (struct wire_sign){
		.seal = signing->sealing,
		.domain = key->domain,
		.selector = key->selector,
		.digest = bytes_make(signing->sealing ? signing->seal.digest : signing->drafts[signing->next].digest,
				     CRYPTO_SHA256_LEN)};
	return true;
}

enum err signing_add(struct signing *signing, struct bytes signature)
{
	if (signing->sealing) {
		TRY(arc_seal_signed(&signing->seal, signature));
		if (!signing->seal.done)
			return ERR_OK;
		signing->sealing = false;
		return signing->seal.fields.len <= SIGNING_FIELDS_MAX ? add_fields(signing, signing->seal.fields)
								      : ERR_OK;
	}
	struct bytes field;
	TRY(dkim_sign_finish(&signing->drafts[signing->next++], signature, &field));
	return add_fields(signing, field);
}

struct bytes signing_fields(const struct signing *signing)
{
	return signing->fields;
}
