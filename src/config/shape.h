/* SPDX-License-Identifier: Apache-2.0 */
/* What a value of the YAML may be beyond its kind: the rows of shapes.def, named by the column
 * `type` of config.def. */
#ifndef CIMA_CONFIG_SHAPE_H
#define CIMA_CONFIG_SHAPE_H

#include "base/sbuf.h"
#include "config/config.h"

struct config_shape {
    const char *name;
    const char *text;               /* for people, may hold `code`; NULL: the words, or the kind */
    const char *pattern;            /* regular expression of JSON Schema; NULL: anything */
    const char *const *words;       /* the only values, ends with NULL; NULL: any */
    const char *const *also;        /* taken as well, but not what one should write */
    const char *const *examples;    /* ends with NULL */
    const char *never;              /* a number that is refused */
    const char *key_pattern;        /* KIND_MAP: of the keys */
    const struct config_shape *keys; /* KIND_MAP: words for keys; others are taken with a warning */
    int64_t min, max;               /* numbers; max 0: no limits */
    bool number_too;                /* a number without quotes is such a text too */
};

#define SHAPE(name_, ...) extern const struct config_shape config_shape_##name_;
#include "config/shapes.def"
#undef SHAPE

/* Fields of a provisioning entry that only some modes know. */
struct config_provision_only {
    size_t row;
    unsigned modes; /* bits 1 << PROVISION_X */
};
extern const struct config_provision_only config_provision_only[];
extern const size_t config_provision_only_count;

/* How many words. */
size_t config_shape_count(const struct config_shape *s);
/* Is it one of the words, or taken as well? */
bool config_shape_has(const struct config_shape *s, const char *word);
/* Appends what a field may hold: "one of `hda`, `virtio`", "true or false", "list of mappings". */
void config_field_type_text(const struct config_field *f, struct sbuf *out);
/* What a value of that kind is, for messages: "a whole number". */
const char *config_kind_text(enum config_kind kind);
/* The default as it would stand in the YAML; NULL when there is none or it is computed. */
const char *config_field_default(const struct config_field *f);
/* The default for people, also a computed one; NULL when there is none. Caller frees. */
char *config_field_default_text(const struct config_field *f);

#endif
