/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dkim_key.h"

#include "auth/fold.h"
#include "auth/tags.h"
#include "base/arena.h"

#include "base/banned.h"

/* An absent tag allows everything. */
static bool allows(const struct tags *tags, const char *name, struct bytes word)
{
	const struct tag *tag = tags_find(tags, name);
	return !tag || tag_has_piece(tag->value, word);
}

enum err dkim_key_read(struct arena *arena, struct bytes record, struct dkim_key *ret_key, struct error *reterr)
{
	struct tags tags;
	size_t wrong;
	TRY(tags_parse(arena, record, &tags, reterr));
	const struct tag *version = tags_find(&tags, "v"), *type = tags_find(&tags, "k"), *key = tags_find(&tags, "p"),
			 *flags = tags_find(&tags, "t");
	*ret_key = (struct dkim_key){.type = CRYPTO_RSA};
	if (version && (version != tags.items || !bytes_eq(version->value, BYTES_LIT("DKIM1"))))
		return error_set(reterr, ERR_SYNTAX, version->at, "v= is not DKIM1, or does not come first");
	if (!key)
		return error_set(reterr, ERR_SYNTAX, record.len, "there is no p=");
	if (flags) {
		ret_key->testing = tag_has_piece(flags->value, BYTES_LIT("y"));
		ret_key->strict = tag_has_piece(flags->value, BYTES_LIT("s"));
	}
	if (type && bytes_eq_nocase(type->value, BYTES_LIT("ed25519")))
		ret_key->type = CRYPTO_ED25519;
	else if (type && !bytes_eq_nocase(type->value, BYTES_LIT("rsa")))
		return error_set(reterr, ERR_UNSUPPORTED, type->value_at, "k= names a key type that is not known");
	if (bytes_empty(key->value))
		return error_set(reterr, ERR_DENIED, key->value_at, "the key is revoked (p= is empty)");
	if (!allows(&tags, "s", BYTES_LIT("*")) && !allows(&tags, "s", BYTES_LIT("email")))
		return error_set(reterr, ERR_UNSUPPORTED, tags_find(&tags, "s")->value_at,
				 "the key is not for mail (s=)");
	if (!allows(&tags, "h", BYTES_LIT("sha256")))
		return error_set(reterr, ERR_UNSUPPORTED, tags_find(&tags, "h")->value_at,
				 "the key is not for SHA-256 (h=)");
	enum err err = tag_base64(arena, key->value, &ret_key->data, &wrong);
	if (err == ERR_SYNTAX)
		return error_set(reterr, err, key->value_at + wrong, "p= is not base64");
	return err;
}

#define STRING_MAX 255 /* of a TXT record (RFC 1035 3.3) */

enum err dkim_key_write(struct arena *arena, const struct crypto_key *key, struct bytes *ret_record)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(8192);
	struct fold fold = {.buf = &buf};
	struct bytes data;
	TRY(crypto_key_public(key, arena, &data));
	buf_printf(&buf, "v=DKIM1; k=%s; p=", crypto_key_type(key) == CRYPTO_RSA ? "rsa" : "ed25519");
	while (data.len > 0) { /* pieces of whole groups, so that no padding comes between them */
		struct bytes piece = bytes_sub(data, 0, 300);
		fold_base64(&fold, piece, true);
		data = bytes_from(data, piece.len);
	}
	TRY(buf_err(&buf));
	*ret_record = arena_copy(arena, buf_bytes(&buf));
	return ret_record->ptr ? ERR_OK : ERR_NOMEM;
}

void dkim_key_zone_line(struct buf *buf, struct bytes name, struct bytes record)
{
	buf_printf(buf, "%.*s. %d IN TXT (", BYTES_FMT(name), DKIM_KEY_TTL);
	for (; record.len > 0; record = bytes_from(record, STRING_MAX))
		buf_printf(buf, " \"%.*s\"", BYTES_FMT(bytes_sub(record, 0, STRING_MAX)));
	buf_add_cstr(buf, " )");
}
