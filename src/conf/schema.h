/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * conf/schema.h: tables that say which keys there are, what they hold, and what they mean; everything that reads,
 * checks, explains and documents the configuration comes from them.
 */
#include "base/bytes.h"
#include "base/err.h"

struct arena;
struct buf;
struct yaml_node;

enum conf_type {
	CONF_STRING,      /* struct bytes */
	CONF_BOOL,        /* bool */
	CONF_INT,         /* int64_t */
	CONF_SIZE,        /* int64_t, bytes: 50M, 10 KiB */
	CONF_DURATION,    /* int64_t, milliseconds: 30s, 5m, 90d */
	CONF_PROBABILITY, /* double, 0 to 1 */
	CONF_CHOICE,      /* int: place in `choices` */
	CONF_ADDRESS,     /* struct bytes: HOST:PORT or unix:PATH; "off" is the empty span */
	CONF_STRINGS,     /* struct conf_strings */
	CONF_GROUPS,      /* struct conf_groups: a list of maps, each after `group` */
};

struct conf_strings {
	struct bytes *items;
	size_t count;
};

struct conf_groups {
	void *items; /* of the size that `group` says */
	size_t count;
};

struct conf_group;

struct conf_key {
	const char *key; /* "milter.listen" */
	enum conf_type type;
	size_t offset;
	const char *fallback;       /* the default, as it would be written; a list: its items separated by ", " */
	int64_t min, max;           /* of INT, SIZE, DURATION */
	const char *const *choices; /* NULL at the end */
	const struct conf_group *group;
	const char *manual; /* whole sentences */
};

struct conf_group {
	const struct conf_key *keys;
	size_t n_keys, size;
};

/* A key whose field has the C type that its conf_type needs, or it does not compile. */
#define CONF_FIELD(structure, field, ctype)                                                                            \
	(offsetof(structure, field) + 0 * sizeof((ctype *)0 == &((structure *)0)->field))

#define CONF_ERRORS_MAX 20
#define CONF_NAME_MAX   96 /* of a key in an error, with its NUL; longer ones are cut */
struct conf_error {
	size_t line;                 /* 0: none */
	char key[CONF_NAME_MAX];     /* "milter.listen", as the file names it; empty: it is about no key */
	char nearest[CONF_NAME_MAX]; /* the key or section that was perhaps meant; empty: none */
	char text[240];
};
struct conf_errors {
	struct conf_error items[CONF_ERRORS_MAX];
	size_t count; /* those beyond CONF_ERRORS_MAX are counted only */
};
PRINTF_LIKE(3, 4) void conf_error_add(struct conf_errors *errors, size_t line, const char *fmt, ...);
PRINTF_LIKE(4, 5)
void conf_error_add_key(struct conf_errors *errors, size_t line, struct bytes key, const char *fmt, ...);
/* Of the error that was added last. */
void conf_error_nearest(struct conf_errors *errors, struct bytes nearest);

/* Fills `target` with the defaults. They are ours: a wrong one is ERR_INTERNAL. */
NODISCARD enum err conf_defaults(struct arena *arena, const struct conf_group *group, void *target);
/* Fills from the tree over what is there; `lines` (may be NULL) gets the line of each key, 0 where it is not given. */
NODISCARD enum err conf_apply(struct arena *arena, const struct conf_group *group, const struct yaml_node *root,
			      void *target, size_t *lines, struct conf_errors *errors);
/* The value as it would be written. */
void conf_format(struct buf *buf, const struct conf_key *key, const void *target);
/* "a size from 1K to 100M", "one of: tag, reject". */
void conf_range(struct buf *buf, const struct conf_key *key);
const struct conf_key *conf_find(const struct conf_group *group, struct bytes name, size_t *ret_index);
/* The key that is most like `name`, or NULL when none is near. */
const struct conf_key *conf_nearest(const struct conf_group *group, struct bytes name);
/* Changes (insert, delete, replace, swap) from one word to the other; 99 when either is over 60 bytes. */
unsigned conf_distance(struct bytes a, struct bytes b);
