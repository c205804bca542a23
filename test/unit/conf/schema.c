/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "conf/schema.h"
#include "conf/tree.h"

struct animal {
	struct bytes name;
	int64_t legs;
};
struct zoo {
	struct bytes title, gate;
	bool open;
	int64_t places, food, visit;
	double chance;
	int kind;
	struct conf_strings words;
	struct conf_groups animals;
};

static const char *const kinds[] = {"small", "large", NULL};
static const struct conf_key animal_keys[] = {
	{.key = "name",
	 .type = CONF_STRING,
	 .offset = CONF_FIELD(struct animal, name, struct bytes),
	 .fallback = "nobody"},
	{.key = "legs",
	 .type = CONF_INT,
	 .offset = CONF_FIELD(struct animal, legs, int64_t),
	 .fallback = "4",
	 .max = 100},
};
static const struct conf_group animal_group = {animal_keys, ARRAY_LEN(animal_keys), sizeof(struct animal)};
#define Z(field, ctype) .offset = CONF_FIELD(struct zoo, field, ctype)
static const struct conf_key zoo_keys[] = {
	{.key = "title", .type = CONF_STRING, Z(title, struct bytes), .fallback = "Zoo"},
	{.key = "open", .type = CONF_BOOL, Z(open, bool), .fallback = "true"},
	{.key = "house.gate", .type = CONF_ADDRESS, Z(gate, struct bytes), .fallback = "off"},
	{.key = "house.places", .type = CONF_INT, Z(places, int64_t), .fallback = "10", .min = 1, .max = 64},
	{.key = "house.food", .type = CONF_SIZE, Z(food, int64_t), .fallback = "4M", .min = 1024, .max = 1 << 30},
	{.key = "house.visit", .type = CONF_DURATION, Z(visit, int64_t), .fallback = "5m", .max = INT64_MAX},
	{.key = "chance", .type = CONF_PROBABILITY, Z(chance, double), .fallback = "0.5"},
	{.key = "kind", .type = CONF_CHOICE, Z(kind, int), .fallback = "large", .choices = kinds},
	{.key = "words", .type = CONF_STRINGS, Z(words, struct conf_strings), .fallback = "a, b"},
	{.key = "animals", .type = CONF_GROUPS, Z(animals, struct conf_groups), .fallback = "", .group = &animal_group},
};
static const struct conf_group zoo = {zoo_keys, ARRAY_LEN(zoo_keys), sizeof(struct zoo)};

static void apply(struct arena *arena, const char *text, struct zoo *ret_zoo, size_t *lines, struct conf_errors *errors)
{
	struct yaml_node *root;
	struct error error;
	*errors = (struct conf_errors){0};
	*ret_zoo = (struct zoo){0};
	assert_ok(conf_defaults(arena, &zoo, ret_zoo));
	assert_ok(yaml_parse(arena, bytes_from_cstr(text), &root, &error));
	assert_ok(conf_apply(arena, &zoo, root, ret_zoo, lines, errors));
}

static void reads_each_type_and_writes_it_in_its_largest_unit(void **state)
{
	static const struct {
		const char *text, *key, *want;
	} cases[] = {
		{"", "title", "Zoo"},
		{"", "words", "a, b"},
		{"", "house.gate", "off"},
		{"title: \"\"", "title", ""},
		{"open: false", "open", "false"},
		{"house: {gate: off}", "house.gate", "off"},
		{"house: {gate: \"[::1]:25\"}", "house.gate", "[::1]:25"},
		{"house: {gate: unix:/a/b}", "house.gate", "unix:/a/b"},
		{"house: {places: 64}", "house.places", "64"},
		{"house: {food: 50M}", "house.food", "50M"},
		{"house: {food: 10 KiB}", "house.food", "10K"},
		{"house: {food: 1048576}", "house.food", "1M"},
		{"house: {food: 1025b}", "house.food", "1025"},
		{"house: {visit: 90d}", "house.visit", "90d"},
		{"house: {visit: 120s}", "house.visit", "2m"},
		{"house: {visit: 7 d}", "house.visit", "1w"},
		{"house: {visit: 1500ms}", "house.visit", "1500ms"},
		{"house: {visit: 0s}", "house.visit", "0ms"},
		{"chance: 0", "chance", "0"},
		{"chance: 1", "chance", "1"},
		{"chance: 0.999999", "chance", "0.999999"},
		{"chance: 1e-05", "chance", "1e-05"},
		{"kind: small", "kind", "small"},
		{"words: []", "words", ""},
		{"words: [x, \"y z\"]", "words", "x, y z"},
		{"animals: [{name: a}, {}]", "animals", "2 groups"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		CLEANUP(buf_done) struct buf got = BUF_INIT(10000);
		struct conf_errors errors;
		struct zoo target;
		apply(arena, cases[i].text, &target, NULL, &errors);
		if (errors.count > 0)
			fail_msg("%s: %s", cases[i].text, errors.items[0].text);
		conf_format(&got, conf_find(&zoo, bytes_from_cstr(cases[i].key), NULL), &target);
		assert_bytes_str(buf_bytes(&got), cases[i].want);
	}
}

static void says_what_is_wrong_and_what_would_be_right(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"titel: x", "unknown key \"titel\"; did you mean \"title\"?"},
		{"house: {plaecs: 5}", "unknown key \"house.plaecs\"; did you mean \"house.places\"?"},
		{"something: x", "unknown key \"something\""},
		{"hous: {places: 5}", "unknown section \"hous\"; did you mean \"house\"?"},
		{"house: 5", "\"house\" is a section: its keys stand below it, indented"},
		{"house:", "\"house\" is a section: its keys stand below it, indented"},
		{"house.places: 5", "\"house.places\" is written as \"places\" in the section \"house\""},
		{"open: yes", "open: \"yes\" is not true or false"},
		{"open: TRUE", "open: \"TRUE\" is not true or false"},
		{"open: [true]", "open: expected true or false"},
		{"house: {places: 0}", "house.places: \"0\" is not a number from 1 to 64"},
		{"house: {places: 65}", "house.places: \"65\" is not a number from 1 to 64"},
		{"house: {places: -1}", "house.places: \"-1\" is not a number from 1 to 64"},
		{"house: {places: 5x}", "house.places: \"5x\" is not a number from 1 to 64"},
		{"house: {places: 99999999999999999999}",
		 "house.places: \"99999999999999999999\" is not a number from 1 to 64"},
		{"house: {food: 1000}", "house.food: \"1000\" is not a size from 1K to 1G"},
		{"house: {food: 5 parsecs}", "house.food: \"5 parsecs\" is not a size from 1K to 1G"},
		{"house: {food: 9000000T}", "house.food: \"9000000T\" is not a size from 1K to 1G"},
		{"house: {visit: 5}", "house.visit: \"5\" is not a time from 0ms to 9223372036854775807ms"},
		{"chance: 1.1", "chance: \"1.1\" is not a probability from 0 to 1"},
		{"chance: -0.1", "chance: \"-0.1\" is not a probability from 0 to 1"},
		{"chance: 0x1p-1", "chance: \"0x1p-1\" is not a probability from 0 to 1"},
		{"chance: .nan", "chance: \".nan\" is not a probability from 0 to 1"},
		{"kind: big", "kind: \"big\" is not one of: small large"},
		{"house: {gate: }", "house.gate: \"\" is not ADDRESS:PORT, [ADDRESS]:PORT, unix:/PATH or off"},
		{"house: {gate: \":25\"}",
		 "house.gate: \":25\" is not ADDRESS:PORT, [ADDRESS]:PORT, unix:/PATH or off"},
		{"house: {gate: a:0}", "house.gate: \"a:0\" is not ADDRESS:PORT, [ADDRESS]:PORT, unix:/PATH or off"},
		{"house: {gate: a:65536}",
		 "house.gate: \"a:65536\" is not ADDRESS:PORT, [ADDRESS]:PORT, unix:/PATH or off"},
		{"house: {gate: unix:a}",
		 "house.gate: \"unix:a\" is not ADDRESS:PORT, [ADDRESS]:PORT, unix:/PATH or off"},
		{"words: x", "words: \"x\" is not a list of texts"},
		{"words: [[x]]", "words: the items of this list are plain values"},
		{"animals: {name: x}", "animals: expected a list of groups"},
		{"animals: [x]", "animals: each item is a group of \"key: value\""},
		{"animals: [{nam: x}]", "unknown key \"nam\"; did you mean \"name\"?"},
		{"animals: [{legs: 101}]", "legs: \"101\" is not a number from 0 to 100"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct conf_errors errors;
		struct zoo target;
		apply(arena, cases[i].text, &target, NULL, &errors);
		if (errors.count != 1)
			fail_msg("%s: %zu errors", cases[i].text, errors.count);
		assert_string_equal(errors.items[0].text, cases[i].want);
		assert_int_equal(errors.items[0].line, 1);
	}
}

static void collects_all_errors_with_their_lines_up_to_a_maximum(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf text = BUF_INIT(100000);
	struct conf_errors errors;
	struct zoo target;
	apply(arena, "open: maybe\nhouse:\n  places: 0\n  food: 5M\nkind: odd\n", &target, NULL, &errors);
	assert_int_equal(errors.count, 3);
	assert_int_equal(errors.items[0].line, 1);
	assert_int_equal(errors.items[1].line, 3);
	assert_int_equal(errors.items[2].line, 5);
	for (int i = 0; i < 3 * CONF_ERRORS_MAX; i++)
		buf_printf(&text, "nothing_%d: x\n", i);
	buf_add_byte(&text, '\0');
	apply(arena, (const char *)text.ptr, &target, NULL, &errors);
	assert_int_equal(errors.count, 3 * CONF_ERRORS_MAX);
	assert_int_equal(errors.items[CONF_ERRORS_MAX - 1].line, CONF_ERRORS_MAX);
}

static void fills_groups_over_their_own_defaults_and_tells_lines(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct conf_errors errors;
	struct zoo target;
	size_t lines[ARRAY_LEN(zoo_keys)] = {0}, index;
	apply(arena, "animals:\n  - name: ant\n    legs: 6\n  - name: dog\nhouse:\n  places: 3\n", &target, lines,
	      &errors);
	assert_int_equal(errors.count, 0);
	const struct animal *animals = target.animals.items;
	assert_int_equal(target.animals.count, 2);
	assert_bytes_str(animals[0].name, "ant");
	assert_int_equal(animals[0].legs, 6);
	assert_bytes_str(animals[1].name, "dog");
	assert_int_equal(animals[1].legs, 4);
	assert_non_null(conf_find(&zoo, BYTES_LIT("house.places"), &index));
	assert_int_equal(lines[index], 6);
	assert_non_null(conf_find(&zoo, BYTES_LIT("animals"), &index));
	assert_int_equal(lines[index], 2);
	assert_non_null(conf_find(&zoo, BYTES_LIT("open"), &index));
	assert_int_equal(lines[index], 0);
}

static void counts_changes_between_words(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned want;
	} cases[] = {
		{"", "", 0},
		{"abc", "abc", 0},
		{"abc", "", 3},
		{"abc", "abd", 1},
		{"abc", "acb", 1},
		{"abc", "xabc", 1},
		{"ca", "abc", 3},
		{"kitten", "sitting", 3},
		{"0123456789012345678901234567890123456789012345678901234567890", "", 99},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(conf_distance(bytes_from_cstr(cases[i].a), bytes_from_cstr(cases[i].b)),
				 cases[i].want);
		assert_int_equal(conf_distance(bytes_from_cstr(cases[i].b), bytes_from_cstr(cases[i].a)),
				 cases[i].want);
	}
}

static void fails_without_memory_and_not_otherwise(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *good = arena_create(SIZE_MAX);
	struct yaml_node *root;
	struct error error;
	bool failed = false, worked = false;
	assert_ok(yaml_parse(good, BYTES_LIT("words: [x, y]\nanimals: [{name: z}]\nhouse: {places: 3}\n"), &root,
			     &error));
	for (size_t budget = 1; budget < 2000; budget += 7) {
		CLEANUP(arena_free) struct arena *arena = arena_create(budget);
		struct conf_errors errors = {0};
		struct zoo target = {0};
		enum err err = conf_defaults(arena, &zoo, &target);
		if (err == ERR_OK)
			err = conf_apply(arena, &zoo, root, &target, NULL, &errors);
		assert_true(err == ERR_OK || err == ERR_NOMEM);
		assert_int_equal(errors.count, 0);
		failed |= err == ERR_NOMEM;
		worked |= err == ERR_OK;
	}
	assert_true(failed && worked);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_each_type_and_writes_it_in_its_largest_unit),
	cmocka_unit_test(says_what_is_wrong_and_what_would_be_right),
	cmocka_unit_test(collects_all_errors_with_their_lines_up_to_a_maximum),
	cmocka_unit_test(fills_groups_over_their_own_defaults_and_tells_lines),
	cmocka_unit_test(counts_changes_between_words),
	cmocka_unit_test(fails_without_memory_and_not_otherwise),
};
UNIT_MAIN(tests)
