/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "tmpl/tmpl.h"

enum { CELL_MIN = 4, CELL_GAP = 4 };

void table_release(struct table *t)
{
    for (size_t i = 0; i < t->n; i++)
        strv_release(&t->rows[i]);
    free(t->rows);
    *t = (struct table)TABLE_INIT;
}

struct strv *table_row(struct table *t)
{
    GROW_ARRAY(t->rows, t->n, t->cap);
    t->rows[t->n] = (struct strv)STRV_INIT;
    return &t->rows[t->n++];
}

static size_t width(const char *s)
{
    size_t len = strlen(s), columns = 0;
    uint32_t c = 0;

    for (size_t i = 0, n; i < len; i += n) {
        n = utf8_decode(s + i, len - i, &c);
        columns += n ? utf8_width(c) : 1;
        n = n ? n : 1;
    }
    return columns;
}

static char *printable(const char *s)
{
    struct sbuf out = SBUF_INIT;

    sbuf_add_printable(&out, s, strlen(s));
    return sbuf_detach(&out);
}

static size_t column_width(const struct table *t, size_t column)
{
    size_t widest = 0;

    for (size_t i = 0; i < t->n; i++) {
        if (column >= t->rows[i].n)
            continue;
        _cleanup_free_ char *cell = printable(t->rows[i].v[column]);
        size_t w = width(cell);

        widest = w > widest ? w : widest;
    }
    widest += CELL_GAP;
    return widest < CELL_MIN ? CELL_MIN : widest;
}

void table_format(const struct table *t, struct sbuf *out)
{
    size_t columns = t->n ? t->rows[0].n : 0;
    _cleanup_free_ size_t *widths = xcalloc(columns + 1, sizeof(*widths));

    for (size_t c = 0; c + 1 < columns; c++)
        widths[c] = column_width(t, c);
    for (size_t i = 0; i < t->n; i++) {
        for (size_t c = 0; c < t->rows[i].n; c++) {
            _cleanup_free_ char *cell = printable(t->rows[i].v[c]);

            sbuf_addstr(out, cell);
            if (c + 1 < t->rows[i].n)
                for (size_t w = width(cell); w < widths[c]; w++)
                    sbuf_addch(out, ' ');
        }
        sbuf_addch(out, '\n');
    }
}

/* ---- results of queries ----------------------------------------------------------------------- */

int output_value(const char *json_text, enum output_form form, struct sbuf *out, struct err *err)
{
    _cleanup_json_ struct json *j = json_parse(json_text, strlen(json_text), "result", err);
    _cleanup_free_ char *text = NULL;

    if (!j)
        return -1;
    if (json_is_string(j)) {
        sbuf_addf(out, "%s\n", json_str(j));
        return 0;
    }
    if (form == OUTPUT_YAML) {
        tmpl_add_yaml(out, j);
        return 0;
    }
    text = form == OUTPUT_JSON_INDENTED ? json_dump_indent(j, 4) : json_dump(j);
    sbuf_addf(out, "%s\n", text);
    return 0;
}
