/* SPDX-License-Identifier: Apache-2.0 */
/* Changes in the text of a document: values, pairs and items. The bytes of what is changed change
 * and no others: comments, spacing, line ends and the byte order mark stay.
 *
 * Changes are collected first and written by yaml_edit_apply; nodes always are those of the
 * document as it was parsed. A change inside of something that is replaced or removed counts for
 * nothing. The same place changed twice: the last one counts.
 *
 * `from` and `node` say what to write: a node of any document, which must stay as it is until the
 * edit is released (it holds a reference). A block-style node of a YAML text comes with its
 * comments and is indented anew; a node of a JSON text (the root is in flow style, or a quoted
 * text) is written in the style of where it goes to: in lines, or inside of {…} and […] in one.
 * Anchors stay behind, aliases and merge keys become what they stand for.
 *
 * All return -1 with ERR_CONFIG and one diagnostic with its place when the change is refused: in
 * a document whose bytes are not UTF-8, in what an alias or a merge key `<<` brings in (it stands
 * elsewhere), and what is no mapping or no list. */
#ifndef CIMA_YAML_EDIT_H
#define CIMA_YAML_EDIT_H

#include "base/err.h"
#include "yaml/doc.h"

struct yaml_change;
struct yaml_edit {
    const struct yaml_doc *doc;
    struct yaml_change *v;
    size_t n, cap;
    bool quoted; /* new texts of several lines are put in quotes instead of blocks */
};

#define YAML_EDIT_INIT(document) {.doc = (document)}
#define _cleanup_yaml_edit_ _cleanup_(yaml_edit_release)
void yaml_edit_release(struct yaml_edit *e);

/* The value of a pair (a scalar, also an empty one) becomes the text, in the quotes it has if they
 * can hold it. An anchor or tag in front stays (not !!binary); an alias is replaced by the text
 * itself. */
int yaml_edit_set(struct yaml_edit *e, const struct yaml_pair *pair, const char *text,
                  struct err *err);
/* The value of a pair, or an item of a list, becomes the node. An anchor in front stays, a tag
 * goes. */
int yaml_edit_replace(struct yaml_edit *e, const struct yaml_pair *pair,
                      const struct yaml_doc *from, const struct yaml_node *node, struct err *err);
int yaml_edit_replace_item(struct yaml_edit *e, const struct yaml_node *list, size_t i,
                           const struct yaml_doc *from, const struct yaml_node *node,
                           struct err *err);
/* A new pair at the end of a mapping, in the order of the calls. The root of a document without
 * content, a null and an empty {} become a mapping. That the key is new is the caller's care. */
int yaml_edit_add_pair(struct yaml_edit *e, const struct yaml_node *map,
                       const struct yaml_doc *from, const struct yaml_pair *pair,
                       struct err *err);
/* A new item in front of item `before`; list->n: at the end. Those for one place stand in the order
 * of the calls. A null and an empty [] become a list. */
int yaml_edit_add_item(struct yaml_edit *e, const struct yaml_node *list, size_t before,
                       const struct yaml_doc *from, const struct yaml_node *node,
                       struct err *err);
/* Goes with the comments that belong to it: those right above it, behind it, and below it if they
 * are indented deeper. The last one leaves {} or []. i counts map->pairs, list->items. */
int yaml_edit_remove_pair(struct yaml_edit *e, const struct yaml_node *map, size_t i,
                          struct err *err);
int yaml_edit_remove_item(struct yaml_edit *e, const struct yaml_node *list, size_t i,
                          struct err *err);
/* The text with all changes. Caller frees. */
char *yaml_edit_apply(const struct yaml_edit *e, size_t *ret_len);

#endif
