/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * conf/tree.h: a strict subset of YAML as a tree: maps, lists and scalars. No anchors, aliases, tags, merge keys,
 * second documents or repeated keys. Reads libyaml's events; the tree is flat arrays in the arena, built without
 * recursion.
 */
#include "base/bytes.h"
#include "base/err.h"

struct arena;

enum yaml_kind { YAML_SCALAR, YAML_MAP, YAML_LIST };

struct yaml_node {
	enum yaml_kind kind;
	size_t line;         /* from 1 */
	struct bytes key;    /* in a map */
	struct bytes scalar; /* UTF-8 */
	bool quoted;
	struct yaml_node *first, *next; /* children of a map or list; the next sibling */
};

#define YAML_DEPTH_MAX 8
#define YAML_NODES_MAX 10000
#define YAML_BYTES_MAX ((size_t)1 << 20)

/* The root is always a map (an empty document is an empty one). On failure *reterr has the line in `at`. */
NODISCARD enum err yaml_parse(struct arena *arena, struct bytes text, struct yaml_node **ret_root,
			      struct error *reterr);
