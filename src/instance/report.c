/* SPDX-License-Identifier: Apache-2.0 */
#include "instance/instance.h"
#include "base/mem.h"

void inst_note(const struct inst_report *r, enum log_level level, const char *fmt, ...)
{
    va_list ap;

    if (!r->note)
        return;
    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    r->note(r->arg, level, text);
}

void inst_step(const struct inst_report *r, const char *what)
{
    if (r->step)
        r->step(r->arg, what);
}

void inst_warnings(const struct inst_report *r, const struct diags *d)
{
    for (size_t i = 0; r->warning && i < d->n; i++)
        r->warning(r->arg, &d->v[i]);
}
