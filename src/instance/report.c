/* SPDX-License-Identifier: Apache-2.0 */
#include "instance/instance.h"
#include "base/mem.h"
#include "instance/internal.h"

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

int inst_lock(const struct instance *i, int wait_ms, struct err *err)
{
    int fd = instance_lock(i, wait_ms, err);

    if (fd < 0 && err && err->kind == ERR_BUSY && !err->hint)
        err_hint(err, "another command works on the instance; try again when it is done");
    return fd;
}
