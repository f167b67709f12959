/* SPDX-License-Identifier: Apache-2.0 */
/* Changes a YAML text so that it says what another document says. */
#ifndef CIMA_YAML_PATCH_H
#define CIMA_YAML_PATCH_H

#include "base/err.h"
#include "yaml/doc.h"

/* The text of doc, changed so that it says what `wanted` says: equal parts keep their bytes.
 * Numbers are equal by value, mappings whatever the order of keys; an absent key and null differ.
 * Lists are aligned so that an item put in front or taken out touches nothing else. Aliases and
 * merge keys are cut loose only where their value changes. wanted is usually a JSON text parsed by
 * yaml_doc_parse. The result is parsed again and compared with wanted before it is returned.
 * NULL and ERR_CONFIG when doc can't be edited (UTF-16), ERR_INTERNAL when the result would not
 * say what is wanted. Caller frees. */
char *yaml_patch(const struct yaml_doc *doc, const struct yaml_doc *wanted, size_t *ret_len,
                 struct err *err);
/* Whether two nodes say the same, in the sense above. */
bool yaml_equal(const struct yaml_node *a, const struct yaml_node *b);
/* Whether a text can be read and its first document says the same as the node. */
bool yaml_text_says(const char *name, const char *text, size_t len, const struct yaml_node *wanted);
/* The first document as JSON text on one line, by the core schema. Numbers that JSON has keep
 * their text, others (0x1f, .5, +7) are written its way; NaN, infinities and what has the tag of
 * a number but is none are strings. Caller frees. */
char *yaml_doc_to_json(const struct yaml_doc *doc);

#endif
