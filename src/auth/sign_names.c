/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_names.h"

#include "auth/dns.h"
#include "base/arena.h"
#include "base/ascii.h"

#include "base/banned.h"

#define NAME_LEN_MAX 200
#define NAMES_MAX    4000

/* RFC 6376 5.4.1, and the fields of MIME and of lists. `seen`: readers are shown it, so none may be added;
 * `chain`: only ARC signs it. */
static const struct {
	struct bytes name;
	bool seen, chain;
} worth_it[] = {
	{BYTES_INIT("from"), true, false},
	{BYTES_INIT("sender"), false, false},
	{BYTES_INIT("reply-to"), false, false},
	{BYTES_INIT("to"), true, false},
	{BYTES_INIT("cc"), true, false},
	{BYTES_INIT("subject"), true, false},
	{BYTES_INIT("date"), true, false},
	{BYTES_INIT("message-id"), false, false},
	{BYTES_INIT("in-reply-to"), false, false},
	{BYTES_INIT("references"), false, false},
	{BYTES_INIT("mime-version"), false, false},
	{BYTES_INIT("content-type"), true, false},
	{BYTES_INIT("content-transfer-encoding"), false, false},
	{BYTES_INIT("resent-from"), false, false},
	{BYTES_INIT("resent-to"), false, false},
	{BYTES_INIT("resent-cc"), false, false},
	{BYTES_INIT("resent-date"), false, false},
	{BYTES_INIT("resent-message-id"), false, false},
	{BYTES_INIT("list-id"), false, false},
	{BYTES_INIT("list-post"), false, false},
	{BYTES_INIT("list-help"), false, false},
	{BYTES_INIT("list-archive"), false, false},
	{BYTES_INIT("list-subscribe"), false, false},
	{BYTES_INIT("list-unsubscribe"), false, false},
	{BYTES_INIT("list-unsubscribe-post"), false, false},
	{BYTES_INIT("dkim-signature"), false, true},
};

struct maker {
	const struct canon_message *message;
	struct sign_names *names;
	size_t capacity;
};

static enum err add(struct maker *maker, struct bytes name, struct error *reterr)
{
	struct sign_names *names = maker->names;
	if (names->count == NAMES_MAX)
		return error_set(reterr, ERR_SYNTAX, 0, "more than %d fields to be signed", NAMES_MAX);
	struct bytes *items =
		arena_grow(maker->message->arena, names->items, &maker->capacity, names->count, sizeof(*items));
	if (!items)
		return error_set(reterr, ERR_NOMEM, 0, "not enough memory");
	names->items = items;
	items[names->count++] = name;
	return ERR_OK;
}

static enum err add_all(struct maker *maker, const struct bytes *names, size_t n, struct error *reterr)
{
	for (size_t i = 0; i < n; i++) {
		bool good = names[i].len > 0 && names[i].len <= NAME_LEN_MAX;
		for (size_t j = 0; good && j < names[i].len; j++)
			good = names[i].ptr[j] > ' ' && names[i].ptr[j] < 0x7f && names[i].ptr[j] != ':' &&
			       names[i].ptr[j] != ';';
		if (!good)
			return error_set(reterr, ERR_SYNTAX, i, "what is to be signed holds no field name in place %zu",
					 i + 1);
		TRY(add(maker, names[i], reterr));
	}
	return ERR_OK;
}

static enum err add_worth_it(struct maker *maker, bool oversign, bool chain, struct error *reterr)
{
	for (size_t i = 0; i < ARRAY_LEN(worth_it); i++) {
		const struct canon_name *name = canon_message_name(maker->message, worth_it[i].name);
		size_t there = name ? name->count : 0;
		size_t n = worth_it[i].chain && !chain ? 0 : oversign ? there && worth_it[i].seen : there;
		if (i == 0 && !oversign && n == 0)
			n = 1; /* From must be in h=, whether it is there or not */
		for (size_t j = 0; j < n; j++)
			TRY(add(maker, worth_it[i].name, reterr));
	}
	return ERR_OK;
}

enum err sign_names_make(const struct canon_message *message, const struct bytes *names, size_t n_names,
			 const struct bytes *oversign, size_t n_oversign, bool chain, struct sign_names *ret,
			 struct error *reterr)
{
	struct maker maker = {.message = message, .names = ret};
	bool from = false;
	*ret = (struct sign_names){0};
	for (size_t i = 0; names && i < n_names; i++)
		from = from || bytes_eq_nocase(names[i], BYTES_LIT("from"));
	if (!names)
		TRY(add_worth_it(&maker, false, chain, reterr));
	else if (!from)
		TRY(add(&maker, BYTES_LIT("from"), reterr));
	if (names)
		TRY(add_all(&maker, names, n_names, reterr));
	if (oversign)
		return add_all(&maker, oversign, n_oversign, reterr);
	return names ? ERR_OK : add_worth_it(&maker, true, chain, reterr);
}

bool sign_domain_valid(struct bytes name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.ptr[i]) && name.ptr[i] != '-' && name.ptr[i] != '_' && name.ptr[i] != '.')
			return false;
	return name.len > 0 && name.ptr[name.len - 1] != '.' && dns_name_valid(name);
}

enum err sign_key_valid(struct bytes domain, struct bytes selector, struct error *reterr)
{
	if (!sign_domain_valid(domain))
		return error_set(reterr, ERR_SYNTAX, 0, "the domain is no domain name");
	if (!sign_domain_valid(selector))
		return error_set(reterr, ERR_SYNTAX, 0, "the selector is not in the form of a selector");
	if (domain.len + selector.len + sizeof("._domainkey.") - 1 > DNS_NAME_MAX)
		return error_set(reterr, ERR_SYNTAX, 0, "domain and selector are too long for a DNS name");
	return ERR_OK;
}

enum err sign_message_valid(const struct canon_message *message, struct error *reterr)
{
	if (message->too_large)
		return error_set(reterr, ERR_SYNTAX, 0, "the header of the message is too large");
	if (message->raw.len > 0 && ascii_is_blank(message->raw.ptr[0]))
		return error_set(reterr, ERR_SYNTAX, 0, "the message begins with a blank");
	return ERR_OK;
}

const char *sign_algorithm(enum crypto_type type)
{
	return type == CRYPTO_RSA ? "rsa-sha256" : "ed25519-sha256";
}

const char *sign_canon(enum canon header, enum canon body)
{
	static const char *const names[2][2] = {{"simple/simple", "simple/relaxed"},
						{"relaxed/simple", "relaxed/relaxed"}};
	return names[header == CANON_RELAXED][body == CANON_RELAXED];
}
