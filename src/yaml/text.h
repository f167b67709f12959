/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a document as libyaml counts it: characters instead of bytes, the byte order mark
 * left out, and five kinds of line breaks. */
#ifndef CIMA_YAML_TEXT_H
#define CIMA_YAML_TEXT_H

#include "base/diag.h"

enum { YAML_LINE_MAX = 4096 };

struct yaml_text {
    char *s;          /* UTF-8, NUL-terminated; with the byte order mark if there was one */
    size_t len;
    size_t bom;       /* bytes of the byte order mark: 0 or 3 */
    bool recoded;     /* was UTF-16: byte offsets are not those of the file */
    size_t *lines;    /* byte offset of the start of each line */
    size_t n_lines, cap_lines;
    /* Where the last offset was looked up: the next one is mostly a little behind it. */
    size_t at_line, at_col, at_byte;
};

/* Takes a copy of UTF-8 or UTF-16 (with a byte order mark). Refuses what YAML does not allow in
 * a text (broken UTF-8, NUL, control characters): -1 and one diagnostic with its place. */
int yaml_text_init(struct yaml_text *ret, const char *name, const char *s, size_t len,
                   struct diags *d);
void yaml_text_release(struct yaml_text *t);
/* Byte offset of a place that counts lines and characters from 0. */
size_t yaml_text_offset(struct yaml_text *t, size_t line, size_t col);
/* Line (from 0) without its line break, at most YAML_LINE_MAX bytes: for messages. Caller frees. */
char *yaml_text_line(const struct yaml_text *t, size_t line);

#endif
