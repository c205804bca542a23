/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/wire.h"

#include "base/cursor.h"

#include "base/banned.h"

static const char *const role_names[ROLE_COUNT] = {"supervisor", "gate",    "scanner", "vault", "resolver",
						   "ledger",     "courier", "signer",  "lister"};

const char *wire_role_name(enum wire_role role)
{
	return role_names[role];
}

static void put_bytes(struct buf *buf, struct bytes b)
{
	buf_add_be32(buf, (uint32_t)b.len);
	buf_add(buf, b);
}

static struct bytes take_bytes(struct cursor *cur)
{
	return cursor_take(cur, cursor_be32(cur));
}

/* -- Generated: one function a message and direction ---- */

#define U8(field)    buf_add_byte(buf, in->field);
#define U32(field)   buf_add_be32(buf, in->field);
#define U64(field)   buf_add_be64(buf, in->field);
#define I64(field)   buf_add_be64(buf, (uint64_t)in->field);
#define BYTES(field) put_bytes(buf, in->field);
#define WIRE_MESSAGE(NAME, name, fields)                                                                               \
	static void put_##name(struct buf *buf, const struct wire_##name *in)                                          \
	{                                                                                                              \
		fields                                                                                                 \
	}
#include "wire/messages.def"
#undef WIRE_MESSAGE
#undef U8
#undef U32
#undef U64
#undef I64
#undef BYTES

#define U8(field)    out->field = cursor_u8(cur);
#define U32(field)   out->field = cursor_be32(cur);
#define U64(field)   out->field = cursor_be64(cur);
#define I64(field)   out->field = (int64_t)cursor_be64(cur);
#define BYTES(field) out->field = take_bytes(cur);
#define WIRE_MESSAGE(NAME, name, fields)                                                                               \
	static void take_##name(struct cursor *cur, struct wire_##name *out)                                           \
	{                                                                                                              \
		fields                                                                                                 \
	}
#include "wire/messages.def"
#undef WIRE_MESSAGE

void wire_encode(struct buf *buf, const struct wire_any *any)
{
	buf_add_be16(buf, (uint16_t)any->type);
	switch (any->type) {
#define WIRE_MESSAGE(NAME, name, fields)                                                                               \
	case WIRE_##NAME:                                                                                              \
		put_##name(buf, &any->name);                                                                           \
		break;
#include "wire/messages.def"
#undef WIRE_MESSAGE
	case WIRE_TYPES:
		break;
	}
}

enum err wire_decode(struct bytes payload, struct wire_any *ret_any)
{
	struct cursor cur = cursor_make(payload);
	uint16_t type = cursor_be16(&cur);
	if (type >= WIRE_TYPES)
		return ERR_SYNTAX;
	*ret_any = (struct wire_any){.type = (enum wire_type)type};
	switch (ret_any->type) {
#define WIRE_MESSAGE(NAME, name, fields)                                                                               \
	case WIRE_##NAME:                                                                                              \
		take_##name(&cur, &ret_any->name);                                                                     \
		break;
#include "wire/messages.def"
#undef WIRE_MESSAGE
	case WIRE_TYPES:
		break;
	}
	return cur.err == ERR_OK && cursor_end(&cur) ? ERR_OK : ERR_SYNTAX;
}

bool wire_permitted(enum wire_role sender, enum wire_role receiver, enum wire_type type)
{
	static const struct {
		enum wire_role sender, receiver;
		enum wire_type type;
	} table[] = {
		{ROLE_SUPERVISOR, ROLE_GATE, WIRE_PEER},
		{ROLE_SUPERVISOR, ROLE_SCANNER, WIRE_PEER},
		{ROLE_SUPERVISOR, ROLE_VAULT, WIRE_PEER},
		{ROLE_SUPERVISOR, ROLE_GATE, WIRE_DRAIN},
		{ROLE_SUPERVISOR, ROLE_SCANNER, WIRE_DRAIN},
		{ROLE_SUPERVISOR, ROLE_VAULT, WIRE_DRAIN},
		{ROLE_GATE, ROLE_SUPERVISOR, WIRE_READY},
		{ROLE_SCANNER, ROLE_SUPERVISOR, WIRE_READY},
		{ROLE_VAULT, ROLE_SUPERVISOR, WIRE_READY},
		{ROLE_VAULT, ROLE_SUPERVISOR, WIRE_DRAINED},
		{ROLE_GATE, ROLE_SUPERVISOR, WIRE_DRAINED},
		{ROLE_GATE, ROLE_SUPERVISOR, WIRE_STUCK},
		{ROLE_GATE, ROLE_SCANNER, WIRE_SCAN},
		{ROLE_GATE, ROLE_SCANNER, WIRE_ANSWER},
		{ROLE_SCANNER, ROLE_GATE, WIRE_VERDICT},
		{ROLE_SCANNER, ROLE_GATE, WIRE_ASK},
		{ROLE_GATE, ROLE_VAULT, WIRE_ASK},
		{ROLE_VAULT, ROLE_GATE, WIRE_ANSWER},
		{ROLE_GATE, ROLE_VAULT, WIRE_TRACE},
		{ROLE_VAULT, ROLE_GATE, WIRE_TRACED},
		{ROLE_GATE, ROLE_VAULT, WIRE_STORE},
		{ROLE_VAULT, ROLE_GATE, WIRE_STORED},
		{ROLE_VAULT, ROLE_GATE, WIRE_HEALTH},
		{ROLE_SCANNER, ROLE_GATE, WIRE_WAITS},
		{ROLE_SUPERVISOR, ROLE_RESOLVER, WIRE_PEER},
		{ROLE_SUPERVISOR, ROLE_RESOLVER, WIRE_DRAIN},
		{ROLE_RESOLVER, ROLE_SUPERVISOR, WIRE_READY},
		{ROLE_RESOLVER, ROLE_SUPERVISOR, WIRE_DRAINED},
		{ROLE_RESOLVER, ROLE_SUPERVISOR, WIRE_ZONE},
		{ROLE_SCANNER, ROLE_RESOLVER, WIRE_ASK},
		{ROLE_RESOLVER, ROLE_SCANNER, WIRE_ANSWER},
		{ROLE_GATE, ROLE_RESOLVER, WIRE_PREFETCH},
		{ROLE_SUPERVISOR, ROLE_LEDGER, WIRE_PEER},
		{ROLE_SUPERVISOR, ROLE_LEDGER, WIRE_DRAIN},
		{ROLE_LEDGER, ROLE_SUPERVISOR, WIRE_READY},
		{ROLE_LEDGER, ROLE_SUPERVISOR, WIRE_DRAINED},
		{ROLE_SCANNER, ROLE_LEDGER, WIRE_ASK},
		{ROLE_LEDGER, ROLE_SCANNER, WIRE_ANSWER},
		{ROLE_GATE, ROLE_LEDGER, WIRE_LEARN},
		{ROLE_SCANNER, ROLE_GATE, WIRE_REPORT},
		{ROLE_GATE, ROLE_VAULT, WIRE_REPORT},
		{ROLE_SUPERVISOR, ROLE_COURIER, WIRE_PEER},
		{ROLE_SUPERVISOR, ROLE_COURIER, WIRE_DRAIN},
		{ROLE_COURIER, ROLE_SUPERVISOR, WIRE_READY},
		{ROLE_COURIER, ROLE_SUPERVISOR, WIRE_DRAINED},
		{ROLE_COURIER, ROLE_RESOLVER, WIRE_ASK},
		{ROLE_RESOLVER, ROLE_COURIER, WIRE_ANSWER},
		{ROLE_COURIER, ROLE_VAULT, WIRE_OWE},
		{ROLE_COURIER, ROLE_VAULT, WIRE_OWE_ROWS},
		{ROLE_COURIER, ROLE_VAULT, WIRE_SENT},
		{ROLE_VAULT, ROLE_COURIER, WIRE_OWED},
		{ROLE_VAULT, ROLE_COURIER, WIRE_OWED_ROWS},
		{ROLE_VAULT, ROLE_COURIER, WIRE_HEALTH},
		{ROLE_SUPERVISOR, ROLE_SIGNER, WIRE_PEER},
		{ROLE_SUPERVISOR, ROLE_SIGNER, WIRE_DRAIN},
		{ROLE_SIGNER, ROLE_SUPERVISOR, WIRE_READY},
		{ROLE_SCANNER, ROLE_GATE, WIRE_SIGN},
		{ROLE_GATE, ROLE_SIGNER, WIRE_SIGN},
		{ROLE_SIGNER, ROLE_GATE, WIRE_SIGNATURE},
		{ROLE_GATE, ROLE_SCANNER, WIRE_SIGNATURE},
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].sender == sender && table[i].receiver == receiver && table[i].type == type)
			return true;
	return false;
}

enum err wire_receive(enum wire_role sender, enum wire_role receiver, struct bytes payload, struct wire_any *ret_any)
{
	TRY(wire_decode(payload, ret_any));
	return wire_permitted(sender, receiver, ret_any->type) ? ERR_OK : ERR_DENIED;
}
