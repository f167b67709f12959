/* SPDX-License-Identifier: Apache-2.0 */
/* Writes block-style YAML, or JSON, value by value. Texts are quoted where a reader of YAML 1.1 or
 * 1.2 would take them for something else, so that everything reads back as it was. */
#ifndef CIMA_YAML_EMIT_H
#define CIMA_YAML_EMIT_H

#include "yaml/doc.h"

enum { YAML_WRITER_DEPTH = YAML_MAX_DEPTH + 16 };

struct yaml_writer {
    struct sbuf out;
    bool json;
    unsigned pretty; /* JSON over several lines: blanks for each level */
    bool colours;    /* of a terminal, for keys, texts and other values */
    unsigned depth;
    struct {
        unsigned indent;
        bool list, any; /* any: an entry is written */
    } stack[YAML_WRITER_DEPTH];
    bool after_key, after_dash;
};

#define YAML_WRITER_INIT(as_json) {.json = (as_json)}

/* A collection that will have at least one entry; empty ones are yaml_write_raw("{}"), ("[]"). */
void yaml_write_open(struct yaml_writer *w, bool list);
void yaml_write_close(struct yaml_writer *w);
/* The next value is that of this key (in a mapping), or an item (in a list). */
void yaml_write_key(struct yaml_writer *w, const char *key);
void yaml_write_item(struct yaml_writer *w);
void yaml_write_text(struct yaml_writer *w, const char *text);
/* Numbers, true, null, {}, []: written as they are. */
void yaml_write_raw(struct yaml_writer *w, const char *raw);
/* A whole node; scalars by the core schema. */
void yaml_write_node(struct yaml_writer *w, const struct yaml_node *node);
/* The document with a final newline; the writer is empty afterwards. Caller frees. */
char *yaml_writer_finish(struct yaml_writer *w);

/* Appends a text as one YAML scalar on one line: plain where that is safe, else double-quoted.
 * in_flow says that it will stand inside of […] or {…}. */
void yaml_add_scalar(struct sbuf *out, const char *text, bool in_flow);
/* Every character can stand in a block scalar as it is. */
bool yaml_can_be_lines(const char *text);
/* Appends what follows `|` (or `>`, for a text of one line): how it ends, and its lines at a column. */
void yaml_add_lines(struct sbuf *out, const char *text, unsigned col);
/* Appends a text as a JSON string (which is a double-quoted YAML scalar too). */
void yaml_add_json_string(struct sbuf *out, const char *text);
/* Appends a scalar node as a JSON value by the core schema. */
void yaml_add_json_scalar(struct sbuf *out, const struct yaml_node *scalar);

#endif
