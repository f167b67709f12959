/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"
#include "base/fs.h"
#include "base/mem.h"
#include "cli/columns.h"
#include "query/query.h"
#include "tmpl/tmpl.h"
#include <fcntl.h>

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

/* What a cell shows: itself where that is safe, else a copy in *ret_copy. */
static const char *printable(const char *s, char **ret_copy, size_t *ret_width)
{
    struct sbuf out = SBUF_INIT;
    size_t len = 0;

    while (s[len] >= ' ' && s[len] <= '~')
        len++;
    *ret_width = len;
    if (!s[len])
        return s;
    sbuf_add_printable(&out, s, strlen(s));
    *ret_copy = sbuf_detach(&out);
    *ret_width = columns_of(*ret_copy);
    return *ret_copy;
}

static size_t column_width(const struct table *t, size_t column)
{
    size_t widest = 0;

    for (size_t i = 0; i < t->n; i++) {
        _cleanup_free_ char *copy = NULL;
        size_t w;

        if (column >= t->rows[i].n)
            continue;
        (void)printable(t->rows[i].v[column], &copy, &w);
        widest = w > widest ? w : widest;
    }
    widest += CELL_GAP;
    return widest < CELL_MIN ? CELL_MIN : widest;
}

static void add_blanks(struct sbuf *out, size_t n)
{
    memset(sbuf_reserve(out, n), ' ', n);
    sbuf_grown(out, n);
}

void table_format(const struct table *t, struct sbuf *out)
{
    size_t columns = t->n ? t->rows[0].n : 0;
    _cleanup_free_ size_t *widths = xcalloc(columns + 1, sizeof(*widths));

    for (size_t c = 0; c + 1 < columns; c++)
        widths[c] = column_width(t, c);
    for (size_t i = 0; i < t->n; i++) {
        for (size_t c = 0; c < t->rows[i].n; c++) {
            _cleanup_free_ char *copy = NULL;
            size_t w;

            sbuf_addstr(out, printable(t->rows[i].v[c], &copy, &w));
            if (c + 1 < t->rows[i].n && w < widths[c])
                add_blanks(out, widths[c] - w);
        }
        sbuf_addch(out, '\n');
    }
}

/* ---- results of queries ----------------------------------------------------------------------- */

void output_json(const struct json *j, enum output_form form, struct sbuf *out)
{
    _cleanup_free_ char *text = NULL;

    switch (form) {
    case OUTPUT_JSON_COLOURED:
    case OUTPUT_YAML_COLOURED:
        tmpl_add_coloured(out, j, form == OUTPUT_JSON_COLOURED);
        break;
    case OUTPUT_YAML:
        tmpl_add_yaml(out, j);
        break;
    case OUTPUT_JSON:
    case OUTPUT_JSON_INDENTED:
    default:
        text = form == OUTPUT_JSON_INDENTED ? json_dump_indent(j, 4) : json_dump(j);
        sbuf_addf(out, "%s\n", text);
    }
}

int output_value(const char *json_text, enum output_form form, struct sbuf *out, struct err *err)
{
    _cleanup_json_ struct json *j = json_parse(json_text, strlen(json_text), "result", err);

    if (!j)
        return -1;
    if (json_is_string(j))
        sbuf_addf(out, "%s\n", json_str(j));
    else
        output_json(j, form, out);
    return 0;
}

/* ---- files ------------------------------------------------------------------------------------ */

static int write_into(const char *path, const char *text, size_t len, struct err *err)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);

    if (fd < 0 || fd_write_all(fd, text, len) < 0)
        return err_set_errno(err, ERR_IO, "writing '%s'", path);
    return 0;
}

int output_query(const char *expr, const char *json_text, enum output_form form, struct err *err)
{
    _cleanup_query_result_ struct query_result result = QUERY_RESULT_INIT;
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

    if (query_run(&expr, 1, &json_text, 1, &result, err) < 0)
        return -1;
    for (size_t i = 0; i < result.values.n; i++)
        if (output_value(result.values.v[i], form, &out, err) < 0)
            return -1;
    fputs(sbuf_str(&out), stdout);
    return 0;
}

int output_text(const char *path, const char *text, size_t len, struct err *err)
{
    struct stat st;

    if (!path || streq(path, "-")) {
        fwrite(text, 1, len, stdout);
        return 0;
    }
    if (stat(path, &st) < 0) {
        mode_t mask = umask(077);

        umask(mask);
        return file_write_atomic(path, text, len, 0666 & ~mask, err);
    }
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return write_into(path, text, len, err);
    _cleanup_free_ char *real = realpath(path, NULL); /* none for a file that has no name now */
    return real ? file_write_atomic(real, text, len, st.st_mode & 0777, err)
                : write_into(path, text, len, err);
}
