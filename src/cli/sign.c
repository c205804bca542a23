/* SPDX-License-Identifier: Apache-2.0 */
/* postern sign: a signed message on standard output, for the one on standard input. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "auth/arc.h"
#include "auth/dkim.h"
#include "base/arena.h"
#include "base/num.h"
#include "cli/command.h"
#include "cli/dns.h"
#include "cli/given.h"
#include "cli/opt.h"
#include "cli/sources.h"
#include "sys/clock.h"
#include "wire/load.h"

#include "base/banned.h"

#define NAMES_MAX 4000
#define TIME_MAX  ((uint64_t)1 << 40)

struct options {
	const char *domain, *selector, *key, *canon, *headers, *oversign, *identity, *expire, *now;
	const char *authserv_id, *dns, *config;
};

/* What both kinds of signing need. */
struct job {
	const struct opt_set *set;
	const struct options *options;
	struct arena *arena;
	struct crypto_key *key;
	struct source_file message;
	enum canon header, body;
	struct bytes *names, *oversign;
	size_t n_names, n_oversign;
	int64_t now, expire;
};

/* -- Options ---- */

static bool read_canon(const char *text, enum canon *ret_header, enum canon *ret_body)
{
	static const struct {
		const char *name;
		enum canon header, body;
	} forms[] = {
		{"relaxed/relaxed", CANON_RELAXED, CANON_RELAXED}, {"relaxed/simple", CANON_RELAXED, CANON_SIMPLE},
		{"simple/relaxed", CANON_SIMPLE, CANON_RELAXED},   {"simple/simple", CANON_SIMPLE, CANON_SIMPLE},
		{"relaxed", CANON_RELAXED, CANON_SIMPLE},          {"simple", CANON_SIMPLE, CANON_SIMPLE},
	};
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (strcmp(text, forms[i].name) == 0) {
			*ret_header = forms[i].header;
			*ret_body = forms[i].body;
			return true;
		}
	}
	return false;
}

/* "a:b:c", "" for none. NULL for an option that was not given; a name that is none is found by who signs. */
static bool read_names(struct arena *arena, const char *text, struct bytes **ret_names, size_t *ret_n)
{
	struct bytes rest = bytes_from_cstr(text), piece;
	*ret_n = 0;
	*ret_names = NULL;
	if (!text)
		return true;
	*ret_names = arena_new(arena, struct bytes, NAMES_MAX);
	while (*ret_names && *text && bytes_split(&rest, ':', &piece)) {
		if (*ret_n == NAMES_MAX)
			return false;
		(*ret_names)[(*ret_n)++] = bytes_trim(piece);
	}
	return *ret_names != NULL;
}

static bool read_seconds(const char *text, int64_t otherwise, int64_t *ret)
{
	uint64_t value = 0;
	*ret = otherwise;
	if (!text)
		return true;
	if (num_parse(bytes_from_cstr(text), 10, TIME_MAX, &value) != ERR_OK)
		return false;
	*ret = (int64_t)value;
	return true;
}

static int open_file(const struct opt_set *set, const char *path, struct source_file *ret)
{
	struct source source = {.file = path};
	errno = 0;
	enum err err = source_open(&source, ret);
	if (err != ERR_OK)
		return opt_wrong(set, "%s: %s", strcmp(path, "-") == 0 ? "standard input" : path,
				 errno ? strerror(errno) : err_name(err));
	return 0;
}

static int read_key(struct job *job)
{
	struct source_file file;
	struct error error;
	int rc = open_file(job->set, job->options->key, &file);
	if (rc != 0)
		return rc;
	enum err err = crypto_key_read_pem(file.content, &job->key, &error);
	source_close(&file);
	return err == ERR_OK ? 0 : opt_wrong(job->set, "%s: %s", job->options->key, error.text);
}

static int prepare(struct job *job)
{
	const struct options *options = job->options;
	if (!options->domain || !options->selector || !options->key)
		return opt_wrong(job->set, "--domain, --selector and --key are needed");
	if (!read_canon(options->canon ? options->canon : "relaxed/relaxed", &job->header, &job->body))
		return opt_wrong(job->set, "--canon: \"%s\" is none of simple and relaxed, or two of them with a slash",
				 options->canon);
	if (!read_names(job->arena, options->headers, &job->names, &job->n_names) ||
	    !read_names(job->arena, options->oversign, &job->oversign, &job->n_oversign))
		return opt_wrong(job->set, "too many fields to be signed");
	if (!read_seconds(options->now, clock_wall_ms() / 1000, &job->now))
		return opt_wrong(job->set, "--now: \"%s\" is no number of seconds since 1970", options->now);
	if (!read_seconds(options->expire, 0, &job->expire) || (options->expire && job->expire == 0))
		return opt_wrong(job->set, "--expire: \"%s\" is no number of seconds", options->expire);
	if (crypto_init() != ERR_OK)
		return opt_wrong(job->set, "the crypto library cannot be used");
	int rc = read_key(job);
	return rc != 0 ? rc : open_file(job->set, "-", &job->message);
}

static int finish(struct job *job, struct bytes fields)
{
	if (fields.len > 0)
		(void)fwrite(fields.ptr, 1, fields.len, stdout);
	if (job->message.content.len > 0)
		(void)fwrite(job->message.content.ptr, 1, job->message.content.len, stdout);
	return 0;
}

static int failed(const struct job *job, enum err err, const struct error *error)
{
	return opt_wrong(job->set, "%s", error->text[0] ? error->text : err_name(err));
}

/* -- dkim ---- */

static int sign_dkim(struct job *job)
{
	struct canon_message *message;
	struct bytes field = {0};
	struct error error = {0};
	struct dkim_sign_options options = {
		.domain = bytes_from_cstr(job->options->domain),
		.selector = bytes_from_cstr(job->options->selector),
		.identity = bytes_from_cstr(job->options->identity),
		.header = job->header,
		.body = job->body,
		.names = job->names,
		.n_names = job->n_names,
		.oversign = job->oversign,
		.n_oversign = job->n_oversign,
		.now = job->now,
		.expire = job->expire,
	};
	enum err err = canon_message_read(job->arena, job->message.content, &message);
	if (err == ERR_OK)
		err = dkim_sign(message, job->key, &options, &field, &error);
	return err == ERR_OK ? finish(job, field) : failed(job, err, &error);
}

/* -- arc ---- */

/* Checks the chain that is there; the DNS is opened only where a chain asks for keys. */
static int check_chain(struct job *job, struct arc *arc)
{
	CLEANUP(cli_dns_free) struct cli_dns *dns = NULL;
	struct settings settings;
	struct error error = {0};
	enum auth_step step;
	enum err err;
	if (!arc_asks(arc))
		return 0;
	if (!load_settings(job->arena, job->options->config, &settings, NULL))
		return 2;
	if (cli_dns_open(&settings, job->options->dns, &dns, &error) != ERR_OK)
		return opt_wrong(job->set, "%s", error.text);
	struct dns_host host = cli_dns_host(dns);
	while ((err = arc_step(arc, &host, &step)) == ERR_OK && step == AUTH_WAIT)
		cli_dns_wait(dns);
	if (err != ERR_OK)
		return failed(job, err, &error);
	if (arc->temporary)
		return opt_wrong(job->set, "the chain cannot be checked now: %.*s", BYTES_FMT(arc->reason));
	return 0;
}

static int sign_arc(struct job *job)
{
	struct canon_message *message;
	struct arc *arc = NULL;
	struct bytes fields = {0};
	struct error error = {0};
	struct arc_options check = {.now = job->now};
	struct arc_seal_options options = {
		.domain = bytes_from_cstr(job->options->domain),
		.selector = bytes_from_cstr(job->options->selector),
		.authserv_id = bytes_from_cstr(job->options->authserv_id),
		.header = job->header,
		.body = job->body,
		.names = job->names,
		.n_names = job->n_names,
		.now = job->now,
	};
	if (!job->options->authserv_id)
		return opt_wrong(job->set, "--authserv-id is needed");
	enum err err = canon_message_read(job->arena, job->message.content, &message);
	if (err == ERR_OK)
		err = arc_begin(message, &check, &arc);
	if (err != ERR_OK)
		return failed(job, err, &error);
	int rc = check_chain(job, arc);
	if (rc != 0)
		return rc;
	err = arc_seal(arc, job->key, &options, &fields, &error);
	return err == ERR_OK ? finish(job, fields) : failed(job, err, &error);
}

/* -- The command ---- */

static int run(int argc, char **argv, const struct opt_set *set, const struct options *options,
	       int (*sign)(struct job *job))
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct job job = {.set = set, .options = options, .arena = arena};
	int n;
	int rc = opt_parse(set, argc, argv, &n);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (n > 0)
		return opt_wrong(set, "\"%s\": the message comes on standard input", argv[0]);
	if (!arena)
		return opt_wrong(set, "not enough memory");
	rc = prepare(&job);
	if (rc == 0)
		rc = sign(&job);
	source_close(&job.message);
	crypto_key_free(&job.key);
	return rc;
}

#define COMMON_OPTIONS                                                                                                 \
	{.name = "domain", .value_name = "NAME", .help = "who signs (d=)", .value = &options.domain},                  \
		{.name = "selector",                                                                                   \
		 .value_name = "NAME",                                                                                 \
		 .help = "which of its keys (s=)",                                                                     \
		 .value = &options.selector},                                                                          \
		{.name = "key",                                                                                        \
		 .value_name = "FILE",                                                                                 \
		 .help = "the private key: RSA or Ed25519 in PEM",                                                     \
		 .value = &options.key},                                                                               \
		{.name = "canon",                                                                                      \
		 .value_name = "FORM",                                                                                 \
		 .help = "of header and body: relaxed/relaxed (default), relaxed/simple, simple/relaxed, "             \
			 "simple/simple",                                                                              \
		 .value = &options.canon},                                                                             \
		{.name = "headers",                                                                                    \
		 .value_name = "A:B:C",                                                                                \
		 .help = "the fields to sign, in this order (default: all that matter)",                               \
		 .value = &options.headers},                                                                           \
	{                                                                                                              \
		.name = "now", .value_name = "SECONDS", .help = "the time of signing, since 1970 (default: now)",      \
		.value = &options.now                                                                                  \
	}

static int cmd_dkim(int argc, char **argv)
{
	static struct options options;
	const struct opt table[] = {
		COMMON_OPTIONS,
		{.name = "oversign",
		 .value_name = "A:B",
		 .help = "fields of which none may be added later",
		 .value = &options.oversign},
		{.name = "identity",
		 .value_name = "ADDRESS",
		 .help = "for whom it is signed (i=): [USER]@[SUB.]DOMAIN",
		 .value = &options.identity},
		{.name = "expire",
		 .value_name = "SECONDS",
		 .help = "how long the signature is good (default: for ever)",
		 .value = &options.expire},
	};
	const struct opt_set set = {
		"sign dkim",
		"--domain NAME --selector NAME --key FILE [OPTION...]",
		"Signs the message on standard input by DKIM (RFC 6376, RFC 8463) and writes it to standard output,\n"
		"with one new field in front and otherwise unchanged.",
		"postern sign dkim --domain example.com --selector s1 --key s1.pem < message.eml > signed.eml",
		table,
		ARRAY_LEN(table)};
	options = (struct options){0};
	return run(argc, argv, &set, &options, sign_dkim);
}

static int cmd_arc(int argc, char **argv)
{
	static struct options options;
	const struct opt table[] = {
		COMMON_OPTIONS,
		{.name = "authserv-id",
		 .value_name = "NAME",
		 .help = "whose Authentication-Results are taken over",
		 .value = &options.authserv_id},
		{.name = "dns",
		 .value_name = "ADDR@PORT",
		 .help = "the DNS server to ask for the keys of the chain (default: as the configuration says)",
		 .value = &options.dns},
		GIVEN_CONFIG(options),
	};
	const struct opt_set set = {
		"sign arc",
		"--domain NAME --selector NAME --key FILE --authserv-id NAME [OPTION...]",
		"Seals the message on standard input by ARC (RFC 8617) and writes it to standard output: checks the "
		"chain\n"
		"that is there and adds one set of three fields in front. A chain whose newest seal says that it "
		"failed is\n"
		"left alone. Exit status 2 and no message where a key of the chain cannot be had now.",
		"postern sign arc --domain example.net --selector s1 --key s1.pem --authserv-id mx.example.net < "
		"message.eml",
		table,
		ARRAY_LEN(table)};
	options = (struct options){0};
	return run(argc, argv, &set, &options, sign_arc);
}

int cmd_sign(int argc, char **argv)
{
	if (argc > 0 && strcmp(argv[0], "dkim") == 0)
		return cmd_dkim(argc - 1, argv + 1);
	if (argc > 0 && strcmp(argv[0], "arc") == 0)
		return cmd_arc(argc - 1, argv + 1);
	bool help = argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0);
	(void)fprintf(help ? stdout : stderr, "%s\n",
		      help ? "usage: postern sign dkim|arc [OPTION...] < MESSAGE\n\nEach has its own --help.\n"
			     "Example: postern sign dkim --domain example.com --selector s1 --key s1.pem < message.eml"
			   : "postern sign: dkim or arc?");
	return help ? 0 : 2;
}
