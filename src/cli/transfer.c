/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/transfer.h"
#include "base/mem.h"
#include "cli/columns.h"

enum { NAME_MIN = 10, SAMPLE_MS = 250, MEASURED_MS = 1000 };

static const char *const verbs[] = {
    [IMAGE_WAITING] = "waiting for another download of",
    [IMAGE_CONNECTING] = "connecting for",
    [IMAGE_DOWNLOADING] = "downloading",
    [IMAGE_COPYING] = "copying",
    [IMAGE_CHECKING] = "checking",
    [IMAGE_UNPACKING] = "unpacking",
};
_Static_assert(ARRAY_SIZE(verbs) == IMAGE_PHASE_COUNT, "a verb for every phase");

/* ---- numbers ----------------------------------------------------------------------------------- */

static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};

/* The unit in which n has at most three digits before the point. */
static unsigned unit_of(uint64_t n)
{
    unsigned unit = 0;

    for (; n >= 1000; n /= 1000)
        unit++;
    return unit;
}

/* n in that unit, with one decimal below ten (below a hundred when fine). */
static void add_number(struct sbuf *out, uint64_t n, unsigned unit, bool fine)
{
    double value = (double)n;

    for (unsigned i = 0; i < unit; i++)
        value /= 1000;
    sbuf_addf(out, "%.*f", unit && value < (fine ? 99.95 : 9.95) ? 1 : 0, value);
}

static void add_amounts(const struct transfer_view *v, bool known, struct sbuf *out)
{
    unsigned unit = unit_of(known ? v->total : v->done);

    add_number(out, v->done, unit, false);
    if (known) {
        sbuf_addch(out, '/');
        add_number(out, v->total, unit, false);
    }
    sbuf_addf(out, " %s", units[unit]);
}

static void add_rate(uint64_t rate, struct sbuf *out)
{
    unsigned unit = unit_of(rate);

    add_number(out, rate, unit, true);
    sbuf_addf(out, " %s/s", units[unit]);
}

/* Divided first where the product would not fit. */
static unsigned percent_of(uint64_t done, uint64_t total)
{
    return (unsigned)(total > UINT64_MAX / 100 ? done / (total / 100) : done * 100 / total);
}

/* ---- the text ---------------------------------------------------------------------------------- */

static bool bytes_move(enum image_phase phase)
{
    return phase != IMAGE_WAITING && phase != IMAGE_CONNECTING;
}

/* Appends " text" to the tail when there is room for it beside what comes first. */
static void add_if_room(struct sbuf *tail, const struct sbuf *text, size_t first, size_t room)
{
    if (text->len && first + tail->len + 1 + text->len <= room)
        sbuf_addf(tail, " %s", sbuf_str(text));
}

void transfer_render(const struct transfer_view *v, size_t room, struct sbuf *out)
{
    _cleanup_sbuf_ struct sbuf percent = SBUF_INIT, amounts = SBUF_INIT, rate = SBUF_INIT,
                              tail = SBUF_INIT;
    /* A server that sends more than it has promised has promised nothing. */
    bool known = v->total && v->done <= v->total;
    size_t name = columns_of(v->name), verb = strlen(verbs[v->phase]) + 1;
    size_t least = name < NAME_MIN ? name : NAME_MIN;

    if (bytes_move(v->phase)) {
        if (known)
            sbuf_addf(&percent, "%u%%", percent_of(v->done, v->total));
        if (known || v->done)
            add_amounts(v, known, &amounts);
        if (v->rate)
            add_rate(v->rate, &rate);
    }
    add_if_room(&tail, &percent, 0, room);
    add_if_room(&tail, &amounts, verb + least, room);
    add_if_room(&tail, &rate, verb + least, room);
    size_t left = room - tail.len;
    if (left >= verb + least) {
        sbuf_addf(out, "%s ", verbs[v->phase]);
        columns_cut_middle(out, v->name, left - verb);
    } else {
        columns_cut(out, verbs[v->phase], left);
    }
    sbuf_addstr(out, sbuf_str(&tail));
}

char *transfer_name(const char *location)
{
    bool url = strstr(location, "://") != NULL;
    size_t end = url ? strcspn(location, "?#") : strlen(location);
    struct sbuf s = SBUF_INIT;

    while (end > 1 && location[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && location[start - 1] != '/')
        start--;
    sbuf_add_printable(&s, location + start, end - start);
    return sbuf_detach(&s);
}

/* ---- speed ------------------------------------------------------------------------------------- */

void speed_add(struct speed *s, int64_t now_ms, uint64_t bytes)
{
    unsigned last = (s->next + SPEED_SAMPLES - 1) % SPEED_SAMPLES;

    if (s->n && bytes < s->v[last].bytes)
        *s = (struct speed){.n = 0};
    if (s->n && now_ms - s->v[last].ms < SAMPLE_MS)
        return;
    s->v[s->next].ms = now_ms;
    s->v[s->next].bytes = bytes;
    s->next = (s->next + 1) % SPEED_SAMPLES;
    if (s->n < SPEED_SAMPLES)
        s->n++;
}

uint64_t speed_rate(const struct speed *s)
{
    if (s->n < 2)
        return 0;
    unsigned last = (s->next + SPEED_SAMPLES - 1) % SPEED_SAMPLES;
    unsigned first = (s->next + SPEED_SAMPLES - s->n) % SPEED_SAMPLES;
    int64_t ms = s->v[last].ms - s->v[first].ms;
    double bytes = (double)(s->v[last].bytes - s->v[first].bytes);

    return ms < MEASURED_MS ? 0 : (uint64_t)(bytes / (double)ms * 1000);
}
