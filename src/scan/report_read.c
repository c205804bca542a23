/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/report_read.h"

#include "auth/xml.h"
#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "mail/message.h"
#include "unpack/deflate.h"

#include "base/banned.h"

enum form { FORM_OTHER, FORM_PACKED, FORM_XML, FORM_JSON };

/* What the first bytes are; byte order marks and blanks before them do not count. */
static enum form form_of(struct bytes content)
{
	if (deflate_kind_of(content) != DEFLATE_NONE)
		return FORM_PACKED;
	if (bytes_starts(content, BYTES_LIT("\xff\xfe<")) || bytes_starts(content, BYTES_LIT("\xfe\xff\0<")))
		return FORM_XML; /* UTF-16 */
	if (bytes_starts(content, BYTES_LIT("\xef\xbb\xbf")))
		content = bytes_from(content, 3);
	while (content.len > 0 && ascii_is_space(content.ptr[0]))
		content = bytes_from(content, 1);
	if (content.len == 0)
		return FORM_OTHER;
	return content.ptr[0] == '<' ? FORM_XML : content.ptr[0] == '{' ? FORM_JSON : FORM_OTHER;
}

/* -- Finding ---- */

/* receiver "!" domain "!" begin "!" end [ "!" id ] "." extension (RFC 9990, 3.5.2; RFC 8460, 5.1). */
static bool report_filename_like(struct bytes name)
{
	struct bytes piece;
	size_t n = 0;
	while (n < 6 && bytes_split(&name, '!', &piece)) {
		n++;
		for (size_t i = 0; n == 3 && i < piece.len; i++)
			if (!ascii_is_digit(piece.ptr[i]))
				return false;
		if (piece.len == 0 || (n == 4 && !ascii_is_digit(piece.ptr[0])))
			return false;
	}
	return n == 4 || n == 5;
}

static bool has_root(struct bytes xml)
{
	return bytes_find(bytes_sub(xml, 0, 4096), BYTES_LIT("feedback")) != BYTES_NONE;
}

/* How surely a leaf is the report: 0 not, 1 it may be, 2 it is. */
static unsigned weigh(const struct message *message, const struct mime_part *part, enum report_kind *ret_kind)
{
	struct bytes name = part->n_names > 0 ? part->names[0].text : (struct bytes){0};
	enum form form = form_of(part->content);
	bool tls = bytes_starts(part->type, BYTES_LIT("application/tlsrpt+")) || form == FORM_JSON ||
		   bytes_find_nocase(name, BYTES_LIT(".json")) != BYTES_NONE ||
		   bytes_starts_nocase(message->subject, BYTES_LIT("TLS Report"));
	*ret_kind = tls ? REPORT_TLS : REPORT_DMARC;
	if (form == FORM_OTHER || part->reading > 1)
		return 0;
	if (form == FORM_XML && !has_root(part->content))
		return 0; /* XHTML, a calendar, anything */
	if (form == FORM_XML)
		*ret_kind = REPORT_DMARC;
	if (bytes_starts(part->type, BYTES_LIT("application/tlsrpt+")) || report_filename_like(name))
		return 2;
	if (form != FORM_JSON && bytes_starts_nocase(message->subject, BYTES_LIT("Report Domain:")))
		return 2;
	return form == FORM_PACKED || mime_type_is(part, "text/xml") || mime_type_is(part, "application/") ? 1 : 0;
}

enum report_kind report_find_in_message(const struct message *message, bool guess, struct bytes *ret_packed,
					struct bytes *ret_name)
{
	const struct mime_part *best = NULL;
	enum report_kind kind = REPORT_NONE, its = REPORT_NONE;
	unsigned weight = guess ? 0 : 1;
	for (size_t i = 0; i < message->tree.n_parts && weight < 2; i++) {
		const struct mime_part *part = message->tree.parts[i];
		unsigned its_weight = part->leaf ? weigh(message, part, &its) : 0;
		if (its_weight > weight) {
			best = part;
			kind = its;
			weight = its_weight;
		}
	}
	*ret_packed = best ? best->content : (struct bytes){0};
	*ret_name = best && best->n_names > 0 ? best->names[0].text : (struct bytes){0};
	return kind;
}

/* -- Reading ---- */

#define HEAD_MAX ((size_t)4 << 10) /* in which it has to be seen what it is */
#define STEP     ((size_t)1 << 20) /* for who has nothing else to do */

struct report_reader {
	struct arena *arena;
	struct bytes content; /* plain: what is not read yet */
	struct deflate *deflate;
	struct buf piece; /* unpacked, and not handed on yet */
	uint64_t seed;
	enum form form; /* OTHER: not seen yet */
	struct report_dmarc_reader *dmarc;
};

enum err report_reader_open(struct arena *arena, struct bytes content, size_t unpacked_max,
			    struct report_reader **ret_reader, struct error *reterr)
{
	enum deflate_kind kind = deflate_kind_of(content);
	struct report_reader *reader = arena_new(arena, struct report_reader, 1);
	*ret_reader = NULL;
	if (!reader)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the report");
	*reader = (struct report_reader){.arena = arena, .content = content, .seed = xml_seed(content)};
	buf_init(&reader->piece, SIZE_MAX / 2);
	if (kind != DEFLATE_NONE)
		TRY(deflate_open(kind, content, REPORT_RATIO, unpacked_max, &reader->deflate, reterr));
	*ret_reader = reader;
	return ERR_OK;
}

/* Adds what comes next; *ret_end: there is no more. */
static enum err next_piece(struct report_reader *reader, size_t work, bool *ret_end, struct error *reterr)
{
	if (reader->deflate)
		return deflate_next(reader->deflate, work, &reader->piece, ret_end, reterr);
	struct bytes next = bytes_sub(reader->content, 0, work);
	reader->content = bytes_from(reader->content, next.len);
	buf_add(&reader->piece, next);
	*ret_end = reader->content.len == 0;
	return buf_err(&reader->piece) == ERR_OK ? ERR_OK : error_set(reterr, ERR_NOMEM, 0, "no memory for the report");
}

/* JSON is read at its end: it is not large (REPORT_TLS_MAX), and its parser knows no pieces. */
static enum err read_json(struct report_reader *reader, bool end, struct report *ret_report, struct error *reterr)
{
	struct bytes json = buf_bytes(&reader->piece);
	if (!end && json.len <= REPORT_TLS_MAX)
		return ERR_OK;
	if (bytes_starts(json, BYTES_LIT("\xef\xbb\xbf")))
		json = bytes_from(json, 3);
	ret_report->kind = REPORT_TLS;
	return report_tls_read(reader->arena, json, &ret_report->tls, reterr);
}

static enum err read_xml(struct report_reader *reader, bool end, struct report *ret_report, struct error *reterr)
{
	if (!reader->dmarc)
		TRY(report_dmarc_open(reader->arena, reader->seed, &reader->dmarc, reterr));
	TRY(report_dmarc_feed(reader->dmarc, buf_bytes(&reader->piece), reterr));
	buf_clear(&reader->piece);
	if (!end)
		return ERR_OK;
	ret_report->kind = REPORT_DMARC;
	return report_dmarc_finish(reader->dmarc, &ret_report->dmarc, reterr);
}

enum err report_reader_step(struct report_reader *reader, size_t work, bool *ret_end, struct report *ret_report,
			    struct error *reterr)
{
	*ret_end = false;
	*ret_report = (struct report){0};
	TRY(next_piece(reader, work, ret_end, reterr));
	if (reader->form == FORM_OTHER)
		reader->form = form_of(buf_bytes(&reader->piece));
	if (reader->form == FORM_XML)
		return read_xml(reader, *ret_end, ret_report, reterr);
	if (reader->form == FORM_JSON)
		return read_json(reader, *ret_end, ret_report, reterr);
	if (reader->form == FORM_OTHER && !*ret_end && reader->piece.len < HEAD_MAX)
		return ERR_OK;
	return error_set(reterr, ERR_UNSUPPORTED, 0, "there is no report of DMARC or TLS in it");
}

void report_reader_close(struct report_reader **reader)
{
	if (!*reader)
		return;
	report_dmarc_close(&(*reader)->dmarc);
	deflate_free(&(*reader)->deflate);
	buf_done(&(*reader)->piece);
	*reader = NULL;
}

enum err report_read(struct arena *arena, struct bytes content, size_t unpacked_max, struct report *ret_report,
		     struct error *reterr)
{
	CLEANUP(report_reader_close) struct report_reader *reader = NULL;
	bool end = false;
	*ret_report = (struct report){0};
	TRY(report_reader_open(arena, content, unpacked_max, &reader, reterr));
	while (!end)
		TRY(report_reader_step(reader, STEP, &end, ret_report, reterr));
	return ERR_OK;
}

enum err report_read_file(struct arena *arena, struct bytes file, size_t unpacked_max, struct report *ret_report,
			  struct error *reterr)
{
	struct message *message;
	struct bytes packed, name;
	*ret_report = (struct report){0};
	if (form_of(file) != FORM_OTHER)
		return report_read(arena, file, unpacked_max, ret_report, reterr);
	if (message_parse(arena, file, &mime_limits_default, &message) != ERR_OK)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the message");
	if (report_find_in_message(message, true, &packed, &name) == REPORT_NONE)
		return error_set(reterr, ERR_UNSUPPORTED, 0, "there is no report of DMARC or TLS in it");
	return report_read(arena, packed, unpacked_max, ret_report, reterr);
}
