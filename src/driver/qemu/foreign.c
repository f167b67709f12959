/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/foreign.h"
#include "base/fs.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>

static bool is_there(const struct instance *inst, enum inst_file f)
{
    _cleanup_free_ char *path = instance_path(inst, f);
    struct stat st;

    return lstat(path, &st) == 0;
}

bool qemu_disk_is_old(const struct instance *inst)
{
    return !is_there(inst, INST_DISK) && is_there(inst, INST_OLD_DIFF);
}

char *qemu_disk_path(const struct instance *inst)
{
    return instance_path(inst, qemu_disk_is_old(inst) ? INST_OLD_DIFF : INST_DISK);
}

static int open_base(const struct instance *inst, enum inst_file f, struct image_info *ret,
                     struct err *err)
{
    _cleanup_free_ char *path = instance_path(inst, f);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0)
        return err_set_errno(err, ERR_IO, "opening '%s' failed", path);
    if (image_inspect_fd(fd, path, ret, err) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

bool qemu_iso_is_old(const struct instance *inst)
{
    _cleanup_close_ int fd = -1;
    struct image_info info;

    if (!qemu_disk_is_old(inst) || is_there(inst, INST_ISO))
        return false;
    fd = open_base(inst, INST_OLD_BASE, &info, NULL);
    return fd >= 0 && info.format == IMAGE_ISO;
}

/* ---- a disk on an image ---------------------------------------------------------------------- */

static bool is_same_dir(const char *a, const char *b)
{
    struct stat sa, sb;

    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

/* The image in the instance's directory that the text in the disk's header means. */
static int own_base(const struct instance *inst, const char *backing, enum inst_file *ret)
{
    static const enum inst_file bases[] = {INST_IMAGE, INST_OLD_BASE};
    _cleanup_free_ char *dir = *backing == '/' ? path_dirname(backing) : xstrdup(inst->dir);
    const char *name = *backing == '/' ? path_basename(backing) : backing;

    for (size_t k = 0; k < ARRAY_SIZE(bases); k++)
        if (streq(name, inst_file_name(bases[k])) && is_same_dir(dir, inst->dir)) {
            *ret = bases[k];
            return 0;
        }
    return -1;
}

static int refuse_backing(const struct instance *inst, const char *path, const char *backing,
                          struct err *err)
{
    _cleanup_free_ char *here = path_join(inst->dir, path_basename(backing));

    err_set(err, ERR_PERMISSION,
            "the disk '%s' refers to another file ('%s'), so it could make QEMU open any file of "
            "the host",
            path, backing);
    if (path_exists(here) && *backing == '/')
        return err_hint(err,
                        "was the directory moved? in it, `qemu-img rebase -u -F FORMAT -b %s %s` "
                        "puts the disk on its image again",
                        path_basename(backing), path_basename(path));
    return err_hint(err, "if you trust it, make it self-contained: qemu-img convert -O qcow2 DISK "
                         "NEW");
}

static int check_base(const struct instance *inst, enum inst_file base, const char *path,
                      const char *format, struct err *err)
{
    _cleanup_free_ char *base_path = instance_path(inst, base);
    _cleanup_close_ int fd = -1;
    struct image_info info;

    fd = open_base(inst, base, &info, err);
    if (fd < 0)
        return err_wrap(err, "the image of the disk '%s'", path);
    if (info.has_backing || info.has_external_data)
        return err_set(err, ERR_PERMISSION, "the image '%s' refers to another file", base_path);
    /* Without a name QEMU would guess: what a raw image holds was written by somebody else. */
    if (format && (streq(format, "raw") || streq(format, image_format_to_string(info.format))))
        return 0;
    err_set(err, ERR_PERMISSION, "the disk '%s' does not say which format its image '%s' has", path,
            base_path);
    return err_hint(err, "in that directory, `qemu-img rebase -u -F %s -b %s %s` adds it",
                    info.format == IMAGE_QCOW2 ? "qcow2" : "raw", path_basename(base_path),
                    path_basename(path));
}

static int check_backing(const struct instance *inst, int fd, const char *path, struct err *err)
{
    _cleanup_free_ char *backing = NULL, *format = NULL;
    enum inst_file base;

    if (image_backing_fd(fd, path, &backing, &format, err) < 0)
        return -1;
    if (!backing || own_base(inst, backing, &base) < 0)
        return refuse_backing(inst, path, backing ? backing : "?", err);
    return check_base(inst, base, path, format, err);
}

int qemu_disk_inspect(int fd, const char *path, struct image_info *ret, struct err *err)
{
    if (image_inspect_fd(fd, path, ret, err) == 0)
        return 0;
    if (err && err->kind == ERR_IO && !err->saved_errno)
        err_hint(err, "copy the file first; `qemu-img check '%s'` tells what is wrong and can "
                      "repair some of it (-r)",
                 path);
    return -1;
}

const char *qemu_disk_foreign_format(const struct instance *inst, int fd, const char *path,
                                     struct err *err)
{
    struct image_info info;

    if (qemu_disk_inspect(fd, path, &info, err) < 0)
        return NULL;
    if (info.has_external_data || (info.has_backing && info.format != IMAGE_QCOW2)) {
        err_set(err, ERR_PERMISSION, "the disk '%s' refers to another file; it was not made here",
                path);
        return NULL;
    }
    if (info.has_backing && check_backing(inst, fd, path, err) < 0)
        return NULL;
    /* A raw disk may begin like anything. */
    return info.format == IMAGE_ISO ? "raw" : image_format_to_string(info.format);
}
