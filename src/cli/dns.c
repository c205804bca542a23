/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/dns.h"

#include "base/arena.h"
#include "base/mem.h"
#include "resolve/resolver.h"
#include "resolve/servers.h"
#include "scan/scan.h"
#include "sys/loop.h"

#include "base/banned.h"

/* An answer, or a question on its way. */
struct known {
	struct resolver_wait wait;
	struct cli_dns *dns;
	struct bytes key;
	bool answered;
	struct bytes packed;
	struct dns_answer answer;
};

struct cli_dns {
	struct loop *loop;
	struct resolver *resolver;
	struct arena *arena;
	struct known **known;
	size_t count, capacity;
	size_t under_way;
	struct servers servers;
};

static const struct dns_answer no_name = {.state = DNS_NO_NAME};
static const struct dns_answer failed = {.state = DNS_FAILED, .reason = BYTES_INIT("no memory")};

enum err cli_dns_open(const struct settings *settings, const char *server, struct cli_dns **ret_dns,
		      struct error *reterr)
{
	struct cli_dns *dns = mem_new(struct cli_dns, 1);
	struct settings asked = *settings;
	struct bytes named = bytes_from_cstr(server);
	if (server) {
		asked.dns_servers = (struct conf_strings){.items = &named, .count = 1};
		asked.dns_zones = (struct conf_groups){0};
		asked.dns_dnssec = SET_DNSSEC_AUTO;
	}
	enum err err = dns && (dns->arena = arena_create(SIZE_MAX)) ? loop_new(&dns->loop) : ERR_NOMEM;
	if (err != ERR_OK)
		(void)error_set(reterr, err, 0, "no memory");
	else
		err = servers_read(&asked, &dns->servers, reterr);
	if (err == ERR_OK)
		err = resolver_new(dns->loop, &dns->servers.options, settings->dns_timeout, &dns->resolver, reterr);
	if (err != ERR_OK) {
		cli_dns_free(&dns);
		return err;
	}
	*ret_dns = dns;
	return ERR_OK;
}

void cli_dns_free(struct cli_dns **dns)
{
	if (!*dns)
		return;
	resolver_free(&(*dns)->resolver);
	if ((*dns)->loop)
		loop_free(&(*dns)->loop);
	arena_free(&(*dns)->arena);
	mem_free(*dns);
	*dns = NULL;
}

static void keep(struct known *known, struct bytes packed)
{
	struct arena *arena = known->dns->arena;
	known->answered = true;
	known->packed = arena_copy(arena, packed);
	if (!known->packed.ptr || dns_answer_unpack(arena, known->packed, &known->answer) != ERR_OK)
		known->answer = failed;
}

static void on_answer(void *ctx, struct bytes key, struct bytes packed)
{
	struct known *known = ctx;
	(void)key;
	keep(known, packed);
	known->dns->under_way--;
	loop_stop(known->dns->loop);
}

/* What is known of it; NULL without memory. */
static struct known *ask(struct cli_dns *dns, struct bytes key)
{
	for (size_t i = 0; i < dns->count; i++)
		if (bytes_eq(dns->known[i]->key, key))
			return dns->known[i];
	struct known **grown = arena_grow(dns->arena, dns->known, &dns->capacity, dns->count, sizeof(*grown));
	struct known *known = arena_new(dns->arena, struct known, 1);
	if (!grown || !known || !(known->key = arena_copy(dns->arena, key)).ptr)
		return NULL;
	dns->known = grown;
	grown[dns->count++] = known;
	struct bytes packed;
	known->dns = dns;
	known->wait = (struct resolver_wait){.done = on_answer, .ctx = known};
	if (resolver_ask(dns->resolver, known->key, &packed, &known->wait))
		keep(known, packed);
	else
		dns->under_way++;
	return known;
}

static const struct dns_answer *ask_host(void *data, enum dns_type type, struct bytes name)
{
	uint8_t key[DNS_KEY_MAX];
	if (!dns_name_valid(name))
		return &no_name;
	struct known *known = ask(data, dns_question_key(key, type, name));
	return !known ? &failed : known->answered ? &known->answer : NULL;
}

struct dns_host cli_dns_host(struct cli_dns *dns)
{
	return (struct dns_host){.ask = ask_host, .data = dns};
}

void cli_dns_wait(struct cli_dns *dns)
{
	if (dns->under_way > 0)
		loop_run(dns->loop);
}

/* Hands over what is known by now; says how many questions were answered. */
static enum err hand_over(struct cli_dns *dns, struct scan *scan, size_t *ret_answered, size_t *ret_open)
{
	size_t i = 0;
	*ret_answered = *ret_open = 0;
	for (const struct fact *fact; (fact = scan_question(scan, &i)) != NULL;) {
		if (fact->kind != FACT_DNS)
			continue;
		struct known *known = ask(dns, fact->key);
		if (!known)
			return ERR_NOMEM;
		if (!known->answered) {
			++*ret_open;
			continue;
		}
		TRY(scan_answer(scan, FACT_DNS, fact->key, known->answer.state == DNS_FAILED ? FACT_FAILED : FACT_KNOWN,
				known->packed));
		++*ret_answered;
	}
	return ERR_OK;
}

enum err cli_dns_answer(struct cli_dns *dns, struct scan *scan)
{
	size_t answered, open;
	for (;;) {
		TRY(hand_over(dns, scan, &answered, &open));
		if (answered > 0 || open == 0)
			return ERR_OK;
		cli_dns_wait(dns);
	}
}
