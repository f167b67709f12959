/* SPDX-License-Identifier: Apache-2.0 */
/* Directories by 9p, and devices that another process drives over vhost-user. */
#include "qemu/making.h"
#include "base/enum.h"

static const char *const cima_9p_driver_names[] = {
    [CIMA_9P_LOCAL] = "local",
    [CIMA_9P_PROXY] = "proxy",
    [CIMA_9P_HANDLE] = "handle",
    [CIMA_9P_SYNTH] = "synth",
};
ENUM_STRINGS_DEFINE(cima_9p_driver, CIMA_9P_DRIVER_COUNT)

static const char *const cima_vhost_user_type_names[] = {
    [CIMA_VHOST_USER_NET] = "net",
    [CIMA_VHOST_USER_SCSI] = "scsi",
    [CIMA_VHOST_USER_BLK] = "blk",
    [CIMA_VHOST_USER_FS] = "fs",
};
ENUM_STRINGS_DEFINE(cima_vhost_user_type, CIMA_VHOST_USER_TYPE_COUNT)

static const char *fs_driver(unsigned d)
{
    return cima_9p_driver_to_string((enum cima_9p_driver)d);
}

static const char *vhost_type(unsigned t)
{
    return cima_vhost_user_type_to_string((enum cima_vhost_user_type)t);
}

/* ---- 9p -------------------------------------------------------------------------------------- */

#define MODELS "none|passthrough|mapped-xattr|mapped-file"

static void check_local(struct making *m, const struct cima_9p *x)
{
    need_text(m, "path", x->path);
    if (str_empty(x->security_model))
        fault(m, "security_model", "is missing: none, passthrough, mapped-xattr or mapped-file");
    else
        has_word(m, "security_model", x->security_model, MODELS);
    unwanted(m, x->socket, "socket", "is for the proxy only");
}

/* What other drivers have, in the forms of their time. */
static struct cima_opts *other_fsdev(struct making *m, const struct cima_9p *x)
{
    struct cima_opts *o = cima_opts_new("fsdriver", fs_driver(x->driver));

    cima_opts_str(o, "id", x->id);
    if (x->driver == CIMA_9P_HANDLE)
        doubtful(m, "driver", "'handle' is not in QEMU since 4.0: use local");
    if (x->driver == CIMA_9P_PROXY && !x->socket)
        doubtful(m, "path", "is nothing that the proxy has: it wants `socket`");
    if (x->driver != CIMA_9P_SYNTH && !x->socket && need_text(m, "path", x->path))
        cima_opts_str(o, "path", x->path);
    if (x->driver == CIMA_9P_PROXY)
        set_text(m, o, "socket", "socket", x->socket);
    else
        unwanted(m, x->socket, "socket", "is for the proxy only");
    if (has_word(m, "security_model", x->security_model, MODELS))
        cima_opts_str(o, "security_model", x->security_model);
    set_flag(o, "readonly", x->read_only);
    return o;
}

/* S2-03 to S2-05. */
void make_9p(struct making *m, const struct cima_9p *x)
{
    const struct cima_fs_local local = {
        .id = x->id,
        .path = x->path,
        .security_model = x->security_model,
        .read_only = x->read_only,
    };
    struct cima_opts *o;

    making_name(m, "file system", x->id);
    if (!need_enum(m, "driver", x->driver, CIMA_9P_DRIVER_COUNT, fs_driver) ||
        !good_transport(m, &x->place))
        return;
    need_id(m, "id", x->id);
    if (need_text(m, "mount_tag", x->mount_tag) && strlen(x->mount_tag) > 31)
        fault(m, "mount_tag", "must have at most 31 bytes");
    if (x->driver == CIMA_9P_LOCAL)
        check_local(m, x);
    has_word(m, "multidevs", x->multidevs, "remap|forbid|warn");
    if (m->failed)
        return;
    o = x->driver == CIMA_9P_LOCAL ? cima_fsdev_local(&local) : other_fsdev(m, x);
    cima_opts_str(o, "multidevs", x->multidevs);
    part(m, "-fsdev", o);
    o = cima_virtio_9p(x->place.transport, x->id, x->mount_tag);
    set_place(m, o, &x->place, PLACE_PCI | PLACE_VIRTIO);
    part(m, "-device", o);
}

/* ---- vhost-user ------------------------------------------------------------------------------ */

/* The network and its card. */
static void make_vhost_net(struct making *m, const struct cima_vhost_user *x)
{
    struct cima_opts *o = cima_opts_new("type", "vhost-user");

    cima_opts_str(o, "id", x->id);
    cima_opts_str(o, "chardev", x->chardev);
    cima_opts_bool(o, "vhostforce", true);
    set_number(m, o, "queues", "queues", x->queues, 1024);
    part(m, "-netdev", o);
    if (str_empty(x->mac))
        fault(m, "mac", "is missing");
    else
        has_mac(m, "mac", x->mac);
    o = cima_nic(x->place.transport, x->id, x->mac);
    if (x->queues > 1) {
        cima_opts_bool(o, "mq", true);
        if (x->place.transport == CIMA_TRANSPORT_PCI)
            cima_opts_int(o, "vectors", 2 * (int64_t)x->queues + 2);
    }
    set_place(m, o, &x->place, PLACE_PCI | PLACE_VIRTIO | PLACE_BOOT);
    part(m, "-device", o);
}

static struct cima_opts *vhost_device(const struct cima_vhost_user *x)
{
    _cleanup_free_ char *driver = xasprintf("vhost-user-%s-%s", vhost_type(x->type),
                                            cima_transport_to_string(x->place.transport));
    struct cima_opts *o;

    if (x->type == CIMA_VHOST_USER_FS)
        return cima_vhost_user_fs(x->place.transport, x->chardev, x->tag, x->queue_size);
    o = cima_opts_new("driver", driver);
    cima_opts_str(o, "chardev", x->chardev);
    return o;
}

static void make_vhost_device(struct making *m, const struct cima_vhost_user *x)
{
    static const char *const queues[] = {
        [CIMA_VHOST_USER_SCSI] = "num_queues",
        [CIMA_VHOST_USER_BLK] = "num-queues",
        [CIMA_VHOST_USER_FS] = "num-request-queues",
    };
    bool fs = x->type == CIMA_VHOST_USER_FS;
    struct cima_place place = x->place;
    struct cima_opts *o;

    if (fs && need_text(m, "tag", x->tag) && strlen(x->tag) > 36)
        fault(m, "tag", "must have at most 36 bytes");
    if (m->failed)
        return;
    o = vhost_device(x);
    if (!place.id)
        place.id = x->id;
    set_number(m, o, queues[x->type], "queues", x->queues, 1024);
    if (x->type == CIMA_VHOST_USER_BLK)
        set_number(m, o, "queue-size", "queue_size", x->queue_size, 32768);
    set_place(m, o, &place,
              PLACE_PCI | PLACE_VIRTIO | PLACE_BOOT | (fs ? (unsigned)PLACE_NO_MODERN : 0));
    part(m, "-device", o);
}

/* S2-24 to S2-26. */
void make_vhost_user(struct making *m, const struct cima_vhost_user *x)
{
    making_name(m, "vhost-user device", x->id);
    if (!need_enum(m, "type", x->type, CIMA_VHOST_USER_TYPE_COUNT, vhost_type) ||
        !good_transport(m, &x->place))
        return;
    if (x->type == CIMA_VHOST_USER_NET || x->type == CIMA_VHOST_USER_SCSI)
        need_id(m, "id", x->id);
    need_id(m, "chardev", x->chardev);
    if (!x->fd)
        need_text(m, "socket_path", x->socket_path);
    else if (x->socket_path)
        fault(m, "socket_path", "is there twice: a descriptor is given");
    if (m->failed)
        return;
    make_client_part(m, x->chardev, x->socket_path, x->fd);
    if (x->type != CIMA_VHOST_USER_FS)
        unwanted(m, x->tag, "tag", "is for file systems only");
    if (x->type == CIMA_VHOST_USER_NET) {
        make_vhost_net(m, x);
        return;
    }
    unwanted(m, !str_empty(x->mac), "mac", "is for networks only");
    make_vhost_device(m, x);
}

DEFINE_ADD(9p)
DEFINE_ADD(vhost_user)
