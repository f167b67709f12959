/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/columns.h"
#include "sys/clock.h"

enum { REDRAW_MS = 250, FALLBACK_COLUMNS = 80 };
/* Columns that a transfer needs to say something: before it has less, the subject goes. */
enum { TRANSFER_MIN = 34 };

/* ---- the line -------------------------------------------------------------------------------- */

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
    size_t subject = columns_of(v->subject) + 2, text = columns_of(v->text);

    if (room <= strlen(time)) {
        columns_cut(out, time, room);
        return;
    }
    room -= fixed;
    /* What gives way, in this order: the count, the text down to 12 columns, the subject. */
    if (strlen(count) + subject + text > room)
        *count = '\0';
    if (subject + (v->transfer ? TRANSFER_MIN : 12) > room)
        subject = 0;
    if (subject)
        sbuf_addf(out, "%s: ", v->subject);
    if (v->transfer) {
        transfer_render(v->transfer, room - subject, out);
        sbuf_addf(out, " %s", time);
        return;
    }
    sbuf_addstr(out, count);
    columns_cut(out, v->text, room - subject - strlen(count));
    sbuf_addf(out, " %s", time);
}

/* ---- on the terminal ------------------------------------------------------------------------- */

/* The log's hooks take no argument, so the one line of the process is here. */
static struct {
    bool active, drawn;
    char *subject, *text;
    unsigned step, steps;
    int64_t start, last_draw;
    /* A file on its way, instead of the text; file_name NULL: none. */
    char *file_name, *file_location;
    struct transfer_view file;
    struct speed speed;
} line;

static void forget_file(void)
{
    free(line.file_name);
    free(line.file_location);
    line.file_name = line.file_location = NULL;
    line.speed = (struct speed){.n = 0};
}

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
        .transfer = line.file_name ? &line.file : NULL,
        .elapsed_ms = now - line.start,
    };

    if (!line.active || (!line.text && !line.file_name))
        return;
    if (!view.text)
        view.text = "";
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
    forget_file();
    free(line.text);
    line.text = xstrdup(text);
    line.step = step;
    draw();
}

void progress_transfer(const struct image_progress *p)
{
    int64_t now = monotonic_ms();
    bool other = !streq0(p->location, line.file_location) || p->phase != line.file.phase;

    if (!line.active)
        return;
    if (other || !line.file_name) {
        forget_file();
        line.file_location = xstrdup0(p->location);
        line.file_name = transfer_name(p->location ? p->location : "");
    }
    speed_add(&line.speed, now, p->done);
    line.file = (struct transfer_view){
        .phase = p->phase,
        .name = line.file_name,
        .done = p->done,
        .total = p->total,
        .rate = speed_rate(&line.speed),
    };
    if (other || now - line.last_draw >= REDRAW_MS)
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
    forget_file();
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
