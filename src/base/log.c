/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/utf8.h"
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <strings.h>
#include <time.h>

static const struct {
    const char *name, *short_name, *colour;
} levels[] = {
    [LOG_TRACE] = {"trace", "TRAC", "37"}, [LOG_DEBUG] = {"debug", "DEBU", "37"},
    [LOG_INFO] = {"info", "INFO", "36"},   [LOG_WARN] = {"warning", "WARN", "33"},
    [LOG_ERROR] = {"error", "ERRO", "31"}, [LOG_FATAL] = {"fatal", "FATA", "31"},
};
_Static_assert(ARRAY_SIZE(levels) == LOG_LEVEL_COUNT, "a name for every level");

/* The only state of this room: one process has one log. */
static struct {
    enum log_level level;
    enum log_format format;
    int fd;
    signed char terminal; /* -1: not asked yet */
    void (*before)(void), (*after)(void);
    struct timespec start;
} state = {.level = LOG_INFO, .format = LOG_FORMAT_TEXT, .fd = STDERR_FILENO, .terminal = -1};

__attribute__((constructor)) static void remember_start(void)
{
    clock_gettime(CLOCK_MONOTONIC, &state.start);
}

const char *log_level_to_string(enum log_level level)
{
    return (unsigned)level < LOG_LEVEL_COUNT ? levels[level].name : "?";
}

int log_level_from_string(const char *name, enum log_level *ret)
{
    if (strcasecmp(name, "warn") == 0)
        name = "warning";
    for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
        if (strcasecmp(levels[i].name, name) == 0) {
            *ret = (enum log_level)i;
            return 0;
        }
    return -1;
}

void log_set_level(enum log_level level)
{
    state.level = level;
}

enum log_level log_get_level(void)
{
    return state.level;
}

void log_set_format(enum log_format format)
{
    state.format = format;
}

enum log_format log_get_format(void)
{
    return state.format;
}

void log_set_fd(int fd)
{
    state.fd = fd;
    state.terminal = -1;
}

void log_set_terminal_hooks(void (*before)(void), void (*after)(void))
{
    state.before = before;
    state.after = after;
}

static bool on_terminal(void)
{
    if (state.terminal < 0)
        state.terminal = isatty(state.fd) == 1;
    return state.terminal;
}

static bool want_colour(void)
{
    return str_empty(getenv("NO_COLOR")) && !streq0(getenv("TERM"), "dumb");
}

/* RFC 3339 in local time, whole seconds: 2026-01-02T03:04:05+01:00. */
static void add_time(struct sbuf *s)
{
    time_t now = time(NULL);
    struct tm tm;
    char text[40];

    if (!localtime_r(&now, &tm) || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        return;
    sbuf_addstr(s, text);
    long minutes = tm.tm_gmtoff / 60;
    if (minutes == 0)
        sbuf_addch(s, 'Z');
    else
        sbuf_addf(s, "%c%02ld:%02ld", minutes < 0 ? '-' : '+', labs(minutes) / 60,
                  labs(minutes) % 60);
}

/* logrus leaves a value bare when it holds only these. */
static bool needs_quotes(const char *text)
{
    static const char bare[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "-._/@^+";

    return text[strspn(text, bare)] != '\0';
}

/* As Go's %q. */
static void add_go_quoted(struct sbuf *s, const char *text)
{
    static const char letters[] = "\a\b\f\n\r\t\v", names[] = "abfnrtv";
    size_t len = strlen(text);
    uint32_t c = 0;

    sbuf_addch(s, '"');
    for (size_t i = 0, n; i < len; i += n) {
        n = utf8_decode(text + i, len - i, &c);
        const char *letter = n && c < 0x80 && c ? strchr(letters, (int)c) : NULL;

        if (letter) {
            sbuf_addf(s, "\\%c", names[letter - letters]);
        } else if (n && (c == '"' || c == '\\')) {
            sbuf_addf(s, "\\%c", (char)c);
        } else {
            sbuf_add_printable(s, text + i, n ? n : 1);
        }
        n = n ? n : 1;
    }
    sbuf_addch(s, '"');
}

static void add_json_quoted(struct sbuf *s, const char *text)
{
    size_t len = strlen(text);
    uint32_t c = 0;

    sbuf_addch(s, '"');
    for (size_t i = 0, n; i < len; i += n) {
        n = utf8_decode(text + i, len - i, &c);
        if (n == 0) {
            sbuf_addstr(s, "\\ufffd");
            n = 1;
        } else if (c == '"' || c == '\\') {
            sbuf_addf(s, "\\%c", (char)c);
        } else if (c == '\n' || c == '\t' || c == '\r') {
            sbuf_addstr(s, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r");
        } else if (utf8_is_printable(c) || c > 0xffff) {
            sbuf_add(s, text + i, n);
        } else {
            sbuf_addf(s, "\\u%04x", c);
        }
    }
    sbuf_addch(s, '"');
}

static void format_terminal(struct sbuf *s, enum log_level level, const char *msg)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    long long seconds =
        (long long)(now.tv_sec - state.start.tv_sec) - (now.tv_nsec < state.start.tv_nsec ? 1 : 0);
    if (want_colour())
        sbuf_addf(s, "\x1b[%sm%s\x1b[0m", levels[level].colour, levels[level].short_name);
    else
        sbuf_addstr(s, levels[level].short_name);
    sbuf_addf(s, "[%04lld] ", seconds);
    sbuf_add_printable(s, msg, strlen(msg));
}

static void format_text(struct sbuf *s, enum log_level level, const char *msg)
{
    sbuf_addstr(s, "time=\"");
    add_time(s);
    sbuf_addf(s, "\" level=%s msg=", levels[level].name);
    if (needs_quotes(msg))
        add_go_quoted(s, msg);
    else
        sbuf_addstr(s, msg);
}

static void add_json_member(struct sbuf *s, const char *key, const char *text)
{
    if (!text)
        return;
    sbuf_addf(s, ",\"%s\":", key);
    add_json_quoted(s, text);
}

static void add_json_diag(struct sbuf *s, const struct diag *d)
{
    add_json_member(s, "file", d->file);
    if (d->line)
        sbuf_addf(s, ",\"line\":%u", d->line);
    if (d->line && d->col)
        sbuf_addf(s, ",\"column\":%u", d->col);
    add_json_member(s, "path", d->path);
    add_json_member(s, "kind", d->kind);
    add_json_member(s, "message", d->msg);
    add_json_member(s, "hint", d->hint);
}

/* d: NULL, or the problem that the line is about. */
static void format_json(struct sbuf *s, enum log_level level, const char *msg,
                        const struct diag *d)
{
    sbuf_addf(s, "{\"level\":\"%s\",\"msg\":", levels[level].name);
    add_json_quoted(s, msg);
    sbuf_addstr(s, ",\"time\":\"");
    add_time(s);
    sbuf_addch(s, '"');
    if (d)
        add_json_diag(s, d);
    sbuf_addch(s, '}');
}

/* Normally one write. A log that can't be written must not end the program, nor hang it. */
static void write_line(const struct sbuf *s)
{
    size_t done = 0;

    while (done < s->len) {
        ssize_t n = write(state.fd, s->buf + done, s->len - done);

        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd p = {.fd = state.fd, .events = POLLOUT};

            if (poll(&p, 1, 1000) <= 0)
                return;
        } else if (errno != EINTR) {
            return;
        }
    }
}

static void put(enum log_level level, const char *msg, const struct diag *d)
{
    int saved_errno = errno;
    _cleanup_sbuf_ struct sbuf line = SBUF_INIT;
    bool terminal = on_terminal();

    if (state.format == LOG_FORMAT_JSON)
        format_json(&line, level, msg, d);
    else if (terminal)
        format_terminal(&line, level, msg);
    else
        format_text(&line, level, msg);
    sbuf_addch(&line, '\n');
    if (terminal && state.before)
        state.before();
    write_line(&line);
    if (terminal && state.after)
        state.after();
    errno = saved_errno;
}

void log_msg(enum log_level level, const char *fmt, ...)
{
    int saved_errno = errno;
    _cleanup_free_ char *msg = NULL;
    va_list ap;

    if (level < state.level || (unsigned)level >= LOG_LEVEL_COUNT)
        return;
    va_start(ap, fmt);
    msg = xvasprintf(fmt, ap);
    va_end(ap);
    errno = saved_errno;
    put(level, msg, NULL);
}

void log_diag(const struct diag *d)
{
    enum log_level level = d->severity == DIAG_ERROR ? LOG_ERROR : LOG_WARN;
    _cleanup_sbuf_ struct sbuf msg = SBUF_INIT;

    if (level < state.level)
        return;
    if (d->file && d->line)
        sbuf_addf(&msg, "%s:%u:%u: ", d->file, d->line, d->col);
    sbuf_addstr(&msg, d->msg);
    if (d->hint)
        sbuf_addf(&msg, "; hint: %s", d->hint);
    put(level, sbuf_str(&msg), d);
}
