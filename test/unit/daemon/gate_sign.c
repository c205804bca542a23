/* SPDX-License-Identifier: Apache-2.0 */
/* Who may have what signed. */
#include "unit.h"

#include "daemon/gate.h"
#include "mail/received.h"

static struct bytes networks[] = {BYTES_INIT("192.0.2.0/24")};
static struct bytes forwarded[] = {BYTES_INIT("*@example.org"), BYTES_INIT("list@example.net")};

static enum sign_right right_of(struct settings *settings, const char *client, const char *user, const char *recipient)
{
	struct arena *arena = arena_create(100000);
	struct gate gate = {.settings = settings};
	struct bytes recipients[] = {BYTES_LIT("first@example.com"), bytes_from_cstr(recipient)};
	struct scan_envelope envelope = {
		.user = bytes_from_cstr(user), .recipients = recipients, .n_recipients = recipient ? 2 : 0};
	settings->signing_networks = (struct conf_strings){networks, ARRAY_LEN(networks)};
	settings->signing_arc_for = (struct conf_strings){forwarded, ARRAY_LEN(forwarded)};
	assert_ok(networks_parse(arena, &settings->signing_networks, &gate.signing_networks, &gate.n_signing_networks));
	envelope.has_client = received_parse_ip(bytes_from_cstr(client), envelope.client_ip);
	enum sign_right right = gate_sign_right(&gate, &envelope);
	arena_free(&arena);
	return right;
}

static void our_own_mail_is_signed_and_mail_of_others_sealed(void **state)
{
	static const struct {
		const char *rule;
		const char *client, *user, *recipient;
		enum sign_right want;
	} cases[] = {
		{"a client of ours", "192.0.2.7", "", NULL, SIGN_AS_AUTHOR},
		{"as IPv4 in IPv6", "::ffff:192.0.2.7", "", NULL, SIGN_AS_AUTHOR},
		{"a stranger", "198.51.100.1", "", NULL, SIGN_NOTHING},
		{"nobody knows the client", "", "", NULL, SIGN_NOTHING},
		{"who logged in, from anywhere", "198.51.100.1", "alice", NULL, SIGN_AS_AUTHOR},
		{"who logged in, from where nobody knows", "", "alice", NULL, SIGN_AS_AUTHOR},
		{"forwarded", "198.51.100.1", "", "bob@example.org", SIGN_AS_FORWARDER},
		{"forwarded, in any spelling", "198.51.100.1", "", "\"list\"@EXAMPLE.net", SIGN_AS_FORWARDER},
		{"another recipient", "198.51.100.1", "", "bob@example.net", SIGN_NOTHING},
		{"our own mail to such is ours", "192.0.2.7", "", "bob@example.org", SIGN_AS_AUTHOR},
	};
	struct settings settings = {.signing_authenticated = true, .signing_arc_domain = BYTES_LIT("example.org")};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (right_of(&settings, cases[i].client, cases[i].user, cases[i].recipient) != cases[i].want)
			fail_msg("%s", cases[i].rule);
}

static void what_is_off_gives_no_right(void **state)
{
	struct settings settings = {0};
	(void)state;
	assert_int_equal(right_of(&settings, "198.51.100.1", "alice", "bob@example.org"), SIGN_NOTHING);
	assert_int_equal(right_of(&settings, "192.0.2.7", "", "bob@example.org"), SIGN_AS_AUTHOR);
	settings.signing_authenticated = true;
	assert_int_equal(right_of(&settings, "198.51.100.1", "alice", "bob@example.org"), SIGN_AS_AUTHOR);
}

static void a_scanner_gets_signed_only_what_the_right_says(void **state)
{
	struct settings settings = {.signing_arc_domain = BYTES_LIT("example.org")};
	const struct gate gate = {.settings = &settings};
	const struct wire_sign author = {.domain = BYTES_LIT("example.com")};
	const struct wire_sign seal = {.seal = true, .domain = BYTES_LIT("EXAMPLE.org")};
	const struct wire_sign other = {.seal = true, .domain = BYTES_LIT("example.com")};
	static const struct {
		enum sign_right right;
		bool author, seal;
	} cases[] = {{SIGN_NOTHING, false, false}, {SIGN_AS_AUTHOR, true, false}, {SIGN_AS_FORWARDER, false, true}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(gate_may_sign(&gate, cases[i].right, &author), cases[i].author);
		assert_int_equal(gate_may_sign(&gate, cases[i].right, &seal), cases[i].seal);
		assert_false(gate_may_sign(&gate, cases[i].right, &other));
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(our_own_mail_is_signed_and_mail_of_others_sealed),
	cmocka_unit_test(what_is_off_gives_no_right),
	cmocka_unit_test(a_scanner_gets_signed_only_what_the_right_says),
};
UNIT_MAIN(tests)
