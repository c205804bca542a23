/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * wire/wire.h: the messages of wire/messages.def as structs, their encoding, and who may say what to whom.
 *
 * Form: u16 number, then the fields in order: integers big endian, spans with a u32 length before them. A message that
 * is not exactly so is refused (ERR_SYNTAX) and its peer is closed: only our own code speaks here, so it is broken or
 * taken over.
 */
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

enum wire_role {
	ROLE_SUPERVISOR,
	ROLE_GATE,
	ROLE_SCANNER,
	ROLE_VAULT,
	ROLE_RESOLVER,
	ROLE_LEDGER,
	ROLE_COURIER,
	ROLE_SIGNER,
	ROLE_LISTER,
	ROLE_COUNT
};
const char *wire_role_name(enum wire_role role);

/* How a reputation list is. */
enum zone_state { ZONE_UNKNOWN, ZONE_ON, ZONE_OFF };
/* As what a message may be signed; the gate decides. */
enum sign_right { SIGN_NOTHING, SIGN_AS_AUTHOR, SIGN_AS_FORWARDER };

enum wire_type {
#define WIRE_MESSAGE(NAME, name, fields) WIRE_##NAME,
#include "wire/messages.def"
#undef WIRE_MESSAGE
	WIRE_TYPES
};

#define U8(field)    uint8_t field;
#define U32(field)   uint32_t field;
#define U64(field)   uint64_t field;
#define I64(field)   int64_t field;
#define BYTES(field) struct bytes field;
#define WIRE_MESSAGE(NAME, name, fields)                                                                               \
	struct wire_##name {                                                                                           \
		fields                                                                                                 \
	};
#include "wire/messages.def"
#undef WIRE_MESSAGE
#undef U8
#undef U32
#undef U64
#undef I64
#undef BYTES

struct wire_any {
	enum wire_type type;
	union {
#define WIRE_MESSAGE(NAME, name, fields) struct wire_##name name;
#include "wire/messages.def"
#undef WIRE_MESSAGE
	};
};

/* Adds the message to `buf`. */
void wire_encode(struct buf *buf, const struct wire_any *any);
/* Spans are slices of `payload`. ERR_SYNTAX. */
NODISCARD enum err wire_decode(struct bytes payload, struct wire_any *ret_any);
/* Whether `sender` may say that to `receiver`. */
bool wire_permitted(enum wire_role sender, enum wire_role receiver, enum wire_type type);
/* Decodes and asks wire_permitted(). ERR_SYNTAX, ERR_DENIED. */
NODISCARD enum err wire_receive(enum wire_role sender, enum wire_role receiver, struct bytes payload,
				struct wire_any *ret_any);
