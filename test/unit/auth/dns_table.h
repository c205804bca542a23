/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * test/unit/auth/dns_table.h: a dns_host whose world is a table. Several rows of one question make one answer. What is
 * in no row is DNS_NO_NAME, or DNS_NO_DATA where the name has rows of other types. With `late` each question is
 * answered only when it is asked a second time, as it is in the daemons.
 */
#include "auth/dns.h"
#include "base/arena.h"

struct dns_row {
	enum dns_type type;
	const char *name;
	const char *data; /* text; for A "192.0.2.1", AAAA full form of 8 groups; NULL: the question fails */
	unsigned preference;
};

struct dns_table {
	const struct dns_row *rows;
	size_t n_rows;
	struct arena *arena;
	bool late;
	struct dns_answer answers[512];
	struct bytes asked[512]; /* the questions, in order */
	bool told[512];
	size_t n_asked;
};

static inline size_t dns_table_ip(enum dns_type type, const char *text, uint8_t ip[16])
{
	unsigned part[8] = {0};
	if (type == DNS_A) {
		(void)sscanf(text, "%u.%u.%u.%u", &part[0], &part[1], &part[2], &part[3]);
		for (size_t i = 0; i < 4; i++)
			ip[i] = (uint8_t)part[i];
		return 4;
	}
	(void)sscanf(text, "%x:%x:%x:%x:%x:%x:%x:%x", &part[0], &part[1], &part[2], &part[3], &part[4], &part[5],
		     &part[6], &part[7]);
	for (size_t i = 0; i < 8; i++) {
		ip[2 * i] = (uint8_t)(part[i] >> 8);
		ip[2 * i + 1] = (uint8_t)(part[i] & 255);
	}
	return 16;
}

static inline void dns_table_fill(struct dns_table *table, struct dns_answer *answer, enum dns_type type,
				  struct bytes name)
{
	size_t capacity = 0;
	answer->state = DNS_NO_NAME;
	for (size_t i = 0; i < table->n_rows; i++) {
		const struct dns_row *row = &table->rows[i];
		if (!bytes_eq_nocase(bytes_from_cstr(row->name), name))
			continue;
		if (row->type != type) {
			if (answer->state == DNS_NO_NAME)
				answer->state = DNS_NO_DATA;
			continue;
		}
		if (!row->data) {
			*answer = (struct dns_answer){.state = DNS_FAILED, .reason = BYTES_LIT("timeout")};
			return;
		}
		uint8_t ip[16];
		bool address = type == DNS_A || type == DNS_AAAA;
		struct bytes data =
			address ? bytes_make(ip, dns_table_ip(type, row->data, ip)) : bytes_from_cstr(row->data);
		answer->records = arena_grow(table->arena, answer->records, &capacity, answer->n_records,
					     sizeof(struct dns_record));
		answer->records[answer->n_records++] =
			(struct dns_record){.preference = row->preference, .data = arena_copy(table->arena, data)};
		answer->state = DNS_FOUND;
	}
}

static inline const struct dns_answer *dns_table_ask(void *data, enum dns_type type, struct bytes name)
{
	static const struct dns_answer no_name = {.state = DNS_NO_NAME},
				       full = {.state = DNS_FAILED, .reason = BYTES_INIT("too many questions")};
	struct dns_table *table = data;
	struct bytes key;
	if (!dns_name_valid(name))
		return &no_name;
	if (dns_question_write(table->arena, type, name, &key) != ERR_OK)
		return &full;
	for (size_t i = 0; i < table->n_asked; i++) {
		if (bytes_eq(table->asked[i], key)) {
			table->told[i] = true;
			return &table->answers[i];
		}
	}
	if (table->n_asked == sizeof(table->asked) / sizeof(table->asked[0]))
		return &full;
	size_t i = table->n_asked++;
	table->asked[i] = key;
	table->answers[i] = (struct dns_answer){0};
	dns_table_fill(table, &table->answers[i], type, bytes_from(key, bytes_find_byte(key, ' ') + 1));
	return table->late ? NULL : &table->answers[i];
}

static inline struct dns_host dns_table_host(struct dns_table *table)
{
	return (struct dns_host){.ask = dns_table_ask, .data = table};
}
