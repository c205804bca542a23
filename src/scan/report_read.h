/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan/report_read.h: reports of other receivers on mail in our name (RFC 9990, RFC 7489, RFC 8460), found in the mail
 * that brings them, unpacked and read.
 *
 * Owns:   what is read lives in the arena. What is found is a slice of the message, or of its decoded parts.
 * Bounds: what it is has to be seen in its first 4 kB; `unpacked_max` bytes and REPORT_RATIO times the packed size for
 * what comes out of gzip and zip; those of auth/report_dmarc.h and auth/report_tls.h. Fails:  as these and
 * unpack/deflate.h do; ERR_UNSUPPORTED when there is no report.
 */
#include "auth/report_dmarc.h"
#include "auth/report_tls.h"

struct message;

#define REPORT_RATIO 300

enum report_kind { REPORT_NONE, REPORT_DMARC, REPORT_TLS };

/*
 * The report that the message was sent to deliver: known by the media type, file name or Subject that the standards
 * give it; nothing is unpacked. With `guess`, for a person who says that there is one, anything packed or XML will do
 * when there is no better. *ret_name is the file name, may be empty.
 */
enum report_kind report_find_in_message(const struct message *message, bool guess, struct bytes *ret_packed,
					struct bytes *ret_name);

struct report {
	enum report_kind kind;
	struct report_dmarc dmarc;
	struct report_tls tls;
};

/* `content`: XML or JSON, plain or in gzip or zip: what it is decides what it becomes. */
NODISCARD enum err report_read(struct arena *arena, struct bytes content, size_t unpacked_max,
			       struct report *ret_report, struct error *reterr);
/*
 * The same in steps, for who has others to serve between them: each takes and gives about `work` bytes, that of a TLS
 * report in the end all of it. *ret_end: *ret_report is there. `content` must outlive the reading; the reader lives in
 * the arena, and report_reader_close() gives back what does not. After an error, that only.
 */
struct report_reader;
NODISCARD enum err report_reader_open(struct arena *arena, struct bytes content, size_t unpacked_max,
				      struct report_reader **ret_reader, struct error *reterr);
NODISCARD enum err report_reader_step(struct report_reader *reader, size_t work, bool *ret_end,
				      struct report *ret_report, struct error *reterr);
void report_reader_close(struct report_reader **reader);
/* Or a whole message with a report in it, which is guessed if need be. */
NODISCARD enum err report_read_file(struct arena *arena, struct bytes file, size_t unpacked_max,
				    struct report *ret_report, struct error *reterr);
