/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of output: aligned columns, results of queries. */
#ifndef CIMA_CLI_OUTPUT_H
#define CIMA_CLI_OUTPUT_H

#include "base/sbuf.h"
#include "base/strv.h"
#include "json/json.h"

/* Rows of the same number of cells. */
struct table {
    struct strv *rows;
    size_t n, cap;
};

#define TABLE_INIT                                                                                 \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }
#define _cleanup_table_ _cleanup_(table_release)
void table_release(struct table *t);
/* A new row; cells are pushed to it. Valid until the next call. */
struct strv *table_row(struct table *t);
/* Columns at least 4 wide, 4 blanks between, none after the last one (as Go's tabwriter 4/8/4).
 * Cells are made printable. */
void table_format(const struct table *t, struct sbuf *out);

enum output_form {
    OUTPUT_JSON, /* one line */
    OUTPUT_JSON_INDENTED,
    OUTPUT_JSON_COLOURED, /* indented, too */
    OUTPUT_YAML,
    OUTPUT_YAML_COLOURED,
};
void output_json(const struct json *j, enum output_form form, struct sbuf *out);
/* A result of a query as a line or lines: a text as it is, anything else in the form. ERR_PROTOCOL
 * when it is no JSON. */
int output_value(const char *json_text, enum output_form form, struct sbuf *out, struct err *err);

/* What an expression (query/query.h) makes of a JSON text, to standard output. */
int output_query(const char *expr, const char *json_text, enum output_form form, struct err *err);

/* A text to a file that the user has named, which is replaced in one step and keeps its mode; a
 * link is followed, and what is no file (a device, a pipe) is written into. NULL and "-" are
 * standard output. */
int output_text(const char *path, const char *text, size_t len, struct err *err);

#endif
