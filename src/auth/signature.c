/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/signature.h"

#include "auth/arc.h"
#include "auth/dkim_key.h"
#include "auth/dmarc.h"
#include "auth/sign_names.h"
#include "auth/tags.h"
#include "base/arena.h"
#include "base/ascii.h"
#include "base/num.h"
#include "base/utf8.h"

#include "base/banned.h"

/* -- Reading ---- */

/* What the steps of the reading share; a step that finds something wrong says so and returns false. */
struct reader {
	struct arena *arena;
	struct signature *sig;
	struct tags tags;
	size_t value_at; /* of the tag list in the field */
	bool no_memory;
};

/* `at` is a byte of the tag list, or BYTES_NONE where none is to blame. */
static bool wrong(struct reader *reader, enum signature_state state, size_t at, const char *text)
{
	reader->sig->state = state;
	reader->sig->reason = at == BYTES_NONE ? bytes_from_cstr(text)
					       : arena_printf(reader->arena, "%s, at byte %zu of the field", text,
							      reader->value_at + at);
	reader->no_memory = reader->no_memory || !reader->sig->reason.ptr;
	return false;
}

static bool broken(struct reader *reader, const struct tag *tag, const char *text)
{
	return wrong(reader, SIGNATURE_BROKEN, tag ? tag->value_at : BYTES_NONE, text);
}

static bool take_lower(struct reader *reader, const struct tag *tag, struct bytes *ret)
{
	*ret = arena_copy_lower(reader->arena, tag->value);
	reader->no_memory = reader->no_memory || !ret->ptr;
	return !reader->no_memory;
}

/* In A-labels (RFC 8616 5). False when it is no domain name. */
static bool normalise(struct reader *reader, struct bytes *name)
{
	struct bytes normal;
	if (utf8_is_ascii(*name))
		return sign_domain_valid(*name);
	enum err err = dmarc_domain(reader->arena, *name, &normal);
	reader->no_memory = reader->no_memory || err == ERR_NOMEM;
	if (err == ERR_OK)
		*name = normal;
	return err == ERR_OK;
}

/* d=, s=, a=, and i= of DKIM: told even of a signature that is wrong elsewhere. */
static bool read_names(struct reader *reader)
{
	struct signature *sig = reader->sig;
	const struct tag *domain = tags_find(&reader->tags, "d"), *selector = tags_find(&reader->tags, "s"),
			 *algorithm = tags_find(&reader->tags, "a"), *identity = tags_find(&reader->tags, "i");
	if ((domain && !take_lower(reader, domain, &sig->domain)) ||
	    (selector && !take_lower(reader, selector, &sig->selector)) ||
	    (algorithm && !take_lower(reader, algorithm, &sig->algorithm)))
		return false;
	bool domain_good = domain && normalise(reader, &sig->domain);
	if (sig->kind != SIGNATURE_DKIM)
		sig->instance = identity ? signature_instance(identity->value) : 0;
	else if (identity) {
		enum err err = tag_quoted_printable(reader->arena, identity->value, &sig->identity);
		reader->no_memory = reader->no_memory || err != ERR_OK;
	} else if (domain)
		sig->identity = arena_printf(reader->arena, "@%.*s", BYTES_FMT(sig->domain));
	if (sig->kind == SIGNATURE_DKIM && !identity && domain && !sig->identity.ptr)
		reader->no_memory = true;
	if (!domain || !selector || !algorithm)
		return broken(reader, NULL, !domain ? "d= is missing" : !selector ? "s= is missing" : "a= is missing");
	if (!domain_good)
		return broken(reader, domain, "d= is not a domain name");
	if (!normalise(reader, &sig->selector))
		return broken(reader, selector, "s= is not a selector");
	sig->question =
		arena_printf(reader->arena, "%.*s._domainkey.%.*s", BYTES_FMT(sig->selector), BYTES_FMT(sig->domain));
	if (!sig->question.ptr) {
		reader->no_memory = true;
		return false;
	}
	if (!dns_name_valid(sig->question))
		return broken(reader, selector, "s= and d= are too long for a DNS name");
	return true;
}

/* i= of DKIM: [local-part] "@" and d= or a subdomain of it (RFC 6376 3.5). i= of ARC: the instance. */
static bool read_identity(struct reader *reader)
{
	struct signature *sig = reader->sig;
	const struct tag *tag = tags_find(&reader->tags, "i");
	if (sig->kind != SIGNATURE_DKIM)
		return sig->instance > 0 || broken(reader, tag, "i= is no instance from 1 to 50");
	size_t at = bytes_rfind_byte(sig->identity, '@');
	if (at == BYTES_NONE)
		return broken(reader, tag, "i= has no @");
	struct bytes host = bytes_from(sig->identity, at + 1);
	bool good = normalise(reader, &host);
	sig->identity_domain = host;
	if (!good || !bytes_ends_nocase(host, sig->domain) ||
	    (host.len > sig->domain.len && host.ptr[host.len - sig->domain.len - 1] != '.'))
		return broken(reader, tag, "i= is not in the domain of d=");
	return true;
}

static bool read_algorithm(struct reader *reader)
{
	struct signature *sig = reader->sig;
	const struct tag *tag = tags_find(&reader->tags, "a");
	if (bytes_eq(sig->algorithm, BYTES_LIT("rsa-sha1")))
		return wrong(reader, SIGNATURE_REFUSED, BYTES_NONE, "rsa-sha1 is not accepted (RFC 8301)");
	sig->type = bytes_eq(sig->algorithm, BYTES_LIT("ed25519-sha256")) ? CRYPTO_ED25519 : CRYPTO_RSA;
	if (sig->type == CRYPTO_RSA && !bytes_eq(sig->algorithm, BYTES_LIT("rsa-sha256")))
		return broken(reader, tag, "a= names an algorithm that is not known");
	return true;
}

static bool read_canon_name(struct bytes name, enum canon *ret)
{
	*ret = bytes_eq_nocase(name, BYTES_LIT("relaxed")) ? CANON_RELAXED : CANON_SIMPLE;
	return *ret == CANON_RELAXED || bytes_eq_nocase(name, BYTES_LIT("simple"));
}

static bool read_canon(struct reader *reader)
{
	const struct tag *tag = tags_find(&reader->tags, "c");
	if (!tag)
		return true; /* simple/simple */
	size_t slash = bytes_find_byte(tag->value, '/');
	struct bytes header = bytes_sub(tag->value, 0, slash == BYTES_NONE ? tag->value.len : slash);
	if (!read_canon_name(header, &reader->sig->header) ||
	    (slash != BYTES_NONE && !read_canon_name(bytes_from(tag->value, slash + 1), &reader->sig->body)))
		return broken(reader, tag, "c= names a canonicalisation that is not known");
	return true;
}

static bool read_base64(struct reader *reader, const char *name, struct bytes *ret)
{
	const struct tag *tag = tags_find(&reader->tags, name);
	size_t at;
	bool hash = name[1] != '\0';
	if (!tag)
		return broken(reader, NULL, hash ? "bh= is missing" : "b= is missing");
	if (!hash) {
		reader->sig->from = reader->value_at + tag->from;
		reader->sig->to = reader->value_at + tag->to;
	}
	enum err err = tag_base64(reader->arena, tag->value, ret, &at);
	if (err == ERR_SYNTAX)
		return wrong(reader, SIGNATURE_BROKEN, tag->value_at + at,
			     hash ? "bh= is not base64" : "b= is not base64");
	reader->no_memory = reader->no_memory || err != ERR_OK;
	return err == ERR_OK;
}

static bool is_field_name(struct bytes name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] <= ' ' || name.ptr[i] >= 0x7f)
			return false;
	return name.len > 0;
}

/* h=, with From in it (RFC 6376 5.4) and no ARC-Seal in that of ARC (RFC 8617 4.1.2). */
static bool read_header_names(struct reader *reader)
{
	struct signature *sig = reader->sig;
	const struct tag *tag = tags_find(&reader->tags, "h");
	struct bytes piece;
	size_t capacity = 0;
	bool from = false;
	if (sig->kind == SIGNATURE_ARC_SEAL)
		return !tag || broken(reader, tag, "a seal may have no h=");
	if (!tag)
		return broken(reader, NULL, "h= is missing");
	struct tag_pieces pieces = tag_pieces_make(tag->value);
	while (tag_pieces_next(&pieces, &piece)) {
		/* Sealers were let write "to::date", and the public tests of ARC hold it good; it stands for no field.
		 */
		if (piece.len == 0 && sig->kind == SIGNATURE_ARC_MESSAGE)
			continue;
		if (!is_field_name(piece))
			return broken(reader, tag, "h= holds what is no field name");
		struct bytes *names = arena_grow(reader->arena, sig->names, &capacity, sig->n_names, sizeof(*names));
		struct bytes lower = names ? arena_copy_lower(reader->arena, piece) : (struct bytes){0};
		if (!lower.ptr) {
			reader->no_memory = true;
			return false;
		}
		sig->names = names;
		names[sig->n_names++] = lower;
		from = from || bytes_eq(lower, BYTES_LIT("from"));
		if (sig->kind == SIGNATURE_ARC_MESSAGE && bytes_eq(lower, BYTES_LIT("arc-seal")))
			return broken(reader, tag, "h= may not hold ARC-Seal");
	}
	return from || broken(reader, tag, "From is not signed");
}

/* Seconds since 1970; what is longer than a number of ours is as good as never (RFC 6376 3.5). */
static bool read_time(struct reader *reader, const char *name, int64_t *ret)
{
	const struct tag *tag = tags_find(&reader->tags, name);
	uint64_t value = 0;
	*ret = -1;
	if (!tag)
		return true;
	for (size_t i = 0; i < tag->value.len; i++)
		if (!ascii_is_digit(tag->value.ptr[i]))
			return broken(reader, tag, "a time that is no number");
	enum err err = num_parse(tag->value, 10, INT64_MAX, &value);
	if (err == ERR_SYNTAX)
		return broken(reader, tag, "a time that is no number");
	*ret = err == ERR_LIMIT ? INT64_MAX : (int64_t)value;
	return true;
}

static bool read_times(struct reader *reader, int64_t now)
{
	struct signature *sig = reader->sig;
	if (!read_time(reader, "t", &sig->signed_at) || !read_time(reader, "x", &sig->expires_at))
		return false;
	if (sig->signed_at >= 0 && sig->expires_at >= 0 && sig->expires_at <= sig->signed_at)
		return broken(reader, tags_find(&reader->tags, "x"), "x= is not later than t=");
	if (sig->expires_at >= 0 && now > sig->expires_at)
		return wrong(reader, SIGNATURE_REFUSED, BYTES_NONE, "the signature has expired (x=)");
	if (sig->signed_at > now && sig->signed_at - now > DKIM_SKEW)
		return wrong(reader, SIGNATURE_REFUSED, BYTES_NONE, "the time of signing lies in the future (t=)");
	return true;
}

static bool read_length(struct reader *reader)
{
	const struct tag *tag = tags_find(&reader->tags, "l");
	reader->sig->length = CANON_ALL;
	if (!tag)
		return true;
	for (size_t i = 0; i < tag->value.len; i++)
		if (!ascii_is_digit(tag->value.ptr[i]))
			return broken(reader, tag, "l= is no number");
	enum err err = num_parse(tag->value, 10, CANON_ALL - 1, &reader->sig->length);
	if (err == ERR_SYNTAX)
		return broken(reader, tag, "l= is no number");
	if (err == ERR_LIMIT)
		reader->sig->length = CANON_ALL - 1;
	return true;
}

static bool read_version_and_query(struct reader *reader)
{
	const struct tag *version = tags_find(&reader->tags, "v"), *query = tags_find(&reader->tags, "q");
	if (reader->sig->kind != SIGNATURE_DKIM)
		return true;
	if (!version)
		return broken(reader, NULL, "v= is missing");
	if (!bytes_eq(version->value, BYTES_LIT("1")))
		return broken(reader, version, "v= is not 1");
	if (query && !tag_has_piece(query->value, BYTES_LIT("dns/txt")))
		return broken(reader, query, "q= names no way to the key that is known");
	return true;
}

static bool read_seal(struct reader *reader)
{
	const struct tag *tag = tags_find(&reader->tags, "cv");
	if (reader->sig->kind != SIGNATURE_ARC_SEAL)
		return true;
	if (!tag)
		return broken(reader, NULL, "cv= is missing");
	return take_lower(reader, tag, &reader->sig->cv);
}

static bool read_all(struct reader *reader, int64_t now)
{
	struct signature *sig = reader->sig;
	bool seal = sig->kind == SIGNATURE_ARC_SEAL;
	if (!read_names(reader) || !read_seal(reader) || !read_version_and_query(reader) || !read_identity(reader) ||
	    !read_header_names(reader) || !read_base64(reader, "b", &sig->value))
		return false;
	if (seal)
		return read_times(reader, now) && read_algorithm(reader);
	if (!read_canon(reader) || !read_length(reader) || !read_base64(reader, "bh", &sig->body_hash) ||
	    !read_algorithm(reader) || !read_times(reader, now))
		return false;
	return sig->body_hash.len == CRYPTO_SHA256_LEN ||
	       broken(reader, tags_find(&reader->tags, "bh"), "bh= is not a SHA-256 hash");
}

enum err signature_read(struct arena *arena, const struct canon_field *field, enum signature_kind kind, int64_t now,
			struct signature *ret)
{
	struct reader reader = {.arena = arena, .sig = ret, .value_at = (size_t)(field->value.ptr - field->raw.ptr)};
	struct error error = {0};
	*ret = (struct signature){.kind = kind, .length = CANON_ALL, .signed_at = -1, .expires_at = -1};
	enum err err = tags_parse(arena, field->value, &reader.tags, &error);
	if (err == ERR_OK)
		(void)read_all(&reader, now);
	else if (err == ERR_SYNTAX)
		(void)wrong(&reader, SIGNATURE_BROKEN, error.at, error.text);
	else
		return err;
	return reader.no_memory ? ERR_NOMEM : ERR_OK;
}

unsigned signature_instance(struct bytes text)
{
	uint64_t value = 0;
	if (text.len > 2 || num_parse(text, 10, ARC_SETS_MAX, &value) != ERR_OK)
		return 0;
	return (unsigned)value;
}

/* -- Checking ---- */

enum err signature_digest(const struct canon_message *message, const struct signature *signature, size_t index,
			  uint8_t ret_digest[static CRYPTO_SHA256_LEN])
{
	CLEANUP(crypto_hash_free) struct crypto_hash *hash = crypto_hash_new();
	if (!hash)
		return ERR_NOMEM;
	TRY(canon_header_hash(message, hash, signature->header, signature->names, signature->n_names, index));
	canon_signature_hash(hash, signature->header, message->fields[index].raw, signature->from, signature->to);
	crypto_hash_finish(hash, ret_digest);
	return ERR_OK;
}

static void say(struct signature_verdict *verdict, enum dkim_result result, const char *text)
{
	verdict->result = result;
	verdict->reason = bytes_from_cstr(text);
}

/* With the key's bytes at hand. */
static enum err check_key(const struct signature *signature, const uint8_t digest[static CRYPTO_SHA256_LEN],
			  struct bytes data, struct crypto_keys *keys, struct signature_verdict *ret)
{
	CLEANUP(crypto_key_free) struct crypto_key *own = NULL;
	struct crypto_key *key;
	enum crypto_key_state state;
	if (keys) {
		TRY(crypto_keys_get(keys, signature->type, data, &state, &ret->key_bits, &key));
	} else {
		TRY(crypto_key_read(signature->type, data, &state, &ret->key_bits, &own));
		key = own;
	}
	switch (state) {
	case CRYPTO_KEY_BROKEN:
		say(ret, DKIM_PERMERROR, "p= of the key record is not such a key");
		break;
	case CRYPTO_KEY_TOO_SHORT:
		say(ret, DKIM_POLICY, "the key has less than 1024 bits (RFC 8301)");
		break;
	case CRYPTO_KEY_TOO_LONG:
		say(ret, DKIM_POLICY, "the key has more than 4096 bits");
		break;
	case CRYPTO_KEY_GOOD:
		if (crypto_verify(key, digest, signature->value))
			say(ret, DKIM_PASS, "the signature is good");
		else
			say(ret, DKIM_FAIL, "the signature is not that of the header as it came");
		break;
	}
	return ERR_OK;
}

/* One key record. *ret_used is set where there was a key to compute with. */
static enum err check_record(struct arena *arena, const struct signature *signature,
			     const uint8_t digest[static CRYPTO_SHA256_LEN], struct bytes record,
			     struct crypto_keys *keys, struct signature_verdict *ret, bool *ret_used)
{
	struct dkim_key key;
	struct error error = {0};
	enum err err = dkim_key_read(arena, record, &key, &error);
	*ret = (struct signature_verdict){.result = DKIM_PERMERROR};
	*ret_used = false;
	if (err == ERR_NOMEM)
		return err;
	if (err != ERR_OK) {
		ret->reason = err == ERR_DENIED
				      ? arena_printf(arena, "%s", error.text)
				      : arena_printf(arena, "%s, at byte %zu of the key record", error.text, error.at);
		return ret->reason.ptr ? ERR_OK : ERR_NOMEM;
	}
	ret->testing = key.testing;
	ret->strict = key.strict;
	if (key.type != signature->type) {
		say(ret, DKIM_PERMERROR, "the key is of another type than a= says");
		return ERR_OK;
	}
	if (key.strict && signature->kind == SIGNATURE_DKIM &&
	    !bytes_eq_nocase(signature->identity_domain, signature->domain)) {
		say(ret, DKIM_PERMERROR, "i= is a subdomain, which the key does not allow (t=s)");
		return ERR_OK;
	}
	*ret_used = true;
	return check_key(signature, digest, key.data, keys, ret);
}

/* Of several key records the one that says most counts. */
static unsigned rank(enum dkim_result result)
{
	static const unsigned ranks[] = {[DKIM_PASS] = 4, [DKIM_FAIL] = 3, [DKIM_POLICY] = 2, [DKIM_PERMERROR] = 1};
	return (size_t)result < ARRAY_LEN(ranks) ? ranks[result] : 0;
}

enum err signature_check(struct arena *arena, const struct signature *signature,
			 const uint8_t digest[static CRYPTO_SHA256_LEN], const struct dns_answer *answer,
			 struct crypto_keys *keys, struct signature_verdict *ret)
{
	size_t used = 0;
	*ret = (struct signature_verdict){.result = DKIM_PERMERROR};
	if (answer->state == DNS_FAILED) {
		ret->result = DKIM_TEMPERROR;
		ret->reason = BYTES_LIT("the key cannot be had now");
		if (answer->reason.len > 0 && answer->reason.len < 100)
			ret->reason =
				arena_printf(arena, "the key cannot be had now (%.*s)", BYTES_FMT(answer->reason));
		return ret->reason.ptr ? ERR_OK : ERR_NOMEM;
	}
	if (answer->state != DNS_FOUND || answer->n_records == 0) {
		say(ret, DKIM_PERMERROR,
		    answer->state == DNS_NO_NAME ? "no key: its name does not exist"
						 : "no key: its name has no TXT record");
		return ERR_OK;
	}
	for (size_t i = 0; i < answer->n_records && used < DKIM_RECORDS_MAX; i++) {
		struct signature_verdict verdict;
		bool computed;
		TRY(check_record(arena, signature, digest, answer->records[i].data, keys, &verdict, &computed));
		used += computed;
		if (!ret->reason.ptr || rank(verdict.result) > rank(ret->result))
			*ret = verdict;
		if (ret->result == DKIM_PASS)
			break;
	}
	return ERR_OK;
}
