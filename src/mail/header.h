/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/header.h: splits a header (RFC 5322, 2.2) into fields. Zero copy: all spans are slices of the message.
 *
 * Owns:   the array of fields lives in the arena.
 * Bounds: struct header_limits; what is beyond is marked LIMIT_HEADER or LIMIT_FIELDS and not split.
 */
#include "mail/defect.h"

/* Fields that something in the engine asks for by name; HEADER_OTHER for the rest. X(NAME, "Name") */
/* clang-format off */
#define HEADER_NAMES(X) \
	X(FROM, "From") \
	X(SENDER, "Sender") \
	X(REPLY_TO, "Reply-To") \
	X(TO, "To") \
	X(CC, "Cc") \
	X(BCC, "Bcc") \
	X(SUBJECT, "Subject") \
	X(DATE, "Date") \
	X(MESSAGE_ID, "Message-ID") \
	X(RECEIVED, "Received") \
	X(RETURN_PATH, "Return-Path") \
	X(IN_REPLY_TO, "In-Reply-To") \
	X(REFERENCES, "References") \
	X(MIME_VERSION, "MIME-Version") \
	X(CONTENT_TYPE, "Content-Type") \
	X(CONTENT_TRANSFER_ENCODING, "Content-Transfer-Encoding") \
	X(CONTENT_DISPOSITION, "Content-Disposition") \
	X(CONTENT_ID, "Content-ID") \
	X(CONTENT_LOCATION, "Content-Location") \
	X(LIST_ID, "List-Id") \
	X(LIST_UNSUBSCRIBE, "List-Unsubscribe") \
	X(LIST_POST, "List-Post") \
	X(PRECEDENCE, "Precedence") \
	X(AUTO_SUBMITTED, "Auto-Submitted") \
	X(X_MAILER, "X-Mailer") \
	X(USER_AGENT, "User-Agent") \
	X(X_PRIORITY, "X-Priority") \
	X(IMPORTANCE, "Importance") \
	X(X_MSMAIL_PRIORITY, "X-MSMail-Priority") \
	X(X_MIMEOLE, "X-MimeOLE") \
	X(DKIM_SIGNATURE, "DKIM-Signature") \
	X(AUTHENTICATION_RESULTS, "Authentication-Results") \
	X(X_POSTERN, "X-Postern") \
	X(X_POSTERN_RELEASE, "X-Postern-Release") \
	X(RESENT_FROM, "Resent-From")
/* clang-format on */

enum header_id {
#define HEADER_ENUM(id, name) HEADER_##id,
	HEADER_NAMES(HEADER_ENUM)
#undef HEADER_ENUM
		HEADER_OTHER
};

struct header_field {
	enum header_id id;
	struct bytes name; /* as written, without the blanks that some put before the colon */
	struct bytes
		value;  /* after the colon, as written: folds inside, leading blanks too, without the last line end */
	size_t at, len; /* of the whole field in the message, line end included */
	bool unsure;    /* some clients do not see it as this field: it begins at a bare CR, or behind blanks */
};

#define HEADER_ENDS 4 /* the first three, and the last */

struct header {
	struct header_field *fields;
	size_t count;
	size_t at, len; /* in the message, without the empty line that ends it */
	/*
	 * Where other clients end the header (a line that is no field, a line of blanks, an empty line by bare CR), in
	 * order; none when all agree. One may have more fields than `count`: the array holds them all.
	 */
	struct header_end {
		size_t body;  /* offset of its first body byte */
		size_t count; /* how many of `fields` it has */
	} others[HEADER_ENDS];
	size_t n_others;
};
#define HEADER_NONE ((size_t)-1)

struct header_limits {
	size_t bytes;  /* of one header */
	size_t fields; /* of one header */
};

/*
 * Splits the header that begins at `at` in `message`. `*ret_body` is the offset of the first body byte (message.len
 * when there is no body). Lines end in CRLF, LF or bare CR (each marked where it differs from the rest); a line that is
 * no field and no continuation is marked and either skipped or ends the header, as the mail clients in use do.
 */
NODISCARD enum err header_parse(struct arena *arena, struct bytes message, size_t at,
				const struct header_limits *limits, const struct mime_part *part,
				struct defect_list *defects, struct header *ret_header, size_t *ret_body);

/* The n-th field (0 = topmost) with that id, or NULL. */
const struct header_field *header_find(const struct header *header, enum header_id id, size_t n);
size_t header_count(const struct header *header, enum header_id id);
/* By name, any case. */
const struct header_field *header_find_name(const struct header *header, struct bytes name, size_t n);
/* "From" for HEADER_FROM; "" for HEADER_OTHER. */
const char *header_id_name(enum header_id id);

/* The value on one line: line ends out, leading and trailing blanks cut (RFC 5322, 2.2.3). A slice when nothing had to
 * go. */
struct bytes header_unfold(struct arena *arena, struct bytes value);

/*
 * The length of the field name that `line` begins with, the colon not included; 0 when it is no field and `*ret_colon`
 * stays as it was. Blanks may stand before the colon (RFC 5322, 4.5); inside a name they may not. Bytes that no name
 * may have are let through: the field is then nobody's, but it is a field.
 */
size_t header_name_length(struct bytes line, size_t *ret_colon);
