/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/gather_disks.h"
#include "base/fs.h"
#include "base/mem.h"
#include "image/image.h"
#include "sys/lock.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>

void qemu_plan_disks_free(struct qemu_plan_disk *disks, size_t n)
{
    for (size_t i = 0; disks && i < n; i++) {
        free(disks[i].path);
        free(disks[i].format);
        free(disks[i].lock);
    }
    free(disks);
}

/* The instance directory that a disk's link names, when a machine of it runs; else NULL. A link that
 * is left over says nothing. Caller frees. */
static char *holder(const struct qemu_disk_search *s, const char *lock)
{
    _cleanup_free_ char *link = path_rooted(s->root, lock), *pidfile = NULL;
    char target[PATH_MAX];
    ssize_t n = readlink(link, target, sizeof(target) - 1);

    if (n <= 0)
        return NULL;
    target[n] = '\0';
    if (streq(target, s->inst->dir))
        return NULL;
    pidfile = path_join(target, inst_file_name(INST_QEMU_PID));
    return lock_posix_holder(pidfile) > 0 ? xstrdup(target) : NULL;
}

/* Format of a disk; kept: what it was at first, or NULL. Static text or kept; NULL with err. */
static const char *look_at(const struct qemu_disk_search *s, const char *name, const char *path,
                           const char *kept, struct err *err)
{
    _cleanup_free_ char *full = path_rooted(s->root, path);
    _cleanup_close_ int fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct image_info info;

    if (fd < 0 && errno == ENOENT) {
        err_set(err, ERR_NOT_FOUND, "'%s' does not exist", path);
        err_hint(err, "make its directory, and the disk with `qemu-img create -f qcow2 %s 10G`; "
                      "or take '%s' out of `additionalDisks`", path, name);
        return NULL;
    }
    if (fd < 0) {
        err_set_errno(err, ERR_IO, "opening '%s' failed", path);
        return NULL;
    }
    /* A raw disk may begin with whatever its guest likes. */
    if (kept && streq(kept, "raw"))
        return kept;
    if (image_check_adoptable(fd, path, &info, err) < 0)
        return NULL;
    if (info.compressed) {
        err_set(err, ERR_UNSUPPORTED, "'%s' is compressed", path);
        err_hint(err, "unpack it first");
        return NULL;
    }
    /* An ISO is a raw disk for who may write to it. */
    return info.format == IMAGE_ISO ? "raw" : image_format_to_string(info.format);
}

static int find_disk(const struct qemu_disk_search *s, const char *name, struct qemu_plan_disk *ret,
                     struct err *err)
{
    _cleanup_free_ char *dir = store_disk_dir(s->store, name), *user = NULL;
    const char *kept = json_get_str(s->formats, name), *format;

    ret->path = path_join(dir, "datadisk");
    ret->lock = path_join(dir, "in_use_by");
    user = holder(s, ret->lock);
    if (user) {
        err_set(err, ERR_BUSY, "could not attach disk '%s', it is in use by instance '%s'", name,
                path_basename(user));
        return err_hint(err, "stop '%s' first", path_basename(user));
    }
    format = look_at(s, name, ret->path, kept, err);
    if (!format)
        return err_wrap(err, "could not load disk '%s'", name);
    ret->format = xstrdup(format);
    if (!kept)
        json_set_str(s->formats, name, format);
    return 0;
}

int qemu_find_disks(const struct qemu_disk_search *s, struct qemu_plan_disk **ret, struct err *err)
{
    size_t n = s->cfg->additional_disks_count;
    struct qemu_plan_disk *disks = xcalloc(n + 1, sizeof(*disks));

    for (size_t i = 0; i < n; i++)
        if (find_disk(s, s->cfg->additional_disks[i].name, &disks[i], err) < 0) {
            qemu_plan_disks_free(disks, n);
            return err_wrap(err, "field `additionalDisks[%zu]`", i);
        }
    *ret = disks;
    return 0;
}
