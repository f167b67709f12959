/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share; nobody else includes it.
 *
 * The way of a document: yaml_doc → normalise.c (checks each value against its row, writes a
 * canonical stream) → libcyaml (schema.c: fills the structs) → merge.c (three layers become one) →
 * fill.c (defaults) → validate.c. Each stage adds to one list of diagnostics. */
#ifndef CIMA_CONFIG_INTERNAL_H
#define CIMA_CONFIG_INTERNAL_H

#include "config/config.h"
#include "yaml/doc.h"

/* ---- fields ---------------------------------------------------------------------------------- */

/* How each struct of config.h starts. */
struct config_head {
    uint64_t set, null;
    unsigned src;
};

/* Keys of the normalised stream that fill the head; no key of the YAML starts with '#'. */
#define CONFIG_KEY_SET  "#set"
#define CONFIG_KEY_NULL "#null"
#define CONFIG_KEY_SRC  "#src"

/* config_<struct>_mapping for each mapping of config.def. */
#define MAPPING_BEGIN(st) extern const struct config_mapping config_##st##_mapping;
#define FIELD(st, m, key, kind, t, merge, def, sum)
#define MAPPING_END(st)
#include "config/config.def"
#undef MAPPING_BEGIN
#undef FIELD
#undef MAPPING_END

static inline bool cfg_has(const void *mapping, size_t row)
{
    return ((const struct config_head *)mapping)->set >> row & 1;
}

#define CFG_HAS(ptr, st, m) (((ptr)->set & CFG_BIT(st, m)) != 0)

/* The row of a key, or NULL. */
const struct config_field *config_field_find(const struct config_mapping *m, const char *key);
/* Row index of the field that takes every other key (key "*"), or -1. */
int config_field_rest(const struct config_mapping *m);

/* It may be written as a single text, that of its first field: `base: x`, `file: x`,
 * `additionalDisks: [x]`. */
bool config_mapping_has_short_form(const struct config_mapping *m);

/* The kinds that share a member type. */
bool config_kind_is_text(enum config_kind k);  /* char * */
bool config_kind_is_texts(enum config_kind k); /* char ** and a count */
bool config_kind_is_int(enum config_kind k);   /* int64_t */

static inline void *cfg_member(void *mapping, const struct config_field *f)
{
    return (char *)mapping + f->offset;
}

static inline const void *cfg_member_c(const void *mapping, const struct config_field *f)
{
    return (const char *)mapping + f->offset;
}

static inline unsigned *cfg_count(void *mapping, const struct config_field *f)
{
    return (unsigned *)(void *)((char *)mapping + f->count_offset);
}

static inline unsigned cfg_count_c(const void *mapping, const struct config_field *f)
{
    return *(const unsigned *)(const void *)((const char *)mapping + f->count_offset);
}

/* ---- memory (memory.c) ----------------------------------------------------------------------- */

/* Everything a configuration points to; given back at once. */
struct config_arena *config_arena_new(void);
void config_arena_free(struct config_arena *a);
/* Zeroed. */
void *cfg_alloc(struct config_arena *a, size_t n, size_t size);
char *cfg_strdup(struct config_arena *a, const char *s);
char *cfg_printf(struct config_arena *a, const char *fmt, ...) PRINTF_FORMAT(2, 3);
/* realloc and free in one, as libcyaml wants it; ctx is the arena. */
void *cfg_realloc(void *ctx, void *ptr, size_t size);

/* ---- origin (origin.c) ----------------------------------------------------------------------- */

enum config_layer_kind { LAYER_INSTANCE, LAYER_OVERRIDE, LAYER_DEFAULT };

/* One mapping of one document that went into a struct; most significant first. */
struct config_src {
    const struct yaml_node *node;
    unsigned doc;
    unsigned next; /* index of the next less significant one, 0: none */
};

struct config_origin {
    struct {
        struct yaml_doc *doc;
        enum config_layer_kind layer;
    } *docs;
    size_t n_docs, cap_docs;
    struct config_src *srcs; /* [0] is unused */
    size_t n_srcs, cap_srcs;
};

struct config_origin *config_origin_new(void);
void config_origin_free(struct config_origin *o);
/* Takes a reference of doc. */
unsigned config_origin_add_doc(struct config_origin *o, struct yaml_doc *doc,
                               enum config_layer_kind layer);
unsigned config_origin_add_src(struct config_origin *o, const struct yaml_node *node, unsigned doc,
                               unsigned next);
/* The list of a followed by that of b. */
unsigned config_origin_concat(struct config_origin *o, unsigned a, unsigned b);
/* Appends everything of `from`; returns what has to be added to its src numbers. */
unsigned config_origin_import(struct config_origin *o, const struct config_origin *from,
                              enum config_layer_kind layer);
/* Gives each diagnostic from number `first` on that has a path and no place the place of that value
 * in the YAML, or of the nearest mapping around it. */
void config_origin_place(const struct config *c, struct diags *d, size_t first);
/* The key of a mapping field of the instance comes from the instance's own document. */
bool config_origin_is_own_key(const struct config *c, const char *field, const char *key);

/* ---- values (value.c) ------------------------------------------------------------------------ */

/* Reads an integer as the YAML may write it; -1 when it is none, -2 when it is a fraction, -3 when
 * it is out of range. `text` has no sign of its type: "3", "+3", "0x3", "0o3", "0b11", "3.0",
 * "3e0". */
int config_parse_int(const char *text, bool allow_float, int64_t *ret);
/* Usual form of an IP address ("::FFFF:1.2.3.4" → "1.2.3.4"); NULL when it is none. */
char *config_canonical_ip(const char *text);
/* A version with two dots: `v` in front is allowed if `lenient`, and then everything from the first
 * '-' on and a final ".m" is left out (git describe). */
struct config_version {
    uint64_t major, minor, patch;
    bool pre; /* a pre-release */
};
int config_parse_version(const char *text, bool lenient, struct config_version *ret);
int config_version_cmp(const struct config_version *a, const struct config_version *b);
/* Version of the formats of an existing instance is older than "major.minor.0": S1-23. */
bool config_older_than(const char *existing_version, unsigned major, unsigned minor);
/* ^[a-zA-Z][a-zA-Z0-9_]*$ */
bool config_is_param_name(const char *s);
/* ^[a-z_][a-z0-9_-]*$, at most 32: what useradd takes. */
bool config_is_user_name(const char *s);
/* The name that s is probably a misspelling of, or NULL. */
const char *config_nearest(const char *s, const char *const *names, size_t n);
/* A node as JSON text by the core schema. Caller frees. */
char *config_node_to_json(const struct yaml_node *node);

/* ---- stages ---------------------------------------------------------------------------------- */

/* Checks root against the rows and writes the stream for libcyaml. lines[i] is the node of line i
 * of the stream. */
struct normalised {
    struct sbuf stream;
    const struct yaml_node **lines;
    size_t n_lines, cap_lines;
};
void config_normalise(const struct yaml_doc *doc, unsigned doc_index, struct config_origin *origin,
                      struct diags *d, struct normalised *ret);
void normalised_release(struct normalised *n);
/* Loads the stream. On failure -1, *ret_line (from 1) and a text. Caller frees the text. */
int config_schema_load(const struct normalised *n, struct config_arena *arena,
                       struct config_instance *ret, size_t *ret_line, char **ret_text);
/* Deep copy; `src` of each struct moves by src_offset. */
void config_copy(const struct config_mapping *m, void *dst, const void *src,
                 struct config_arena *arena, unsigned src_offset);
/* Members of `low` that `high` does not have are put into high (one mapping, layer rules). */
void config_merge_mapping(struct config *c, const struct config_mapping *m, void *high,
                          const void *low);
/* Entries with the same key within the instance's own lists become one (combine.c). */
void config_combine(struct config *c);
/* The same for mounts and networks of all layers, after their names are expanded. */
void config_combine_mounts(struct config *c);
void config_combine_networks(struct config *c);

/* An instance has a driver, also where its YAML leaves that open. */
void config_settle_driver(struct config *c);
/* The one check that belongs to filling: it is made also for what is only shown. */
void config_validate_param_use(const struct config *c, const struct config_context *ctx,
                               struct diags *d);

/* ---- rules (rules.def, rules.c) --------------------------------------------------------------- */

enum config_rule {
#define RULE(name, id, severity, summary, hint) RULE_##name,
#include "config/rules.def"
#undef RULE
    RULE_COUNT,
};

struct config_rule_info {
    const char *id, *summary, *hint;
    enum diag_severity severity;
};
extern const struct config_rule_info config_rules[];

/* Adds a problem, an error or a warning as the rule says, with its hint. */
struct diag *config_problem(struct diags *d, enum config_rule rule, const char *path,
                            const char *fmt, ...) PRINTF_FORMAT(4, 5);
/* It is the name of the field that is wrong, not its value: that is what is pointed at. */
bool config_problem_is_about_key(const struct diag *d);
/* The problems from number `first` on that have no kind yet are those of the YAML parser. */
void config_name_problems(struct diags *d, size_t first);

#endif
