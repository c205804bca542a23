/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * fuzz/auth/signer.h: a key for fuzz targets that sign (that of RFC 8463 A.2) and a dns_host whose answers come from
 * the input: the first byte says how it answers, then come two bytes of length and the key record. Our own key is
 * always there, as "ed._domainkey.example.net".
 */
#include "auth/crypto.h"
#include "auth/dns.h"
#include "fuzz.h"

#define SIGNER_PEM                                                                                                     \
	"-----BEGIN PRIVATE KEY-----\n"                                                                                \
	"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"                                           \
	"-----END PRIVATE KEY-----\n"

struct signer_host {
	struct dns_record records[2], own;
	struct dns_answer answer, ours;
	bool late; /* each question is answered the second time only */
	size_t asked;
};

static inline const struct dns_answer *signer_ask(void *data, enum dns_type type, struct bytes name)
{
	struct signer_host *host = data;
	ASSERT(type == DNS_TXT && dns_name_valid(name));
	if (host->late && host->asked++ < 3)
		return NULL;
	return bytes_eq_nocase(name, BYTES_LIT("ed._domainkey.example.net")) ? &host->ours : &host->answer;
}

/* Takes its part off the front of *input. */
static inline struct dns_host signer_host_init(struct signer_host *host, struct bytes *input)
{
	uint8_t how = input->len > 0 ? input->ptr[0] : 0;
	size_t len = input->len > 2 ? (size_t)(input->ptr[1] << 8 | input->ptr[2]) : 0;
	struct bytes record = bytes_sub(*input, 3, len);
	*input = bytes_from(*input, 3 + record.len);
	*host = (struct signer_host){
		.own = {.data = BYTES_LIT("k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")}};
	host->records[0].data = host->records[1].data = record;
	host->ours = (struct dns_answer){.state = DNS_FOUND, .records = &host->own, .n_records = 1};
	enum dns_state state = how & 1 ? (enum dns_state)(how >> 1 & 3) : DNS_FOUND;
	host->answer = (struct dns_answer){.state = state, .reason = BYTES_LIT("timeout"), .records = host->records};
	host->answer.n_records = state != DNS_FOUND ? 0 : how & 8 ? 2 : 1;
	host->late = how & 16;
	return (struct dns_host){.ask = signer_ask, .data = host};
}

/* Read once: that takes longer than all the rest. */
static inline struct crypto_key *signer_key(void)
{
	static struct crypto_key *key;
	ASSERT(crypto_init() == ERR_OK);
	ASSERT(key || crypto_key_read_pem(BYTES_LIT(SIGNER_PEM), &key, NULL) == ERR_OK);
	return key;
}
