/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/enum.h"
#include "base/mem.h"
#include <assert.h>
#include <ctype.h>
#include <errno.h>

static const char *const err_kind_names[] = {
    [ERR_NONE] = "none",
    [ERR_USAGE] = "usage",
    [ERR_CONFIG] = "config",
    [ERR_NOT_FOUND] = "not_found",
    [ERR_EXISTS] = "exists",
    [ERR_STATE] = "state",
    [ERR_BUSY] = "busy",
    [ERR_IO] = "io",
    [ERR_NET] = "net",
    [ERR_PERMISSION] = "permission",
    [ERR_UNSUPPORTED] = "unsupported",
    [ERR_QEMU] = "qemu",
    [ERR_GUEST] = "guest",
    [ERR_TIMEOUT] = "timeout",
    [ERR_INTERRUPTED] = "interrupted",
    [ERR_PROTOCOL] = "protocol",
    [ERR_CHILD] = "child",
    [ERR_INTERNAL] = "internal",
};
ENUM_STRINGS_DEFINE(err_kind, ERR_KIND_COUNT)

static void set(struct err *err, enum err_kind kind, int saved_errno, char *msg)
{
    assert(kind != ERR_NONE);
    assert(err->kind == ERR_NONE); /* a second error would hide the first */
    err->kind = kind;
    err->saved_errno = saved_errno;
    err->msg = msg;
}

int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return -1;
    va_start(ap, fmt);
    set(err, kind, 0, xvasprintf(fmt, ap));
    va_end(ap);
    return -1;
}

/* errno's text in the style of our messages: no capital in front (but "RPC …" stays). */
static void add_errno_text(struct sbuf *s, int errnum)
{
    char buf[128];
    const char *text = strerror_r(errnum, buf, sizeof(buf));

    if (isupper((unsigned char)text[0]) && islower((unsigned char)text[1])) {
        sbuf_addch(s, (char)tolower((unsigned char)text[0]));
        text++;
    }
    sbuf_addstr(s, text);
}

/* What is to be done is the same whatever failed. Who knows better sets another hint. */
static const struct {
    int errnum;
    const char *hint;
} errno_hints[] = {
    {ENOSPC, "the file system is full: make room on it, or use another one"},
    {EDQUOT, "your disk quota is used up: make room, or use another file system"},
    {EROFS, "the file system is mounted read-only: use a directory on another one"},
    {EACCES, "look at the permissions of the file and of the directories on the way to it"},
    {EMFILE, "the limit of open files is too low: raise it with `ulimit -n`"},
};

static void hint_errno(struct err *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(errno_hints); i++)
        if (errno_hints[i].errnum == err->saved_errno)
            err_hint(err, "%s", errno_hints[i].hint);
}

int err_set_errno(struct err *err, enum err_kind kind, const char *fmt, ...)
{
    int errnum = errno;
    struct sbuf msg = SBUF_INIT;
    va_list ap;

    if (!err)
        return -1;
    va_start(ap, fmt);
    sbuf_vaddf(&msg, fmt, ap);
    va_end(ap);
    sbuf_addstr(&msg, ": ");
    add_errno_text(&msg, errnum);
    set(err, kind, errnum, sbuf_detach(&msg));
    hint_errno(err);
    return -1;
}

int err_hint(struct err *err, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return -1;
    va_start(ap, fmt);
    char *hint = xvasprintf(fmt, ap);
    va_end(ap);
    free(err->hint);
    err->hint = hint;
    return -1;
}

int err_detail(struct err *err, const char *text)
{
    size_t len = strlen(text);
    struct sbuf s = SBUF_INIT;

    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    if (!err || len == 0)
        return -1;
    if (err->detail)
        sbuf_addf(&s, "%s\n", err->detail);
    for (const char *end = text + len; text <= end;) {
        const char *eol = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((eol ? eol : end) - text);

        if (n && text[n - 1] == '\r')
            n--;
        sbuf_add_printable(&s, text, n);
        if (!eol)
            break;
        sbuf_addch(&s, '\n');
        text = eol + 1;
    }
    free(err->detail);
    err->detail = sbuf_detach(&s);
    return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return -1;
    va_start(ap, fmt);
    strv_push_consume(&err->context, xvasprintf(fmt, ap));
    va_end(ap);
    return -1;
}

int err_move(struct err *dst, struct err *src)
{
    if (dst) {
        assert(dst->kind == ERR_NONE);
        err_clear(dst);
        *dst = *src;
        *src = (struct err)ERR_INIT;
    } else {
        err_clear(src);
    }
    return -1;
}

bool err_is_set(const struct err *err)
{
    return err->kind != ERR_NONE;
}

void err_clear(struct err *err)
{
    free(err->msg);
    free(err->hint);
    free(err->detail);
    strv_release(&err->context);
    diags_release(&err->diags);
    *err = (struct err)ERR_INIT;
}

static void add_message(const struct err *err, struct sbuf *out)
{
    for (size_t i = err->context.n; i > 0; i--) {
        sbuf_add_printable(out, err->context.v[i - 1], strlen(err->context.v[i - 1]));
        sbuf_addstr(out, ": ");
    }
    if (err->msg)
        sbuf_add_printable(out, err->msg, strlen(err->msg));
}

char *err_message(const struct err *err)
{
    struct sbuf out = SBUF_INIT;

    add_message(err, &out);
    return sbuf_detach(&out);
}

char *err_line(const struct err *err)
{
    struct sbuf out = SBUF_INIT;

    add_message(err, &out);
    if (err->hint) {
        sbuf_addstr(&out, "; hint: ");
        sbuf_add_printable(&out, err->hint, strlen(err->hint));
    }
    return sbuf_detach(&out);
}

/* Lines with the indentation of a quotation; they are printable since err_detail. */
static void add_indented(struct sbuf *out, const char *text)
{
    _cleanup_strv_ struct strv lines = STRV_INIT;

    strv_split(&lines, text, '\n');
    for (size_t i = 0; i < lines.n; i++) {
        sbuf_addstr(out, *lines.v[i] ? "\n    " : "\n");
        sbuf_add_printable(out, lines.v[i], strlen(lines.v[i]));
    }
}

char *err_text(const struct err *err)
{
    struct sbuf out = SBUF_INIT;

    add_message(err, &out);
    for (size_t i = 0; i < err->diags.n; i++) {
        if (out.len)
            sbuf_addch(&out, '\n');
        diag_format(&err->diags.v[i], &out);
    }
    if (err->detail)
        add_indented(&out, err->detail);
    if (err->hint) {
        sbuf_addstr(&out, "\nhint: ");
        sbuf_add_printable(&out, err->hint, strlen(err->hint));
    }
    return sbuf_detach(&out);
}

int err_exit_code(const struct err *err)
{
    switch (err->kind) {
    case ERR_NONE:
        return 0;
    case ERR_CHILD:
        return err->exit_code;
    default:
        return 1;
    }
}
