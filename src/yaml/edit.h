/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of single values in the text of a document: the bytes of the value change and no others;
 * comments, spacing, line ends and the byte order mark stay. */
#ifndef CIMA_YAML_EDIT_H
#define CIMA_YAML_EDIT_H

#include "base/err.h"
#include "yaml/doc.h"

struct yaml_edit {
    const struct yaml_doc *doc;
    struct {
        size_t start, end;
        char *text;
    } *v;
    size_t n, cap;
};

#define YAML_EDIT_INIT(document) {.doc = (document)}
#define _cleanup_yaml_edit_ _cleanup_(yaml_edit_release)
void yaml_edit_release(struct yaml_edit *e);

/* The value of a pair (a scalar, also an empty one) becomes `text`, in the quotes it has if they
 * can hold it. An anchor or tag in front stays; an alias is replaced by the text itself. The same
 * value given twice is changed once, to the last text. Refused: collections, values that a `<<`
 * brings in (they stand in another mapping), documents whose bytes are not UTF-8. */
int yaml_edit_set(struct yaml_edit *e, const struct yaml_pair *pair, const char *text,
                  struct err *err);
/* The text with all changes. Caller frees. */
char *yaml_edit_apply(const struct yaml_edit *e, size_t *ret_len);

#endif
