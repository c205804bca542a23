/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file form of a case: a first line, then records "name length LF bytes LF" in a fixed order of kinds, so that a
 * person can look into it with a pager and a program can read it without guessing:
 *
 *     postern-case 1
 *     definitions 12
 *     f3b1...
 *     setting.tag_at 4
 *     2197
 *     fact.release.known 97
 *     KEY LF ANSWER
 *     message 5120
 *     ...
 */
#include "scan/case.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "base/num.h"
#include "mail/received.h"
#include "scan/verdict.h"

#include "base/banned.h"

#define MAGIC          "postern-case 1\n"
#define RECIPIENTS_MAX 100000

const struct scan_settings scan_settings_default = {
	.tag_at = 2197,        /* p = 0.9 */
	.quarantine_at = 4595, /* p = 0.99 */
	.max_parts = 10000,
	.max_depth = 100,
	.max_header_bytes = (size_t)4 << 20,
	.max_memory = (size_t)512 << 20,
	.list_questions = 50,
};

bool scan_network_holds(const struct scan_network *network, const uint8_t ip[16])
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;
	if (memcmp(ip, network->ip, whole) != 0)
		return false;
	return rest == 0 || ((ip[whole] ^ network->ip[whole]) >> (8 - rest)) == 0;
}

enum err scan_network_parse(struct bytes text, struct scan_network *ret_network)
{
	size_t slash = bytes_find_byte(text, '/');
	struct bytes host = bytes_sub(text, 0, slash);
	bool four = !bytes_has(host, ':');
	uint64_t bits = four ? 32 : 128;
	if (!received_parse_ip(host, ret_network->ip))
		return ERR_SYNTAX;
	if (slash != BYTES_NONE)
		TRY(num_parse(bytes_from(text, slash + 1), 10, bits, &bits));
	ret_network->bits = (unsigned)bits + (four ? 96 : 0);
	return ERR_OK;
}

static const char *const state_names[] = {"asked", "known", "negative", "failed"};

static void record(struct buf *buf, const char *name, struct bytes value)
{
	buf_printf(buf, "%s %zu\n", name, value.len);
	buf_add(buf, value);
	buf_add_byte(buf, '\n');
}

static void record_number(struct buf *buf, const char *name, long long value)
{
	char text[32];
	(void)snprintf(text, sizeof(text), "%lld", value);
	record(buf, name, bytes_from_cstr(text));
}

static void record_ip(struct buf *buf, const char *name, const uint8_t ip[16], unsigned bits)
{
	char text[64];
	for (size_t i = 0; i < 16; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", ip[i]);
	(void)snprintf(text + 32, sizeof(text) - 32, "/%u", bits);
	record(buf, name, bytes_from_cstr(text));
}

static void write_settings(struct buf *buf, const struct scan_settings *settings)
{
	record_number(buf, "setting.tag_at", settings->tag_at);
	record_number(buf, "setting.quarantine_at", settings->quarantine_at);
	record_number(buf, "setting.max_parts", (long long)settings->max_parts);
	record_number(buf, "setting.max_depth", (long long)settings->max_depth);
	record_number(buf, "setting.max_header_bytes", (long long)settings->max_header_bytes);
	record_number(buf, "setting.max_memory", (long long)settings->max_memory);
	for (size_t i = 0; i < settings->n_trusted; i++)
		record_ip(buf, "setting.trusted", settings->trusted[i].ip, settings->trusted[i].bits);
	record_number(buf, "setting.dns", settings->dns);
	record_number(buf, "setting.dmarc_mode", (long long)settings->dmarc_mode);
	record(buf, "setting.authserv_id", settings->authserv_id);
	for (size_t i = 0; i < settings->n_sealers; i++)
		record(buf, "setting.sealer", settings->sealers[i]);
	for (size_t i = 0; i < settings->n_relays; i++)
		record(buf, "setting.relay", settings->relays[i]);
	record_number(buf, "setting.list_questions", (long long)settings->list_questions);
	for (size_t i = 0; i < settings->n_own_domains; i++)
		record(buf, "setting.own_domain", settings->own_domains[i]);
	for (size_t i = 0; i < settings->n_zones + settings->n_locals; i++) {
		CLEANUP(buf_done) struct buf text = BUF_INIT((size_t)64 << 10);
		bool zone = i < settings->n_zones;
		if (zone)
			list_zone_write(&text, &settings->zones[i]);
		else
			list_local_write(&text, &settings->locals[i - settings->n_zones]);
		record(buf, zone ? "setting.zone" : "setting.local_list", buf_bytes(&text));
	}
}

static void write_envelope(struct buf *buf, const struct scan_envelope *envelope)
{
	record(buf, "envelope.frontend", envelope->frontend);
	if (envelope->has_client)
		record_ip(buf, "envelope.client", envelope->client_ip, 128);
	record(buf, "envelope.client_name", envelope->client_name);
	record(buf, "envelope.helo", envelope->helo);
	if (envelope->has_from)
		record(buf, "envelope.from", envelope->from);
	for (size_t i = 0; i < envelope->n_recipients; i++)
		record(buf, "envelope.recipient", envelope->recipients[i]);
	record(buf, "envelope.user", envelope->user);
	if (envelope->submitted)
		record(buf, "envelope.submitted", BYTES_LIT("true"));
	record(buf, "envelope.hostname", envelope->hostname);
}

void case_write(struct buf *buf, const struct scan_case *scan_case)
{
	buf_add_cstr(buf, MAGIC);
	record(buf, "definitions", scan_case->definitions);
	write_settings(buf, &scan_case->settings);
	write_envelope(buf, &scan_case->envelope);
	for (size_t i = 0; i < scan_case->facts.count; i++) {
		const struct fact *fact = &scan_case->facts.items[i];
		buf_printf(buf, "fact.%s.%s %zu\n", fact_kind_name(fact->kind), state_names[fact->state],
			   fact->key.len + 1 + fact->answer.len);
		buf_add(buf, fact->key);
		buf_add_byte(buf, '\n');
		buf_add(buf, fact->answer);
		buf_add_byte(buf, '\n');
	}
	record(buf, "verdict", scan_case->verdict);
	record(buf, "message", scan_case->message);
}

/* -- Reading ---- */

struct reader {
	struct arena *arena;
	struct scan_case *out;
	size_t recipients_capacity, trusted_capacity, sealers_capacity, relays_capacity;
	size_t zones_capacity, locals_capacity, own_capacity;
	bool message_seen;
};

static enum err read_number(struct bytes value, long long max, long long *ret)
{
	uint64_t magnitude = 0;
	bool negative = bytes_starts(value, BYTES_LIT("-"));
	TRY(num_parse(bytes_from(value, negative ? 1 : 0), 10, (uint64_t)max, &magnitude));
	*ret = negative ? -(long long)magnitude : (long long)magnitude;
	return ERR_OK;
}

static enum err read_int(struct bytes value, int *ret)
{
	long long number = 0;
	TRY(read_number(value, 1000000, &number));
	*ret = (int)number;
	return ERR_OK;
}

static enum err read_size(struct bytes value, size_t *ret)
{
	long long number = 0;
	TRY(read_number(value, (long long)1 << 40, &number));
	if (number < 0)
		return ERR_SYNTAX;
	*ret = (size_t)number;
	return ERR_OK;
}

static enum err read_ip(struct bytes value, uint8_t ip[16], unsigned *ret_bits)
{
	uint64_t octet = 0, bits = 0;
	for (size_t i = 0; i < 16; i++) {
		TRY(num_parse(bytes_sub(value, 2 * i, 2), 16, 255, &octet));
		ip[i] = (uint8_t)octet;
	}
	if (bytes_find_byte(value, '/') != 32)
		return ERR_SYNTAX;
	TRY(num_parse(bytes_from(value, 33), 10, 128, &bits));
	*ret_bits = (unsigned)bits;
	return ERR_OK;
}

static enum err read_name(struct reader *reader, struct bytes value, struct bytes **items, size_t *capacity,
			  size_t *count)
{
	struct bytes *grown = arena_grow(reader->arena, *items, capacity, *count, sizeof(*grown));
	if (!grown)
		return ERR_NOMEM;
	*items = grown;
	grown[(*count)++] = value;
	return ERR_OK;
}

static enum err read_zone(struct reader *reader, struct bytes value)
{
	struct scan_settings *settings = &reader->out->settings;
	struct list_zone *grown =
		arena_grow(reader->arena, settings->zones, &reader->zones_capacity, settings->n_zones, sizeof(*grown));
	if (!grown)
		return ERR_NOMEM;
	settings->zones = grown;
	return list_zone_read(reader->arena, value, &grown[settings->n_zones++]);
}

static enum err read_local(struct reader *reader, struct bytes value)
{
	struct scan_settings *settings = &reader->out->settings;
	struct list_local *grown = arena_grow(reader->arena, settings->locals, &reader->locals_capacity,
					      settings->n_locals, sizeof(*grown));
	if (!grown)
		return ERR_NOMEM;
	settings->locals = grown;
	return list_local_read(value, &grown[settings->n_locals++]);
}

/* What lists are asked. */
static enum err read_list_setting(struct reader *reader, struct bytes name, struct bytes value)
{
	struct scan_settings *settings = &reader->out->settings;
	if (bytes_eq(name, BYTES_LIT("list_questions")))
		return read_size(value, &settings->list_questions);
	if (bytes_eq(name, BYTES_LIT("own_domain")))
		return read_name(reader, value, &settings->own_domains, &reader->own_capacity,
				 &settings->n_own_domains);
	if (bytes_eq(name, BYTES_LIT("zone")))
		return read_zone(reader, value);
	if (bytes_eq(name, BYTES_LIT("local_list")))
		return read_local(reader, value);
	return ERR_UNSUPPORTED;
}

static enum err read_setting(struct reader *reader, struct bytes name, struct bytes value)
{
	struct scan_settings *settings = &reader->out->settings;
	if (bytes_eq(name, BYTES_LIT("tag_at")))
		return read_int(value, &settings->tag_at);
	if (bytes_eq(name, BYTES_LIT("quarantine_at")))
		return read_int(value, &settings->quarantine_at);
	if (bytes_eq(name, BYTES_LIT("max_parts")))
		return read_size(value, &settings->max_parts);
	if (bytes_eq(name, BYTES_LIT("max_depth")))
		return read_size(value, &settings->max_depth);
	if (bytes_eq(name, BYTES_LIT("max_header_bytes")))
		return read_size(value, &settings->max_header_bytes);
	if (bytes_eq(name, BYTES_LIT("max_memory")))
		return read_size(value, &settings->max_memory);
	if (bytes_eq(name, BYTES_LIT("trusted"))) {
		struct scan_network *grown = arena_grow(reader->arena, settings->trusted, &reader->trusted_capacity,
							settings->n_trusted, sizeof(*grown));
		if (!grown)
			return ERR_NOMEM;
		settings->trusted = grown;
		TRY(read_ip(value, grown[settings->n_trusted].ip, &grown[settings->n_trusted].bits));
		settings->n_trusted++;
		return ERR_OK;
	}
	int number = 0;
	if (bytes_eq(name, BYTES_LIT("dns"))) {
		TRY(read_int(value, &number));
		settings->dns = number != 0;
		return ERR_OK;
	}
	if (bytes_eq(name, BYTES_LIT("dmarc_mode"))) {
		TRY(read_int(value, &number));
		settings->dmarc_mode = number == DMARC_RFC7489 ? DMARC_RFC7489 : DMARC_RFC9989;
		return ERR_OK;
	}
	if (bytes_eq(name, BYTES_LIT("authserv_id"))) {
		settings->authserv_id = value;
		return ERR_OK;
	}
	if (bytes_eq(name, BYTES_LIT("sealer")))
		return read_name(reader, value, &settings->sealers, &reader->sealers_capacity, &settings->n_sealers);
	if (bytes_eq(name, BYTES_LIT("relay")))
		return read_name(reader, value, &settings->relays, &reader->relays_capacity, &settings->n_relays);
	return read_list_setting(reader, name, value);
}

static enum err read_envelope(struct reader *reader, struct bytes name, struct bytes value)
{
	struct scan_envelope *envelope = &reader->out->envelope;
	unsigned bits;
	if (bytes_eq(name, BYTES_LIT("frontend"))) {
		envelope->frontend = value;
	} else if (bytes_eq(name, BYTES_LIT("client"))) {
		envelope->has_client = true;
		return read_ip(value, envelope->client_ip, &bits);
	} else if (bytes_eq(name, BYTES_LIT("client_name"))) {
		envelope->client_name = value;
	} else if (bytes_eq(name, BYTES_LIT("helo"))) {
		envelope->helo = value;
	} else if (bytes_eq(name, BYTES_LIT("from"))) {
		envelope->has_from = true;
		envelope->from = value;
	} else if (bytes_eq(name, BYTES_LIT("user"))) {
		envelope->user = value;
	} else if (bytes_eq(name, BYTES_LIT("submitted"))) {
		envelope->submitted = bytes_eq(value, BYTES_LIT("true"));
	} else if (bytes_eq(name, BYTES_LIT("hostname"))) {
		envelope->hostname = value;
	} else if (bytes_eq(name, BYTES_LIT("recipient"))) {
		struct bytes *grown = arena_grow(reader->arena, envelope->recipients, &reader->recipients_capacity,
						 envelope->n_recipients, sizeof(*grown));
		if (!grown || envelope->n_recipients >= RECIPIENTS_MAX)
			return grown ? ERR_LIMIT : ERR_NOMEM;
		envelope->recipients = grown;
		grown[envelope->n_recipients++] = value;
	} else {
		return ERR_UNSUPPORTED;
	}
	return ERR_OK;
}

/* `name` is KIND.STATE. */
static enum err read_fact(struct reader *reader, struct bytes name, struct bytes value)
{
	size_t dot = bytes_find_byte(name, '.'), line = bytes_find_byte(value, '\n');
	enum fact_kind kind;
	if (dot == BYTES_NONE || line == BYTES_NONE || !fact_kind_find(bytes_sub(name, 0, dot), &kind))
		return ERR_UNSUPPORTED;
	for (size_t state = 0; state < ARRAY_LEN(state_names); state++)
		if (bytes_eq(bytes_from(name, dot + 1), bytes_from_cstr(state_names[state])))
			return fact_set(reader->arena, &reader->out->facts, kind, bytes_sub(value, 0, line),
					(enum fact_state)state, bytes_from(value, line + 1));
	return ERR_UNSUPPORTED;
}

static enum err read_record(struct reader *reader, struct bytes name, struct bytes value)
{
	if (bytes_starts(name, BYTES_LIT("setting.")))
		return read_setting(reader, bytes_from(name, 8), value);
	if (bytes_starts(name, BYTES_LIT("envelope.")))
		return read_envelope(reader, bytes_from(name, 9), value);
	if (bytes_starts(name, BYTES_LIT("fact.")))
		return read_fact(reader, bytes_from(name, 5), value);
	if (bytes_eq(name, BYTES_LIT("definitions")))
		reader->out->definitions = value;
	else if (bytes_eq(name, BYTES_LIT("verdict")))
		reader->out->verdict = value;
	else if (bytes_eq(name, BYTES_LIT("message")) && !reader->message_seen) {
		reader->out->message = value;
		reader->message_seen = true;
	} else
		return ERR_UNSUPPORTED;
	return ERR_OK;
}

enum err case_read(struct arena *arena, struct bytes file, struct scan_case *ret_case, struct error *reterr)
{
	struct reader reader = {.arena = arena, .out = ret_case};
	struct cursor cur = cursor_make(file);
	*ret_case = (struct scan_case){.settings = scan_settings_default};
	if (!bytes_eq(cursor_take(&cur, sizeof(MAGIC) - 1), BYTES_LIT(MAGIC)))
		return error_set(reterr, ERR_SYNTAX, 0,
				 "this is no recorded case (its first line must be \"postern-case 1\")");
	while (!cursor_end(&cur)) {
		size_t at = cur.at;
		struct bytes name = cursor_until(&cur, ' ');
		struct bytes digits = cursor_until(&cur, '\n');
		uint64_t len = 0;
		enum err err = cur.err == ERR_OK ? num_parse(digits, 10, file.len, &len) : cur.err;
		struct bytes value = err == ERR_OK ? cursor_take(&cur, (size_t)len) : (struct bytes){0};
		if (err == ERR_OK && (cursor_u8(&cur) != '\n' || cur.err != ERR_OK))
			err = ERR_SYNTAX;
		if (err == ERR_OK)
			err = read_record(&reader, name, value);
		if (err != ERR_OK)
			return error_set(reterr, err, at, "the case is damaged at byte %zu (%s)", at, err_name(err));
	}
	if (!reader.message_seen)
		return error_set(reterr, ERR_SHORT, file.len, "the case holds no message");
	return ERR_OK;
}
