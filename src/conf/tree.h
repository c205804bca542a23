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
struct buf;

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

/*
 * The tree as bytes, for a process that parses on behalf of another; node by node, each before its children. Packed
 * trees have YAML_PACKED_MAX bytes at most.
 */
#define YAML_PACKED_MAX (YAML_BYTES_MAX * 4)
void yaml_pack(struct buf *buf, const struct yaml_node *root);
/*
 * Whoever packed it may be lying: what comes out holds all that yaml_parse() promises, or it fails. Texts are slices of
 * `packed`. ERR_SYNTAX (also when a key is repeated, or a limit was overstepped), ERR_NOMEM.
 */
NODISCARD enum err yaml_unpack(struct arena *arena, struct bytes packed, struct yaml_node **ret_root,
			       struct error *reterr);
