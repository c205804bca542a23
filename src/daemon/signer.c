/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signer: the one process that has the secrets of the signing keys. It reads them before its sandbox closes, then
 * signs digests for the gates and knows nothing of mail. Changed keys come with the next generation, by a reload.
 */
#include "auth/keyring.h"
#include "base/arena.h"
#include "base/mem.h"
#include "daemon/child.h"
#include "daemon/peer.h"
#include "sys/log.h"
#include "sys/metrics.h"
#include "wire/keys.h"

#include "base/banned.h"

struct signer {
	struct peers peers;
	struct arena *arena;
	struct keyring ring;
	struct crypto_key **secrets; /* of each in `ring`; NULL: it cannot be used */
};

static struct crypto_key *find_secret(const struct signer *signer, struct bytes domain, struct bytes selector)
{
	const struct keyring_key *key = keyring_find(&signer->ring, domain, selector);
	return key ? signer->secrets[key - signer->ring.items] : NULL;
}

static bool on_message(struct peer_link *link, const struct wire_any *any, int *fd)
{
	const struct signer *signer = link->peers->owner;
	const struct wire_sign *in = &any->sign;
	uint8_t signature[CRYPTO_SIGNATURE_MAX];
	size_t len = 0;
	if (any->type != WIRE_SIGN || *fd >= 0 || in->digest.len != CRYPTO_SHA256_LEN)
		return false;
	struct crypto_key *secret = find_secret(signer, in->domain, in->selector);
	bool ok = secret && crypto_sign(secret, in->digest.ptr, signature, &len) == ERR_OK;
	metrics_add(ok ? METRIC_SIGNATURES : METRIC_SIGNATURES_FAILED, 1);
	if (!ok)
		log_event(LOG_ERROR, "sign.failed", log_str("domain", in->domain), log_str("selector", in->selector),
			  log_cstr("why",
				   secret ? "the key cannot sign" : "this key is not known; reload after a change"));
	peer_say(link,
		 &(struct wire_any){
			 .type = WIRE_SIGNATURE,
			 .signature = {.id = in->id, .ok = ok, .signature = bytes_make(signature, ok ? len : 0)}});
	return true;
}

/* -- Frame ---- */

static void peer(void *state, enum wire_role role, uint32_t index, uint32_t serial, int socket)
{
	struct signer *signer = state;
	(void)index;
	(void)serial;
	(void)peer_add(&signer->peers, role, socket);
}

/* A secret that cannot be read keeps nobody else's mail from being signed. */
static enum err read_secrets(struct signer *signer, struct bytes state_dir)
{
	size_t usable = 0;
	signer->secrets = arena_new(signer->arena, struct crypto_key *, signer->ring.count + 1);
	if (!signer->secrets)
		return ERR_NOMEM;
	for (size_t i = 0; i < signer->ring.count; i++) {
		const struct keyring_key *key = &signer->ring.items[i];
		struct error error;
		if (keys_read_secret(state_dir, key, &signer->secrets[i], &error) == ERR_OK)
			usable++;
		else
			log_event(LOG_ERROR, "key.unusable", log_str("domain", key->domain),
				  log_str("selector", key->selector), log_cstr("why", error.text));
	}
	log_event(LOG_INFO, "keys.read", log_int("keys", (int64_t)signer->ring.count),
		  log_int("usable", (int64_t)usable));
	return ERR_OK;
}

static enum err prepare(struct child *child, void **ret_state, const char **ret_folder, struct error *reterr)
{
	const struct bytes state_dir = child_heritage(child)->settings->state_dir;
	struct signer *signer = mem_new(struct signer, 1);
	if (!signer || !(signer->arena = arena_create(SIZE_MAX)))
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	signer->peers = (struct peers){.owner = signer,
				       .child = child,
				       .self = ROLE_SIGNER,
				       .size = sizeof(struct peer_link),
				       .message = on_message};
	if (crypto_init() != ERR_OK)
		return error_set(reterr, ERR_UNSUPPORTED, 0, "the crypto library cannot be used");
	child_keyring(child, signer->arena, &signer->ring);
	if (read_secrets(signer, state_dir) != ERR_OK)
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	*ret_state = signer;
	*ret_folder = NULL;
	return ERR_OK;
}

NORETURN void signer_main(const struct heritage *heritage)
{
	static const struct child_ops ops = {
		.prepare = prepare,
		.peer = peer,
		.profile = SANDBOX_SIGNER,
		.limits = {.descriptors = 1024},
	};
	child_run(heritage, &ops);
}
