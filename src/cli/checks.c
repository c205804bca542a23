/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/judge.h"
#include "cli/opt.h"

#include "base/banned.h"

static const char *kind_name(const struct check *check)
{
	static const char *const names[] = {
		[KIND_UNWANTED] = "unwanted", [KIND_PHISH] = "phish",   [KIND_BULK] = "bulk",
		[KIND_MALWARE] = "malware",   [KIND_POLICY] = "policy", [KIND_SENDER] = "sender",
		[KIND_INFO] = "info"};
	return names[check->kind];
}

static void add_json(struct buf *buf, const struct scan_plan *plan, size_t i)
{
	const struct check *check = plan_check(plan, i);
	struct json json;
	jsonw_init(&json, buf);
	jsonw_object(&json, NULL);
	jsonw_cstr(&json, "id", check->symbol);
	jsonw_cstr(&json, "family", check->family);
	jsonw_cstr(&json, "kind", kind_name(check));
	jsonw_milli(&json, "weight", plan_weight(plan, i));
	jsonw_cstr(&json, "summary", check->summary);
	jsonw_cstr(&json, "text", check->text_en);
	jsonw_cstr(&json, "text_ja", check->text_ja);
	jsonw_cstr(&json, "manual", check->manual);
	jsonw_end(&json);
	buf_add_byte(buf, '\n');
}

/* mdoc wants a sentence a line, and no line that begins with a control character. */
static void add_mdoc_text(struct buf *buf, const char *text)
{
	for (const char *p = text; *p; p++) {
		if ((p == text || p[-1] == '\n') && (*p == '.' || *p == '\''))
			buf_add_cstr(buf, "\\&");
		if (*p == '\\')
			buf_add_cstr(buf, "\\e");
		else
			buf_add_byte(buf, (uint8_t)*p);
		if ((*p == '.' || *p == ';') && p[1] == ' ' && *p == '.') {
			buf_add_byte(buf, '\n');
			p++;
		}
	}
	buf_add_byte(buf, '\n');
}

static void add_manual(struct buf *buf, const struct scan_plan *plan)
{
	buf_add_cstr(
		buf,
		".\\\" SPDX-License-Identifier: Apache-2.0\n.\\\" Generated: postern checks --man\n"
		".Dd November 24, 2026\n.Dt POSTERN-CHECKS 7\n.Os\n.Sh NAME\n.Nm postern-checks\n"
		".Nd the checks of Postern and what they look at\n.Sh DESCRIPTION\n"
		"Each check gives evidence under its name, in the X-Postern field, in\n.Xr postern 1\nand in the log.\n"
		".Bl -tag -width Ds\n");
	for (size_t i = 0; i < plan_count(plan); i++) {
		const struct check *check = plan_check(plan, i);
		buf_printf(buf, ".It Sy %s\n", check->symbol);
		buf_printf(buf, "(%s) %s.\n.Pp\n", check->family, check->summary);
		add_mdoc_text(buf, check->manual);
	}
	buf_add_cstr(buf, ".El\n.Sh SEE ALSO\n.Xr postern 1 ,\n.Xr posternd 8\n");
}

static void add_text(struct buf *buf, const struct scan_plan *plan, size_t i, bool whole)
{
	const struct check *check = plan_check(plan, i);
	if (!whole) {
		buf_printf(buf, "%-26s %+6.2f  %s\n", check->symbol, (double)plan_weight(plan, i) / 1000,
			   check->summary);
		return;
	}
	buf_printf(buf, "%s: %s\n  weight %+.3f, family %s, kind %s\n  %s\n  %s\n\n%s\n", check->symbol, check->summary,
		   (double)plan_weight(plan, i) / 1000, check->family, kind_name(check), check->text_en, check->text_ja,
		   check->manual);
}

int cmd_checks(int argc, char **argv)
{
	bool json = false, man = false;
	const struct opt options[] = {
		{.name = "json", .help = "one JSON object a check", .given = &json},
		{.name = "man", .help = "the manual page of all checks", .given = &man},
	};
	const struct opt_set set = {
		"checks",
		"[--json | --man] [SYMBOL...]",
		"Lists the checks with their weights (log-odds, in nats), or explains those that are named.",
		"postern checks URL_TEXT_MISMATCH",
		options,
		ARRAY_LEN(options)};
	CLEANUP(judge_free) struct judge *judge = NULL;
	CLEANUP(buf_done) struct buf out = BUF_INIT((size_t)64 << 20);
	struct error error;
	int n;
	int rc = opt_parse(&set, argc, argv, &n);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (judge_new(&judge, &error) != ERR_OK)
		return opt_wrong(&set, "%s", error.text);
	const struct scan_plan *plan = judge_plan(judge);
	for (int i = 0; i < n; i++)
		if (!plan_find(plan, bytes_from_cstr(argv[i])))
			return opt_wrong(&set, "there is no check %s; `postern checks` lists them", argv[i]);
	if (man)
		add_manual(&out, plan);
	for (size_t i = 0; !man && i < plan_count(plan); i++) {
		bool wanted = n == 0;
		for (int j = 0; j < n; j++)
			wanted |= plan_find(plan, bytes_from_cstr(argv[j])) == plan_check(plan, i);
		if (wanted && json)
			add_json(&out, plan, i);
		else if (wanted)
			add_text(&out, plan, i, n > 0);
	}
	(void)fwrite(out.ptr, 1, out.len, stdout);
	return 0;
}
