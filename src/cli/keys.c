/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postern keys: the keys that sign outgoing mail and seal what is forwarded. A key is made ("next"), its DNS record is
 * published, then it signs ("active"), and some day another one takes its place ("retired").
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "auth/dkim_key.h"
#include "auth/sign_names.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/num.h"
#include "cli/command.h"
#include "cli/dns.h"
#include "cli/given.h"
#include "cli/opt.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "wire/keys.h"
#include "wire/load.h"

#include "base/banned.h"

#define BITS_DEFAULT 2048
#define RETIRED_KEPT ((int64_t)7 * 24 * 3600) /* seconds; mail under way is delivered or bounced by then */
#define OUTPUT_MAX   ((size_t)16 << 20)

struct options {
	const char *config, *domain, *selector, *type, *bits, *dns;
	bool json, activate, check;
};

struct job {
	const struct opt_set *set;
	struct options options;
	struct arena *arena;
	struct settings settings;
	struct keyring ring;
	struct bytes domain; /* as it was given, in lower case; empty: none */
	int64_t now;
	int lock;       /* held by who writes; -1: only read */
	struct buf out; /* printed at the end */
};

/* -- Begin and end ---- */

/* One at a time: two that write would lose each other's key. The lock goes with the process. */
static int lock_folder(struct job *job)
{
	const char *folder =
		(const char *)arena_printf(job->arena, "%.*s/keys", BYTES_FMT(job->settings.state_dir)).ptr;
	const char *state = arena_cstr(job->arena, job->settings.state_dir);
	struct stat st;
	if (!folder || !state)
		return opt_wrong(job->set, "not enough memory");
	if (file_make_folder(state, 0700) != ERR_OK)
		return opt_wrong(job->set, "%s: %s", state, strerror(errno));
	if (file_make_folder(folder, 0700) != ERR_OK || lstat(folder, &st) != 0)
		return opt_wrong(job->set, "%s: %s", folder, strerror(errno));
	/* The state folder is the daemons'; who takes one of them over could have put something else here. */
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return opt_wrong(job->set, "%s: this is not a folder of the user who runs this command", folder);
	const char *lock = (const char *)arena_printf(job->arena, "%s/lock", folder).ptr;
	job->lock = lock ? open(lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
	if (job->lock < 0 || lockf(job->lock, F_LOCK, 0) != 0)
		return opt_wrong(job->set, "%s/lock: %s", folder, strerror(errno));
	return 0;
}

static int begin(struct job *job, int argc, char **argv, bool writes)
{
	struct error error;
	int n;
	int rc = opt_parse(job->set, argc, argv, &n);
	if (rc != 0)
		return rc;
	if (n > 0)
		return opt_wrong(job->set, "\"%s\": no argument is expected", argv[0]);
	if (!(job->arena = arena_create(SIZE_MAX)))
		return opt_wrong(job->set, "not enough memory");
	if (!load_settings(job->arena, job->options.config, &job->settings, NULL))
		return 2;
	if (job->options.domain) {
		job->domain = arena_copy_lower(job->arena, bytes_from_cstr(job->options.domain));
		if (!sign_domain_valid(job->domain))
			return opt_wrong(job->set, "--domain: \"%s\" is no domain name", job->options.domain);
	}
	if (crypto_init() != ERR_OK)
		return opt_wrong(job->set, "the crypto library cannot be used");
	job->now = clock_wall_ms() / 1000;
	buf_init(&job->out, OUTPUT_MAX);
	rc = writes ? lock_folder(job) : 0;
	if (rc == 0 && keys_read(job->arena, job->settings.state_dir, &job->ring, &error) != ERR_OK)
		rc = opt_wrong(job->set, "%s", error.text);
	return rc;
}

static int end(struct job *job, int rc)
{
	if (job->out.len > 0)
		(void)fwrite(job->out.ptr, 1, job->out.len, stdout);
	if (rc >= 0 && buf_err(&job->out) != ERR_OK)
		rc = opt_wrong(job->set, "not enough memory");
	buf_done(&job->out);
	if (job->lock >= 0)
		(void)close(job->lock);
	arena_free(&job->arena);
	return rc < 0 ? 0 : rc; /* -1: the help was printed */
}

/* Keys that retired long ago go, secret and all. */
static int save(struct job *job)
{
	struct keyring kept = {.items = arena_new(job->arena, struct keyring_key, job->ring.count + 1)};
	struct error error;
	if (!kept.items)
		return opt_wrong(job->set, "not enough memory");
	for (size_t i = 0; i < job->ring.count; i++) {
		const struct keyring_key *key = &job->ring.items[i];
		if (key->state != KEYRING_RETIRED || key->changed + RETIRED_KEPT > job->now) {
			kept.items[kept.count++] = *key;
			continue;
		}
		const char *path = keys_secret_path(job->arena, job->settings.state_dir, key);
		if (path && unlink(path) != 0 && errno != ENOENT)
			return opt_wrong(job->set, "%s: %s", path, strerror(errno));
	}
	if (keys_write(job->arena, job->settings.state_dir, &kept, &error) != ERR_OK)
		return opt_wrong(job->set, "%s", error.text);
	return 0;
}

/* -- Telling ---- */

static int record_of(struct job *job, const struct keyring_key *key, struct bytes *ret_name, struct bytes *ret_record)
{
	CLEANUP(crypto_key_free) struct crypto_key *secret = NULL;
	struct error error;
	if (keys_read_secret(job->settings.state_dir, key, &secret, &error) != ERR_OK)
		return opt_wrong(job->set, "%s", error.text);
	*ret_name = arena_printf(job->arena, "%.*s._domainkey.%.*s", BYTES_FMT(key->selector), BYTES_FMT(key->domain));
	if (!ret_name->ptr || dkim_key_write(job->arena, secret, ret_record) != ERR_OK)
		return opt_wrong(job->set, "not enough memory");
	return 0;
}

static void add_time(struct buf *buf, int64_t when)
{
	time_t seconds = (time_t)when;
	struct tm tm;
	char text[32];
	if (gmtime_r(&seconds, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
		buf_add_cstr(buf, text);
}

static void key_json(struct job *job, const struct keyring_key *key, struct bytes name, struct bytes record)
{
	CLEANUP(buf_done) struct buf created = BUF_INIT(64), changed = BUF_INIT(64);
	CLEANUP(buf_done) struct buf zone = BUF_INIT(8192);
	struct json json;
	add_time(&created, key->created);
	add_time(&changed, key->changed);
	jsonw_init(&json, &job->out);
	jsonw_object(&json, NULL);
	jsonw_string(&json, "domain", key->domain);
	jsonw_string(&json, "selector", key->selector);
	jsonw_cstr(&json, "key_type", keyring_type_name(key->type));
	jsonw_uint(&json, "bits", key->bits);
	jsonw_cstr(&json, "state", keyring_state_name(key->state));
	jsonw_string(&json, "created", buf_bytes(&created));
	jsonw_string(&json, "changed", buf_bytes(&changed));
	if (record.len > 0) {
		dkim_key_zone_line(&zone, name, record);
		jsonw_string(&json, "name", name);
		jsonw_cstr(&json, "type", "TXT");
		jsonw_string(&json, "value", record);
		jsonw_string(&json, "zone", buf_bytes(&zone));
	}
	jsonw_end(&json);
	buf_add_byte(&job->out, '\n');
}

/* The record to publish. */
static int tell_record(struct job *job, const struct keyring_key *key)
{
	struct bytes name, record;
	int rc = record_of(job, key, &name, &record);
	if (rc != 0)
		return rc;
	if (job->options.json) {
		key_json(job, key, name, record);
	} else {
		dkim_key_zone_line(&job->out, name, record);
		buf_add_byte(&job->out, '\n');
	}
	return 0;
}

static void say(const struct job *job, const struct keyring_key *key, const char *what)
{
	if (!job->options.json)
		(void)fprintf(stderr, "%.*s._domainkey.%.*s (%s, %u bits): %s\n", BYTES_FMT(key->selector),
			      BYTES_FMT(key->domain), keyring_type_name(key->type), key->bits, what);
}

#define SAY_NEXT   "signs nothing yet; publish its record, then `postern keys rotate --check`"
#define SAY_ACTIVE "signs, as soon as the daemons know it (`postern reload`)"

/* -- Making ---- */

static int read_kind(const struct job *job, enum crypto_type *ret_type, unsigned *ret_bits)
{
	uint64_t bits = BITS_DEFAULT;
	*ret_type = CRYPTO_RSA;
	if (job->options.type && !keyring_type_find(bytes_from_cstr(job->options.type), ret_type))
		return opt_wrong(job->set, "--type: \"%s\" is neither rsa nor ed25519", job->options.type);
	if (job->options.bits && *ret_type == CRYPTO_ED25519)
		return opt_wrong(job->set, "--bits: Ed25519 keys have one size only");
	if (job->options.bits && (num_parse(bytes_from_cstr(job->options.bits), 10, CRYPTO_RSA_MAX, &bits) != ERR_OK ||
				  bits < CRYPTO_RSA_MIN))
		return opt_wrong(job->set, "--bits: \"%s\" is no number from %d to %d", job->options.bits,
				 CRYPTO_RSA_MIN, CRYPTO_RSA_MAX);
	*ret_bits = *ret_type == CRYPTO_RSA ? (unsigned)bits : 256;
	return 0;
}

/* As it was given, or by the day: "s20260131", "ed20260131-2". */
static struct bytes choose_selector(const struct job *job, enum crypto_type type)
{
	time_t seconds = (time_t)job->now;
	struct tm tm;
	char day[16];
	if (job->options.selector)
		return arena_copy_lower(job->arena, bytes_from_cstr(job->options.selector));
	if (!gmtime_r(&seconds, &tm) || strftime(day, sizeof(day), "%Y%m%d", &tm) == 0)
		return (struct bytes){0};
	const char *prefix = type == CRYPTO_RSA ? "s" : "ed";
	struct bytes name = arena_printf(job->arena, "%s%s", prefix, day);
	for (unsigned i = 2; name.ptr && keyring_find(&job->ring, job->domain, name); i++)
		name = arena_printf(job->arena, "%s%s-%u", prefix, day, i);
	return name;
}

/* A new key in the list, whose secret is on disk. */
static int make_key(struct job *job, enum crypto_type type, unsigned bits, struct keyring_key **ret_key)
{
	CLEANUP(crypto_key_free) struct crypto_key *secret = NULL;
	struct error error;
	struct keyring_key key = {.domain = job->domain,
				  .selector = choose_selector(job, type),
				  .type = type,
				  .bits = bits,
				  .state = KEYRING_NEXT,
				  .created = job->now,
				  .changed = job->now};
	if (sign_key_valid(key.domain, key.selector, &error) != ERR_OK)
		return opt_wrong(job->set, "%s", error.text);
	if (keyring_find(&job->ring, key.domain, key.selector))
		return opt_wrong(job->set, "%.*s has a key with the selector %.*s already", BYTES_FMT(key.domain),
				 BYTES_FMT(key.selector));
	if (crypto_key_new(type, bits, &secret) != ERR_OK)
		return opt_wrong(job->set, "the key could not be made");
	if (keys_write_secret(job->arena, job->settings.state_dir, &key, secret, &error) != ERR_OK)
		return opt_wrong(job->set, "%s", error.text);
	if (keyring_add(job->arena, &job->ring, &key) != ERR_OK)
		return opt_wrong(job->set, "there are too many keys (%d)", KEYRING_MAX);
	*ret_key = keyring_find(&job->ring, key.domain, key.selector);
	return 0;
}

static int make_new(struct job *job)
{
	enum crypto_type type;
	unsigned bits = 0;
	struct keyring_key *key = NULL;
	if (job->domain.len == 0)
		return opt_wrong(job->set, "--domain is needed");
	int rc = read_kind(job, &type, &bits);
	if (rc == 0)
		rc = make_key(job, type, bits, &key);
	if (rc != 0)
		return rc;
	if (job->options.activate)
		keyring_activate(&job->ring, key, job->now);
	rc = save(job);
	if (rc == 0)
		rc = tell_record(job, key);
	if (rc == 0)
		say(job, key, job->options.activate ? SAY_ACTIVE : SAY_NEXT);
	return rc;
}

/* -- Rotating ---- */

/* Whether DNS shows this key now. -1: it cannot be asked, and that was said. */
static int is_published(struct job *job, struct cli_dns *dns, const struct keyring_key *key)
{
	struct dns_host host = cli_dns_host(dns);
	const struct dns_answer *answer;
	struct bytes name, record;
	struct dkim_key ours, shown;
	if (record_of(job, key, &name, &record) != 0 || dkim_key_read(job->arena, record, &ours, NULL) != ERR_OK)
		return -1;
	while (!(answer = dns_ask(&host, DNS_TXT, name)))
		cli_dns_wait(dns);
	if (answer->state == DNS_FAILED) {
		(void)opt_wrong(job->set, "%.*s: DNS does not answer", BYTES_FMT(name));
		return -1;
	}
	for (size_t i = 0; answer->state == DNS_FOUND && i < answer->n_records; i++)
		if (dkim_key_read(job->arena, answer->records[i].data, &shown, NULL) == ERR_OK &&
		    shown.type == ours.type && bytes_eq(shown.data, ours.data))
			return 1;
	return 0;
}

/* What became of a key that waited: of several of one type the last signs, and those before it have retired. */
static const char *became(const struct keyring_key *key)
{
	switch (key->state) {
	case KEYRING_ACTIVE:
		return SAY_ACTIVE;
	case KEYRING_RETIRED:
		return "retired, since a newer key of its type signs";
	case KEYRING_NEXT:
		break;
	}
	return "its record is not in DNS; it signs nothing yet";
}

/* Those that wait, and by --check are seen in DNS, sign from now on. 1: one waits on, or none waits. */
static int activate_next(struct job *job)
{
	struct keyring_key **told = arena_new(job->arena, struct keyring_key *, job->ring.count + 1);
	size_t n_told = 0;
	CLEANUP(cli_dns_free) struct cli_dns *dns = NULL;
	struct error error;
	bool any = false, waits = false, failed = false;
	if (!told)
		return opt_wrong(job->set, "not enough memory");
	if (job->options.check && cli_dns_open(&job->settings, job->options.dns, &dns, &error) != ERR_OK)
		return opt_wrong(job->set, "%s", error.text);
	for (size_t i = 0; i < job->ring.count; i++) {
		struct keyring_key *key = &job->ring.items[i];
		if (key->state != KEYRING_NEXT || !bytes_eq(key->domain, job->domain))
			continue;
		int shown = dns ? is_published(job, dns, key) : 1;
		any = true;
		failed = failed || shown < 0;
		waits = waits || shown == 0;
		if (shown > 0)
			keyring_activate(&job->ring, key, job->now);
		if (shown >= 0 || job->options.json)
			told[n_told++] = key;
	}
	for (size_t i = 0; i < n_told; i++) {
		say(job, told[i], became(told[i]));
		if (job->options.json)
			key_json(job, told[i], (struct bytes){0}, (struct bytes){0});
	}
	if (!any)
		(void)fprintf(stderr, "no key of %.*s waits; `postern keys rotate` without --activate makes one\n",
			      BYTES_FMT(job->domain));
	int rc = save(job);
	return rc != 0 ? rc : failed ? 2 : !any || waits ? 1 : 0;
}

/* The next key of that type, of the size that the active one has; one that waits already is told again. */
static int make_next(struct job *job, enum crypto_type type, bool *ret_any)
{
	const struct keyring_key *active = keyring_in_state(&job->ring, job->domain, type, KEYRING_ACTIVE);
	struct keyring_key *next = keyring_in_state(&job->ring, job->domain, type, KEYRING_NEXT);
	if (!active && !next)
		return 0;
	*ret_any = true;
	int rc = next ? 0 : make_key(job, type, active->bits, &next);
	if (rc == 0)
		rc = save(job);
	if (rc == 0)
		rc = tell_record(job, next);
	if (rc == 0)
		say(job, next, SAY_NEXT);
	return rc;
}

static int rotate(struct job *job)
{
	bool any = false;
	int rc = 0;
	if (job->domain.len == 0)
		return opt_wrong(job->set, "--domain is needed");
	if (job->options.activate && job->options.check)
		return opt_wrong(job->set, "--activate does not wait for DNS, --check does: one of them");
	if (job->options.activate || job->options.check)
		return activate_next(job);
	for (enum crypto_type type = CRYPTO_RSA; rc == 0 && type <= CRYPTO_ED25519; type++)
		rc = make_next(job, type, &any);
	if (rc == 0 && !any)
		return opt_wrong(job->set, "%.*s has no key; `postern keys new` makes one", BYTES_FMT(job->domain));
	return rc;
}

/* -- Looking ---- */

static bool is_wanted(const struct job *job, const struct keyring_key *key)
{
	struct bytes selector = bytes_from_cstr(job->options.selector);
	return (job->domain.len == 0 || bytes_eq(key->domain, job->domain)) &&
	       (selector.len == 0 || bytes_eq_nocase(key->selector, selector));
}

static int list_keys(struct job *job)
{
	bool any = false;
	for (size_t i = 0; i < job->ring.count; i++) {
		const struct keyring_key *key = &job->ring.items[i];
		if (!is_wanted(job, key))
			continue;
		any = true;
		if (job->options.json) {
			key_json(job, key, (struct bytes){0}, (struct bytes){0});
			continue;
		}
		buf_printf(&job->out, "%-30.*s %-20.*s %-8s %5u  %-8s since ", BYTES_FMT(key->domain),
			   BYTES_FMT(key->selector), keyring_type_name(key->type), key->bits,
			   keyring_state_name(key->state));
		add_time(&job->out, key->changed);
		buf_add_byte(&job->out, '\n');
	}
	return any ? 0 : 1;
}

static int show_records(struct job *job)
{
	bool any = false;
	int rc = 0;
	if (job->domain.len == 0)
		return opt_wrong(job->set, "--domain is needed");
	for (size_t i = 0; rc == 0 && i < job->ring.count; i++) {
		if (!is_wanted(job, &job->ring.items[i]))
			continue;
		any = true;
		rc = tell_record(job, &job->ring.items[i]);
	}
	return rc != 0 ? rc : any ? 0 : 1;
}

/* -- The commands ---- */

#define OPT_CONFIG GIVEN_CONFIG(job.options)
#define OPT_DOMAIN                                                                                                     \
	{                                                                                                              \
		.name = "domain", .value_name = "NAME", .help = "who signs (d=)", .value = &job.options.domain         \
	}
#define OPT_SELECTOR                                                                                                   \
	{                                                                                                              \
		.name = "selector", .value_name = "NAME", .help = "which key (s=)", .value = &job.options.selector     \
	}
#define OPT_JSON                                                                                                       \
	{                                                                                                              \
		.name = "json", .help = "as JSON, one object a line", .given = &job.options.json                       \
	}

static int keys_new(int argc, char **argv)
{
	static struct job job;
	const struct opt table[] = {
		OPT_CONFIG,
		OPT_DOMAIN,
		OPT_SELECTOR,
		{.name = "type", .value_name = "TYPE", .help = "rsa (default) or ed25519", .value = &job.options.type},
		{.name = "bits",
		 .value_name = "N",
		 .help = "size of an RSA key (default: 2048)",
		 .value = &job.options.bits},
		{.name = "activate",
		 .help = "it signs at once: only where its record is published first, or nobody depends on it",
		 .given = &job.options.activate},
		OPT_JSON,
	};
	const struct opt_set set = {
		"keys new",
		"--domain NAME [--selector NAME] [--type rsa|ed25519] [--bits N] [--activate] [--json]",
		"Makes a signing key and prints the DNS record to publish. The key signs nothing until\n"
		"`postern keys rotate --check` has seen that record, or --activate says so. A domain may have\n"
		"one active key of each type; mail is signed by both then. Without --selector the day names it.",
		"postern keys new --domain example.com",
		table,
		ARRAY_LEN(table)};
	job = (struct job){.set = &set, .lock = -1};
	int rc = begin(&job, argc, argv, true);
	return end(&job, rc == 0 ? make_new(&job) : rc);
}

static int keys_list(int argc, char **argv)
{
	static struct job job;
	const struct opt table[] = {OPT_CONFIG, OPT_DOMAIN, OPT_JSON};
	const struct opt_set set = {
		"keys list",
		"[--domain NAME] [--json]",
		"Lists the signing keys: domain, selector, type, bits, and whether the key signs (active), waits\n"
		"for its record (next), or signed until lately (retired). Exit status 1: there is none.",
		"postern keys list --json",
		table,
		ARRAY_LEN(table)};
	job = (struct job){.set = &set, .lock = -1};
	int rc = begin(&job, argc, argv, false);
	return end(&job, rc == 0 ? list_keys(&job) : rc);
}

static int keys_dns(int argc, char **argv)
{
	static struct job job;
	const struct opt table[] = {OPT_CONFIG, OPT_DOMAIN, OPT_SELECTOR, OPT_JSON};
	const struct opt_set set = {
		"keys dns",
		"--domain NAME [--selector NAME] [--json]",
		"Prints the DNS records of the keys of a domain, as lines of a zone file; with --json name, type\n"
		"and value. The record of a retired key stays published while it is listed here.\n"
		"Exit status 1: there is no such key.",
		"postern keys dns --domain example.com",
		table,
		ARRAY_LEN(table)};
	job = (struct job){.set = &set, .lock = -1};
	int rc = begin(&job, argc, argv, false);
	return end(&job, rc == 0 ? show_records(&job) : rc);
}

static int keys_rotate(int argc, char **argv)
{
	static struct job job;
	const struct opt table[] = {
		OPT_CONFIG,
		OPT_DOMAIN,
		{.name = "check",
		 .help = "have the waiting keys sign whose record DNS shows; exit status 1 while one is not there",
		 .given = &job.options.check},
		{.name = "activate",
		 .help = "have the waiting keys sign without a look at DNS",
		 .given = &job.options.activate},
		GIVEN_DNS(job.options),
		OPT_JSON,
	};
	const struct opt_set set = {
		"keys rotate",
		"--domain NAME [--check | --activate] [--json]",
		"Changes the keys of a domain in two steps. The first makes the next key of each type that\n"
		"signs now and prints its DNS record. The second, with --check or --activate, has it sign; the\n"
		"key before it is retired, and deleted seven days later by the next change.",
		"postern keys rotate --domain example.com --check && postern reload",
		table,
		ARRAY_LEN(table)};
	job = (struct job){.set = &set, .lock = -1};
	int rc = begin(&job, argc, argv, true);
	return end(&job, rc == 0 ? rotate(&job) : rc);
}

int cmd_keys(int argc, char **argv)
{
	static const struct opt_verb verbs[] = {
		{"new", keys_new}, {"list", keys_list}, {"rotate", keys_rotate}, {"dns", keys_dns}};
	return opt_run_verb("keys", verbs, ARRAY_LEN(verbs), "new, list, rotate or dns",
			    "usage: postern keys new|list|rotate|dns [OPTION...]\n\n"
			    "Each has its own --help.\nExample: postern keys new --domain example.com",
			    argc, argv);
}
