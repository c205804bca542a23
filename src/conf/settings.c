/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/settings.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "base/json.h"
#include "conf/tree.h"

#include "base/banned.h"

#ifndef POSTERN_STATE_DIR
#define POSTERN_STATE_DIR "/var/lib/postern"
#define POSTERN_RUN_DIR   "/run/postern"
#endif

#define KB     ((int64_t)1 << 10)
#define MB     ((int64_t)1 << 20)
#define GB     ((int64_t)1 << 30)
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define DAY    (24 * 60 * MINUTE)

static const char *const levels[] = {"error", "warning", "notice", "info", "debug", NULL};
static const char *const formats[] = {"logfmt", "json", NULL};
static const char *const actions[] = {"deliver", "tag", "quarantine", "reject", "discard", "tempfail", NULL};
static const char *const actions_or_inherit[] = {"deliver", "tag",      "quarantine", "reject",
						 "discard", "tempfail", "inherit",    NULL};

static const char *const dmarc_modes[] = {"rfc9989", "rfc7489", NULL};
static const char *const signing_failures[] = {"tempfail", "deliver", NULL};
static const char *const dnssec_choices[] = {"auto", "on", "off", NULL};

#define F(field, ctype) .offset = CONF_FIELD(struct settings, field, ctype)
#define R(field, ctype) .offset = CONF_FIELD(struct settings_recipients, field, ctype)
#define ACTION(name, field, text)                                                                                      \
	{                                                                                                              \
		.key = name, .type = CONF_CHOICE, R(actions.field, int), .fallback = "inherit",                        \
		.choices = actions_or_inherit, .manual = text                                                          \
	}

static const struct conf_key recipients_keys[] = {
	{.key = "match",
	 .type = CONF_STRINGS,
	 R(match, struct conf_strings),
	 .fallback = "",
	 .manual = "Addresses: user@domain, *@domain, user@* or *; capitals do not matter."},
	ACTION("malware", malware, "As actions.malware."),
	ACTION("phish", phish, "As actions.phish."),
	ACTION("spam", spam, "As actions.spam."),
	ACTION("spam_tag", spam_tag, "As actions.spam_tag."),
	ACTION("unscannable", unscannable, "As actions.unscannable."),
	ACTION("policy", policy, "As actions.policy."),
	ACTION("dmarc_reject", dmarc_reject, "As actions.dmarc_reject."),
	ACTION("dmarc_quarantine", dmarc_quarantine, "As actions.dmarc_quarantine."),
};
static const struct conf_group recipients_group = {recipients_keys, ARRAY_LEN(recipients_keys),
						   sizeof(struct settings_recipients)};

#define Z(field, ctype) .offset = CONF_FIELD(struct settings_dns_zone, field, ctype)
static const struct conf_key dns_zone_keys[] = {
	{.key = "name", .type = CONF_STRING, Z(name, struct bytes), .fallback = "", .manual = "The zone: example.com."},
	{.key = "server",
	 .type = CONF_STRING,
	 Z(server, struct bytes),
	 .fallback = "",
	 .manual = "Its server: ADDRESS or ADDRESS@PORT."},
};
static const struct conf_group dns_zone_group = {dns_zone_keys, ARRAY_LEN(dns_zone_keys),
						 sizeof(struct settings_dns_zone)};

static const char *const list_kinds[] = {"ip", "ip-allow", "domain", "domain-allow", NULL};
static const char *const local_kinds[] = {"block", "allow", NULL};

#define L(field, ctype) .offset = CONF_FIELD(struct settings_list_zone, field, ctype)
static const struct conf_key list_zone_keys[] = {
	{.key = "name",
	 .type = CONF_STRING,
	 L(name, struct bytes),
	 .fallback = "",
	 .manual = "What the evidence calls the list."},
	{.key = "zone",
	 .type = CONF_STRING,
	 L(zone, struct bytes),
	 .fallback = "",
	 .manual = "The zone that is asked: zen.example.org."},
	{.key = "kind",
	 .type = CONF_CHOICE,
	 L(kind, int),
	 .fallback = "ip",
	 .choices = list_kinds,
	 .manual = "What it lists, and whether that speaks against a message or (allow) for it."},
	{.key = "about",
	 .type = CONF_STRINGS,
	 L(about, struct conf_strings),
	 .fallback = "",
	 .manual = "What of a message it is asked about: client, received, helo, sender, from, replies, urls."},
	{.key = "codes",
	 .type = CONF_STRINGS,
	 L(codes, struct conf_strings),
	 .fallback = "",
	 .manual = "What its answers mean."},
	{.key = "canary_hit",
	 .type = CONF_STRING,
	 L(canary_hit, struct bytes),
	 .fallback = "",
	 .manual = "An address or a domain that is listed always. Empty: that of RFC 5782. off: none is asked about."},
	{.key = "canary_miss",
	 .type = CONF_STRING,
	 L(canary_miss, struct bytes),
	 .fallback = "",
	 .manual = "The same that is never listed."},
};
static const struct conf_group list_zone_group = {list_zone_keys, ARRAY_LEN(list_zone_keys),
						  sizeof(struct settings_list_zone)};

#define O(field, ctype) .offset = CONF_FIELD(struct settings_list_local, field, ctype)
static const struct conf_key list_local_keys[] = {
	{.key = "name",
	 .type = CONF_STRING,
	 O(name, struct bytes),
	 .fallback = "",
	 .manual = "What the evidence calls the list."},
	{.key = "file", .type = CONF_STRING, O(file, struct bytes), .fallback = "", .manual = "The file."},
	{.key = "kind",
	 .type = CONF_CHOICE,
	 O(kind, int),
	 .fallback = "block",
	 .choices = local_kinds,
	 .manual = "Whether it speaks against a message or for it."},
	{.key = "about",
	 .type = CONF_STRINGS,
	 O(about, struct conf_strings),
	 .fallback = "",
	 .manual = "What of a message is looked up: client, received, helo, sender, from, replies, urls."},
};
static const struct conf_group list_local_group = {list_local_keys, ARRAY_LEN(list_local_keys),
						   sizeof(struct settings_list_local)};

static const struct conf_key keys[] = {
	{.key = "state_dir",
	 .type = CONF_STRING,
	 F(state_dir, struct bytes),
	 .fallback = POSTERN_STATE_DIR,
	 .manual = "Folder of what must last: the trace and the quarantine. Only Postern's user can look into it."},
	{.key = "run_dir",
	 .type = CONF_STRING,
	 F(run_dir, struct bytes),
	 .fallback = POSTERN_RUN_DIR,
	 .manual = "Folder of what lasts as long as the daemons run."},
	{.key = "user",
	 .type = CONF_STRING,
	 F(user, struct bytes),
	 .fallback = "postern",
	 .manual = "The user that the daemons become when they are started as root. Where there is no such user they "
		   "become "
		   "nobody, and say so."},
	{.key = "hostname",
	 .type = CONF_STRING,
	 F(hostname, struct bytes),
	 .fallback = "",
	 .manual = "The name of this host in SMTP and in header fields. Empty: the system's name."},

	{.key = "log.level",
	 .type = CONF_CHOICE,
	 F(log_level, int),
	 .fallback = "notice",
	 .choices = levels,
	 .manual = "How much is logged. At notice there is one line for each message judged. The content of mail is "
		   "never logged."},
	{.key = "log.format",
	 .type = CONF_CHOICE,
	 F(log_format, int),
	 .fallback = "logfmt",
	 .choices = formats,
	 .manual = "The form of a log line: logfmt (key=value) or json. Lines go to standard error, and so to the "
		   "journal."},

	{.key = "workers.gates",
	 .type = CONF_INT,
	 F(gates, int64_t),
	 .fallback = "1",
	 .min = 1,
	 .max = 16,
	 .manual = "Processes that talk to mail servers. One serves several thousand messages a second."},
	{.key = "workers.scanners",
	 .type = CONF_INT,
	 F(scanners, int64_t),
	 .fallback = "0",
	 .min = 0,
	 .max = 64,
	 .manual = "Processes that judge messages. 0: one for each processor, at least two."},

	{.key = "milter.listen",
	 .type = CONF_ADDRESS,
	 F(milter_listen, struct bytes),
	 .fallback = "127.0.0.1:11340",
	 .manual = "Where Postfix or Sendmail speak the milter protocol with Postern."},
	{.key = "smtp.listen",
	 .type = CONF_ADDRESS,
	 F(smtp_listen, struct bytes),
	 .fallback = "off",
	 .manual = "Where Postern takes mail by SMTP to pass it on to smtp.next_hop, for any mail server (before the "
		   "queue)."},
	{.key = "smtp.next_hop",
	 .type = CONF_ADDRESS,
	 F(smtp_next_hop, struct bytes),
	 .fallback = "127.0.0.1:10025",
	 .manual = "Where mail that came by smtp.listen goes on to. Postern answers 250 only after this host did."},
	{.key = "smtp.next_hop_timeout",
	 .type = CONF_DURATION,
	 F(next_hop_timeout, int64_t),
	 .fallback = "10m",
	 .min = SECOND,
	 .max = 60 * MINUTE,
	 .manual = "How long smtp.next_hop may take to answer. After a message it is given ten minutes by RFC 5321: it "
		   "may "
		   "have taken the message already, and whoever gives up earlier sends it twice."},
	{.key = "smtp.xforward_from",
	 .type = CONF_STRINGS,
	 F(smtp_xforward_from, struct conf_strings),
	 .fallback = "127.0.0.0/8, ::1",
	 .manual = "Clients that may say by XFORWARD or XCLIENT for whom they speak."},
	{.key = "smtp.max_recipients",
	 .type = CONF_INT,
	 F(smtp_max_recipients, int64_t),
	 .fallback = "1000",
	 .min = 1,
	 .max = 50000,
	 .manual = "Recipients of one message that the SMTP proxy accepts; more are told to come again."},
	{.key = "http.listen",
	 .type = CONF_ADDRESS,
	 F(http_listen, struct bytes),
	 .fallback = "127.0.0.1:11333",
	 .manual = "Where rspamc, and mail servers that speak rspamd's HTTP protocol, reach Postern; /metrics is here "
		   "too."},
	{.key = "spamd.listen",
	 .type = CONF_ADDRESS,
	 F(spamd_listen, struct bytes),
	 .fallback = "off",
	 .manual = "Where spamc, and mail servers that speak the spamd protocol, reach Postern (customarily "
		   "127.0.0.1:783)."},
	{.key = "clients.max_connections",
	 .type = CONF_INT,
	 F(max_connections, int64_t),
	 .fallback = "2000",
	 .min = 10,
	 .max = 60000,
	 .manual = "Connections open at once in one gate; more are closed at once, and counted."},
	{.key = "clients.timeout",
	 .type = CONF_DURATION,
	 F(client_timeout, int64_t),
	 .fallback = "5m",
	 .min = SECOND,
	 .max = 60 * MINUTE,
	 .manual = "A client that says nothing for so long is disconnected."},

	{.key = "limits.message_size",
	 .type = CONF_SIZE,
	 F(message_size, int64_t),
	 .fallback = "100M",
	 .min = 64 * KB,
	 .max = GB,
	 .manual = "Larger messages are refused by the SMTP proxy and unscannable elsewhere. The milter refuses them "
		   "where they "
		   "would be quarantined."},
	{.key = "limits.parts",
	 .type = CONF_INT,
	 F(parts, int64_t),
	 .fallback = "10000",
	 .min = 10,
	 .max = 1000000,
	 .manual = "Parts of one message that are examined. With more it is unscannable."},
	{.key = "limits.depth",
	 .type = CONF_INT,
	 F(depth, int64_t),
	 .fallback = "100",
	 .min = 5,
	 .max = 1000,
	 .manual = "How deep parts may lie in one another. Deeper ones make the message unscannable."},
	{.key = "limits.header_size",
	 .type = CONF_SIZE,
	 F(header_size, int64_t),
	 .fallback = "4M",
	 .min = 16 * KB,
	 .max = 64 * MB,
	 .manual = "Bytes of one header that are examined. A larger one makes the message unscannable."},
	{.key = "limits.memory",
	 .type = CONF_SIZE,
	 F(memory, int64_t),
	 .fallback = "512M",
	 .min = 16 * MB,
	 .max = 16 * GB,
	 .manual = "Memory that judging one message may take. A message that needs more is unscannable."},
	{.key = "limits.scan_timeout",
	 .type = CONF_DURATION,
	 F(scan_timeout, int64_t),
	 .fallback = "60s",
	 .min = SECOND,
	 .max = 10 * MINUTE,
	 .manual = "Time that judging one message may take. After it the scanner is ended and the message tried once "
		   "more; then it is unscannable."},
	{.key = "dns.enabled",
	 .type = CONF_BOOL,
	 F(dns_enabled, bool),
	 .fallback = "true",
	 .manual = "Whether the DNS is asked at all: without it nobody knows who really sent a message (SPF, DKIM, "
		   "DMARC, "
		   "ARC) and which lists name its sender."},
	{.key = "dns.servers",
	 .type = CONF_STRINGS,
	 F(dns_servers, struct conf_strings),
	 .fallback = "",
	 .manual = "Resolvers to ask: ADDRESS or ADDRESS@PORT. Empty: Postern resolves by itself, from the root down, "
		   "which "
		   "is best: many reputation lists refuse questions that come through large public resolvers."},
	{.key = "dns.zones",
	 .type = CONF_GROUPS,
	 F(dns_zones, struct conf_groups),
	 .fallback = "",
	 .group = &dns_zone_group,
	 .manual = "Zones that other servers answer for: a list of groups with name and server."},
	{.key = "dns.dnssec",
	 .type = CONF_CHOICE,
	 F(dns_dnssec, int),
	 .fallback = "auto",
	 .choices = dnssec_choices,
	 .manual = "Whether signatures of the DNS are checked; what is signed wrongly then counts as no answer. auto: "
		   "when "
		   "dns.servers is empty, since other resolvers may not pass signatures on."},
	{.key = "dns.trust_anchors",
	 .type = CONF_STRING,
	 F(dns_trust_anchors, struct bytes),
	 .fallback = "/usr/share/dns/root.key",
	 .manual = "File with the keys of the root zone (Debian's package dns-root-data keeps it up to date)."},
	{.key = "dns.timeout",
	 .type = CONF_DURATION,
	 F(dns_timeout, int64_t),
	 .fallback = "5s",
	 .min = 100,
	 .max = 30 * SECOND,
	 .manual = "How long an answer is waited for. One that comes later counts as a temporary error, and serves the "
		   "next "
		   "message."},
	{.key = "auth.authserv_id",
	 .type = CONF_STRING,
	 F(authserv_id, struct bytes),
	 .fallback = "",
	 .manual = "Our name in Authentication-Results fields (RFC 8601). Fields in this name that come in from "
		   "outside are "
		   "removed. Empty: the hostname."},
	{.key = "auth.dmarc",
	 .type = CONF_CHOICE,
	 F(dmarc_mode, int),
	 .fallback = "rfc9989",
	 .choices = dmarc_modes,
	 .manual = "How the organizational domain is found: by walking the DNS (rfc9989), or by the public suffix list "
		   "(rfc7489), for comparison."},
	{.key = "auth.trusted_sealers",
	 .type = CONF_STRINGS,
	 F(trusted_sealers, struct conf_strings),
	 .fallback = "",
	 .manual =
		 "Domains of forwarders and mailing lists whose ARC seal is believed: a message that they saw pass and "
		 "changed on its way is not held to its author's DMARC policy."},
	{.key = "auth.trusted_relays",
	 .type = CONF_STRINGS,
	 F(trusted_relays, struct conf_strings),
	 .fallback = "",
	 .manual = "Names (authserv-id) of mail servers of ours that take mail from outside and write "
		   "Authentication-Results. When such a server hands a message on from a trusted network, what it says "
		   "of "
		   "SPF is believed, since only it saw the client."},
	{.key = "relations.enabled",
	 .type = CONF_BOOL,
	 F(relations_enabled, bool),
	 .fallback = "true",
	 .manual =
		 "Whether it is remembered who wrote to whom: it tells first contacts, names that usually come from "
		 "elsewhere, and answers to mail of one's own. Of names and addresses only keyed hashes are kept, but "
		 "for the usual address of a name."},
	{.key = "relations.memory",
	 .type = CONF_SIZE,
	 F(relations_memory, int64_t),
	 .fallback = "95M",
	 .min = MB,
	 .max = 16 * GB,
	 .manual = "Memory of the relations: a million take 95 MB. When it is full, newcomers take the place of those "
		   "who were seen once."},
	{.key = "relations.snapshot",
	 .type = CONF_DURATION,
	 F(relations_snapshot, int64_t),
	 .fallback = "10m",
	 .min = 1 * SECOND,
	 .max = DAY,
	 .manual = "How often the relations are written to disk whole. What is learned in between is written every "
		   "second, so that not more than that is lost."},
	{.key = "lists.zones",
	 .type = CONF_GROUPS,
	 F(list_zones, struct conf_groups),
	 .fallback = "",
	 .group = &list_zone_group,
	 .manual = "Reputation lists in the DNS: a list of groups with name, zone, kind, about, codes, canary_hit and "
		   "canary_miss; see REPUTATION LISTS. None is asked unless it stands here: each has terms of use of "
		   "its own."},
	{.key = "lists.local",
	 .type = CONF_GROUPS,
	 F(list_locals, struct conf_groups),
	 .fallback = "",
	 .group = &list_local_group,
	 .manual = "Reputation lists of your own, in files: a list of groups with name, file, kind (block or allow) "
		   "and about; see REPUTATION LISTS. A changed file counts from the next postern reload on."},
	{.key = "lists.max_questions",
	 .type = CONF_INT,
	 F(list_questions, int64_t),
	 .fallback = "50",
	 .min = 1,
	 .max = 120,
	 .manual = "How many questions all lists.zones together are asked about one message. What stands on the "
		   "envelope and in the header comes first, then links in their order."},
	{.key = "lists.canary_interval",
	 .type = CONF_DURATION,
	 F(list_canary_interval, int64_t),
	 .fallback = "5m",
	 .min = SECOND,
	 .max = DAY,
	 .manual = "How often each of lists.zones is asked about what it must list and what it must not. One that "
		   "answers wrongly, or not at all, is switched off until it answers rightly again: see postern "
		   "status."},
	{.key = "lists.own_domains",
	 .type = CONF_STRINGS,
	 F(own_domains, struct conf_strings),
	 .fallback = "",
	 .manual = "Domains of yours. lists.zones are never asked about them and what is below them, nor about the "
		   "domains of the recipients and of the hostname."},
	{.key = "trusted_networks",
	 .type = CONF_STRINGS,
	 F(trusted_networks, struct conf_strings),
	 .fallback = "",
	 .manual = "Networks (address or address/bits) whose mail servers are ours: what they say in Received fields "
		   "is believed. Private networks are trusted always."},

	{.key = "actions.tag_at",
	 .type = CONF_PROBABILITY,
	 F(tag_at, double),
	 .fallback = "0.9",
	 .manual = "From this probability on a message is spam, and actions.spam_tag is done."},
	{.key = "actions.quarantine_at",
	 .type = CONF_PROBABILITY,
	 F(quarantine_at, double),
	 .fallback = "0.99",
	 .manual = "From this probability on actions.spam is done."},
	{.key = "actions.malware",
	 .type = CONF_CHOICE,
	 F(actions.malware, int),
	 .fallback = "quarantine",
	 .choices = actions,
	 .manual = "What becomes of a message with malware."},
	{.key = "actions.phish",
	 .type = CONF_CHOICE,
	 F(actions.phish, int),
	 .fallback = "quarantine",
	 .choices = actions,
	 .manual = "What becomes of phishing."},
	{.key = "actions.spam",
	 .type = CONF_CHOICE,
	 F(actions.spam, int),
	 .fallback = "quarantine",
	 .choices = actions,
	 .manual = "What becomes of spam from actions.quarantine_at on."},
	{.key = "actions.spam_tag",
	 .type = CONF_CHOICE,
	 F(actions.spam_tag, int),
	 .fallback = "tag",
	 .choices = actions,
	 .manual = "What becomes of spam from actions.tag_at on."},
	{.key = "actions.unscannable",
	 .type = CONF_CHOICE,
	 F(actions.unscannable, int),
	 .fallback = "quarantine",
	 .choices = actions,
	 .manual = "What becomes of a message that could not be examined whole."},
	{.key = "actions.policy",
	 .type = CONF_CHOICE,
	 F(actions.policy, int),
	 .fallback = "quarantine",
	 .choices = actions,
	 .manual = "What becomes of a message that the organisation does not want."},
	{.key = "actions.dmarc_reject",
	 .type = CONF_CHOICE,
	 F(actions.dmarc_reject, int),
	 .fallback = "quarantine",
	 .choices = actions,
	 .manual = "What becomes of a message that fails DMARC, whose author domain asks that such mail be rejected. "
		   "Mailing "
		   "lists and forwarders break honest mail, so RFC 9989 asks not to reject for that reason alone. "
		   "actions.spam and the like still count when they are stricter. Mail of authenticated users and of "
		   "signing.networks is not asked for proofs, nor is mail that began on a host in trusted_networks or "
		   "in a private network; mail from outside that such a host passes on is. Where the client is not "
		   "told (spamd, HTTP without IP) nothing is done either: SPF cannot be judged then."},
	{.key = "actions.dmarc_quarantine",
	 .type = CONF_CHOICE,
	 F(actions.dmarc_quarantine, int),
	 .fallback = "quarantine",
	 .choices = actions,
	 .manual = "The same for an author domain that asks for quarantine."},
	{.key = "actions.subject_tag",
	 .type = CONF_STRING,
	 F(subject_tag, struct bytes),
	 .fallback = "",
	 .manual = "Text put before the subject of tagged messages, such as \"[SPAM] \". Empty: the subject stays."},
	{.key = "actions.reject_text",
	 .type = CONF_STRING,
	 F(reject_text, struct bytes),
	 .fallback = "This message was refused: %reason% (%id%)",
	 .manual = "What the sender of a refused message is told. %reason% becomes the reason, %id% what postern trace "
		   "finds."},
	{.key = "recipients",
	 .type = CONF_GROUPS,
	 F(recipients, struct conf_groups),
	 .fallback = "",
	 .group = &recipients_group,
	 .manual = "Other actions for some recipients: a list of groups with match and any of malware, phish, spam, "
		   "spam_tag, unscannable, policy, dmarc_reject, dmarc_quarantine. The first group that matches a "
		   "recipient counts for it."},

	{.key = "quarantine.place",
	 .type = CONF_STRING,
	 F(quarantine_place, struct bytes),
	 .fallback = "vault",
	 .manual =
		 "Where quarantined mail is kept. vault: by Postern. An address, such as spam@example.org: it goes to "
		 "this mailbox, and to nobody else. queue: it waits in the hold queue of the mail server that speaks "
		 "the milter protocol, when it is to be held for all its recipients. What does not fit the place, or "
		 "what the next mail server does not take for it, is kept by Postern."},
	{.key = "quarantine.release_to",
	 .type = CONF_ADDRESS,
	 F(release_to, struct bytes),
	 .fallback = "127.0.0.1:25",
	 .manual = "The SMTP server to which postern quarantine release gives a message back."},
	{.key = "quarantine.retention",
	 .type = CONF_DURATION,
	 F(quarantine_retention, int64_t),
	 .fallback = "30d",
	 .min = DAY / 24,
	 .max = 3650 * DAY,
	 .manual = "How long a message stays in the quarantine."},
	{.key = "quarantine.size",
	 .type = CONF_SIZE,
	 F(quarantine_size, int64_t),
	 .fallback = "20G",
	 .min = 10 * MB,
	 .max = 100000 * GB,
	 .manual = "How much disk the quarantine may take; over it the oldest messages go first."},
	{.key = "trace.retention",
	 .type = CONF_DURATION,
	 F(trace_retention, int64_t),
	 .fallback = "90d",
	 .min = DAY / 24,
	 .max = 3650 * DAY,
	 .manual = "How long postern trace remembers what happened."},
	{.key = "reports.addresses",
	 .type = CONF_STRINGS,
	 F(report_addresses, struct conf_strings),
	 .fallback = "",
	 .manual = "Recipients to whom other mail systems send reports of DMARC and TLS: the addresses in rua of your "
		   "DMARC and TLSRPT records. Mail to them is delivered as ever; a report in it is read and summed for "
		   "postern dmarc report. Patterns are as in recipients."},
	{.key = "reports.accept_unproven",
	 .type = CONF_BOOL,
	 F(report_unproven, bool),
	 .fallback = "false",
	 .manual =
		 "Take reports also from mail that DMARC does not prove to be of its author, which anybody could "
		 "have written; for mail that comes by way of another server of yours, say. Who proved to be somebody "
		 "may still lie in a report: it is a statistic, and no more."},
	{.key = "reports.retention",
	 .type = CONF_DURATION,
	 F(report_retention, int64_t),
	 .fallback = "400d",
	 .min = DAY,
	 .max = 3650 * DAY,
	 .manual = "How long the sums of reports are kept."},
	{.key = "reports.dmarc",
	 .type = CONF_BOOL,
	 F(report_dmarc, bool),
	 .fallback = "false",
	 .manual =
		 "Count what DMARC says of mail that comes, and send each domain that asks for it a report of the day "
		 "before (RFC 9990), once a day. It tells them which servers sent you mail in their name, and how "
		 "much."},
	{.key = "reports.from",
	 .type = CONF_STRING,
	 F(report_from, struct bytes),
	 .fallback = "",
	 .manual = "The sender of these reports, in the envelope and in From; needed where reports.dmarc is on. DMARC "
		   "has "
		   "to pass for its domain: let the next hop sign. What cannot be delivered comes back to it."},
	{.key = "reports.org",
	 .type = CONF_STRING,
	 F(report_org, struct bytes),
	 .fallback = "",
	 .manual = "The name of the organization that reports. Empty: the domain of reports.from."},
	{.key = "reports.contact",
	 .type = CONF_STRING,
	 F(report_contact, struct bytes),
	 .fallback = "",
	 .manual = "What else readers of a report may want to know, such as the address of a page."},
	{.key = "reports.next_hop",
	 .type = CONF_ADDRESS,
	 F(report_next_hop, struct bytes),
	 .fallback = "127.0.0.1:25",
	 .manual = "The SMTP server that takes the reports to be sent, by TCP."},
	{.key = "reports.spread",
	 .type = CONF_DURATION,
	 F(report_spread, int64_t),
	 .fallback = "2h",
	 .min = 0,
	 .max = DAY / 2,
	 .manual =
		 "The reports of a day are begun within so long after midnight (UTC), at a time that differs from host "
		 "to host, so that not all the world sends at once."},
	{.key = "allow_unsandboxed",
	 .type = CONF_BOOL,
	 F(allow_unsandboxed, bool),
	 .fallback = "false",
	 .manual = "Start even where the kernel cannot lock the daemons up. Only for tests on old kernels: hostile "
		   "mail is read by them."},
	{.key = "signing.authenticated",
	 .type = CONF_BOOL,
	 F(signing_authenticated, bool),
	 .fallback = "true",
	 .manual = "Whether mail of authenticated users is signed by DKIM: when postern keys has an active key for the "
		   "domain of its author, or for a domain above it."},
	{.key = "signing.networks",
	 .type = CONF_STRINGS,
	 F(signing_networks, struct conf_strings),
	 .fallback = "",
	 .manual = "Clients (address or address/bits) whose mail is signed likewise, without authentication: your own "
		   "senders, and no server that also passes on mail from outside."},
	{.key = "signing.failure",
	 .type = CONF_CHOICE,
	 F(signing_failure, int),
	 .fallback = "tempfail",
	 .choices = signing_failures,
	 .manual = "What becomes of mail that should be signed by DKIM while the signer cannot: the sender is told to "
		   "come again, or it goes on unsigned, and others may refuse it. A missing ARC seal never holds "
		   "mail up."},
	{.key = "signing.arc_domain",
	 .type = CONF_STRING,
	 F(signing_arc_domain, struct bytes),
	 .fallback = "",
	 .manual = "The domain in whose name mail of others is sealed by ARC as it goes on, with its active key of "
		   "postern keys. Empty: nothing is sealed."},
	{.key = "signing.arc_for",
	 .type = CONF_STRINGS,
	 F(signing_arc_for, struct conf_strings),
	 .fallback = "*",
	 .manual = "Recipients whose mail is sealed, since it is forwarded from here: as in recipients.match."},
};
_Static_assert(ARRAY_LEN(keys) <= SETTINGS_KEYS_MAX, "SETTINGS_KEYS_MAX is too small");
const struct conf_group settings_keys = {keys, ARRAY_LEN(keys), sizeof(struct settings)};

enum err settings_default(struct arena *arena, struct settings *ret_settings)
{
	*ret_settings = (struct settings){0};
	return conf_defaults(arena, &settings_keys, ret_settings);
}

/* Nothing that SMTP or a header could misread. */
static bool report_address(struct bytes address)
{
	size_t at = bytes_rfind_byte(address, '@');
	if (at == BYTES_NONE || at == 0 || at + 1 == address.len || address.len > 254)
		return false;
	for (size_t i = 0; i < address.len; i++) {
		uint8_t c = address.ptr[i];
		bool host = ascii_is_alnum(c) || c == '-' || c == '.';
		if (!host && (i > at || (c != '_' && c != '+' && c != '=' && i != at)))
			return false;
	}
	return true;
}

static void check_reports(const struct settings *settings, const size_t *lines, struct conf_errors *errors)
{
	size_t dmarc, from, hop, listen;
	(void)conf_find(&settings_keys, BYTES_LIT("reports.dmarc"), &dmarc);
	(void)conf_find(&settings_keys, BYTES_LIT("reports.from"), &from);
	(void)conf_find(&settings_keys, BYTES_LIT("reports.next_hop"), &hop);
	(void)conf_find(&settings_keys, BYTES_LIT("smtp.listen"), &listen);
	if (settings->report_from.len > 0 && !report_address(settings->report_from))
		conf_error_add_key(errors, lines[from], BYTES_LIT("reports.from"),
				   "reports.from is no plain address (expected name@example.org)");
	if (!settings->report_dmarc)
		return;
	if (settings->report_from.len == 0)
		conf_error_add_key(errors, lines[dmarc], BYTES_LIT("reports.from"),
				   "reports.dmarc needs reports.from: who sends the reports?");
	if (!settings->dns_enabled)
		conf_error_add_key(errors, lines[dmarc], BYTES_LIT("reports.dmarc"), "reports.dmarc needs dns.enabled");
	if (settings->report_next_hop.len == 0 || bytes_starts(settings->report_next_hop, BYTES_LIT("unix:")))
		conf_error_add_key(errors, lines[hop] ? lines[hop] : lines[dmarc], BYTES_LIT("reports.next_hop"),
				   "reports.next_hop must be ADDRESS:PORT where reports.dmarc is on");
}

/* What no single key can tell. */
static void check_together(const struct settings *settings, const size_t *lines, struct conf_errors *errors)
{
	size_t tag, quarantine, listen, next, state, run, recipients;
	(void)conf_find(&settings_keys, BYTES_LIT("actions.tag_at"), &tag);
	(void)conf_find(&settings_keys, BYTES_LIT("actions.quarantine_at"), &quarantine);
	(void)conf_find(&settings_keys, BYTES_LIT("smtp.listen"), &listen);
	(void)conf_find(&settings_keys, BYTES_LIT("smtp.next_hop"), &next);
	(void)conf_find(&settings_keys, BYTES_LIT("state_dir"), &state);
	(void)conf_find(&settings_keys, BYTES_LIT("run_dir"), &run);
	(void)conf_find(&settings_keys, BYTES_LIT("recipients"), &recipients);
	if (settings->quarantine_at < settings->tag_at)
		conf_error_add_key(errors, lines[quarantine] ? lines[quarantine] : lines[tag],
				   BYTES_LIT("actions.quarantine_at"),
				   "actions.quarantine_at (%g) must not be below actions.tag_at (%g)",
				   settings->quarantine_at, settings->tag_at);
	if (settings->smtp_listen.len > 0 && settings->smtp_next_hop.len == 0)
		conf_error_add_key(errors, lines[next] ? lines[next] : lines[listen], BYTES_LIT("smtp.next_hop"),
				   "smtp.listen needs smtp.next_hop: where should the mail go?");
	if (settings->smtp_listen.len > 0 && bytes_eq(settings->smtp_listen, settings->smtp_next_hop))
		conf_error_add_key(errors, lines[listen], BYTES_LIT("smtp.next_hop"),
				   "smtp.next_hop is smtp.listen itself: mail would go round for ever");
	if (!bytes_starts(settings->state_dir, BYTES_LIT("/")))
		conf_error_add_key(errors, lines[state], BYTES_LIT("state_dir"), "state_dir must be an absolute path");
	if (!bytes_starts(settings->run_dir, BYTES_LIT("/")))
		conf_error_add_key(errors, lines[run], BYTES_LIT("run_dir"), "run_dir must be an absolute path");
	check_reports(settings, lines, errors);
	for (size_t i = 0; i < settings->recipients.count; i++)
		if (((const struct settings_recipients *)settings->recipients.items)[i].match.count == 0)
			conf_error_add_key(errors, lines[recipients], BYTES_LIT("recipients"),
					   "recipients: a group without \"match\" would never be used");
}

bool settings_apply(struct arena *arena, const struct yaml_node *root, struct settings *ret_settings,
		    struct settings_origin *origin, struct conf_errors *errors)
{
	struct settings_origin local = {0};
	if (!origin)
		origin = &local;
	if (settings_default(arena, ret_settings) != ERR_OK ||
	    conf_apply(arena, &settings_keys, root, ret_settings, origin->lines, errors) != ERR_OK) {
		conf_error_add(errors, 0, "no memory for the configuration");
		return false;
	}
	check_together(ret_settings, origin->lines, errors);
	return errors->count == 0;
}

bool settings_parse(struct arena *arena, struct bytes text, struct settings *ret_settings,
		    struct settings_origin *origin, struct conf_errors *errors)
{
	struct yaml_node *root;
	struct error error;
	if (yaml_parse(arena, text, &root, &error) != ERR_OK) {
		conf_error_add(errors, error.at, "%s", error.text);
		return false;
	}
	return settings_apply(arena, root, ret_settings, origin, errors);
}

/* -- Text ---- */

enum err settings_explain(struct buf *buf, const struct settings *settings, const struct settings_origin *origin,
			  struct bytes name, bool json)
{
	size_t index;
	const struct conf_key *key = conf_find(&settings_keys, name, &index);
	CLEANUP(buf_done) struct buf value = BUF_INIT(65536);
	CLEANUP(buf_done) struct buf range = BUF_INIT(4096);
	CLEANUP(buf_done) struct buf from = BUF_INIT(8192);
	if (!key)
		return ERR_UNSUPPORTED;
	conf_format(&value, key, settings);
	conf_range(&range, key);
	if (origin->lines[index] > 0)
		buf_printf(&from, "%.*s:%zu", BYTES_FMT(origin->file), origin->lines[index]);
	else
		buf_add_cstr(&from, "default");
	if (json) {
		struct json out;
		jsonw_init(&out, buf);
		jsonw_object(&out, NULL);
		jsonw_cstr(&out, "key", key->key);
		jsonw_string(&out, "value", buf_bytes(&value));
		jsonw_string(&out, "origin", buf_bytes(&from));
		jsonw_cstr(&out, "default", key->fallback);
		jsonw_string(&out, "range", buf_bytes(&range));
		jsonw_cstr(&out, "manual", key->manual);
		jsonw_end(&out);
		buf_add_byte(buf, '\n');
		return ERR_OK;
	}
	buf_printf(buf, "%s: %.*s\n  from:    %.*s\n  default: %s\n  range:   %.*s\n  %s\n", key->key,
		   BYTES_FMT(buf_bytes(&value)), BYTES_FMT(buf_bytes(&from)), key->fallback,
		   BYTES_FMT(buf_bytes(&range)), key->manual);
	return ERR_OK;
}

/* Comment lines of at most 100 columns. */
static void wrap(struct buf *buf, const char *indent, const char *text)
{
	struct bytes rest = bytes_from_cstr(text), word;
	size_t column = 0;
	while (bytes_split(&rest, ' ', &word)) {
		if (column == 0 || column + 1 + word.len > 100) {
			buf_printf(buf, "%s%s#", column ? "\n" : "", indent);
			column = strlen(indent) + 1;
		}
		buf_add_byte(buf, ' ');
		buf_add(buf, word);
		column += 1 + word.len;
	}
	buf_add_byte(buf, '\n');
}

static bool needs_quotes(const struct conf_key *key)
{
	struct bytes value = bytes_from_cstr(key->fallback);
	return key->type == CONF_STRING && (value.len == 0 || bytes_has(value, '%') || bytes_has(value, ' '));
}

/* The default as it is written in a file. Items of lists are quoted: in "[::1]" the colons would be YAML's. */
static void add_default(struct buf *buf, const struct conf_key *key)
{
	struct bytes rest = bytes_from_cstr(key->fallback), item;
	bool first = true;
	if (key->type != CONF_STRINGS && key->type != CONF_GROUPS) {
		const char *quote = needs_quotes(key) ? "\"" : "";
		buf_printf(buf, "%s%s%s", quote, key->fallback, quote);
		return;
	}
	buf_add_byte(buf, '[');
	while (rest.len > 0 && bytes_split(&rest, ',', &item)) {
		buf_printf(buf, "%s\"%.*s\"", first ? "" : ", ", BYTES_FMT(bytes_trim(item)));
		first = false;
	}
	buf_add_byte(buf, ']');
}

void settings_sample(struct buf *buf)
{
	struct bytes open = {0};
	buf_add_cstr(buf,
		     "# Postern's configuration. Every key is here with its default; postern.yaml(5) is the manual,\n"
		     "# `postern check-config` checks this file and `postern explain-config KEY` explains a key.\n");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct conf_key *key = &keys[i];
		CLEANUP(buf_done) struct buf range = BUF_INIT(4096);
		struct bytes name = bytes_from_cstr(key->key);
		size_t dot = bytes_find_byte(name, '.');
		struct bytes section = dot == BYTES_NONE ? (struct bytes){0} : bytes_sub(name, 0, dot);
		const char *indent = section.len ? "  " : "";
		buf_add_byte(buf, '\n');
		if (!bytes_eq(section, open) && section.len > 0)
			buf_printf(buf, "#%.*s:\n", BYTES_FMT(section));
		open = section;
		wrap(buf, indent, key->manual);
		conf_range(&range, key);
		buf_printf(buf, "%s# (%.*s)\n", indent, BYTES_FMT(buf_bytes(&range)));
		struct bytes leaf = section.len ? bytes_from(name, dot + 1) : name;
		buf_printf(buf, "#%s%.*s: ", indent, BYTES_FMT(leaf));
		add_default(buf, key);
		buf_add_byte(buf, '\n');
	}
}

void settings_manual(struct buf *buf)
{
	buf_add_cstr(buf, ".Bl -tag -width Ds\n");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		CLEANUP(buf_done) struct buf range = BUF_INIT(4096);
		conf_range(&range, &keys[i]);
		buf_printf(buf, ".It Ic %s\n", keys[i].key);
		/* A sentence a line, as mdoc wants it; a line must not begin with a dot or an apostrophe. */
		for (const char *p = keys[i].manual; *p; p++) {
			if (p[0] == '\\')
				buf_add_cstr(buf, "\\e");
			else
				buf_add_byte(buf, (uint8_t)*p);
			if (p[0] == '.' && p[1] == ' ') {
				buf_add_byte(buf, '\n');
				p++;
			}
		}
		buf_printf(buf, "\n.br\nRange: %.*s.\n", BYTES_FMT(buf_bytes(&range)));
		if (keys[i].fallback[0])
			buf_printf(buf, ".br\nDefault:\n.Ql %s\n", keys[i].fallback);
	}
	buf_add_cstr(buf, ".El\n");
}

bool settings_place(const struct settings *settings, enum settings_place *ret_place)
{
	struct bytes place = settings->quarantine_place;
	size_t at = bytes_find_byte(place, '@');
	bool queue = bytes_eq(place, BYTES_LIT("queue"));
	*ret_place = queue ? SET_PLACE_QUEUE : SET_PLACE_VAULT;
	if (queue || bytes_eq(place, BYTES_LIT("vault")))
		return true;
	/* It becomes part of an SMTP command; RFC 5321, 4.5.3.1.3 allows 256 bytes with the brackets. */
	if (at == BYTES_NONE || at == 0 || at + 1 == place.len || place.len > 254)
		return false;
	for (size_t i = 0; i < place.len; i++)
		if (place.ptr[i] <= ' ' || place.ptr[i] > '~' || place.ptr[i] == '<' || place.ptr[i] == '>' ||
		    place.ptr[i] == '"' || place.ptr[i] == '\\' || place.ptr[i] == ',' ||
		    (i != at && place.ptr[i] == '@'))
			return false;
	*ret_place = SET_PLACE_MAILBOX;
	return true;
}
