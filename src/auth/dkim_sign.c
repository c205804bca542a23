/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dkim.h"

#include "auth/fold.h"
#include "auth/sign_names.h"
#include "base/arena.h"
#include "base/ascii.h"
#include "base/num.h"

#include "base/banned.h"

#define EXPIRE_MAX ((int64_t)1 << 40)

/* -- What is asked for ---- */

/* i= in dkim-quoted-printable (RFC 6376 2.11). */
static enum err write_identity(const struct dkim_sign_options *options, struct buf *buf, struct error *reterr)
{
	struct bytes identity = options->identity;
	size_t at = bytes_rfind_byte(identity, '@');
	struct bytes host = bytes_from(identity, at == BYTES_NONE ? identity.len : at + 1);
	if (at == BYTES_NONE || !bytes_ends_nocase(host, options->domain) || !sign_domain_valid(host) ||
	    (host.len > options->domain.len && host.ptr[host.len - options->domain.len - 1] != '.'))
		return error_set(reterr, ERR_SYNTAX, 0,
				 "the identity must be of the signing domain: [local]@[sub.]domain");
	for (size_t i = 0; i < identity.len; i++) {
		uint8_t c = identity.ptr[i];
		if (c > ' ' && c < 0x7f && c != ';' && c != '=')
			buf_add_byte(buf, c);
		else
			buf_printf(buf, "=%02X", c);
	}
	return buf->len > FOLD_PIECE_MAX - 10 ? error_set(reterr, ERR_SYNTAX, 0, "the identity is too long") : ERR_OK;
}

static enum err check_options(const struct canon_message *message, const struct dkim_sign_options *options,
			      struct error *reterr)
{
	TRY(sign_key_valid(options->domain, options->selector, reterr));
	TRY(sign_message_valid(message, reterr));
	if (!canon_message_name(message, BYTES_LIT("from")))
		return error_set(reterr, ERR_SYNTAX, 0, "the message has no From field, which must be signed");
	if (options->now < 0 || options->expire < 0 || options->expire > EXPIRE_MAX || options->now > EXPIRE_MAX)
		return error_set(reterr, ERR_SYNTAX, 0, "a time out of range");
	return ERR_OK;
}

/* -- Writing ---- */

/* The field up to "b=", which begins a line of its own: so its length moves nothing before it. */
static enum err write_field(struct canon_message *message, enum crypto_type type,
			    const struct dkim_sign_options *options, const struct sign_names *names, struct buf *buf,
			    struct error *reterr)
{
	CLEANUP(buf_done) struct buf identity = BUF_INIT(4096);
	struct fold fold = fold_begin(buf, "DKIM-Signature", message->crlf);
	struct canon_body body;
	if (options->identity.len > 0)
		TRY(write_identity(options, &identity, reterr));
	TRY(buf_err(&identity));
	TRY(canon_body_hash(message, &(struct canon_want){options->body, CANON_ALL}, 1, &body));
	fold_printf(&fold, "v=1;");
	fold_printf(&fold, "a=%s;", sign_algorithm(type));
	fold_printf(&fold, "c=%s;", sign_canon(options->header, options->body));
	fold_printf(&fold, "d=%.*s;", BYTES_FMT(options->domain));
	fold_printf(&fold, "s=%.*s;", BYTES_FMT(options->selector));
	if (identity.len > 0)
		fold_printf(&fold, "i=%.*s;", BYTES_FMT(buf_bytes(&identity)));
	fold_printf(&fold, "t=%lld;", (long long)options->now);
	if (options->expire > 0)
		fold_printf(&fold, "x=%lld;", (long long)(options->now + options->expire));
	fold_names(&fold, names->items, names->count);
	fold_printf(&fold, "bh=");
	fold_base64(&fold, bytes_make(body.digest, sizeof(body.digest)), false);
	buf_add_byte(buf, ';');
	fold_break(&fold);
	buf_add_cstr(buf, "b=");
	return buf_err(buf);
}

enum err dkim_sign_prepare(struct canon_message *message, enum crypto_type type,
			   const struct dkim_sign_options *options, struct dkim_draft *ret_draft, struct error *reterr)
{
	CLEANUP(crypto_hash_free) struct crypto_hash *hash = NULL;
	CLEANUP(buf_done) struct buf buf = BUF_INIT(FOLD_FIELD_MAX);
	struct sign_names names;
	TRY(check_options(message, options, reterr));
	TRY(sign_names_make(message, options->names, options->n_names, options->oversign, options->n_oversign, false,
			    &names, reterr));
	TRY(write_field(message, type, options, &names, &buf, reterr));
	hash = crypto_hash_new();
	*ret_draft = (struct dkim_draft){
		.text = arena_copy(message->arena, buf_bytes(&buf)), .crlf = message->crlf, .arena = message->arena};
	if (!hash || !ret_draft->text.ptr)
		return ERR_NOMEM;
	TRY(canon_header_hash(message, hash, options->header, names.items, names.count, SIZE_MAX));
	canon_signature_hash(hash, options->header, ret_draft->text, ret_draft->text.len, ret_draft->text.len);
	crypto_hash_finish(hash, ret_draft->digest);
	return ERR_OK;
}

enum err dkim_sign_finish(const struct dkim_draft *draft, struct bytes signature, struct bytes *ret_field)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(FOLD_FIELD_MAX + ((size_t)64 << 10));
	struct fold fold = {.buf = &buf, .column = 2, .crlf = draft->crlf};
	buf_add(&buf, draft->text);
	fold_base64(&fold, signature, false);
	fold_end(&fold);
	TRY(buf_err(&buf));
	*ret_field = arena_copy(draft->arena, buf_bytes(&buf));
	return ret_field->ptr ? ERR_OK : ERR_NOMEM;
}

enum err dkim_sign(struct canon_message *message, struct crypto_key *key, const struct dkim_sign_options *options,
		   struct bytes *ret_field, struct error *reterr)
{
	struct dkim_draft draft;
	uint8_t signature[CRYPTO_SIGNATURE_MAX];
	size_t len;
	TRY(dkim_sign_prepare(message, crypto_key_type(key), options, &draft, reterr));
	enum err err = crypto_sign(key, draft.digest, signature, &len);
	if (err != ERR_OK)
		return error_set(reterr, err, 0, "the key cannot sign");
	return dkim_sign_finish(&draft, bytes_make(signature, len), ret_field);
}
