/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/disk.h"
#include "base/fs.h"
#include "base/mem.h"
#include "driver/qemu/disk_native.h"
#include "driver/qemu/qemu_img.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#define QEMU_IMG_MS 120000
#define SECTOR      512

/* Of an image that names no further file (S01; whoever calls has checked that). */
static int run_qemu_img(const char *program, const struct strv *args, struct err *err)
{
    _cleanup_run_result_ struct run_result r = {0};

    return qemu_img(program, args, /* limited= */ true, QEMU_IMG_MS, &r, err);
}

static int rename_file(const char *from, const char *to, struct err *err)
{
    if (rename(from, to) < 0)
        return err_set_errno(err, ERR_IO, "renaming '%s' to '%s' failed", from, to);
    return 0;
}

/* A file is never half there: it gets its name when it is done. */
static int finish(const char *temp, const char *path, int r, struct err *err)
{
    if (r == 0)
        r = rename_file(temp, path, err);
    if (r < 0)
        unlink(temp);
    return r;
}

static uint64_t sectors_up(uint64_t bytes)
{
    return (bytes + SECTOR - 1) / SECTOR * SECTOR;
}

/* backing_format NULL: an empty disk. */
static int create_qcow2(const struct instance *inst, const char *backing_format, uint64_t bytes,
                        struct err *err)
{
    _cleanup_free_ char *disk = instance_path(inst, INST_DISK), *temp = xasprintf("%s.tmp", disk);
    const char *backing = backing_format ? inst_file_name(INST_IMAGE) : NULL;

    (void)unlink(temp); /* of a command that was killed */
    _cleanup_close_ int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set_errno(err, ERR_IO, "making '%s' failed", temp);
    int r = qcow2_create(fd, bytes, backing, backing_format, err);
    if (r == 0 && !inst->draft && fsync(fd) < 0)
        r = err_set_errno(err, ERR_IO, "writing '%s' failed", temp);
    return finish(temp, disk, r, err);
}

static int create_for_iso(const struct instance *inst, uint64_t bytes, struct err *err)
{
    _cleanup_free_ char *image = instance_path(inst, INST_IMAGE);
    _cleanup_free_ char *iso = instance_path(inst, INST_ISO);

    if (rename_file(image, iso, err) < 0)
        return -1;
    if (create_qcow2(inst, NULL, sectors_up(bytes), err) < 0) {
        (void)rename(iso, image);
        return -1;
    }
    return 0;
}

int qemu_disk_create(const struct instance *inst, const struct image_info *image, uint64_t bytes,
                     uint64_t *ret_minimum, struct err *err)
{
    _cleanup_free_ char *disk = instance_path(inst, INST_DISK);
    uint64_t minimum = image->format == IMAGE_ISO ? 0 : sectors_up(image->virtual_size);
    int r;

    if (path_exists(disk))
        return 0;
    if (image->format == IMAGE_ISO)
        r = create_for_iso(inst, bytes, err);
    else
        r = create_qcow2(inst, image_format_to_string(image->format),
                         sectors_up(bytes) > minimum ? sectors_up(bytes) : minimum, err);
    if (r < 0)
        return err_wrap(err, "creating the disk of '%s'", inst->name);
    *ret_minimum = minimum;
    return 1;
}

static int grow(const char *path, const char *format, uint64_t bytes, struct err *err)
{
    _cleanup_free_ char *program = find_program("qemu-img");
    _cleanup_strv_ struct strv args = STRV_INIT;
    _cleanup_close_ int fd = -1;

    /* A raw disk's content is the guest's (S02): nothing reads it here. */
    if (program && !streq(format, "raw")) {
        strv_pushl(&args, "resize", "-q", "-f", format, path, NULL);
        strv_pushf(&args, "%" PRIu64, bytes);
        return run_qemu_img(program, &args, err);
    }
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, ERR_IO, "opening '%s' failed", path);
    return disk_native_grow(fd, path, format, bytes, err);
}

int qemu_disk_grow(const char *path, const char *format, uint64_t bytes, struct err *err)
{
    return grow(path, format, bytes, err) < 0 ? err_wrap(err, "enlarging '%s'", path) : 0;
}

static int copy_vars(const char *from, const char *from_format, const char *temp, struct err *err)
{
    _cleanup_free_ char *program = find_program("qemu-img");
    _cleanup_strv_ struct strv args = STRV_INIT;
    _cleanup_close_ int in = -1, out = -1;

    if (program) {
        strv_pushl(&args, "convert", "-f", from_format, "-O", "qcow2", from, temp, NULL);
        return run_qemu_img(program, &args, err);
    }
    in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return err_set_errno(err, ERR_IO, "opening '%s' failed", from);
    out = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (out < 0)
        return err_set_errno(err, ERR_IO, "making '%s' failed", temp);
    /* A template that is a qcow2 already is copied as it is. */
    return streq(from_format, "raw") ? disk_native_to_qcow2(in, from, out, err)
                                     : fd_copy_content(in, out, err);
}

int qemu_disk_copy_vars(const char *from, const char *from_format, const char *to, struct err *err)
{
    _cleanup_free_ char *temp = xasprintf("%s.tmp", to);

    if (finish(temp, to, copy_vars(from, from_format, temp, err), err) < 0)
        return err_wrap(err, "copying the firmware's variables '%s'", from);
    return 0;
}
