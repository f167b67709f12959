/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the room: where things stand in the text of a document, and how new ones are written. */
#ifndef CIMA_YAML_INTERNAL_H
#define CIMA_YAML_INTERNAL_H

#include "yaml/doc.h"
#include "yaml/edit.h"

/* ---- place.c: lines, and the bytes of a node ------------------------------------------------- */

/* Bytes of the line break at this place, 0 when there is none. A text ends with NUL. */
size_t yaml_break_len(const char *text, size_t at);
/* Of the line that holds this place: its first byte (behind the byte order mark), its line break
 * or the end of the text, the first byte of the next line or the end of the text. */
size_t yaml_line_start(const char *text, size_t at);
size_t yaml_line_end(const char *text, size_t at);
size_t yaml_next_line(const char *text, size_t at);
/* `later` is on the line of `at`, its line break included. */
bool yaml_same_line(const char *text, size_t at, size_t later);
/* Bytes between the start of the line and this place. */
unsigned yaml_column(const char *text, size_t at);
/* The first byte that is neither blank nor part of a comment. */
size_t yaml_skip_trivia(const char *text, size_t at);
/* Bytes of the anchor or tag that starts here, 0 when there is none. */
size_t yaml_property_len(const char *text, size_t at);
/* Behind the anchor and the tag of a node, and what is blank behind them. */
size_t yaml_value_start(const char *text, const struct yaml_node *node);
/* Behind the last byte that counts: of a block scalar its last line without the line break, of a
 * block collection its last entry. */
size_t yaml_content_end(const char *text, const struct yaml_node *node);
/* {…} or […], not a pair in […] without braces of its own. */
bool yaml_has_brackets(const char *text, const struct yaml_node *node);
bool yaml_is_block_scalar(const struct yaml_node *node);
/* Of a block scalar: with `+`, so that the blank lines behind it are part of it. */
bool yaml_keeps_breaks(const char *text, const struct yaml_node *node);
/* The same for `-`. */
bool yaml_strips_breaks(const char *text, const struct yaml_node *node);
/* Columns in front of the body of a block scalar, 0 when it has none or says them itself. */
unsigned yaml_body_column(const char *text, const struct yaml_node *node);

/* What the lines of a node end with: a scalar, an alias or a flow collection. */
const struct yaml_node *yaml_last_scalar(const struct yaml_node *node);

struct yaml_entry {
    const struct yaml_node *key; /* NULL of an item */
    const struct yaml_node *value;
    size_t start;  /* of its `?`, key or `-`; of an item in […]: of itself */
    size_t mark;   /* behind `:` or `-`; behind the key when there is no colon */
    bool colon;    /* a pair with a `:` */
    bool question; /* a pair with a `?` */
    size_t from;   /* the value with its anchor and tag; == mark when it is empty */
    size_t end;    /* behind what counts */
};

/* Entries of a collection as they stand in the text, `<<` among them. -1 when the text is not as
 * expected. Caller frees. */
int yaml_entries(const char *text, const struct yaml_node *node, struct yaml_entry **ret,
                 size_t *ret_n);

/* The entry of a block collection that a pair or (without key) an item is. -1: there is no dash. */
int yaml_entry_of(const char *text, const struct yaml_node *key, const struct yaml_node *value,
                  struct yaml_entry *ret);
/* Behind the last byte of the anchor and the tag that stand on the value's first line; the start
 * where there is none. */
size_t yaml_properties_end(const char *text, const struct yaml_node *value);

/* ---- render.c: new text ---------------------------------------------------------------------- */

/* How a document is laid out. */
struct yaml_layout {
    unsigned step;        /* columns of a mapping in a mapping */
    unsigned list_offset; /* columns of a list in a mapping */
    unsigned dash;        /* columns from a dash to what stands behind it */
    bool quoted;          /* texts of several lines are put in quotes */
};

/* As most of the document has it: the first of each kind. */
struct yaml_layout yaml_layout_of(const struct yaml_doc *doc);
/* The same, where the entries of this very collection say otherwise. */
struct yaml_layout yaml_layout_near(const char *text, struct yaml_layout layout,
                                    const struct yaml_entry *entries, size_t n);

/* Where a value is to stand. */
struct yaml_spot {
    struct yaml_layout layout;
    const char *text;            /* of the document that is edited */
    const struct yaml_node *old; /* what stood there, for its style; may be NULL */
    unsigned col;                /* of the key or dash */
    bool flow;                   /* inside of {…} or […] */
    bool item;                   /* behind a dash */
    bool below;                  /* a collection starts on the next line also behind a dash */
    bool root;                   /* there is neither key nor dash */
};

/* Where the entries of a new block collection stand. */
unsigned yaml_inner_column(const struct yaml_spot *spot, bool map);

/* Each appends what comes behind the colon or dash, with the blank or line break in front, lines
 * separated by '\n', without a line break at the end. Inside of {…}: without the blank. */
void yaml_render_value(struct sbuf *out, const struct yaml_doc *from, const struct yaml_node *node,
                       const struct yaml_spot *spot);
void yaml_render_text(struct sbuf *out, const char *text, const struct yaml_spot *spot);
/* A whole pair or, without key, item, from its key or dash on. */
void yaml_render_entry(struct sbuf *out, const struct yaml_doc *from, const struct yaml_node *key,
                       const struct yaml_node *node, const struct yaml_spot *spot);

/* ---- copy.c: text that is there, at another place --------------------------------------------- */

/* As yaml_render_value and _entry for a node of a YAML text in block style. False, and nothing is
 * appended, for one that has to be written by its value. */
bool yaml_copy_value(struct sbuf *out, const struct yaml_doc *from, const struct yaml_node *node,
                     const struct yaml_spot *spot);
bool yaml_copy_entry(struct sbuf *out, const struct yaml_doc *from, const struct yaml_node *key,
                     const struct yaml_node *node, const struct yaml_spot *spot);

/* ---- canon.c --------------------------------------------------------------------------------- */

/* What a scalar is in JSON: YAML_STR also for infinities and for what has the tag of a number but
 * is none. Of a number, its JSON form. */
enum yaml_core yaml_canonical(const struct yaml_node *scalar, struct sbuf *number);
/* Of a YAML_BOOL. */
bool yaml_is_true(const struct yaml_node *scalar);

/* ---- equal.c, align.c ------------------------------------------------------------------------ */

/* The pairs of a mapping in the order of their keys, for many questions. Caller frees. */
const struct yaml_pair **yaml_sort_pairs(const struct yaml_node *map);
const struct yaml_pair *yaml_find_pair(const struct yaml_pair *const *sorted, size_t n,
                                       const char *key);
/* Equal nodes have equal hashes. */
uint64_t yaml_hash(const struct yaml_node *node);
/* Which wanted item each old one becomes, SIZE_MAX for none, in rising order. What is equal stays,
 * what is similar is changed. shown: what the old ones will say when they are aliases, NULL when
 * that is gone. Caller frees. */
size_t *yaml_align(const struct yaml_node *const *old, const struct yaml_node *const *shown, size_t n,
                   const struct yaml_node *const *wanted, size_t m);

/* ---- edit.c, apply.c, block.c, flow.c -------------------------------------------------------- */

enum yaml_change_kind { YAML_SET, YAML_REPLACE, YAML_REMOVE, YAML_ADD };

struct yaml_change {
    enum yaml_change_kind kind;
    const struct yaml_node *place; /* the value that changes, or the collection that gets more */
    size_t before, seq;
    const struct yaml_doc *from;
    const struct yaml_node *key, *node;
    char *text;
};

/* The same for any value of the document, that of a `<<` and the root as well. */
void yaml_edit_remove_value(struct yaml_edit *e, const struct yaml_node *value);
void yaml_edit_replace_value(struct yaml_edit *e, const struct yaml_node *value,
                             const struct yaml_doc *from, const struct yaml_node *node);

struct yaml_splice {
    size_t start, end;
    char *text;
    bool lines; /* whole lines, at the start of a line */
    size_t seq;
};

struct yaml_apply {
    const struct yaml_edit *e;
    const char *text;
    size_t len;
    struct yaml_layout layout;
    const struct yaml_change **sorted;
    struct yaml_splice *v;
    size_t n, cap;
};

/* The last change of the value itself, or NULL. */
const struct yaml_change *yaml_change_of(const struct yaml_apply *a, const struct yaml_node *value);
bool yaml_is_removed(const struct yaml_apply *a, const struct yaml_node *value);
/* The additions to a collection, by place and order. */
const struct yaml_change *const *yaml_additions(const struct yaml_apply *a,
                                                const struct yaml_node *node, size_t *ret_n);
/* These bytes become the text, which is taken; the second: whole lines (from, and up to the start
 * of a line or the end of the text) become lines, the last one without its line break. */
void yaml_splice(struct yaml_apply *a, size_t start, size_t end, char *text);
void yaml_splice_lines(struct yaml_apply *a, size_t start, size_t end, char *text);

/* Splices for all changes in a collection and below it. */
void yaml_apply_block(struct yaml_apply *a, const struct yaml_node *node);
void yaml_apply_flow(struct yaml_apply *a, const struct yaml_node *node);
/* Both, by the style. */
void yaml_apply_inside(struct yaml_apply *a, const struct yaml_node *node);
/* The start of the line behind an entry and the comments below it that are indented deeper. */
size_t yaml_region_end(const char *text, size_t end, unsigned col);
/* What becomes of a value as a whole, from behind its colon or dash on, when it is replaced (also
 * when everything in it is removed, or something is added to nothing); else NULL. */
char *yaml_new_value(const struct yaml_apply *a, const struct yaml_node *value,
                     const struct yaml_spot *spot);
/* Its anchor (and tag, if it is but set) as written, or NULL. Caller frees. */
char *yaml_kept_properties(const struct yaml_apply *a, const struct yaml_node *value);

#endif
