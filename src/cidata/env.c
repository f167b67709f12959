/* SPDX-License-Identifier: Apache-2.0 */
/* lima.env and param.env: what the boot scripts know of the instance (GS-06). Booleans are 1 or
 * empty; the scripts take 1 and true. */
#include "cidata/internal.h"
#include "base/mem.h"

static const char *flag(bool on)
{
    return on ? "1" : "";
}

static const char *text(const char *s, const char *otherwise)
{
    return s ? s : otherwise;
}

static int add_user(const struct cidata_input *in, struct sbuf *out, struct err *err)
{
    const struct config_user *u = &in->cfg->user;
    if (env_add(out, "LIMA_CIDATA_USER", text(u->name, ""), err) < 0 ||
        env_addf(out, err, "LIMA_CIDATA_UID", "%lld", (long long)u->uid) < 0 ||
        env_add(out, "LIMA_CIDATA_COMMENT", text(u->comment, ""), err) < 0 ||
        env_add(out, "LIMA_CIDATA_HOME", text(u->home, ""), err) < 0 ||
        env_add(out, "LIMA_CIDATA_SHELL", text(u->shell, ""), err) < 0 ||
        env_add(out, "LIMA_CIDATA_PASSWORDLESS_SUDO",
                u->passwordless_sudo == TRI_FALSE ? "false" : "1", err) < 0)
        return -1;
    return 0;
}

/* Where the guest finds the host's home, when it is mounted. */
static const char *home_mount_point(const struct cidata_input *in)
{
    for (unsigned i = 0; i < in->cfg->mounts_count; i++)
        if (streq0(in->cfg->mounts[i].location, in->host->home))
            return in->cfg->mounts[i].mount_point;
    return NULL;
}

static int add_mounts(const struct cidata_input *in, struct sbuf *out, struct err *err)
{
    const struct config_instance *c = in->cfg;
    const char *home = home_mount_point(in);
    if ((home && env_add(out, "LIMA_CIDATA_HOSTHOME_MOUNTPOINT", home, err) < 0) ||
        env_addf(out, err, "LIMA_CIDATA_MOUNTS", "%u", c->mounts_count) < 0)
        return -1;
    for (unsigned i = 0; i < c->mounts_count; i++) {
        const struct config_mount *m = &c->mounts[i];
        _cleanup_free_ char *name = xasprintf("LIMA_CIDATA_MOUNTS_%u_MOUNTPOINT", i);
        if (env_add(out, name, text(m->mount_point, text(m->location, "")), err) < 0)
            return -1;
    }
    return env_add(out, "LIMA_CIDATA_MOUNTTYPE", text(c->mount_type, ""), err);
}

static int add_disk(const struct config_disk *d, unsigned i, struct sbuf *out, struct err *err)
{
    _cleanup_sbuf_ struct sbuf args = SBUF_INIT;
    for (unsigned k = 0; k < d->fs_args_count; k++)
        sbuf_addf(&args, "%s%s", k ? " " : "", d->fs_args[k]);
    const struct {
        const char *name, *value;
    } values[] = {
        {"NAME", text(d->name, "")},
        {"FORMAT", d->format == TRI_FALSE ? "false" : "true"},
        {"FSTYPE", text(d->fs_type, "ext4")},
        {"FSARGS", sbuf_str(&args)},
    };
    for (size_t k = 0; k < ARRAY_SIZE(values); k++) {
        _cleanup_free_ char *name = xasprintf("LIMA_CIDATA_DISK_%u_%s", i, values[k].name);
        if (env_add(out, name, values[k].value, err) < 0)
            return -1;
    }
    /* vda is the instance's own disk. */
    _cleanup_free_ char *name = xasprintf("LIMA_CIDATA_DISK_%u_DEVICE", i);
    return env_addf(out, err, name, "vd%c", (char)('b' + i));
}

static int add_disks(const struct cidata_input *in, struct sbuf *out, struct err *err)
{
    const struct config_instance *c = in->cfg;
    if (c->additional_disks_count > 'z' - 'b' + 1)
        return err_set(err, ERR_CONFIG, "%u additional disks are more than the guest can name",
                       c->additional_disks_count);
    if (env_addf(out, err, "LIMA_CIDATA_DISKS", "%u", c->additional_disks_count) < 0)
        return -1;
    for (unsigned i = 0; i < c->additional_disks_count; i++)
        if (add_disk(&c->additional_disks[i], i, out, err) < 0)
            return -1;
    return 0;
}

static int add_group(struct sbuf *out, const char *prefix, unsigned i,
                     const char *const (*values)[2], size_t n, struct err *err)
{
    for (size_t k = 0; k < n; k++) {
        _cleanup_free_ char *name = xasprintf("LIMA_CIDATA_%s_%08u_%s", prefix, i, values[k][0]);
        if (env_add(out, name, values[k][1], err) < 0)
            return -1;
    }
    return 0;
}

static int add_provisions(const struct cidata_input *in, struct sbuf *out, struct err *err)
{
    bool skip_default = false;
    for (unsigned i = 0; i < in->cfg->provision_count; i++) {
        const struct config_provision *p = &in->cfg->provision[i];
        const char *const data[][2] = {
            {"OVERWRITE", p->overwrite == TRI_FALSE ? "false" : "true"},
            {"OWNER", text(p->owner, "root:root")},
            {"PATH", text(p->path, "")},
            {"PERMISSIONS", text(p->permissions, "644")},
        };
        const char *const yq[][2] = {
            {"FORMAT", text(p->format, "auto")},
            {"OWNER", text(p->owner, "root:root")},
            {"PATH", text(p->path, "")},
            {"PERMISSIONS", text(p->permissions, "644")},
        };
        if (p->mode == PROVISION_DEPENDENCY && p->skip_default_dependency_resolution == TRI_TRUE)
            skip_default = true;
        if (p->mode == PROVISION_DATA &&
            add_group(out, "DATAFILE", i, data, ARRAY_SIZE(data), err) < 0)
            return -1;
        if (p->mode == PROVISION_YQ &&
            add_group(out, "YQ_PROVISION", i, yq, ARRAY_SIZE(yq), err) < 0)
            return -1;
    }
    return env_add(out, "LIMA_CIDATA_SKIP_DEFAULT_DEPENDENCY_RESOLUTION", flag(skip_default), err);
}

static int add_network(const struct cidata_input *in, struct sbuf *out, struct err *err)
{
    if (env_add(out, "LIMA_CIDATA_SLIRP_DNS", SLIRP_DNS, err) < 0 ||
        env_add(out, "LIMA_CIDATA_SLIRP_GATEWAY", SLIRP_GATEWAY, err) < 0 ||
        env_add(out, "LIMA_CIDATA_SLIRP_IP_ADDRESS", SLIRP_GUEST, err) < 0 ||
        env_addf(out, err, "LIMA_CIDATA_UDP_DNS_LOCAL_PORT", "%u", in->udp_dns_port) < 0 ||
        env_addf(out, err, "LIMA_CIDATA_TCP_DNS_LOCAL_PORT", "%u", in->tcp_dns_port) < 0)
        return -1;
    return 0;
}

static int add_switches(const struct cidata_input *in, struct sbuf *out, struct err *err)
{
    const struct config_instance *c = in->cfg;
    const char *const values[][2] = {
        {"LIMA_CIDATA_GUEST_INSTALL_PREFIX", text(c->guest_install_prefix, "/usr/local")},
        {"LIMA_CIDATA_UPGRADE_PACKAGES", flag(c->upgrade_packages == TRI_TRUE)},
        {"LIMA_CIDATA_CONTAINERD_USER", flag(c->containerd.user == TRI_TRUE)},
        {"LIMA_CIDATA_CONTAINERD_SYSTEM", flag(c->containerd.system == TRI_TRUE)},
        {"LIMA_CIDATA_CONTAINERD_ARCHIVE", ""},
        {"LIMA_CIDATA_ROSETTA_ENABLED", flag(c->rosetta.enabled == TRI_TRUE)},
        {"LIMA_CIDATA_ROSETTA_BINFMT", flag(c->rosetta.binfmt == TRI_TRUE)},
        {"LIMA_CIDATA_VMTYPE", text(c->vm_type, "qemu")},
        {"LIMA_CIDATA_VSOCK_PORT", "0"},
        {"LIMA_CIDATA_VIRTIO_PORT", ""},
        {"LIMA_CIDATA_PLAIN", flag(c->plain == TRI_TRUE)},
        {"LIMA_CIDATA_NO_CLOUD_INIT", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        if (env_add(out, values[i][0], values[i][1], err) < 0)
            return -1;
    return 0;
}

int cidata_lima_env(const struct cidata_input *in, struct sbuf *out, struct err *err)
{
    if (env_add(out, "LIMA_CIDATA_DEBUG", flag(in->debug), err) < 0 ||
        env_add(out, "LIMA_CIDATA_IID", in->boot_id, err) < 0 ||
        env_add(out, "LIMA_CIDATA_NAME", in->instance_name, err) < 0 ||
        add_user(in, out, err) < 0 || add_mounts(in, out, err) < 0 || add_disks(in, out, err) < 0 ||
        add_provisions(in, out, err) < 0 || add_network(in, out, err) < 0 ||
        add_switches(in, out, err) < 0)
        return -1;
    return 0;
}

int cidata_param_env(const struct cidata_input *in, struct sbuf *out, struct err *err)
{
    for (unsigned i = 0; i < in->cfg->param_count; i++) {
        const struct config_kv *kv = &in->cfg->param[i];
        _cleanup_free_ char *name = xasprintf("PARAM_%s", kv->key);
        if (env_add(out, name, text(kv->value, ""), err) < 0)
            return err_wrap(err, "param");
    }
    return 0;
}
