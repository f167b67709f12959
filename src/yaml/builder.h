/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the room: a document while it is read. doc.c runs the parser, build.c makes nodes of its
 * events, maps.c closes mappings. */
#ifndef CIMA_YAML_BUILDER_H
#define CIMA_YAML_BUILDER_H

#include "yaml/arena.h"
#include "yaml/doc.h"
#include "yaml/text.h"
#include <yaml.h>

struct yaml_doc {
    unsigned refs;
    char *name;
    struct yaml_text text;
    struct arena arena;
    const struct yaml_node *root;
};

/* A collection that is not closed yet. */
struct frame {
    struct yaml_node *node;
    struct yaml_pair *pairs;
    const struct yaml_node **items;
    size_t n, cap;
    const struct yaml_node *key; /* read, its value is not */
    size_t anchor;               /* index + 1 of its anchor */
    bool merged;                 /* it has a `<<` */
};

struct anchor {
    const char *name;
    const struct yaml_node *node;
    bool open; /* its collection is not closed yet: an alias would hold itself */
};

enum { COLONS_MAX = 16 };

struct builder {
    struct yaml_doc *doc;
    size_t colons[COLONS_MAX]; /* places of `:` that libyaml must not see (hide_colon) */
    size_t n_colons;
    struct diags *d;
    struct frame stack[YAML_MAX_DEPTH];
    size_t depth;
    struct anchor *anchors;
    size_t n_anchors, cap_anchors;
    size_t weight, bytes; /* of all nodes so far, those of aliases counted each time */
};

/* Adds an error at a place; line and col from 0, as libyaml's marks. Returns -1. */
int yaml_fail_at(struct builder *b, size_t line, size_t col, const char *fmt, ...)
    PRINTF_FORMAT(4, 5);
#define fail_node(b, node, ...) \
    yaml_fail_at((b), (node)->line - 1U, (node)->col - 1U, __VA_ARGS__)

/* Counts the values and bytes of a node, those of aliases each time: -1 when there are too many. */
int yaml_weigh(struct builder *b, const struct yaml_node *node);

enum { YAML_COMPLETE = 1, YAML_AGAIN = 2 };

/* Takes one event: YAML_COMPLETE at the end of the document. */
int yaml_take_event(struct builder *b, const yaml_event_t *ev);
/* The value of a node as it is in the text, where libyaml was shown another (doc.c). */
char *yaml_show_colon(const struct builder *b, const struct yaml_node *node, char *value);

bool yaml_is_merge_key(const struct yaml_node *key);
/* A mapping ends: no key twice; `own` is what is written, the frame's pairs are what it means. */
int yaml_close_map(struct builder *b, struct frame *f);
struct yaml_pair *yaml_keep_pairs(struct builder *b, const struct frame *f);

#endif
