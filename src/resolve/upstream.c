/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve/upstream.h"

#include <stdio.h>
#include <unbound-event.h>
#include <unbound.h>

#include "base/ascii.h"
#include "base/mem.h"
#include "resolve/quick.h"
#include "resolve/share.h"
#include "sys/entropy.h"
#include "sys/loop.h"

#include "base/banned.h"

#define CLASS_IN       1
#define RCODE_SERVFAIL 2
#define RCODE_NXDOMAIN 3

struct upstream {
	struct ub_ctx *unbound;
	struct ub_ctx *fresh;        /* one that keeps nothing; NULL: nobody asks it */
	struct quick *quick;         /* NULL: there is no short way */
	struct question *questions;  /* that are under way: libunbound forgets them without a word when it ends */
	struct shares brief, shares; /* of the short way, of the long one */
};

struct question {
	struct quick_question quick;
	struct question *next, **link;
	struct upstream *upstream;
	struct ub_ctx *unbound; /* that is asked the long way */
	struct shares *place;   /* in which it has its share; NULL: in none */
	struct share share;
	upstream_done *done;
	void *ctx;
	uint8_t name[];
};

struct option {
	const char *name, *value;
};

/*
 * Sizes for a mail filter: many questions, small answers. A name that resolves to a private address is an answer like
 * another one (no private-address rule: DNSBLs answer with 127.0.0.x). Zones of private networks are asked, since an
 * inner mail server's name may be there.
 */
static const struct option options_of_all[] = {
	{"outgoing-range:", "4096"},
	{"num-queries-per-thread:", "4096"},
	{"msg-cache-size:", "16m"},
	{"rrset-cache-size:", "32m"},
	{"neg-cache-size:", "4m"},
	{"cache-max-ttl:", "86400"},
	{"cache-max-negative-ttl:", "3600"},
	{"unblock-lan-zones:", "yes"},
	{"insecure-lan-zones:", "yes"},
	{"do-not-query-localhost:", "no"},
	{"prefetch:", "yes"},
	{"prefetch-key:", "yes"},
	{"edns-buffer-size:", "1232"},
	{"use-syslog:", "no"},
};

/*
 * libunbound cannot forget a single name. What has no time to live is not kept as an answer, so a second one whose
 * times are all none asks each time: for the few questions that want it.
 */
static const struct option options_of_fresh[] = {
	{"outgoing-range:", "256"},       {"num-queries-per-thread:", "128"},
	{"msg-cache-size:", "1m"},        {"rrset-cache-size:", "1m"},
	{"neg-cache-size:", "64k"},       {"cache-max-ttl:", "0"},
	{"cache-max-negative-ttl:", "0"}, {"prefetch:", "no"},
};

/* Names that libunbound answers itself unless told otherwise; with servers of one's own they are names like others. */
static const char *const own_zones[] = {
	"test.",
	"invalid.",
	"localhost.",
	"onion.",
	"home.arpa.",
	"127.in-addr.arpa.",
	"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.",
};

static enum err set(struct ub_ctx *ctx, const char *name, const char *value, struct error *reterr)
{
	int rc = ub_ctx_set_option(ctx, name, value);
	return rc == 0 ? ERR_OK : error_set(reterr, ERR_UNSUPPORTED, 0, "libunbound: %s %s", name, ub_strerror(rc));
}

static enum err to_cstr(struct bytes b, char *out, size_t size, struct error *reterr)
{
	if (b.len >= size || bytes_has(b, 0))
		return error_set(reterr, ERR_SYNTAX, 0, "a DNS server or zone is too long");
	memcpy(out, b.ptr, b.len);
	out[b.len] = 0;
	return ERR_OK;
}

static enum err set_servers(struct ub_ctx *ctx, const struct upstream_options *options, struct error *reterr)
{
	char server[128], zone[256];
	for (size_t i = 0; i < options->n_forward; i++) {
		TRY(to_cstr(options->forward[i], server, sizeof(server), reterr));
		int rc = ub_ctx_set_fwd(ctx, server);
		if (rc != 0)
			return error_set(reterr, ERR_SYNTAX, 0, "DNS server %.80s: %s", server, ub_strerror(rc));
	}
	for (size_t i = 0; i < options->n_zones; i++) {
		TRY(to_cstr(options->zones[i].server, server, sizeof(server), reterr));
		TRY(to_cstr(options->zones[i].name, zone, sizeof(zone), reterr));
		int rc = ub_ctx_set_stub(ctx, zone, server, 0);
		if (rc != 0)
			return error_set(reterr, ERR_SYNTAX, 0, "DNS server %.80s: %s", server, ub_strerror(rc));
		/* A zone of ours is seldom signed from the root down. */
		(void)ub_ctx_set_option(ctx, "domain-insecure:", zone);
		(void)ub_ctx_zone_remove(ctx, zone);
	}
	for (size_t i = 0; options->n_forward > 0 && i < ARRAY_LEN(own_zones); i++)
		(void)ub_ctx_zone_remove(ctx, own_zones[i]);
	return ERR_OK;
}

static enum err ask(struct upstream *upstream, struct ub_ctx *unbound, struct quick *quick, unsigned type,
		    struct bytes name, upstream_done *done, void *ctx);

static void nothing(void *ctx, int code, struct bytes packet, enum upstream_trust trust)
{
	(void)ctx;
	(void)code;
	(void)packet;
	(void)trust;
}

static enum err set_all(struct ub_ctx *ctx, const struct option *options, size_t n, struct error *reterr)
{
	for (size_t i = 0; i < n; i++)
		TRY(set(ctx, options[i].name, options[i].value, reterr));
	return ERR_OK;
}

/* `*ret_unbound` is set as soon as there is something to delete. */
static enum err open_unbound(struct loop *loop, struct upstream *upstream, const struct upstream_options *options,
			     bool fresh, struct ub_ctx **ret_unbound, struct error *reterr)
{
	struct ub_ctx *ctx = *ret_unbound = ub_ctx_create_event(loop_event_base(loop));
	if (!ctx)
		return error_set(reterr, ERR_NOMEM, 0, "libunbound could not be started");
	TRY(set_all(ctx, options_of_all, ARRAY_LEN(options_of_all), reterr));
	if (fresh)
		TRY(set_all(ctx, options_of_fresh, ARRAY_LEN(options_of_fresh), reterr));
	/* Without anchors the validator only hands on what the iterator found; that is a tenth of what a question
	 * costs. */
	if (options->trust_anchors.len == 0)
		TRY(set(ctx, "module-config:", "iterator", reterr));
	if (options->trust_anchors.len > 0) {
		char file[512];
		TRY(to_cstr(options->trust_anchors, file, sizeof(file), reterr));
		int rc = ub_ctx_add_ta_file(ctx, file);
		if (rc != 0)
			return error_set(reterr, ERR_IO, 0, "trust anchors %.100s: %s", file, ub_strerror(rc));
	}
	TRY(set_servers(ctx, options, reterr));
	/* The first question makes it read its files and settle; a name of its own costs no packet. */
	(void)ub_ctx_zone_add(ctx, "settled.postern.invalid.", "static");
	if (ask(upstream, ctx, NULL, DNS_A, BYTES_LIT("settled.postern.invalid"), nothing, NULL) != ERR_OK)
		return error_set(reterr, ERR_IO, 0, "libunbound could not be started: %.60s",
				 options->trust_anchors.len > 0 ? "are the trust anchors readable?"
								: "no reason known");
	return ERR_OK;
}

enum err upstream_new(struct loop *loop, const struct upstream_options *options, struct upstream **ret_upstream,
		      struct error *reterr)
{
	struct upstream *upstream = mem_new(struct upstream, 1);
	if (!upstream)
		return error_set(reterr, ERR_NOMEM, 0, "libunbound could not be started");
	/* Both divide by the same hash, so that a share of one way names its zone in the other. */
	upstream->brief.room = UPSTREAM_BRIEF_MAX;
	upstream->shares.room = UPSTREAM_QUESTIONS_MAX;
	upstream->shares.kept = UPSTREAM_KEPT;
	enum err err = entropy_fill(&upstream->shares.secret, sizeof(upstream->shares.secret));
	upstream->brief.secret = upstream->shares.secret;
	if (err == ERR_OK)
		err = open_unbound(loop, upstream, options, false, &upstream->unbound, reterr);
	if (err == ERR_OK && options->fresh)
		err = open_unbound(loop, upstream, options, true, &upstream->fresh, reterr);
	/* What we validate ourselves, or must ask here and there, only libunbound can. */
	if (err == ERR_OK && options->n_forward > 0 && options->n_zones == 0 && options->trust_anchors.len == 0 &&
	    (err = quick_new(loop, options->forward, options->n_forward, &upstream->quick)) != ERR_OK)
		(void)error_set(reterr, err, 0, "the DNS servers cannot be asked: %s", err_name(err));
	if (err != ERR_OK) {
		upstream_free(&upstream);
		return err;
	}
	*ret_upstream = upstream;
	return ERR_OK;
}

void upstream_free(struct upstream **upstream)
{
	if (!*upstream)
		return;
	quick_free(&(*upstream)->quick);
	ub_ctx_delete((*upstream)->unbound);
	ub_ctx_delete((*upstream)->fresh);
	for (struct question *question = (*upstream)->questions, *next; question; question = next) {
		next = question->next;
		mem_free(question);
	}
	mem_free(*upstream);
	*upstream = NULL;
}

/* False: there is none for it. The one that it has is given back before. */
static bool take_place(struct question *question, struct shares *shares)
{
	if (question->place)
		share_return(question->place, question->share);
	question->place = share_take(shares, question->quick.packet.name, &question->share) ? shares : NULL;
	return question->place != NULL;
}

static void question_free(struct question *question)
{
	if (question->place)
		share_return(question->place, question->share);
	*question->link = question->next;
	if (question->next)
		question->next->link = question->link;
	mem_free(question);
}

/* It is over, and its answer told. */
static void end(struct question *question, int code, struct bytes packet, enum upstream_trust trust)
{
	upstream_done *done = question->done;
	void *ctx = question->ctx;
	if (question->place)
		share_learn(&question->upstream->shares, question->share, code == 0 || code == RCODE_NXDOMAIN);
	question_free(question);
	done(ctx, code, packet, trust);
}

static void on_answer(void *data, int code, void *packet, int len, int trust, char *why_bogus, int limited)
{
	(void)why_bogus;
	(void)limited;
	end(data, code, bytes_make(packet, packet && len > 0 ? (size_t)len : 0),
	    trust == 2   ? UPSTREAM_SECURE
	    : trust == 1 ? UPSTREAM_BOGUS
			 : UPSTREAM_INSECURE);
}

/* The text form that libunbound reads: what is no plain character as \DDD (RFC 1035 5.1), and a dot at the end. */
static void name_text(struct bytes name, char out[static 4 * 256 + 2])
{
	size_t len = 0;
	for (size_t i = 0; i < name.len && i < 256; i++) {
		uint8_t c = name.ptr[i];
		if (ascii_is_alnum(c) || c == '.' || c == '-' || c == '_')
			out[len++] = (char)c;
		else
			len += (size_t)snprintf(out + len, 5, "\\%03u", c);
	}
	if (len == 0 || out[len - 1] != '.')
		out[len++] = '.';
	out[len] = 0;
}

/* False: it was not asked, and nobody is told. */
static bool ask_unbound(struct question *question)
{
	char text[4 * 256 + 2];
	name_text(question->quick.packet.name, text);
	return ub_resolve_event(question->unbound, text, (int)question->quick.packet.type, CLASS_IN, question,
				on_answer, NULL) == 0;
}

static void on_quick(struct quick_question *quick, struct bytes packet)
{
	struct question *question = (struct question *)quick; /* its first member */
	if (packet.len > 0)
		end(question, packet.ptr[3] & 15, packet, UPSTREAM_INSECURE);
	else if (!take_place(question, &question->upstream->shares) || !ask_unbound(question))
		end(question, RCODE_SERVFAIL, packet, UPSTREAM_INSECURE);
}

static enum err ask(struct upstream *upstream, struct ub_ctx *unbound, struct quick *quick, unsigned type,
		    struct bytes name, upstream_done *done, void *ctx)
{
	struct question *question = mem_alloc(sizeof(*question) + name.len);
	if (!question)
		return ERR_NOMEM;
	*question = (struct question){
		.quick = {.packet = {.type = (enum dns_type)type, .name = bytes_make(question->name, name.len)},
			  .done = on_quick},
		.next = upstream->questions,
		.link = &upstream->questions,
		.upstream = upstream,
		.unbound = unbound,
		.done = done,
		.ctx = ctx};
	memcpy(question->name, name.ptr, name.len);
	if (question->next)
		question->next->link = &question->next;
	upstream->questions = question;
	bool room = !quick || take_place(question, &upstream->brief);
	if (room && quick && quick_ask(quick, &question->quick) == ERR_OK)
		return ERR_OK;
	room = room && take_place(question, &upstream->shares);
	if (room && ask_unbound(question))
		return ERR_OK;
	question_free(question);
	return room ? ERR_IO : ERR_LIMIT;
}

enum err upstream_ask(struct upstream *upstream, unsigned type, struct bytes name, upstream_done *done, void *ctx)
{
	return ask(upstream, upstream->unbound, upstream->quick, type, name, done, ctx);
}

enum err upstream_ask_fresh(struct upstream *upstream, unsigned type, struct bytes name, upstream_done *done, void *ctx)
{
	/* The short way has no cache. */
	return ask(upstream, upstream->fresh ? upstream->fresh : upstream->unbound, upstream->quick, type, name, done,
		   ctx);
}
