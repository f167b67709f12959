/* SPDX-License-Identifier: Apache-2.0 */
/* The disk of an instance, out of its image: at creation, and at a start that finds none (after a
 * factory reset; in a directory whose disk was removed or never made). */
#include "base/fs.h"
#include "base/mem.h"
#include "instance/internal.h"
#include <fcntl.h>

/* Also a link that leads nowhere: to a disk on a drive that is not mounted now. */
static bool has_entry(const struct instance *i, enum inst_file f)
{
    _cleanup_free_ char *path = instance_path(i, f);
    struct stat st;

    return lstat(path, &st) == 0;
}

int inst_make_disk(const struct inst_env *env, const struct instance *i,
                   const struct config_instance *cfg, const struct image_result *image,
                   const struct inst_report *r, struct err *err)
{
    struct driver_ctx ctx = {.store = env->store, .inst = i, .cfg = cfg, .host = env->host};
    const struct driver *driver = inst_driver(cfg, err);
    _cleanup_json_ struct json *facts = driver ? instance_facts_read(i, err) : NULL;

    if (!facts)
        return -1;
    inst_step(r, "making the disk");
    if (driver->create_disk(&ctx, image, facts, err) < 0)
        return -1;
    return instance_facts_write(i, facts, err);
}

int inst_fetch_image(const struct inst_env *env, const struct instance *i,
                     const struct config_instance *cfg, const char *base_dir,
                     const struct inst_report *r, struct image_result *ret, struct err *err)
{
    const struct image_report fetching = {r->note, r->transfer, r->interrupted, r->arg};

    inst_step(r, "preparing the image");
    return image_prepare(env->store, cfg, base_dir, i, &fetching, ret, err);
}

/* The image is placed last, so that one that is there has its kernel with it. */
static bool adopt_image(const struct instance *i, const struct inst_report *r,
                        struct image_result *ret)
{
    _cleanup_free_ char *path = instance_path(i, INST_IMAGE);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    _cleanup_err_ struct err err = ERR_INIT;
    struct image_result found = {
        .has_kernel = instance_has(i, INST_KERNEL),
        .has_initrd = instance_has(i, INST_INITRD),
    };

    if (fd < 0)
        return false;
    if (image_check_adoptable(fd, path, &found.info, &err) < 0) {
        _cleanup_free_ char *why = err_line(&err);

        inst_note(r, LOG_WARN, "%s; getting the image anew", why);
        return false;
    }
    *ret = found;
    return true;
}

int inst_ensure_disk(const struct inst_env *env, const struct instance *i,
                     const struct config_instance *cfg, const struct inst_report *r,
                     struct err *err)
{
    struct image_result image;

    /* The disk of an older Lima is somebody's data, too. */
    if (has_entry(i, INST_DISK) || has_entry(i, INST_OLD_DIFF))
        return 0;
    /* The facts go with a factory reset: where they are, somebody has removed the disk by hand. */
    if (instance_has(i, INST_FACTS))
        inst_note(r, LOG_WARN, "The disk of `%s` is gone; making a new one from the image",
                  i->name);
    else
        inst_note(r, LOG_INFO, "The instance `%s` has no disk yet; making one from the image",
                  i->name);
    if (!adopt_image(i, r, &image) && inst_fetch_image(env, i, cfg, i->dir, r, &image, err) < 0)
        return err_wrap(err, "cannot make the disk of instance `%s`", i->name);
    if (inst_make_disk(env, i, cfg, &image, r, err) < 0)
        return err_wrap(err, "cannot make the disk of instance `%s`", i->name);
    return 0;
}
