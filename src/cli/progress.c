/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include "sys/clock.h"

enum { REDRAW_MS = 250, FALLBACK_COLUMNS = 80 };

/* ---- the line -------------------------------------------------------------------------------- */

static size_t text_width(const char *s)
{
    size_t len = strlen(s), width = 0;
    uint32_t c = 0;

    for (size_t i = 0, n; i < len; i += n) {
        n = utf8_decode(s + i, len - i, &c);
        width += n ? utf8_width(c) : 1;
        n = n ? n : 1;
    }
    return width;
}

/* Appends s, cut to `room` columns; a cut text ends with "...". */
static void add_cut(struct sbuf *out, const char *s, size_t room)
{
    size_t len = strlen(s), width = 0;
    uint32_t c = 0;

    if (text_width(s) <= room) {
        sbuf_addstr(out, s);
        return;
    }
    if (room < 4) {
        for (size_t i = 0; i < room; i++)
            sbuf_addch(out, '.');
        return;
    }
    for (size_t i = 0, n; i < len; i += n) {
        n = utf8_decode(s + i, len - i, &c);
        width += n ? utf8_width(c) : 1;
        if (width > room - 3)
            break;
        n = n ? n : 1;
        sbuf_add(out, s + i, n);
    }
    sbuf_addstr(out, "...");
}

static char *elapsed_text(int64_t ms)
{
    int64_t s = ms / 1000;

    if (s < 60)
        return xasprintf("%llds", (long long)s);
    if (s < 3600)
        return xasprintf("%lldm%02llds", (long long)(s / 60), (long long)(s % 60));
    return xasprintf("%lldh%02lldm", (long long)(s / 3600), (long long)(s / 60 % 60));
}

void progress_render(const struct progress_view *v, unsigned columns, struct sbuf *out)
{
    _cleanup_free_ char *time = elapsed_text(v->elapsed_ms);
    _cleanup_free_ char *count = v->step ? xasprintf("[%u/%u] ", v->step, v->steps) : xstrdup("");
    size_t room = columns > 1 ? columns - 1 : 1;
    size_t fixed = strlen(time) + 1;
    size_t subject = text_width(v->subject) + 2, text = text_width(v->text);

    if (room <= strlen(time)) {
        add_cut(out, time, room);
        return;
    }
    room -= fixed;
    /* What gives way, in this order: the count, the text down to 12 columns, the subject. */
    if (strlen(count) + subject + text > room)
        *count = '\0';
    if (subject + 12 > room)
        subject = 0;
    if (subject)
        sbuf_addf(out, "%s: ", v->subject);
    sbuf_addstr(out, count);
    add_cut(out, v->text, room - subject - strlen(count));
    sbuf_addf(out, " %s", time);
}

/* ---- on the terminal ------------------------------------------------------------------------- */

/* The log's hooks take no argument, so the one line of the process is here. */
static struct {
    bool active, drawn;
    char *subject, *text;
    unsigned step, steps;
    int64_t start, last_draw;
} line;

static void erase(void)
{
    if (line.drawn)
        (void)fd_write_all(STDERR_FILENO, "\r\x1b[K", 4);
    line.drawn = false;
}

static void draw(void)
{
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;
    int64_t now = monotonic_ms();
    unsigned columns = cli_columns(STDERR_FILENO);
    struct progress_view view = {
        .subject = line.subject,
        .text = line.text,
        .step = line.step,
        .steps = line.steps,
        .elapsed_ms = now - line.start,
    };

    if (!line.active || !line.text)
        return;
    sbuf_addstr(&out, "\r");
    progress_render(&view, columns ? columns : FALLBACK_COLUMNS, &out);
    sbuf_addstr(&out, "\x1b[K");
    (void)fd_write_all(STDERR_FILENO, out.buf, out.len);
    line.drawn = true;
    line.last_draw = now;
}

void progress_begin(const char *subject, unsigned steps)
{
    const char *term = getenv("TERM");

    progress_end();
    if (!isatty(STDERR_FILENO) || str_empty(term) || streq(term, "dumb"))
        return;
    line.active = true;
    line.subject = xstrdup(subject);
    line.steps = steps;
    line.start = monotonic_ms();
    log_set_terminal_hooks(erase, draw);
}

void progress_step(unsigned step, const char *text)
{
    if (!line.active)
        return;
    free(line.text);
    line.text = xstrdup(text);
    line.step = step;
    draw();
}

void progress_tick(void)
{
    if (line.active && monotonic_ms() - line.last_draw >= REDRAW_MS)
        draw();
}

void progress_end(void)
{
    if (!line.active)
        return;
    erase();
    log_set_terminal_hooks(NULL, NULL);
    free(line.subject);
    free(line.text);
    memset(&line, 0, sizeof(line));
}

void progress_leave(void)
{
    if (line.drawn)
        (void)fd_write_all(STDERR_FILENO, "\n", 1);
    line.drawn = false;
    progress_end();
}

bool progress_active(void)
{
    return line.active;
}
