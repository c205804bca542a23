/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * conf/settings.h: the whole configuration as one const struct, read once and never by name. Every key, its default,
 * range and manual text is in settings.c.
 *
 * Owns:  strings and lists live in the arena given to settings_parse(); it must live as long as the settings.
 */
#include "conf/schema.h"

enum settings_action {
	SET_DELIVER,
	SET_TAG,
	SET_QUARANTINE,
	SET_REJECT,
	SET_DISCARD,
	SET_TEMPFAIL,
	SET_INHERIT, /* in `recipients` only: as `actions` says */
};

struct settings_actions {
	/* enum settings_action */
	int malware, phish, spam, spam_tag, unscannable, policy, dmarc_reject, dmarc_quarantine;
};

/* For the recipients that match, other actions. The first group that matches counts. */
struct settings_recipients {
	struct conf_strings match; /* user@domain, user@*, *@domain, * */
	struct settings_actions actions;
};

/* Where quarantined mail is kept: by us, in the mail server's own queue, in a mailbox. */
enum settings_place { SET_PLACE_VAULT, SET_PLACE_QUEUE, SET_PLACE_MAILBOX };

enum settings_dnssec { SET_DNSSEC_AUTO, SET_DNSSEC_ON, SET_DNSSEC_OFF };

/* What becomes of mail that should be signed and cannot be now. */
enum settings_signing_failure { SET_UNSIGNED_TEMPFAIL, SET_UNSIGNED_DELIVER };

/* A zone that a server of its own answers for. */
struct settings_dns_zone {
	struct bytes name, server;
};

/* A reputation list in the DNS. */
struct settings_list_zone {
	struct bytes name, zone;
	int kind; /* as scan/zone.h counts them */
	struct conf_strings about, codes;
	struct bytes canary_hit, canary_miss; /* "off": not asked */
};

/* One of our own, in a file. */
struct settings_list_local {
	struct bytes name, file;
	int kind; /* 0: block, 1: allow */
	struct conf_strings about;
};

struct settings {
	struct bytes state_dir, run_dir, user, hostname;
	int log_level, log_format; /* as sys/log.h counts them */
	int64_t gates, scanners;

	struct bytes milter_listen;
	struct bytes smtp_listen, smtp_next_hop;
	struct conf_strings smtp_xforward_from;
	int64_t smtp_max_recipients, next_hop_timeout;
	struct bytes http_listen;
	struct bytes spamd_listen;
	int64_t max_connections, client_timeout;

	bool dns_enabled;
	struct conf_strings dns_servers;
	struct conf_groups dns_zones; /* struct settings_dns_zone */
	int dns_dnssec;               /* enum settings_dnssec */
	struct bytes dns_trust_anchors;
	int64_t dns_timeout;

	struct bytes authserv_id;
	int dmarc_mode; /* as auth/dmarc.h counts them */
	struct conf_strings trusted_sealers, trusted_relays;

	bool relations_enabled;
	int64_t relations_memory, relations_snapshot;
	struct conf_groups list_zones;  /* struct settings_list_zone */
	struct conf_groups list_locals; /* struct settings_list_local */
	int64_t list_questions, list_canary_interval;
	struct conf_strings own_domains;

	int64_t message_size, parts, depth, header_size, memory, scan_timeout;
	struct conf_strings trusted_networks;

	double tag_at, quarantine_at;
	struct settings_actions actions;
	struct bytes subject_tag, reject_text;
	struct conf_groups recipients; /* struct settings_recipients */

	struct bytes quarantine_place; /* as settings_place() reads it */
	struct bytes release_to;
	int64_t quarantine_retention, quarantine_size, trace_retention;
	bool allow_unsandboxed;

	struct conf_strings report_addresses;
	bool report_unproven;
	int64_t report_retention;
	bool report_dmarc;
	struct bytes report_from, report_org, report_contact, report_next_hop;
	int64_t report_spread;

	bool signing_authenticated;
	struct conf_strings signing_networks;
	int signing_failure; /* enum settings_signing_failure */
	struct bytes signing_arc_domain;
	struct conf_strings signing_arc_for;
};

#define SETTINGS_KEYS_MAX 128
struct settings_origin {
	struct bytes file;
	size_t lines[SETTINGS_KEYS_MAX]; /* of each key; 0: the default */
};

NODISCARD enum err settings_default(struct arena *arena, struct settings *ret_settings);
/*
 * Defaults, then what the file says. False when there are errors (all of them are in *errors, up to its maximum); the
 * settings are not to be used then. `origin` may be NULL.
 */
NODISCARD bool settings_parse(struct arena *arena, struct bytes text, struct settings *ret_settings,
			      struct settings_origin *origin, struct conf_errors *errors);
/* The second half of it: from what yaml_parse() or yaml_unpack() made of the file. */
NODISCARD bool settings_apply(struct arena *arena, const struct yaml_node *root, struct settings *ret_settings,
			      struct settings_origin *origin, struct conf_errors *errors);

extern const struct conf_group settings_keys;

/* "KEY = VALUE", where it comes from, default, range and manual. ERR_UNSUPPORTED when there is no such key. */
NODISCARD enum err settings_explain(struct buf *buf, const struct settings *settings,
				    const struct settings_origin *origin, struct bytes key, bool json);
/* The complete, commented postern.yaml in which every line is the default. */
void settings_sample(struct buf *buf);
/* The keys as an mdoc list, for postern.yaml(5). */
void settings_manual(struct buf *buf);

/* What quarantine.place says; false when it is neither a word that it may be nor an address. */
bool settings_place(const struct settings *settings, enum settings_place *ret_place);
