/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/arc.h"

#include "auth/arc_text.h"
#include "auth/authres.h"
#include "auth/fold.h"
#include "auth/sign_names.h"
#include "auth/tags.h"
#include "base/arena.h"

#include "base/banned.h"

#define TIME_MAX ((int64_t)1 << 40)

/*
 * A field with b= in its middle: `before` ends in "b=", which begins a line, and `after` begins one, so that no line
 * depends on how long the signature is. The value of b= itself is not folded: relaxed canonicalisation would leave a
 * blank at each fold, and the seal is over the message signature; so all who sign the same make the same seal.
 */
struct draft {
	struct bytes before, after;
};

struct arc_seal_work {
	const struct arc *arc;
	struct arena *arena;
	bool crlf, sealing; /* `sealing`: the message signature is there, the seal is signed */
	struct bytes results, signature;
	struct draft draft;
	struct arc_seal_options options;
	enum crypto_type type;
	unsigned instance;
	const char *cv;
};

/* -- ARC-Authentication-Results ---- */

/* Words between blanks, folded anew. A word that is too long for any line is left out with its whole field. */
static bool foldable(struct bytes text)
{
	size_t run = 0;
	for (size_t i = 0; i < text.len; i++) {
		run = tag_is_blank(text.ptr[i]) ? 0 : run + 1;
		if (run > FOLD_PIECE_MAX - 1)
			return false;
	}
	return true;
}

/* Whether comments and quoted strings end in it: else the field is left out, since they would swallow what follows. */
static bool closes(struct bytes text)
{
	bool quoted = false;
	size_t depth = 0;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];
		if (c == '\\') {
			if (++i == text.len)
				return false;
		} else if (c == '"' && depth == 0) {
			quoted = !quoted;
		} else if (c == '(' && !quoted) {
			depth++;
		} else if (c == ')' && depth > 0) {
			depth--;
		}
	}
	return depth == 0 && !quoted;
}

static void write_words(struct fold *fold, struct bytes text)
{
	for (size_t at = 0; at < text.len;) {
		size_t start = at;
		while (at < text.len && !tag_is_blank(text.ptr[at]))
			at++;
		if (at > start)
			fold_piece(fold, bytes_sub(text, start, at - start));
		while (at < text.len && tag_is_blank(text.ptr[at]))
			at++;
	}
}

/* The results of one field of ours; false when it is not ours or says nothing. */
static bool our_results(struct arena *arena, struct bytes value, struct bytes id, struct bytes *ret)
{
	struct authres authres;
	struct arena_mark mark = arena_mark(arena);
	bool ours = authres_parse(arena, value, &authres) == ERR_OK && bytes_eq_nocase(authres.id, id);
	arena_rewind(arena, mark);
	*ret = arc_text_results(value);
	return ours && ret->len > 0 && !bytes_eq_nocase(*ret, BYTES_LIT("none")) && foldable(*ret) && closes(*ret);
}

static enum err write_results(struct arc_seal_work *work)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(FOLD_FIELD_MAX + FOLD_FIELD_MAX / 2);
	struct fold fold = fold_begin(&buf, "ARC-Authentication-Results", work->crlf);
	const struct canon_message *message = work->arc->message;
	const struct canon_name *name = canon_message_name(message, BYTES_LIT("authentication-results"));
	struct bytes id = work->options.authserv_id, results;
	const struct bytes *given = work->options.results.ptr ? &work->options.results : NULL;
	bool any = false;
	fold_printf(&fold, "i=%u;", work->instance);
	fold_printf(&fold, "%.*s;", BYTES_FMT(id));
	for (size_t i = given ? 1 : name ? name->count : 0; i > 0; i--) { /* the top first */
		struct bytes value = given ? *given : message->fields[name->fields[i - 1]].value;
		if (!our_results(work->arena, value, id, &results))
			continue;
		if (any) {
			buf_add_byte(&buf, ';');
			fold.column++;
		}
		write_words(&fold, results);
		any = true;
	}
	if (!any)
		fold_printf(&fold, "none");
	fold_end(&fold);
	TRY(buf_err(&buf));
	work->results = arena_copy(work->arena, buf_bytes(&buf));
	return work->results.ptr ? ERR_OK : ERR_NOMEM;
}

/* -- Drafts ---- */

static struct fold begin_draft(struct arc_seal_work *work, struct buf *buf, const char *name)
{
	struct fold fold = fold_begin(buf, name, work->crlf);
	fold_printf(&fold, "a=%s;", sign_algorithm(work->type));
	fold_break(&fold);
	buf_add_cstr(buf, "b=");
	return fold;
}

static enum err end_draft(struct arc_seal_work *work, struct buf *buf, size_t split)
{
	TRY(buf_err(buf));
	struct bytes text = arena_copy(work->arena, buf_bytes(buf));
	if (!text.ptr)
		return ERR_NOMEM;
	work->draft = (struct draft){bytes_sub(text, 0, split), bytes_from(text, split)};
	return ERR_OK;
}

static enum err add_signature(struct arc_seal_work *work, struct bytes signature, struct bytes *ret_field)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(FOLD_FIELD_MAX + ((size_t)64 << 10));
	struct fold fold = {.buf = &buf, .column = 2, .crlf = work->crlf};
	buf_add(&buf, work->draft.before);
	fold_base64(&fold, signature, true);
	buf_add(&buf, work->draft.after);
	TRY(buf_err(&buf));
	*ret_field = arena_copy(work->arena, buf_bytes(&buf));
	return ret_field->ptr ? ERR_OK : ERR_NOMEM;
}

/* The draft as a whole, and what of it is b='s. */
static void hash_draft(const struct arc_seal_work *work, struct crypto_hash *hash, enum canon canon)
{
	struct bytes raw = bytes_make(work->draft.before.ptr, work->draft.before.len + work->draft.after.len);
	canon_signature_hash(hash, canon, bytes_chomp(raw), work->draft.before.len, work->draft.before.len);
}

static enum err draft_signature(struct arc_seal_work *work, uint8_t ret_digest[static CRYPTO_SHA256_LEN],
				struct error *reterr)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(FOLD_FIELD_MAX);
	CLEANUP(crypto_hash_free) struct crypto_hash *hash = crypto_hash_new();
	const struct arc_seal_options *options = &work->options;
	struct canon_message *message = work->arc->message;
	struct sign_names names;
	struct canon_body body;
	TRY(sign_names_make(message, options->names, options->n_names, NULL, 0, true, &names, reterr));
	for (size_t i = 0; i < names.count; i++)
		if (bytes_starts_nocase(names.items[i], BYTES_LIT("arc-")) ||
		    bytes_eq_nocase(names.items[i], BYTES_LIT("authentication-results")))
			return error_set(reterr, ERR_SYNTAX, i,
					 "the message signature may not be over ARC fields or Authentication-Results");
	TRY(canon_body_hash(message, &(struct canon_want){options->body, CANON_ALL}, 1, &body));
	struct fold fold = begin_draft(work, &buf, "ARC-Message-Signature");
	size_t split = buf.len;
	buf_add_byte(&buf, ';');
	fold_break(&fold);
	buf_add_cstr(&buf, "bh=");
	fold.column = 3;
	fold_base64(&fold, bytes_make(body.digest, sizeof(body.digest)), true);
	buf_add_byte(&buf, ';');
	fold.column++;
	fold_printf(&fold, "c=%s;", sign_canon(options->header, options->body));
	fold_printf(&fold, "d=%.*s;", BYTES_FMT(options->domain));
	fold_names(&fold, names.items, names.count);
	fold_printf(&fold, "i=%u;", work->instance);
	fold_printf(&fold, "s=%.*s;", BYTES_FMT(options->selector));
	fold_printf(&fold, "t=%lld", (long long)options->now);
	fold_end(&fold);
	TRY(end_draft(work, &buf, split));
	if (!hash)
		return ERR_NOMEM;
	TRY(canon_header_hash(message, hash, options->header, names.items, names.count, SIZE_MAX));
	hash_draft(work, hash, options->header);
	crypto_hash_finish(hash, ret_digest);
	return ERR_OK;
}

/* Over all sets; where the chain failed, over the new one alone (RFC 8617 5.1.2). */
static enum err draft_seal(struct arc_seal_work *work, uint8_t ret_digest[static CRYPTO_SHA256_LEN])
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(FOLD_FIELD_MAX);
	CLEANUP(crypto_hash_free) struct crypto_hash *hash = crypto_hash_new();
	const struct arc *arc = work->arc;
	struct fold fold = begin_draft(work, &buf, "ARC-Seal");
	size_t split = buf.len;
	buf_add_byte(&buf, ';');
	fold_break(&fold);
	fold_printf(&fold, "cv=%s;", work->cv);
	fold_printf(&fold, "d=%.*s;", BYTES_FMT(work->options.domain));
	fold_printf(&fold, "i=%u;", work->instance);
	fold_printf(&fold, "s=%.*s;", BYTES_FMT(work->options.selector));
	fold_printf(&fold, "t=%lld", (long long)work->options.now);
	fold_end(&fold);
	TRY(end_draft(work, &buf, split));
	if (!hash)
		return ERR_NOMEM;
	for (unsigned i = 0; arc->result == ARC_PASS && i < arc->chain; i++) {
		const struct canon_field *fields = arc->message->fields;
		canon_field_hash(hash, CANON_RELAXED, fields[arc->sets[i].results].raw);
		canon_field_hash(hash, CANON_RELAXED, fields[arc->sets[i].signature].raw);
		canon_field_hash(hash, CANON_RELAXED, fields[arc->sets[i].seal].raw);
	}
	canon_field_hash(hash, CANON_RELAXED, bytes_chomp(work->results));
	canon_field_hash(hash, CANON_RELAXED, bytes_chomp(work->signature));
	hash_draft(work, hash, CANON_RELAXED);
	crypto_hash_finish(hash, ret_digest);
	return ERR_OK;
}

/* -- The steps ---- */

static enum err check_options(const struct arc *arc, const struct arc_seal_options *options, struct error *reterr)
{
	TRY(sign_key_valid(options->domain, options->selector, reterr));
	if (!sign_domain_valid(options->authserv_id))
		return error_set(reterr, ERR_SYNTAX, 0, "the authserv-id is not in the form of a host name");
	if (options->now < 0 || options->now > TIME_MAX)
		return error_set(reterr, ERR_SYNTAX, 0, "a time out of range");
	return sign_message_valid(arc->message, reterr);
}

enum err arc_seal_begin(const struct arc *arc, enum crypto_type type, const struct arc_seal_options *options,
			struct arc_seal *ret_seal, struct error *reterr)
{
	*ret_seal = (struct arc_seal){0};
	if (arc->temporary)
		return error_set(reterr, ERR_AGAIN, 0, "the chain cannot be checked now");
	TRY(check_options(arc, options, reterr));
	if (arc->sealed_fail || arc->chain >= ARC_SETS_MAX) {
		ret_seal->done = true;
		return ERR_OK;
	}
	struct arc_seal_work *work = arena_new(arc->message->arena, struct arc_seal_work, 1);
	if (!work)
		return error_set(reterr, ERR_NOMEM, 0, "not enough memory");
	*work = (struct arc_seal_work){
		.arc = arc,
		.arena = arc->message->arena,
		.crlf = arc->message->crlf,
		.options = *options,
		.type = type,
		.instance = arc->chain + 1,
		.cv = arc_result_name(arc->result),
	};
	ret_seal->work = work;
	TRY(write_results(work));
	return draft_signature(work, ret_seal->digest, reterr);
}

enum err arc_seal_signed(struct arc_seal *seal, struct bytes signature)
{
	struct arc_seal_work *work = seal->work;
	ASSERT(!seal->done && work);
	if (!work->sealing) {
		TRY(add_signature(work, signature, &work->signature));
		work->sealing = true;
		return draft_seal(work, seal->digest);
	}
	CLEANUP(buf_done) struct buf buf = BUF_INIT(4 * FOLD_FIELD_MAX);
	struct bytes field;
	TRY(add_signature(work, signature, &field));
	buf_add(&buf, field);
	buf_add(&buf, work->signature);
	buf_add(&buf, work->results);
	TRY(buf_err(&buf));
	seal->fields = arena_copy(work->arena, buf_bytes(&buf));
	seal->done = true;
	return seal->fields.ptr ? ERR_OK : ERR_NOMEM;
}

enum err arc_seal(const struct arc *arc, struct crypto_key *key, const struct arc_seal_options *options,
		  struct bytes *ret_fields, struct error *reterr)
{
	struct arc_seal seal;
	uint8_t signature[CRYPTO_SIGNATURE_MAX];
	size_t len;
	TRY(arc_seal_begin(arc, crypto_key_type(key), options, &seal, reterr));
	while (!seal.done) {
		enum err err = crypto_sign(key, seal.digest, signature, &len);
		if (err != ERR_OK)
			return error_set(reterr, err, 0, "the key cannot sign");
		TRY(arc_seal_signed(&seal, bytes_make(signature, len)));
	}
	*ret_fields = seal.fields;
	return ERR_OK;
}
