/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults of the lists: mounts, networks, images, provisioning, probes, files. */
#include "config/fill.h"
#include "base/fs.h"
#include "base/mem.h"

/* ---- mounts ---------------------------------------------------------------------------------- */

/* `~` and `~/x`, and a path without ".", ".." and double slashes. */
static char *clean_location(struct fill *f, const char *path)
{
    const char *home = f->ctx->host->home;
    _cleanup_free_ char *expanded = NULL, *clean = NULL;

    if (*path == '~' && (!path[1] || path[1] == '/') && home)
        expanded = xasprintf("%s%s", home, path + 1);
    else
        expanded = xstrdup(path);
    if (*expanded != '/')
        return cfg_strdup(f->c->arena, expanded); /* validate.c refuses it */
    clean = path_normalise("/", expanded);
    return cfg_strdup(f->c->arena, clean);
}

static void fill_mount_names(struct fill *f, struct config_mount *m, unsigned i)
{
    if (!m->location)
        m->location = cfg_strdup(f->c->arena, "");
    m->set |= CFG_BIT(mount, location);
    fill_expand(f, &f->host, &m->location, "mounts[%u].location", i);
    m->location = clean_location(f, m->location);
    if (CFG_HAS(m, mount, mount_point)) {
        fill_expand(f, &f->guest, &m->mount_point, "mounts[%u].mountPoint", i);
        return;
    }
    m->mount_point = m->location;
}

void fill_mounts(struct fill *f)
{
    struct config_instance *v = f->v;

    for (unsigned i = 0; i < v->mounts_count; i++)
        fill_mount_names(f, &v->mounts[i], i);
    config_combine_mounts(f->c);
    for (unsigned i = 0; i < v->mounts_count; i++) {
        struct config_mount *m = &v->mounts[i];

        m->mount_point = CFG_HAS(m, mount, mount_point) ? m->mount_point : m->location;
        m->set |= CFG_BIT(mount, mount_point);
        FILL_STR(f, &m->ninep, ninep, cache, m->writable == TRI_TRUE ? "mmap" : "fscache");
    }
}

/* ---- networks -------------------------------------------------------------------------------- */

void fill_networks(struct fill *f)
{
    struct config_instance *v = f->v;
    const struct config_context *ctx = f->ctx;
    const char *dir = ctx->instance_dir ? ctx->instance_dir : "";
    _cleanup_free_ char *file =
        ctx->yaml_path ? xstrdup(ctx->yaml_path) : xasprintf("%s/lima.yaml", dir);

    config_combine_networks(f->c);
    for (unsigned i = 0; i < v->networks_count; i++) {
        struct config_network *n = &v->networks[i];

        if (str_empty(n->mac_address)) {
            _cleanup_free_ char *id = xasprintf("%s#%u", file, i);
            _cleanup_free_ char *mac = config_mac_address(ctx->host, id);

            n->mac_address = cfg_strdup(f->c->arena, mac);
            n->set |= CFG_BIT(network, mac_address);
        }
        if (str_empty(n->interface)) {
            n->interface = cfg_printf(f->c->arena, "lima%u", i);
            n->set |= CFG_BIT(network, interface);
        }
        FILL_VALUE(n, network, metric, 100);
    }
}

/* ---- images ---------------------------------------------------------------------------------- */

/* A file always has a location, if an empty one, and an architecture. */
#define FILL_FILE(f, ptr, st, text)              \
    do {                                         \
        if (str_empty((ptr)->arch)) {            \
            (ptr)->set &= ~CFG_BIT(st, arch);    \
            FILL_STR(f, ptr, st, arch, text);    \
        }                                        \
        FILL_STR(f, ptr, st, location, "");      \
    } while (0)

void fill_images(struct fill *f)
{
    struct config_instance *v = f->v;

    for (unsigned i = 0; i < v->images_count; i++) {
        struct config_image *m = &v->images[i];

        FILL_FILE(f, m, image, v->arch);
        if (CFG_HAS(m, image, kernel))
            FILL_FILE(f, &m->kernel, kernel, m->arch);
        if (CFG_HAS(m, image, initrd))
            FILL_FILE(f, &m->initrd, file_ref, m->arch);
    }
    for (unsigned i = 0; i < v->firmware.images_count; i++)
        FILL_FILE(f, &v->firmware.images[i], firmware_image, v->arch);
    for (unsigned i = 0; i < v->additional_disks_count; i++)
        FILL_STR(f, &v->additional_disks[i], disk, name, "");
}

/* ---- containerd ------------------------------------------------------------------------------ */

/* nerdctl-full, the release that Lima 2.2 installs. */
#define NERDCTL_URL "https://github.com/containerd/nerdctl/releases/download/v2.3.5/" \
                    "nerdctl-full-2.3.5-linux-"
static const struct config_file_ref nerdctl_archives[] = {
    {.location = (char *)NERDCTL_URL "amd64.tar.gz",
     .arch = (char *)"x86_64",
     .digest = (char *)"sha256:b697295c623639734aaab737523c808fd3cc8d3046039fd94fff1744e4c317aa"},
    {.location = (char *)NERDCTL_URL "arm64.tar.gz",
     .arch = (char *)"aarch64",
     .digest = (char *)"sha256:6e4b687f1d138e750a3c8372abc0f81d3d7490b6359c48c0562fc7dfe98859b2"},
};

void fill_containerd(struct fill *f)
{
    struct config_instance *v = f->v;
    struct config_containerd *c = &v->containerd;
    bool can = streq(v->os, "Linux") && (streq(v->arch, "x86_64") || streq(v->arch, "aarch64"));

    FILL_VALUE(c, containerd, user, can ? TRI_TRUE : TRI_FALSE);
    if (!c->archives_count) {
        c->archives = cfg_alloc(f->c->arena, ARRAY_SIZE(nerdctl_archives), sizeof(*c->archives));
        memcpy(c->archives, nerdctl_archives, sizeof(nerdctl_archives));
        c->archives_count = ARRAY_SIZE(nerdctl_archives);
        c->set |= CFG_BIT(containerd, archives);
        for (unsigned i = 0; i < c->archives_count; i++)
            c->archives[i].set = CFG_BIT(file_ref, location) | CFG_BIT(file_ref, arch) |
                                 CFG_BIT(file_ref, digest);
    }
    for (unsigned i = 0; i < c->archives_count; i++)
        FILL_FILE(f, &c->archives[i], file_ref, v->arch);
}

/* ---- provisioning and probes ----------------------------------------------------------------- */

static void fill_provision_file(struct fill *f, struct config_provision *p)
{
    bool linux_guest = streq(f->v->os, "Linux");

    FILL_STR(f, p, provision, owner, linux_guest ? "root:root" : "root:wheel");
    FILL_STR(f, p, provision, permissions, "644");
}

void fill_provision(struct fill *f)
{
    for (unsigned i = 0; i < f->v->provision_count; i++) {
        struct config_provision *p = &f->v->provision[i];

        FILL_VALUE(p, provision, mode, PROVISION_SYSTEM);
        FILL_STR(f, p, provision, script, "");
        if (p->mode == PROVISION_DEPENDENCY)
            FILL_VALUE(p, provision, skip_default_dependency_resolution, TRI_FALSE);
        if (p->mode == PROVISION_DATA) {
            FILL_STR(f, p, provision, content, "");
            FILL_VALUE(p, provision, overwrite, TRI_TRUE);
            fill_provision_file(f, p);
        }
        if (p->mode == PROVISION_YQ) {
            FILL_STR(f, p, provision, format, "auto");
            fill_provision_file(f, p);
        }
        fill_expand(f, &f->guest, &p->script, "provision[%u].script", i);
        fill_expand(f, &f->guest, &p->content, "provision[%u].content", i);
        fill_expand(f, &f->guest, &p->owner, "provision[%u].owner", i);
        fill_expand(f, &f->guest, &p->path, "provision[%u].path", i);
        fill_expand(f, &f->guest, &p->permissions, "provision[%u].permissions", i);
        fill_expand(f, &f->guest, &p->expression, "provision[%u].expression", i);
    }
}

void fill_probes(struct fill *f)
{
    unsigned n = f->v->probes_count;

    for (unsigned i = 0; i < n; i++) {
        struct config_probe *p = &f->v->probes[i];

        if (str_empty(p->mode))
            p->set &= ~CFG_BIT(probe, mode);
        FILL_STR(f, p, probe, script, "");
        if (str_empty(p->description)) {
            p->description = cfg_printf(f->c->arena, "user probe %u/%u", i + 1, n);
            p->set |= CFG_BIT(probe, description);
        }
        if (str_empty(p->hint))
            p->set &= ~CFG_BIT(probe, hint);
        fill_expand(f, &f->guest, &p->script, "probes[%u].script", i);
    }
}

/* ---- forwards and copies --------------------------------------------------------------------- */

static void set_range(struct fill *f, char ***range, unsigned *count, const char *first,
                      const char *last)
{
    char **v = cfg_alloc(f->c->arena, 2, sizeof(*v));

    v[0] = cfg_strdup(f->c->arena, first);
    v[1] = cfg_strdup(f->c->arena, last);
    *range = v;
    *count = 2;
}

/* A range has two entries from here on: what is missing reads as 0, and both 0 is no range. */
static bool has_range(struct fill *f, char ***range, unsigned *count)
{
    if (*count < 2)
        set_range(f, range, count, *count ? (*range)[0] : "0", "0");
    return !streq((*range)[0], "0") || !streq((*range)[1], "0");
}

static void fill_forward_ports(struct fill *f, struct config_port_forward *p)
{
    _cleanup_free_ char *guest = xasprintf("%lld", (long long)p->guest_port);
    _cleanup_free_ char *host = xasprintf("%lld", (long long)p->host_port);

    if (!has_range(f, &p->guest_port_range, &p->guest_port_range_count))
        set_range(f, &p->guest_port_range, &p->guest_port_range_count, p->guest_port ? guest : "1",
                  p->guest_port ? guest : "65535");
    if (!has_range(f, &p->host_port_range, &p->host_port_range_count)) {
        if (p->host_port)
            set_range(f, &p->host_port_range, &p->host_port_range_count, host, host);
        else if (str_empty(p->host_socket))
            set_range(f, &p->host_port_range, &p->host_port_range_count, p->guest_port_range[0],
                      p->guest_port_range[1]);
    }
    p->set |= CFG_BIT(port_forward, guest_port_range) | CFG_BIT(port_forward, host_port_range);
}

static void fill_forward(struct fill *f, struct config_port_forward *p, unsigned i)
{
    struct config_arena *a = f->c->arena;

    if (str_empty(p->proto)) {
        p->set &= ~CFG_BIT(port_forward, proto);
        FILL_STR(f, p, port_forward, proto, "any");
    }
    FILL_STR(f, p, port_forward, guest_ip,
             p->guest_ip_must_be_zero == TRI_TRUE ? "0.0.0.0" : "127.0.0.1");
    FILL_VALUE(p, port_forward, guest_ip_must_be_zero,
               streq(p->guest_ip, "0.0.0.0") ? TRI_TRUE : TRI_FALSE);
    FILL_STR(f, p, port_forward, host_ip, "127.0.0.1");
    fill_forward_ports(f, p);
    fill_expand(f, &f->guest, &p->guest_socket, "portForwards[%u].guestSocket", i);
    fill_expand(f, &f->host, &p->host_socket, "portForwards[%u].hostSocket", i);
    if (!str_empty(p->host_socket) && *p->host_socket != '/')
        p->host_socket = cfg_printf(a, "%s/sock/%s",
                                    f->ctx->instance_dir ? f->ctx->instance_dir : "",
                                    p->host_socket);
}

void fill_forwards(struct fill *f)
{
    for (unsigned i = 0; i < f->v->port_forwards_count; i++)
        fill_forward(f, &f->v->port_forwards[i], i);
}

void fill_copies(struct fill *f)
{
    for (unsigned i = 0; i < f->v->copy_to_host_count; i++) {
        struct config_copy_to_host *p = &f->v->copy_to_host[i];

        fill_expand(f, &f->guest, &p->guest, "copyToHost[%u].guest", i);
        fill_expand(f, &f->host, &p->host, "copyToHost[%u].host", i);
    }
}

/* ---- driver ---------------------------------------------------------------------------------- */

static bool is_unsupported(const struct config_instance *v, const char *mount_type)
{
    for (unsigned i = 0; i < v->mount_types_unsupported_count; i++)
        if (streq(v->mount_types_unsupported[i], mount_type))
            return true;
    return false;
}

/* What the QEMU driver settles (S1-13, S1-14, S1-21 to S1-24): values without a bit. */
void fill_driver(struct fill *f)
{
    struct config_instance *v = f->v;
    struct config_arena *a = f->c->arena;

    if (str_empty(v->video.vnc.display)) {
        v->video.vnc.display = cfg_strdup(a, "127.0.0.1:0,to=9");
        v->video.vnc.set &= ~CFG_BIT(vnc, display);
    }
    if (str_empty(v->mount_type) || streq(v->mount_type, "default")) {
        bool fall_back =
            is_unsupported(v, "9p") || config_older_than(f->ctx->existing_version, 1, 0);

        /* The word is still shown as it was written. */
        v->null &= ~CFG_BIT(instance, mount_type);
        if (streq0(v->mount_type, "default"))
            v->null |= CFG_BIT(instance, mount_type);
        v->mount_type = cfg_strdup(a, fall_back ? "reverse-sshfs" : "9p");
        v->set &= ~CFG_BIT(instance, mount_type);
    }
    for (unsigned i = 0; streq(v->mount_type, "virtiofs") && i < v->mounts_count; i++)
        if (!CFG_HAS(&v->mounts[i].virtiofs, virtiofs, queue_size))
            v->mounts[i].virtiofs.queue_size = 1024;
}

/* ---- plain ----------------------------------------------------------------------------------- */

void fill_plain(struct fill *f)
{
    struct config_instance *v = f->v;
    unsigned kept = 0;

    if (v->plain != TRI_TRUE)
        return;
    for (unsigned i = 0; i < v->port_forwards_count; i++)
        if (v->port_forwards[i].static_ == TRI_TRUE)
            v->port_forwards[kept++] = v->port_forwards[i];
    v->port_forwards_count = kept;
    v->mounts_count = 0;
    v->containerd.system = v->containerd.user = TRI_FALSE;
    v->containerd.set |= CFG_BIT(containerd, system) | CFG_BIT(containerd, user);
    v->timezone = cfg_strdup(f->c->arena, "");
}
