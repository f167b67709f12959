/* SPDX-License-Identifier: Apache-2.0 */
/* Where the nodes of a text really come from, when it was put together of several documents: what
 * there is to say about a value is said of the file that has it. */
#ifndef CIMA_YAML_PLACES_H
#define CIMA_YAML_PLACES_H

#include "yaml/doc.h"

struct yaml_places;

struct yaml_places *yaml_places_new(void);
/* Reference counting: each _ref needs an _unref more. Both take NULL. */
struct yaml_places *yaml_places_ref(struct yaml_places *p);
void yaml_places_unref(struct yaml_places *p);
DEFINE_CLEANUP_PTR(yaml_places, yaml_places_unref)
#define _cleanup_yaml_places_ _cleanup_(yaml_places_freep)

/* The node `at` of the text is `node` of doc, of which a reference is taken. For two nodes that
 * begin at the same place (a mapping and its first key) the later call counts. */
void yaml_places_add(struct yaml_places *p, const struct yaml_node *at, struct yaml_doc *doc,
                     const struct yaml_node *node);
/* What begins there; NULL when nothing is known of the place. */
const struct yaml_node *yaml_places_find(struct yaml_places *p, unsigned line, unsigned col,
                                         struct yaml_doc **ret_doc);
/* Gives the diagnostics of the file `name` the places that their values come from. */
void yaml_places_apply(struct yaml_places *p, const char *name, struct diags *d);

#endif
