/* SPDX-License-Identifier: Apache-2.0 */
#include "service/serial.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include <fcntl.h>

#define TAIL_LINES 10
#define TAIL_BYTES 8192
#define LINE_BYTES 200

/* Length of the escape sequence at s (ESC [ … final byte, ESC ] … BEL, ESC x). */
static size_t escape_length(const char *s, size_t len)
{
    size_t n = 2;

    if (len < 2)
        return len;
    if (s[1] == '[') {
        while (n < len && (s[n] < 0x40 || s[n] > 0x7e))
            n++;
        return n < len ? n + 1 : len;
    }
    if (s[1] == ']') {
        while (n < len && s[n] != '\a' && s[n] != '\n')
            n++;
        return n < len && s[n] == '\a' ? n + 1 : n;
    }
    return n;
}

static void clean_line(struct sbuf *out, const char *s, size_t len)
{
    sbuf_clear(out);
    while (len && out->len < LINE_BYTES) {
        size_t n = 1;

        if (*s == '\x1b')
            n = escape_length(s, len);
        else if (*s == '\r')
            ; /* a line that was written over: what is left of it stays */
        else
            sbuf_addch(out, *s);
        s += n;
        len -= n;
    }
    while (out->len && (out->buf[out->len - 1] == ' ' || out->buf[out->len - 1] == '\t'))
        out->buf[--out->len] = '\0';
}

char *text_tail(const char *text, size_t len, unsigned max_lines)
{
    _cleanup_strv_ struct strv lines = STRV_INIT;
    _cleanup_sbuf_ struct sbuf line = SBUF_INIT, all = SBUF_INIT;

    for (size_t at = 0; at < len;) {
        const char *eol = memchr(text + at, '\n', len - at);
        size_t n = eol ? (size_t)(eol - text) - at : len - at;

        clean_line(&line, text + at, n);
        if (line.len)
            strv_push(&lines, sbuf_str(&line));
        at += n + 1;
    }
    for (size_t i = lines.n > max_lines ? lines.n - max_lines : 0; i < lines.n; i++) {
        if (all.len)
            sbuf_addch(&all, '\n');
        sbuf_add_printable(&all, lines.v[i], strlen(lines.v[i]));
    }
    return sbuf_detach(&all);
}

/* The guest writes the file through QEMU: it may be anything and of any length. */
static char *file_tail(const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    char buf[TAIL_BYTES];

    if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode))
        return NULL;
    off_t from = st.st_size > TAIL_BYTES ? st.st_size - TAIL_BYTES : 0;
    ssize_t n = pread(fd, buf, sizeof(buf), from);
    return n > 0 ? text_tail(buf, (size_t)n, TAIL_LINES) : NULL;
}

/* Linux, of processors that do not come back. Seen with QEMU 7.2, which emulates several: on a busy
 * host about one start of a hundred, one of them then waits for its timer for ever. */
static bool tells_stall(const char *tail)
{
    static const char *const words[] = {"detected stalls on CPUs", "self-detected stall on CPU",
                                        "kthread starved for", "soft lockup - CPU#"};

    for (size_t k = 0; k < ARRAY_SIZE(words); k++)
        if (strstr(tail, words[k]))
            return true;
    return false;
}

void serial_add_tail(const struct instance *i, struct err *err)
{
    static const enum inst_file logs[] = {INST_SERIAL_LOG, INST_SERIALV_LOG, INST_SERIALP_LOG};

    for (size_t k = 0; k < ARRAY_SIZE(logs); k++) {
        _cleanup_free_ char *path = instance_path(i, logs[k]);
        _cleanup_free_ char *tail = file_tail(path);

        if (str_empty(tail))
            continue;
        _cleanup_free_ char *detail = xasprintf("last lines of %s:\n%s", path, tail);
        err_detail(err, detail);
        if (tells_stall(tail))
            err_hint(err,
                     "the guest's processors hang: end it by `cima stop -f %s` and start it again; "
                     "where they are emulated, one is more reliable than several: `cima edit %s "
                     "--cpus 1`",
                     i->name, i->name);
        return;
    }
}
