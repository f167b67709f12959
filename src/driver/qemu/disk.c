/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/disk.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sys/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#define QEMU_IMG_MS 120000
#define SECTOR      512

/* argv without its first word. */
static int qemu_img(const char *cwd, const struct strv *args, struct err *err)
{
    _cleanup_free_ char *program = find_program("qemu-img");
    _cleanup_strv_ struct strv argv = STRV_INIT;
    struct spawn s = SPAWN_INIT;

    if (!program) {
        err_set(err, ERR_NOT_FOUND, "qemu-img not found in PATH");
        return err_hint(err, "install the package 'qemu-utils'");
    }
    strv_push(&argv, program);
    strv_extend(&argv, args);
    s.argv = (const char *const *)strv_argv(&argv);
    s.cwd = cwd;
    s.umask_ = 077;
    return run_checked(&s, QEMU_IMG_MS, err);
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

int qemu_disk_grow(const char *path, const char *format, uint64_t bytes, struct err *err)
{
    _cleanup_strv_ struct strv args = STRV_INIT;

    strv_pushl(&args, "resize", "-q", "-f", format, path, NULL);
    strv_pushf(&args, "%" PRIu64, bytes);
    if (qemu_img(NULL, &args, err) < 0)
        return err_wrap(err, "enlarging '%s'", path);
    return 0;
}

int qemu_disk_copy_vars(const char *from, const char *from_format, const char *to, struct err *err)
{
    _cleanup_free_ char *temp = xasprintf("%s.tmp", to);
    _cleanup_strv_ struct strv args = STRV_INIT;

    strv_pushl(&args, "convert", "-f", from_format, "-O", "qcow2", from, temp, NULL);
    if (finish(temp, to, qemu_img(NULL, &args, err), err) < 0)
        return err_wrap(err, "copying the firmware's variables '%s'", from);
    return 0;
}
