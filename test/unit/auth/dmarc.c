/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dmarc.h"

#include "base/buf.h"
#include "dmarc_cases.h"
#include "unit_arena.h"

#include "dns_table.h"

/* -- Records ---- */

static const char *describe_record(const struct dmarc_record *record)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(4000);
	const struct {
		const char *tag;
		enum dmarc_policy policy;
	} policies[] = {{"p", record->p}, {"sp", record->sp}, {"np", record->np}};
	for (size_t i = 0; i < ARRAY_LEN(policies); i++)
		if (policies[i].policy != DMARC_POLICY_ABSENT)
			buf_printf(&out, "%s=%s ", policies[i].tag, dmarc_policy_name(policies[i].policy));
	buf_printf(&out, "%s%s%s%s", record->strict_dkim ? "adkim=s " : "", record->strict_spf ? "aspf=s " : "",
		   record->testing ? "t=y " : "",
		   record->psd == DMARC_PSD_Y   ? "psd=y "
		   : record->psd == DMARC_PSD_N ? "psd=n "
						: "");
	const struct {
		const char *tag;
		const struct dmarc_uris *uris;
	} lists[] = {{"rua", &record->rua}, {"ruf", &record->ruf}};
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (size_t j = 0; j < lists[i].uris->count; j++)
			buf_printf(&out, "%s=%.*s ", lists[i].tag, BYTES_FMT(lists[i].uris->items[j]));
	if (record->fo != DMARC_FO_0)
		buf_printf(&out, "fo=%u ", record->fo);
	if (record->pct != 100)
		buf_printf(&out, "pct=%u ", record->pct);
	if (record->ri != 86400)
		buf_printf(&out, "ri=%u ", record->ri);
	if (record->rf.len > 0)
		buf_printf(&out, "rf=%.*s ", BYTES_FMT(record->rf));
	buf_printf(&out, "%s%s", record->mended ? "mended " : "", record->unusable ? "unusable " : "");
	if (record->unknown + record->wrong > 0)
		buf_printf(&out, "unknown:%u wrong:%u ", record->unknown, record->wrong);
	return arena_cstr(arena, bytes_trim(buf_bytes(&out)));
}

static const struct {
	const char *rule, *text, *said; /* NULL: no DMARC record */
} records[] = {
	{"the least record", "v=DMARC1; p=none", "p=none"},
	{"4.7: every tag",
	 "v=DMARC1; p=reject; sp=quarantine; np=none; adkim=s; aspf=s; t=y; psd=n; fo=1:d:s; "
	 "rua=mailto:a@example.com,https://b.example/x; ruf=mailto:c@example.com",
	 "p=reject sp=quarantine np=none adkim=s aspf=s t=y psd=n rua=mailto:a@example.com rua=https://b.example/x "
	 "ruf=mailto:c@example.com fo=14"},
	{"defaults may be written out", "v=DMARC1;p=none;adkim=r;aspf=r;t=n;psd=u;fo=0;pct=100;ri=86400", "p=none"},
	{"4.8: blanks around = and ;", "v = DMARC1 \t;\tp  =\tquarantine ;sp= none ; ", "p=quarantine sp=none"},
	{"no blank is needed, nor a last semicolon", "v=DMARC1;p=reject", "p=reject"},
	{"tag names and values in any case, but the version's", "V=DMARC1; P=Reject; ADKIM=S; Psd=Y",
	 "p=reject adkim=s psd=y"},
	{"the version's value has its case", "v=dmarc1; p=reject", NULL},
	{"the version is first", "p=reject; v=DMARC1", NULL},
	{"... at the very beginning", " v=DMARC1; p=reject", NULL},
	{"... and whole", "v=DMARC10; p=reject", NULL},
	{"... and ends in a semicolon", "v=DMARC1 p=reject", NULL},
	{"... or with the record", "v=DMARC1", "unusable"},
	{"nothing is no record", "", NULL},
	{"SPF is no record", "v=spf1 -all", NULL},
	{"tags may come in any order", "v=DMARC1; rua=mailto:a@b.example; sp=none; p=reject",
	 "p=reject sp=none rua=mailto:a@b.example"},
	{"unknown tags are ignored", "v=DMARC1; p=reject; x=1; foo=bar", "p=reject unknown:2 wrong:0"},
	{"wrong values have their defaults", "v=DMARC1; p=reject; adkim=x; aspf=; t=yes; psd=; fo=2; rua=nowhere",
	 "p=reject unknown:0 wrong:6"},
	{"what is no tag is ignored", "v=DMARC1; p=reject; nonsense; =x; a b=c", "p=reject unknown:3 wrong:0"},
	{"empty tags are nothing", "v=DMARC1;; ;p=reject;;", "p=reject"},
	{"what comes again is ignored", "v=DMARC1; p=reject; p=none; v=DMARC1", "p=reject unknown:0 wrong:2"},
	{"a value has printable characters only", "v=DMARC1; p=reject; rf=a\x01", "p=reject unknown:0 wrong:1"},
	{"4.10.1: p missing with rua", "v=DMARC1; sp=reject; rua=mailto:a@b.example",
	 "p=none rua=mailto:a@b.example mended"},
	{"4.10.1: p wrong with rua", "v=DMARC1; p=no; rua=mailto:a@b.example",
	 "p=none rua=mailto:a@b.example mended unknown:0 wrong:1"},
	{"4.10.1: sp wrong with rua", "v=DMARC1; p=reject; sp=no; rua=mailto:a@b.example",
	 "p=none rua=mailto:a@b.example mended unknown:0 wrong:1"},
	{"4.10.1: np wrong with rua", "v=DMARC1; p=reject; np=; rua=mailto:a@b.example",
	 "p=none rua=mailto:a@b.example mended unknown:0 wrong:1"},
	{"4.10.1: p missing without rua", "v=DMARC1; sp=reject", "unusable"},
	{"4.10.1: sp wrong without rua", "v=DMARC1; p=reject; sp=no", "unusable unknown:0 wrong:1"},
	{"4.10.1: a rua without a valid URI is none", "v=DMARC1; rua=a@b.example", "unusable unknown:0 wrong:1"},
	{"4.8: the obsolete size is dropped", "v=DMARC1; p=none; rua=mailto:a@b.example!10m, mailto:c@d.example!5",
	 "p=none rua=mailto:a@b.example rua=mailto:c@d.example"},
	{"4.8: other exclamation marks are wrong", "v=DMARC1; p=none; rua=mailto:a!b@c.example,mailto:d@e.example",
	 "p=none rua=mailto:d@e.example"},
	{"valid URIs stay, others go", "v=DMARC1; p=none; rua=,mailto:, :x,1a:b,mailto:%zz,mailto:a%20b@c.example",
	 "p=none rua=mailto:a%20b@c.example"},
	{"fo counts beside ruf only", "v=DMARC1; p=none; fo=1", "p=none"},
	{"fo: 0 and 1 exclude each other", "v=DMARC1; p=none; fo=0:1; ruf=mailto:a@b.example",
	 "p=none ruf=mailto:a@b.example unknown:0 wrong:1"},
	{"fo: each once", "v=DMARC1; p=none; fo=d:d; ruf=mailto:a@b.example",
	 "p=none ruf=mailto:a@b.example unknown:0 wrong:1"},
	{"fo: letters in any order", "v=DMARC1; p=none; fo=s : 0; ruf=mailto:a@b.example",
	 "p=none ruf=mailto:a@b.example fo=9"},
	{"what RFC 7489 had is kept", "v=DMARC1; p=none; pct=30; ri=3600; rf=afrf", "p=none pct=30 ri=3600 rf=afrf"},
	{"... where it is a number", "v=DMARC1; p=none; pct=101; ri=-1", "p=none unknown:0 wrong:2"},
};

static void records_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		struct dmarc_record record;
		enum err err = dmarc_record_read(arena, bytes_from_cstr(records[i].text), DMARC_RFC9989, &record);
		if (!records[i].said) {
			if (err != ERR_SYNTAX)
				fail_msg("%s: is read as a record", records[i].rule);
			continue;
		}
		assert_ok(err);
		const char *said = describe_record(&record);
		if (strcmp(said, records[i].said) != 0)
			fail_msg("%s:\n  got  %s\n  want %s", records[i].rule, said, records[i].said);
	}
}

static void report_addresses_are_bounded(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf text = BUF_INIT(10000);
	struct dmarc_record record;
	buf_add_cstr(&text, "v=DMARC1; p=none; rua=");
	for (size_t i = 0; i < 500; i++)
		buf_add_cstr(&text, "mailto:a@b.c,");
	assert_ok(dmarc_record_read(arena, buf_bytes(&text), DMARC_RFC9989, &record));
	assert_int_equal(record.rua.count, DMARC_URIS_MAX);
}

/* -- Names ---- */

static void a_walk_asks_the_names_of_the_rfc(void **state)
{
	(void)state;
	static const struct {
		const char *domain, *names;
	} cases[] = {
		/* 4.10 */
		{"a.b.c.d.e.f.g.h.i.j.mail.example.com",
		 "a.b.c.d.e.f.g.h.i.j.mail.example.com g.h.i.j.mail.example.com h.i.j.mail.example.com "
		 "i.j.mail.example.com j.mail.example.com mail.example.com example.com com"},
		/* 5.1.8 */
		{"mail.a.b.c.d.e.f.g.example.com",
		 "mail.a.b.c.d.e.f.g.example.com c.d.e.f.g.example.com d.e.f.g.example.com e.f.g.example.com "
		 "f.g.example.com g.example.com example.com com"},
		{"a.b.c.d.e.f.g.h", "a.b.c.d.e.f.g.h b.c.d.e.f.g.h c.d.e.f.g.h d.e.f.g.h e.f.g.h f.g.h g.h h"},
		{"a.b.c.d.e.f.g", "a.b.c.d.e.f.g b.c.d.e.f.g c.d.e.f.g d.e.f.g e.f.g f.g g"},
		{"a.mail.example.com", "a.mail.example.com mail.example.com example.com com"},
		{"com", "com"},
		{"", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_done) struct buf got = BUF_INIT(1000);
		struct bytes name;
		for (size_t step = 0; dmarc_step(bytes_from_cstr(cases[i].domain), step, &name); step++) {
			buf_add_cstr(&got, step ? " " : "");
			buf_add(&got, name);
		}
		assert_bytes_str(buf_bytes(&got), cases[i].names);
	}
}

static void domains_are_brought_to_one_form(void **state)
{
	(void)state;
	static const struct {
		const char *raw, *domain;
	} cases[] = {
		{"Example.COM", "example.com"},
		{"example.com.", "example.com"},
		{"_x.example-1.com", "_x.example-1.com"},
		{"b\xc3\xbc"
		 "cher.example",
		 "xn--bcher-kva.example"},
		{"xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"\xef\xbc\xa5xample.com", "example.com"}, /* a wide E */
		{"", NULL},
		{".", NULL},
		{"example.com..", NULL},
		{"exa mple.com", NULL},
		{"exa%6dple.com", NULL},
		{"\xc3\xbc%2ecom", NULL},
		{"[192.0.2.1]", NULL},
		{"\xef\xbc\x91.2.3.4", NULL}, /* an address in wide digits */
		{"a,b", NULL},
		{"ex\xff.com", NULL},
		{"123456789012345678901234567890123456789012345678901234567890123.example",
		 "123456789012345678901234567890123456789012345678901234567890123.example"},
		{"1234567890123456789012345678901234567890123456789012345678901234.example", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes domain;
		enum err err = dmarc_domain(arena, bytes_from_cstr(cases[i].raw), &domain);
		assert_int_equal(err, cases[i].domain ? ERR_OK : ERR_SYNTAX);
		if (cases[i].domain)
			assert_bytes_str(domain, cases[i].domain);
	}
}

/* -- Messages ---- */

struct world {
	struct dns_row rows[64];
	struct dns_table table;
	struct address_list from;
	struct dmarc_identifier spf, dkim[64];
	struct dmarc_query query;
};

static void add_row(struct world *world, enum dns_type type, struct bytes name, const char *data)
{
	assert_true(world->table.n_rows < ARRAY_LEN(world->rows));
	world->rows[world->table.n_rows++] =
		(struct dns_row){.type = type, .name = arena_cstr(arena, name), .data = data};
}

static void read_world(struct world *world, struct bytes text)
{
	for (struct bytes line; bytes_split(&text, '\n', &line);) {
		if (line.len == 0)
			continue;
		struct bytes rest = bytes_from(line, 2), name;
		assert_true(bytes_split(&rest, ' ', &name));
		struct bytes policy = arena_printf(arena, "_dmarc.%.*s", BYTES_FMT(name));
		switch (line.ptr[0]) {
		case 'D':
			add_row(world, DNS_TXT, policy, arena_cstr(arena, rest));
			break;
		case 'F':
			add_row(world, DNS_TXT, policy, NULL);
			break;
		case 'A':
			add_row(world, DNS_A, name, "192.0.2.1");
			break;
		case 'M':
			add_row(world, DNS_MX, name, "mx.example");
			break;
		case 'X':
			add_row(world, DNS_A, name, NULL);
			break;
		default:
			fail();
		}
	}
}

static void read_proof(struct world *world, struct bytes text)
{
	for (struct bytes word; bytes_split(&text, ' ', &word);) {
		size_t equals = bytes_find_byte(word, '='), colon = bytes_find_byte(word, ':');
		if (word.len == 0)
			continue;
		struct bytes result = bytes_sub(word, equals + 1, colon - equals - 1);
		struct dmarc_identifier identifier = {.domain = bytes_from(word, colon + 1),
						      .passed = bytes_eq(result, BYTES_LIT("pass")),
						      .temporary = bytes_eq(result, BYTES_LIT("temperror"))};
		if (bytes_starts(word, BYTES_LIT("spf"))) {
			world->spf = identifier;
			world->query.spf = &world->spf;
		} else {
			assert_true(world->query.n_dkim < ARRAY_LEN(world->dkim));
			world->dkim[world->query.n_dkim++] = identifier;
		}
	}
}

static struct world *make_world(const struct dmarc_case *c, enum dmarc_mode mode, bool late)
{
	struct world *world = arena_new(arena, struct world, 1);
	struct defect_list defects;
	struct bytes fields = bytes_from_cstr(c->from), value;
	defect_list_init(&defects, arena);
	while (bytes_split(&fields, '\n', &value))
		assert_ok(address_parse(arena, value, NULL, 0, BYTES_LIT("From"), &defects, &world->from));
	world->table.rows = world->rows;
	world->table.arena = arena;
	world->table.late = late;
	world->query.mode = mode;
	world->query.from = &world->from;
	world->query.dkim = world->dkim;
	read_world(world, bytes_from_cstr(c->world));
	read_proof(world, bytes_from_cstr(c->proof));
	return world;
}

static const char *describe(const struct dmarc_result *result)
{
	struct bytes dash = BYTES_LIT("-");
	struct bytes domain = result->domain.len ? result->domain : dash,
		     org = result->organizational_domain.len ? result->organizational_domain : dash;
	struct bytes policy = BYTES_LIT("");
	if (result->policy != DMARC_POLICY_ABSENT)
		policy = arena_printf(arena, "%s=%s@%.*s", result->tag, dmarc_policy_name(result->policy),
				      BYTES_FMT(result->policy_domain));
	else if (result->policy_domain.len > 0)
		policy = arena_printf(arena, "-@%.*s", BYTES_FMT(result->policy_domain));
	return arena_cstr(arena,
			  arena_printf(arena, "%s %.*s %s%.*s org=%.*s dis=%s %s%s%s", dmarc_code_name(result->code),
				       BYTES_FMT(domain), policy.len ? "" : "-", BYTES_FMT(policy), BYTES_FMT(org),
				       dmarc_policy_name(result->disposition), result->aligned.spf ? "spf" : "",
				       result->aligned.spf && result->aligned.dkim ? "," : "",
				       result->aligned.dkim  ? "dkim"
				       : result->aligned.spf ? ""
							     : "-"));
}

/* Judges as often as it takes; without `late` once must do, and with it a handful of times. */
static struct dmarc_result judge(struct world *world, bool late)
{
	struct dmarc_result result;
	struct dns_host host = dns_table_host(&world->table);
	size_t rounds = 1;
	while (dmarc_check(arena, &host, &world->query, &result) == AUTH_WAIT)
		rounds++;
	assert_true(rounds <= (late ? 4 : 1));
	assert_non_null(result.reason.ptr);
	assert_true(result.reason.len > 0);
	assert_int_equal(result.record != NULL, result.policy != DMARC_POLICY_ABSENT);
	assert_int_equal(result.tag != NULL, result.policy != DMARC_POLICY_ABSENT);
	return result;
}

static void run_cases(const struct dmarc_case *cases, size_t n, enum dmarc_mode mode)
{
	for (size_t i = 0; i < n; i++) {
		struct dmarc_result result = judge(make_world(&cases[i], mode, false), false),
				    late = judge(make_world(&cases[i], mode, true), true);
		const char *said = describe(&result), *said_late = describe(&late);
		if (strcmp(said, cases[i].said) != 0)
			fail_msg("%s:\n  got  %s\n  want %s", cases[i].rule, said, cases[i].said);
		if (strcmp(said, said_late) != 0)
			fail_msg("%s:\n  got  %s\n  late %s", cases[i].rule, said, said_late);
		assert_bytes(late.reason, result.reason);
		assert_int_equal(late.n_questions, result.n_questions);
		assert_int_equal(late.n_authors, result.n_authors);
	}
}

static void messages_are_judged_by_rfc_9989(void **state)
{
	(void)state;
	run_cases(dmarc_cases, ARRAY_LEN(dmarc_cases), DMARC_RFC9989);
}

static void messages_are_judged_by_rfc_7489(void **state)
{
	(void)state;
	run_cases(dmarc_7489_cases, ARRAY_LEN(dmarc_7489_cases), DMARC_RFC7489);
}

/* -- Bounds ---- */

static void the_longest_names_cost_eight_questions(void **state)
{
	(void)state;
	char name[DNS_NAME_MAX + 3] = "a@";
	for (size_t i = 0; i < DNS_NAME_MAX; i++)
		name[2 + i] = i % 2 ? '.' : 'x';
	for (size_t late = 0; late < 2; late++) {
		struct dmarc_case c = {.world = "D x.x v=DMARC1; p=reject", .from = name, .proof = ""};
		struct world *world = make_world(&c, DMARC_RFC9989, late);
		struct dmarc_result result = judge(world, late);
		assert_int_equal(result.code, DMARC_FAIL);
		assert_bytes_str(result.policy_domain, "x.x");
		assert_int_equal(result.n_questions, DMARC_STEPS_MAX);
		/* The first name is longer than DNS has names: it is never asked. */
		assert_int_equal(world->table.n_asked, DMARC_STEPS_MAX - 1);
	}
	/* The name itself, one label of three bytes and 60 of one, is asked with "_dmarc." */
	for (size_t i = 0; i < 100; i++)
		name[2 + i] = i % 2 ? '.' : 'x';
	memcpy(name + 102, "yyy", 4);
	struct dmarc_case c = {.world = "", .from = name, .proof = ""};
	struct world *world = make_world(&c, DMARC_RFC9989, false);
	assert_int_equal(judge(world, false).n_questions, DMARC_STEPS_MAX);
	assert_int_equal(world->table.n_asked, DMARC_STEPS_MAX);
}

static void walks_of_identifiers_are_bounded(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf proof = BUF_INIT(10000);
	for (size_t i = 0; i < 60; i++)
		buf_printf(&proof, "dkim=pass:a.b.c.d.e.s%zu.other.example ", i);
	for (size_t late = 0; late < 2; late++) {
		/* Strangers cost nothing. */
		struct dmarc_case c = {.world = "D example.com v=DMARC1; p=reject",
				       .from = "a@example.com",
				       .proof = arena_cstr(arena, buf_bytes(&proof))};
		struct world *world = make_world(&c, DMARC_RFC9989, late);
		assert_int_equal(judge(world, late).n_questions, 2);
		assert_int_equal(world->table.n_asked, 2);
		/* Names of the organization are walked up to the cap, and share what they share. */
		c.from = "a@other.example";
		c.world = "D other.example v=DMARC1; p=reject; psd=n\nD e.s0.other.example v=DMARC1; p=none; psd=n";
		for (size_t i = 1; i < 60; i++)
			c.world = arena_cstr(
				arena,
				arena_printf(arena, "%s\nD e.s%zu.other.example v=DMARC1; p=none; psd=n", c.world, i));
		world = make_world(&c, DMARC_RFC9989, late);
		struct dmarc_result result = judge(world, late);
		assert_int_equal(result.code, DMARC_FAIL);
		assert_int_equal(result.n_questions, 1 + DMARC_WALKS_MAX * 5);
		assert_true(world->table.n_asked <= DMARC_STEPS_MAX * (DMARC_WALKS_MAX + 1));
	}
}

static void a_stranger_with_the_same_top_level_costs_nothing(void **state)
{
	(void)state;
	struct dmarc_case c = {.world = "D example.com v=DMARC1; p=reject",
			       .from = "a@mail.example.com",
			       .proof = "spf=pass:bounce.other.com dkim=pass:other.com"};
	struct world *world = make_world(&c, DMARC_RFC9989, true);
	assert_int_equal(judge(world, true).n_questions, 3);
	assert_int_equal(world->table.n_asked, 3);
}

/* The answers of one round are asked for together: the author's walk, and with it what will most likely be needed. */
static void questions_are_asked_in_parallel(void **state)
{
	(void)state;
	struct dmarc_case c = {.world = "D example.com v=DMARC1; p=reject",
			       .from = "a@mail.example.com",
			       .proof = "spf=pass:x.y.example.com dkim=pass:z.example.com"};
	struct world *world = make_world(&c, DMARC_RFC9989, true);
	struct dns_host host = dns_table_host(&world->table);
	struct dmarc_result result;
	assert_int_equal(dmarc_check(arena, &host, &world->query, &result), AUTH_WAIT);
	assert_int_equal(world->table.n_asked, 6);
	assert_int_equal(dmarc_check(arena, &host, &world->query, &result), AUTH_DONE);
	assert_int_equal(result.code, DMARC_PASS);
	assert_int_equal(world->table.n_asked, 6);
}

static void without_memory_it_is_a_temporary_error(void **state)
{
	(void)state;
	struct dmarc_case c = {.world = EXAMPLE, .from = "a@mail.example.com", .proof = "dkim=pass:x.example.com"};
	bool passed = false;
	for (size_t budget = 0; !passed && budget < 10000; budget += 8) {
		CLEANUP(arena_free) struct arena *small = arena_create(budget);
		struct world *world = make_world(&c, DMARC_RFC9989, false);
		struct dns_host host = dns_table_host(&world->table);
		struct dmarc_result result;
		assert_int_equal(dmarc_check(small, &host, &world->query, &result), AUTH_DONE);
		passed = result.code == DMARC_PASS;
		if (!passed) {
			assert_int_equal(result.code, DMARC_TEMPERROR);
			assert_bytes_str(result.reason, "out of memory");
		}
	}
	assert_true(passed);
}

static const struct CMUnitTest tests[] = {
	TEST(records_are_read),
	TEST(report_addresses_are_bounded),
	TEST(a_walk_asks_the_names_of_the_rfc),
	TEST(domains_are_brought_to_one_form),
	TEST(messages_are_judged_by_rfc_9989),
	TEST(messages_are_judged_by_rfc_7489),
	TEST(the_longest_names_cost_eight_questions),
	TEST(walks_of_identifiers_are_bounded),
	TEST(a_stranger_with_the_same_top_level_costs_nothing),
	TEST(questions_are_asked_in_parallel),
	TEST(without_memory_it_is_a_temporary_error),
};
UNIT_MAIN(tests)
