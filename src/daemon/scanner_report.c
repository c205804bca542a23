/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/scanner_report.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "daemon/child.h"
#include "daemon/peer.h"
#include "daemon/policy.h"
#include "mail/url.h"
#include "scan/auth.h"
#include "scan/report_part.h"
#include "scan/scan.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/metrics.h"

#include "base/banned.h"

#define WAITING_MAX  ((size_t)64 << 20) /* bytes, packed */
#define LETTERS_MAX  1000
#define UNPACKED_MAX ((size_t)32 << 20)  /* of one report */
#define MEMORY_MAX   ((size_t)256 << 20) /* of one that is read */
#define PARTS_MAX    ((size_t)1000)
/* Of a step: some 35 ns a byte where it is hardest, and 0.1 ms a part. */
#define STEP_BYTES ((size_t)64 << 10)
#define STEP_PARTS 10

/* A report that waits, or is being read. */
struct letter {
	struct letter *next;
	const struct peer_link *from;
	size_t id_len, sender_len, len;
	uint8_t text[]; /* the Message-ID, the domain that is proven to send it, the report as it came */
};

struct scanner_reports {
	struct letter *first, **last;
	size_t waiting, n; /* bytes of all letters, and how many these are */
	bool lost;         /* it was said, since nothing waited last */
	struct loop_timer *step;
	/* Of the first letter. */
	struct arena *arena; /* NULL: it is not begun */
	struct report_reader *reader;
	struct report report; /* once the reader is done with it */
	size_t parts, sent;
};

/* -- The letters ---- */

static struct bytes message_id_of(const struct letter *letter)
{
	return bytes_make(letter->text, letter->id_len);
}

static struct bytes sender_of(const struct letter *letter)
{
	return bytes_make(letter->text + letter->id_len, letter->sender_len);
}

static struct bytes packed_of(const struct letter *letter)
{
	size_t before = letter->id_len + letter->sender_len;
	return bytes_make(letter->text + before, letter->len - sizeof(*letter) - before);
}

static void abandon_reading(struct scanner_reports *reports)
{
	report_reader_close(&reports->reader);
	arena_free(&reports->arena);
	reports->parts = reports->sent = 0;
}

static void drop_first(struct scanner_reports *reports)
{
	struct letter *gone = reports->first;
	abandon_reading(reports);
	reports->first = gone->next;
	if (!reports->first) {
		reports->last = &reports->first;
		reports->lost = false;
	}
	reports->waiting -= gone->len;
	reports->n--;
	mem_free(gone);
}

void scanner_reports_forget(struct scanner_reports *reports, const struct peer_link *from)
{
	struct letter **at;
	if (!reports)
		return;
	while (reports->first && reports->first->from == from)
		drop_first(reports);
	at = &reports->first;
	while (*at) {
		struct letter *gone = *at;
		if (gone->from != from) {
			at = &gone->next;
			continue;
		}
		*at = gone->next;
		reports->waiting -= gone->len;
		reports->n--;
		mem_free(gone);
	}
	reports->last = at;
	if (!reports->first)
		loop_timer_stop(reports->step);
}

static void lose(struct scanner_reports *reports, struct bytes message_id)
{
	metrics_add(METRIC_REPORT_PARTS_LOST, 1);
	if (!reports->lost)
		log_event(LOG_WARNING, "report.lost", log_str("message_id", message_id),
			  log_int("waiting_bytes", (int64_t)reports->waiting));
	reports->lost = true;
}

/* Of the room that the others leave a sender has half, in bytes and in letters: nobody can take all of it. */
static bool has_room(const struct scanner_reports *reports, struct bytes sender, size_t len)
{
	struct bytes site = url_registrable(sender);
	size_t its = 0, n = 0;
	for (const struct letter *letter = reports->first; letter; letter = letter->next) {
		if (!bytes_eq(url_registrable(sender_of(letter)), site))
			continue;
		its += letter->len;
		n++;
	}
	return its + len <= (WAITING_MAX - (reports->waiting - its)) / 2 && n < (LETTERS_MAX - (reports->n - n)) / 2;
}

static void add_letter(struct scanner_reports *reports, const struct peer_link *from, struct bytes message_id,
		       struct bytes sender, struct bytes packed)
{
	size_t len = sizeof(struct letter) + message_id.len + sender.len + packed.len;
	struct letter *letter = has_room(reports, sender, len) ? mem_alloc(len) : NULL;
	if (!letter) {
		lose(reports, message_id);
		return;
	}
	*letter = (struct letter){.from = from, .id_len = message_id.len, .sender_len = sender.len, .len = len};
	uint8_t *at = letter->text;
	const struct bytes texts[] = {message_id, sender, packed};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (texts[i].len > 0)
			memcpy(at, texts[i].ptr, texts[i].len);
		at += texts[i].len;
	}
	*reports->last = letter;
	reports->last = &letter->next;
	reports->waiting += len;
	reports->n++;
	if (!loop_timer_running(reports->step))
		loop_timer_set(reports->step, 0);
}

/* -- Reading ---- */

static void tell_read(const struct report *report, struct bytes sender)
{
	bool dmarc = report->kind == REPORT_DMARC;
	metrics_add(METRIC_REPORTS_READ, 1);
	log_event(LOG_NOTICE, "report.read", log_cstr("kind", dmarc ? "dmarc" : "tls"), log_str("sender", sender),
		  log_str("org", dmarc ? report->dmarc.org : report->tls.org),
		  log_str("id", dmarc ? report->dmarc.report_id : report->tls.report_id),
		  log_int("parts", (int64_t)report_parts(report)));
}

static enum err read_some(struct scanner_reports *reports, struct error *reterr)
{
	bool end = false;
	if (!reports->arena && !(reports->arena = arena_create(MEMORY_MAX)))
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	if (!reports->reader)
		return report_reader_open(reports->arena, packed_of(reports->first), UNPACKED_MAX, &reports->reader,
					  reterr);
	TRY(report_reader_step(reports->reader, STEP_BYTES, &end, &reports->report, reterr));
	if (end) {
		tell_read(&reports->report, sender_of(reports->first));
		reports->parts = MIN(report_parts(&reports->report), PARTS_MAX);
	}
	return ERR_OK;
}

/* False: it cannot be made. */
static bool send_part(struct scanner_reports *reports)
{
	CLEANUP(buf_done) struct buf packed = BUF_INIT(REPORT_PART_MAX);
	struct arena_mark mark = arena_mark(reports->arena);
	struct report_part part;
	if (report_part_make(reports->arena, &reports->report, reports->sent++, &part) != ERR_OK)
		return false;
	part.sender = sender_of(reports->first);
	report_part_pack(&packed, &part);
	if (buf_err(&packed) == ERR_OK)
		peer_say(reports->first->from,
			 &(struct wire_any){.type = WIRE_REPORT,
					    .report = {.time = clock_wall_ms() / 1000, .part = buf_bytes(&packed)}});
	arena_rewind(reports->arena, mark);
	return true;
}

/* True: the first letter is done with. */
static bool go_on(struct scanner_reports *reports)
{
	struct error error = {.text = "no memory"};
	if (reports->parts == 0 && read_some(reports, &error) != ERR_OK) {
		metrics_add(METRIC_REPORTS_UNREADABLE, 1);
		log_event(LOG_NOTICE, "report.unreadable", log_str("message_id", message_id_of(reports->first)),
			  log_cstr("why", error.text));
		return true;
	}
	for (size_t i = 0; i < STEP_PARTS && reports->sent < reports->parts; i++)
		if (!send_part(reports))
			return true;
	return reports->parts > 0 && reports->sent == reports->parts;
}

/* One step in a turn of the loop: what came for this process meanwhile has its turn before the next. */
static void on_step(void *ctx)
{
	struct scanner_reports *reports = ctx;
	if (go_on(reports))
		drop_first(reports);
	if (reports->first)
		loop_timer_set(reports->step, 0);
}

static struct scanner_reports *make(struct child *child)
{
	struct scanner_reports *reports = mem_new(struct scanner_reports, 1);
	if (!reports)
		return NULL;
	*reports = (struct scanner_reports){0};
	reports->last = &reports->first;
	if (loop_timer_new(child_loop(child), on_step, reports, &reports->step) == ERR_OK)
		return reports;
	mem_free(reports);
	return NULL;
}

/* -- Taking ---- */

static bool goes_to_reports(const struct scan_envelope *envelope, const struct conf_strings *addresses)
{
	for (size_t i = 0; i < envelope->n_recipients; i++)
		for (size_t j = 0; j < addresses->count; j++)
			if (policy_matches(addresses->items[j], envelope->recipients[i]))
				return true;
	return false;
}

/* Anybody can write a report: it counts only where its sender is proven. */
void scanner_reports_take(struct scanner_reports **reports, struct child *child, const struct peer_link *from,
			  struct scan *scan, const struct scan_case *scan_case)
{
	const struct settings *settings = child_heritage(child)->settings;
	const struct message *message = scan_message(scan);
	enum verdict_class class = scan_verdict(scan)->class;
	const struct dmarc_result *dmarc = &scan_auth_result(scan)->dmarc;
	struct bytes packed, name, sender = {0}, message_id = bytes_sub(message->message_id, 0, 998);
	if (settings->report_addresses.count == 0 || (class != CLASS_CLEAN && class != CLASS_BULK) ||
	    !goes_to_reports(&scan_case->envelope, &settings->report_addresses) ||
	    report_find_in_message(message, false, &packed, &name) == REPORT_NONE)
		return;
	if (dmarc->code == DMARC_PASS)
		sender = dmarc->domain;
	else if (!settings->report_unproven) {
		metrics_add(METRIC_REPORTS_UNPROVEN, 1);
		log_event(LOG_NOTICE, "report.unproven", log_str("message_id", message_id));
		return;
	}
	if (*reports || (*reports = make(child)))
		add_letter(*reports, from, message_id, sender, packed);
	else
		metrics_add(METRIC_REPORT_PARTS_LOST, 1);
}
