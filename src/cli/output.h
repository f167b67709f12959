/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of output: aligned columns, JSON as YAML. */
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

/* A JSON value as block YAML; texts are quoted where a plain one would read as something else. */
void yaml_from_json(const struct json *j, struct sbuf *out);

#endif
