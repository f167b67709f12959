/* SPDX-License-Identifier: Apache-2.0 */
/* A picture of the screen: QEMU writes it into the directory of the instance, under a name that
 * nobody can know before. Newer ones write PNG, all write PPM. */
#include "base/fs.h"
#include "base/mem.h"
#include "driver/qemu/picture.h"
#include "driver/qemu/tools.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>

/* The guest chooses how large its screen is. One of 7680 × 4320 points (8K) takes 100 MB. */
#define FILE_MAX (128U << 20)

int qemu_shot_begin(const struct instance *inst, struct driver_shot *s, struct json **ret_args,
                    struct err *err)
{
    uint64_t number[2];

    if (getrandom(number, sizeof(number), 0) != (ssize_t)sizeof(number))
        return err_set_errno(err, ERR_IO, "could not choose a name for the picture");
    if (s->path)
        unlink(s->path);
    free(s->path);
    /* .tmp: what a killed command leaves is swept. */
    s->path = xasprintf("%s/screenshot-%016llx%016llx.tmp", inst->dir,
                        (unsigned long long)number[0], (unsigned long long)number[1]);
    s->name = inst->name;
    s->command = "screendump";
    if (s->format != PICTURE_PNG)
        s->plain = true;
    *ret_args = json_object_new();
    json_set_str(*ret_args, "filename", s->path);
    if (!s->plain)
        json_set_str(*ret_args, "format", "png");
    return 0;
}

static int explain(struct driver_shot *s, const struct err *failure, struct err *err)
{
    const char *why = failure->msg;

    if (failure->kind != ERR_QEMU || !why)
        return err_copy(err, failure);
    /* QEMU before 7.1 does not know the argument, one without libpng refuses it. */
    if (!s->plain && (strstr(why, "'format'") || strstr(why, "PNG"))) {
        s->plain = true;
        return 1;
    }
    if (strstr(why, "no console") || strstr(why, "No console") || strstr(why, "no surface")) {
        err_set(err, ERR_STATE, "the machine has no screen: there is nothing to take a picture of");
        return err_hint(err, "`cima restart %s --set '.video.display=\"vnc\"'` gives it one; "
                             "`cima console %s` shows its serial console",
                        s->name, s->name);
    }
    return err_copy(err, failure);
}

static int read_picture(const char *path, char **ret, size_t *ret_len, struct err *err)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_set_errno(err, ERR_IO, "QEMU has written no picture: opening '%s'", path);
    if (!S_ISREG(st.st_mode) || st.st_size == 0)
        return err_set(err, ERR_PROTOCOL, "QEMU has written no picture into '%s'", path);
    *ret = fd_read_all(fd, path, FILE_MAX, ret_len, err);
    return *ret ? 0 : -1;
}

int qemu_shot_end(struct driver_shot *s, const struct err *failure, struct sbuf *ret,
                  struct err *err)
{
    _cleanup_free_ char *data = NULL;
    size_t len = 0;

    if (failure)
        return explain(s, failure, err);
    if (read_picture(s->path, &data, &len, err) < 0)
        return -1;
    if (s->plain)
        return picture_convert(data, len, s->format, ret, err);
    sbuf_add(ret, data, len);
    return 0;
}
