/* SPDX-License-Identifier: Apache-2.0 */
/* Directories of the host in the guest: 9p and virtiofs devices. reverse-sshfs needs none. */
#include "driver/qemu/plan_internal.h"
#include "base/fs.h"
#include "base/mem.h"

/* Where the directory is: '~' is the user's home. Caller frees. */
static char *host_path(const struct builder *b, const char *location)
{
    if (streq(location, "~"))
        return xstrdup(b->in->host->home);
    return str_starts(location, "~/") ? path_join(b->in->host->home, location + 2)
                                      : xstrdup(location);
}

static int check_security_model(struct builder *b, unsigned i, const char *model)
{
    static const char *const models[] = {"none", "passthrough", "mapped", "mapped-xattr",
                                         "mapped-file"};

    for (size_t k = 0; k < ARRAY_SIZE(models); k++)
        if (!model || streq(model, models[k]))
            return 0;
    err_set(b->err, ERR_CONFIG, "field `mounts[%u].9p.securityModel`: '%s' is not known", i, model);
    return err_hint(b->err, "one of none, passthrough, mapped-xattr, mapped-file");
}

static int mount_9p(struct builder *b, unsigned i)
{
    const struct config_mount *m = &b->in->cfg->mounts[i];
    const char *model = str_empty(m->ninep.security_model) ? NULL : m->ninep.security_model;
    _cleanup_free_ char *path = host_path(b, m->location), *id = xasprintf("fs%u", i);
    _cleanup_free_ char *tag = config_mount_tag(m);
    const struct cima_fs_local fs = {.id = id,
                                     .path = path,
                                     .security_model = model,
                                     .read_only = m->writable != TRI_TRUE,
                                     .remap_inodes = qemu_features_at_least(b->in->features, 4, 2)};

    if (check_security_model(b, i, model) < 0)
        return -1;
    plan_step(b, QEMU_STEP_MKDIR, path)->mode = 0755;
    cima_cmdline_opts(b->plan->cmdline, "-fsdev", cima_fsdev_local(&fs));
    if (plan_device(b, "mountType", cima_virtio_9p(b->arch->transport, id, tag)) < 0)
        return err_hint(b->err, "set `mountType: reverse-sshfs`");
    return 0;
}

static int mount_virtiofs(struct builder *b, unsigned i)
{
    const struct config_mount *m = &b->in->cfg->mounts[i];
    _cleanup_free_ char *path = host_path(b, m->location), *name = xasprintf("virtiofsd-%u", i);
    _cleanup_free_ char *chardev = xasprintf("char-virtiofs-%u", i), *tag = config_mount_tag(m);
    _cleanup_free_ char *sock = xasprintf("%s/%s.sock", b->in->inst->dir, name);
    struct qemu_helper *h;

    if (!b->in->virtiofsd) {
        err_set(b->err, ERR_NOT_FOUND, "field `mountType`: failed to locate virtiofsd");
        if (b->in->virtiofsd_problem)
            err_detail(b->err, b->in->virtiofsd_problem);
        return err_hint(b->err, "install virtiofsd (the one written in Rust), or set "
                                "`mountType: reverse-sshfs`");
    }
    plan_step(b, QEMU_STEP_MKDIR, path)->mode = 0755;
    h = plan_helper(b, name, b->in->virtiofsd, sock);
    strv_pushl(&h->argv, "--socket-path", sock, "--shared-dir", path, NULL);
    if (m->writable != TRI_TRUE && b->in->virtiofsd_read_only)
        strv_push(&h->argv, "--readonly");
    cima_cmdline_opts(b->plan->cmdline, "-chardev", cima_chardev_unix(chardev, sock));
    if (plan_device(
            b, "mountType",
            cima_vhost_user_fs(b->arch->transport, chardev, tag, m->virtiofs.queue_size)) < 0)
        return err_hint(b->err, "set `mountType: reverse-sshfs`");
    return 0;
}

int plan_mounts(struct builder *b)
{
    const struct config_instance *cfg = b->in->cfg;

    for (unsigned i = 0; i < cfg->mounts_count; i++) {
        int r = 0;

        if (streq0(cfg->mount_type, "9p"))
            r = mount_9p(b, i);
        else if (streq0(cfg->mount_type, "virtiofs"))
            r = mount_virtiofs(b, i);
        if (r < 0)
            return -1;
    }
    return 0;
}
