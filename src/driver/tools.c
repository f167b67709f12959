/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/tools.h"
#include "base/mem.h"

static const char *const picture_format_names[] = {[PICTURE_PNG] = "png", [PICTURE_BMP] = "bmp"};
ENUM_STRINGS_DEFINE(picture_format, PICTURE_FORMAT_COUNT)

void driver_monitor_close(struct driver_monitor *m)
{
    if (m->close)
        m->close(m->arg);
    *m = (struct driver_monitor)DRIVER_MONITOR_INIT;
}

void driver_snapshots_release(struct driver_snapshots *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->v[i].tag);
        free(s->v[i].id);
        strv_release(&s->v[i].missing);
    }
    free(s->v);
    *s = (struct driver_snapshots)DRIVER_SNAPSHOTS_INIT;
}

void driver_shot_release(struct driver_shot *s)
{
    if (s->path)
        unlink(s->path);
    free(s->path);
    *s = (struct driver_shot)DRIVER_SHOT_INIT;
}
