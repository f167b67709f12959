/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed images and kernels. */
#include "image/internal.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/parse.h"
#include "image/child.h"
#include <sys/statvfs.h>

/* A bomb is stopped by what it claims and by what it costs. Honest images of more than 16 GiB
 * compress far less than a thousand times, even disks that are mostly zeros. */
#define ALWAYS_ALLOWED (UINT64_C(16) << 30)
#define RATIO_MAX      UINT64_C(1000)
#define UNPACKED_MAX   (UINT64_C(4) << 40)

static uint64_t default_max(uint64_t compressed)
{
    uint64_t max = compressed > UNPACKED_MAX / RATIO_MAX ? UNPACKED_MAX : compressed * RATIO_MAX;
    return max > ALWAYS_ALLOWED ? max : ALWAYS_ALLOWED;
}

/* What may be written: the disk is never filled to the brim, the host needs some of it. */
static uint64_t room_for(int fd)
{
    struct statvfs v;
    if (fstatvfs(fd, &v) < 0)
        return INT64_MAX;
    uint64_t room = (uint64_t)v.f_bavail * v.f_frsize;
    return room - room / 20;
}

struct unpacking {
    const struct image_report *report;
    const char *name;
    uint64_t done, total, max;
};

static void tell_unpacking(void *arg)
{
    const struct unpacking *u = arg;
    image_tell(u->report, IMAGE_UNPACKING, u->name, u->done, u->total);
}

static int explain(const struct unpacking *u, const char *how, struct err *err)
{
    if (err->saved_errno)
        return -1;
    if (strstr(err->msg, "more than")) {
        _cleanup_free_ char *max = format_size(u->max), *size = format_size(u->total);
        err_hint(err, "%s of %s should not become more than %s: it may be made to fill the disk",
                 size, how, max);
    } else {
        err_hint(err, "the %s data is damaged or cut off: fetch the file again", how);
    }
    return err_wrap(err, "unpacking failed");
}

static int follow(struct child_io *c, struct unpacking *u, struct err *err)
{
    const char *v;
    for (char *line; (line = child_io_line(c, tell_unpacking, u, err));) {
        if ((v = child_io_value(line, "at"))) {
            (void)parse_uint(v, INT64_MAX, &u->done);
            tell_unpacking(u);
        } else if (child_io_value(line, "done")) {
            return 0;
        } else if (child_io_failed(line, u->name, ERR_IO, err)) {
            return -1;
        }
    }
    return err_is_set(err) ? -1 : child_io_died(c, err);
}

int image_unpack(int fd, const char *how, int dst_fd, const char *name, uint64_t max,
                 const struct image_report *r, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_set_errno(err, ERR_IO, "cannot look at '%s'", name);
    struct unpacking u = {r, name, 0, (uint64_t)st.st_size, max};
    if (!u.max)
        u.max = default_max(u.total);
    _cleanup_free_ char *limit = xasprintf("%llu", (unsigned long long)u.max);
    _cleanup_free_ char *room = xasprintf("%llu", (unsigned long long)room_for(dst_fd));
    const char *const argv[] = {"cima-unpack", how, limit, room, NULL};
    _cleanup_child_io_ struct child_io c = CHILD_IO_INIT;
    tell_unpacking(&u);
    if (child_io_start(argv, fd, dst_fd, -1, r, &c, err) < 0)
        return -1;
    if (follow(&c, &u, err) == 0)
        return 0;
    return err->kind == ERR_INTERRUPTED ? -1 : explain(&u, how, err);
}
