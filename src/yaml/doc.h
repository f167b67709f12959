/* SPDX-License-Identifier: Apache-2.0 */
/* A YAML document as a tree of nodes with their places in the text, which is kept: it answers
 * "where is mounts[1].location?" and lets edit.h change single values byte by byte.
 *
 * Aliases and merge keys (`<<`) are resolved, and what follows `!!binary` is decoded. Refused, each
 * with its place: duplicate keys, keys that are no scalars, binary data that are no UTF-8 text,
 * aliases of a node that is still open, more than YAML_MAX_DEPTH levels, more than YAML_MAX_NODES
 * nodes or YAML_MAX_EXPANDED bytes after expanding the aliases, more than YAML_MAX_ANCHORS anchors
 * or YAML_MAX_MERGED keys in a mapping that merges others, texts over YAML_MAX_SIZE, NUL. */
#ifndef CIMA_YAML_DOC_H
#define CIMA_YAML_DOC_H

#include "base/diag.h"

enum {
    YAML_MAX_SIZE = 4 << 20, YAML_MAX_DEPTH = 64, YAML_MAX_NODES = 200000,
    YAML_MAX_ANCHORS = 1000, YAML_MAX_MERGED = 1000, YAML_MAX_EXPANDED = 32 << 20,
};

enum yaml_type { YAML_SCALAR, YAML_SEQ, YAML_MAP };
enum yaml_style { YAML_PLAIN, YAML_SINGLE, YAML_DOUBLE, YAML_LITERAL, YAML_FOLDED };
/* What a scalar is by the core schema of YAML 1.2 (`yes` and `0b1` are strings). */
enum yaml_core { YAML_NULL, YAML_BOOL, YAML_INT, YAML_FLOAT, YAML_STR };

struct yaml_node;
struct yaml_pair {
    const struct yaml_node *key, *value;
    bool merged; /* comes from a `<<`; among `own`: is one */
};

struct yaml_node {
    enum yaml_type type;
    enum yaml_style style;          /* of a scalar */
    bool flow;                      /* of a collection: {…} or […] */
    bool in_flow;                   /* stands inside of {…} or […] */
    bool alias;                     /* stands for an anchored node, whose content it shows */
    bool anchored;                  /* has an anchor itself */
    bool refs;                      /* there is an alias or a `<<` in it, or it is an alias */
    const struct yaml_node *target; /* of an alias: the anchored node */
    const char *tag;                /* as written and resolved ("tag:yaml.org,2002:str"), or NULL */
    const char *value;              /* of a scalar, decoded; NUL-terminated, holds no NUL */
    const struct yaml_pair *pairs;  /* of a mapping, in order; merged ones last */
    const struct yaml_node **items; /* of a sequence */
    size_t n;                       /* pairs or items */
    const struct yaml_pair *own;    /* of a mapping: its pairs as written, `<<` among them */
    size_t n_own;
    size_t weight;                  /* nodes in it, aliases expanded */
    size_t bytes;                   /* of the texts in it, aliases expanded */
    unsigned line, col;             /* from 1, in characters; of an anchored value: of its `&` */
    size_t start, end;              /* bytes in the text; a block scalar ends where more begins */
};

struct yaml_doc;

/* First document of the text; others that follow are a warning. NULL after adding one error when it
 * can't be read: also for a text of no bytes; a document without content is a null scalar. name is
 * for messages. */
struct yaml_doc *yaml_doc_parse(const char *name, const char *text, size_t len, struct diags *d);
/* Reference counting: each _ref needs an _unref more. Both take NULL. */
struct yaml_doc *yaml_doc_ref(struct yaml_doc *doc);
void yaml_doc_unref(struct yaml_doc *doc);
DEFINE_CLEANUP_PTR(yaml_doc, yaml_doc_unref)
#define _cleanup_yaml_doc_ _cleanup_(yaml_doc_freep)

const struct yaml_node *yaml_doc_root(const struct yaml_doc *doc);
const char *yaml_doc_name(const struct yaml_doc *doc);
/* The text in UTF-8 as it was given, byte order mark included. */
const char *yaml_doc_text(const struct yaml_doc *doc, size_t *ret_len);
/* False for UTF-16 input: its bytes are not those of the file. */
bool yaml_doc_is_editable(const struct yaml_doc *doc);

/* Value of a key, or NULL. */
const struct yaml_node *yaml_map_get(const struct yaml_node *map, const char *key);
/* The pair itself, or NULL. */
const struct yaml_pair *yaml_map_pair(const struct yaml_node *map, const char *key);
enum yaml_core yaml_core_type(const struct yaml_node *scalar);
bool yaml_is_null(const struct yaml_node *node);
/* Has the tag !!binary: what its text stands for is in `value`. */
bool yaml_is_binary(const struct yaml_node *node);
/* "a mapping", "a list", "a text", "a number", … for messages. */
const char *yaml_describe(const struct yaml_node *node);
/* Gives the diagnostic the place of a node. */
void yaml_doc_place(const struct yaml_doc *doc, const struct yaml_node *node, struct diag *p);

#endif
