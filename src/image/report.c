/* SPDX-License-Identifier: Apache-2.0 */
#include "image/internal.h"
#include "base/mem.h"
#include <time.h>

enum { TICK_MS = 100 };

void image_note(const struct image_report *r, enum log_level level, const char *fmt, ...)
{
    if (!r->note)
        return;
    va_list ap;
    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    r->note(r->arg, level, text);
}

void image_tell(const struct image_report *r, enum image_phase phase, const char *location,
                uint64_t done, uint64_t total)
{
    const struct image_progress p = {phase, location, done, total};
    if (r->progress)
        r->progress(r->arg, &p);
}

int image_go_on(const struct image_report *r, struct err *err)
{
    if (!r->interrupted || !r->interrupted(r->arg))
        return 0;
    return err_set(err, ERR_INTERRUPTED, "interrupted");
}

int image_wait(const struct image_report *r, unsigned ms, const struct image_progress *p,
               struct err *err)
{
    for (unsigned step; ms; ms -= step) {
        step = ms < TICK_MS ? ms : TICK_MS;
        if (image_go_on(r, err) < 0)
            return -1;
        if (p)
            image_tell(r, p->phase, p->location, p->done, p->total);
        nanosleep(&(struct timespec){.tv_nsec = step * 1000000L}, NULL);
    }
    return 0;
}
