/* SPDX-License-Identifier: Apache-2.0 */
#include "base/diag.h"
#include "base/mem.h"
#include "base/utf8.h"

/* Of a source line at most this many characters are shown, around the caret. */
enum { SHOWN_MAX = 160, SHOWN_BEFORE = 100 };

void diags_release(struct diags *d)
{
    for (size_t i = 0; i < d->n; i++) {
        struct diag *p = &d->v[i];

        free(p->kind);
        free(p->path);
        free(p->msg);
        free(p->hint);
        free(p->file);
        free(p->source);
    }
    free(d->v);
    *d = (struct diags)DIAGS_INIT;
}

struct diag *diags_add(struct diags *d, enum diag_severity severity, const char *path,
                       const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *msg = xvasprintf(fmt, ap);
    va_end(ap);
    GROW_ARRAY(d->v, d->n, d->cap);
    d->v[d->n] = (struct diag){.severity = severity, .path = xstrdup0(path), .msg = msg};
    return &d->v[d->n++];
}

void diag_set_kind(struct diag *d, const char *kind)
{
    char *copy = xstrdup0(kind);

    free(d->kind);
    d->kind = copy;
}

void diag_set_hint(struct diag *d, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *hint = xvasprintf(fmt, ap);
    va_end(ap);
    free(d->hint);
    d->hint = hint;
}

void diag_set_position(struct diag *d, const char *file, unsigned line, unsigned col,
                       const char *source_line)
{
    char *f = xstrdup0(file), *s = xstrdup0(source_line);

    free(d->file);
    free(d->source);
    d->file = f;
    d->source = s;
    d->line = line;
    d->col = col;
}

bool diags_has_errors(const struct diags *d)
{
    return diags_count(d, DIAG_ERROR) > 0;
}

size_t diags_count(const struct diags *d, enum diag_severity severity)
{
    size_t n = 0;

    for (size_t i = 0; i < d->n; i++)
        n += d->v[i].severity == severity;
    return n;
}

/* Appends one character of the source to the line and, when it stands before the caret, as many
 * columns of space to the caret's line. Returns its length in bytes. */
static size_t add_source_char(struct sbuf *line, struct sbuf *caret, const char *s, size_t len)
{
    uint32_t c = 0;
    size_t n = utf8_decode(s, len, &c), before = line->len, columns;

    if (n && c == '\t') {
        sbuf_addch(line, '\t');
        if (caret)
            sbuf_addch(caret, '\t');
        return n;
    }
    if (n && utf8_is_printable(c)) {
        sbuf_add(line, s, n);
        columns = utf8_width(c);
    } else {
        n = n ? n : 1;
        sbuf_add_printable(line, s, n);
        columns = line->len - before;
    }
    if (caret)
        for (size_t i = 0; i < columns; i++)
            sbuf_addch(caret, ' ');
    return n;
}

/* Characters of the text; what is no UTF-8 counts byte by byte. */
static unsigned count_chars(const char *s, size_t len)
{
    unsigned count = 0;
    uint32_t c;

    for (size_t i = 0; i < len; count++) {
        size_t n = utf8_decode(s + i, len - i, &c);

        i += n ? n : 1;
    }
    return count;
}

static void add_source(const struct diag *d, struct sbuf *out)
{
    _cleanup_sbuf_ struct sbuf line = SBUF_INIT;
    _cleanup_sbuf_ struct sbuf caret = SBUF_INIT;
    size_t len = strcspn(d->source, "\r\n");
    /* "Something is missing here" points right behind the last character, nothing further. */
    unsigned last = count_chars(d->source, len) + 1, col = d->col < last ? d->col : last;
    unsigned first = col > SHOWN_BEFORE ? col - SHOWN_BEFORE : 1, at = 1;

    if (first > 1) {
        sbuf_addstr(&line, "…");
        sbuf_addch(&caret, ' ');
    }
    for (size_t i = 0; i < len; at++) {
        _cleanup_sbuf_ struct sbuf skipped = SBUF_INIT;

        if (at >= first + SHOWN_MAX) {
            sbuf_addstr(&line, "…");
            break;
        }
        i += add_source_char(at < first ? &skipped : &line, at >= first && at < col ? &caret : NULL,
                             d->source + i, len - i);
    }
    sbuf_addf(out, "\n    %s", sbuf_str(&line));
    if (col)
        sbuf_addf(out, "\n    %s^", sbuf_str(&caret));
}

void diag_format(const struct diag *d, struct sbuf *out)
{
    if (d->file) {
        sbuf_add_printable(out, d->file, strlen(d->file));
        if (d->line) {
            sbuf_addf(out, ":%u", d->line);
            if (d->col)
                sbuf_addf(out, ":%u", d->col);
        }
        sbuf_addstr(out, ": ");
    }
    sbuf_addstr(out, d->severity == DIAG_ERROR ? "error: " : "warning: ");
    sbuf_add_printable(out, d->msg, strlen(d->msg));
    if (d->source && d->line)
        add_source(d, out);
    if (d->hint) {
        sbuf_addstr(out, "\n    hint: ");
        sbuf_add_printable(out, d->hint, strlen(d->hint));
    }
}
