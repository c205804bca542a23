/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/dns.h"

#include "base/arena.h"
#include "scan/fact.h"

#include "base/banned.h"

static const struct dns_answer no_name = {.state = DNS_NO_NAME};
static const struct dns_answer failed = {.state = DNS_FAILED, .reason = BYTES_INIT("no answer")};

static const void *decode(struct arena *arena, const struct fact *fact)
{
	struct dns_answer *answer = arena_new(arena, struct dns_answer, 1);
	if (!answer || dns_answer_unpack(arena, fact->answer, answer) != ERR_OK)
		return &failed;
	return answer;
}

static const struct dns_answer *ask(void *scan, enum dns_type type, struct bytes name)
{
	uint8_t key[DNS_KEY_MAX];
	if (!dns_name_valid(name))
		return &no_name;
	return scan_fact_decoded(scan, FACT_DNS, dns_question_key(key, type, name), decode);
}

struct dns_host scan_dns(struct scan *scan)
{
	return (struct dns_host){.ask = ask, .data = scan};
}
