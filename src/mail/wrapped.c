/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/wrapped.h"

#include "base/arena.h"
#include "base/num.h"

#include "base/banned.h"

/* -- BER ---- */

enum {
	TAG_END = 0x00, /* ends a value of indefinite length */
	TAG_INTEGER = 0x02,
	TAG_OCTETS = 0x04,
	TAG_OID = 0x06,
	TAG_OCTETS_IN_PIECES = 0x24,
	TAG_SEQUENCE = 0x30,
	TAG_SET = 0x31,
	TAG_CONTENT = 0xa0, /* [0], explicit */
};

struct tlv {
	uint8_t tag;
	bool indefinite;    /* `value` then goes on to the end of what there is */
	struct bytes value; /* cut where the input ends */
};

/* The header at the front of *rest, which then begins with the value (X.690, 8.1). False when there is none. */
static bool take_header(struct bytes *rest, struct tlv *ret)
{
	if (rest->len < 2)
		return false;
	size_t len = rest->ptr[1], n = len & 0x7f, head = 2;
	*ret = (struct tlv){.tag = rest->ptr[0], .indefinite = len == 0x80};
	if (len > 0x80) {
		if (n > 8 || rest->len < 2 + n)
			return false;
		len = 0;
		for (; head < 2 + n; head++)
			len = len << 8 | rest->ptr[head];
	}
	*rest = bytes_from(*rest, head);
	ret->value = ret->indefinite || len > rest->len ? *rest : bytes_sub(*rest, 0, len);
	return true;
}

/* Takes one whole value off the front. */
static bool skip_value(struct bytes *rest)
{
	size_t depth = 0;
	struct tlv tlv;
	do {
		if (!take_header(rest, &tlv))
			return false;
		if (tlv.indefinite)
			depth++;
		else if (tlv.tag == TAG_END && depth > 0)
			depth--;
		else
			*rest = bytes_from(*rest, tlv.value.len);
	} while (depth > 0);
	return true;
}

/* Enters the value at the front when it has the tag: *rest is what is in it, and what follows where its end is open. */
static bool enter(struct bytes *rest, uint8_t tag)
{
	struct tlv tlv;
	if (!take_header(rest, &tlv) || tlv.tag != tag)
		return false;
	*rest = tlv.value;
	return true;
}

static bool take_oid(struct bytes *rest, struct bytes oid)
{
	struct tlv tlv;
	if (!take_header(rest, &tlv) || tlv.tag != TAG_OID || tlv.indefinite || !bytes_eq(tlv.value, oid))
		return false;
	*rest = bytes_from(*rest, tlv.value.len);
	return true;
}

/*
 * The pieces of a constructed octet string, one after the other. Nested pieces stand in order too, so their headers are
 * passed over; only open ends have to be counted.
 */
static enum err join_pieces(struct arena *arena, struct bytes rest, bool indefinite, struct bytes *ret)
{
	uint8_t *out = arena_alloc_raw(arena, rest.len);
	size_t len = 0, open = indefinite, room = rest.len;
	struct tlv tlv;
	if (!out)
		return ERR_NOMEM;
	while (take_header(&rest, &tlv)) {
		if (tlv.tag == TAG_OCTETS && !tlv.indefinite) {
			if (tlv.value.len > 0)
				memcpy(out + len, tlv.value.ptr, tlv.value.len);
			len += tlv.value.len;
			rest = bytes_from(rest, tlv.value.len);
		} else if (tlv.tag == TAG_OCTETS_IN_PIECES) {
			open += tlv.indefinite;
		} else if (tlv.tag != TAG_END || open == 0 || --open == 0) {
			break;
		}
	}
	arena_shrink(arena, out, room, len);
	*ret = bytes_make(out, len);
	return ERR_OK;
}

enum err wrapped_signed(struct arena *arena, struct bytes in, struct bytes *ret_content)
{
	/* RFC 5652, 5.1: id-signedData. What kind of content is signed does not matter to those who show it. */
	const struct bytes id_signed = BYTES_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02");
	struct tlv tlv;
	*ret_content = (struct bytes){0};
	if (!enter(&in, TAG_SEQUENCE) || !take_oid(&in, id_signed) || !enter(&in, TAG_CONTENT) ||
	    !enter(&in, TAG_SEQUENCE))
		return ERR_OK;
	if (in.len == 0 || in.ptr[0] != TAG_INTEGER || !skip_value(&in)) /* version */
		return ERR_OK;
	if (in.len == 0 || in.ptr[0] != TAG_SET || !skip_value(&in)) /* digestAlgorithms */
		return ERR_OK;
	if (!enter(&in, TAG_SEQUENCE) || in.len == 0 || in.ptr[0] != TAG_OID || !skip_value(&in))
		return ERR_OK;
	if (!enter(&in, TAG_CONTENT) || !take_header(&in, &tlv))
		return ERR_OK;
	if (tlv.tag == TAG_OCTETS_IN_PIECES)
		return join_pieces(arena, tlv.value, tlv.indefinite, ret_content);
	if (tlv.tag == TAG_OCTETS)
		*ret_content = tlv.value;
	return ERR_OK;
}

/* -- Files ---- */

static bool has_name(const struct mime_part *part, const struct bytes *endings, size_t n)
{
	for (size_t i = 0; i < part->n_names; i++) {
		struct bytes name = part->names[i].text;
		for (size_t k = 0; k < n; k++)
			if (name.len > endings[k].len &&
			    bytes_eq_nocase(bytes_from(name, name.len - endings[k].len), endings[k]))
				return true;
	}
	return false;
}

bool wrapped_starts_with_field(struct bytes text)
{
	size_t i = 0;
	while (i < text.len && text.ptr[i] > ' ' && text.ptr[i] < 0x7f && text.ptr[i] != ':')
		i++;
	return i > 0 && i < text.len && text.ptr[i] == ':';
}

enum err wrapped_entity(struct arena *arena, const struct mime_part *part, struct bytes *ret_entity)
{
	static const struct bytes cms[] = {BYTES_INIT(".p7m"), BYTES_INIT(".p7s")};
	static const struct bytes mail[] = {BYTES_INIT(".eml"), BYTES_INIT(".nws"), BYTES_INIT(".mht"),
					    BYTES_INIT(".mhtml")};
	*ret_entity = (struct bytes){0};
	if (mime_type_is(part, "application/pkcs7-mime") || mime_type_is(part, "application/x-pkcs7-mime") ||
	    has_name(part, cms, ARRAY_LEN(cms)))
		return wrapped_signed(arena, part->content, ret_entity);
	/* The first fragment of a message begins with its header (RFC 2046, 5.2.2.1). */
	bool fragment = mime_type_is(part, "message/partial");
	if ((fragment || (!mime_type_is(part, "text/") && has_name(part, mail, ARRAY_LEN(mail)))) &&
	    wrapped_starts_with_field(part->content))
		*ret_entity = part->content;
	return ERR_OK;
}
