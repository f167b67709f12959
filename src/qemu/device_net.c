/* SPDX-License-Identifier: Apache-2.0 */
/* Networks and their cards. */
#include "qemu/making.h"
#include "base/enum.h"

static const char *const cima_net_type_names[] = {
    [CIMA_NET_USER] = "user",     [CIMA_NET_TAP] = "tap",       [CIMA_NET_MACVTAP] = "macvtap",
    [CIMA_NET_BRIDGE] = "bridge", [CIMA_NET_STREAM] = "stream", [CIMA_NET_SOCKET] = "socket",
};
ENUM_STRINGS_DEFINE(cima_net_type, CIMA_NET_TYPE_COUNT)

static const char *type_name(unsigned t)
{
    return cima_net_type_to_string((enum cima_net_type)t);
}

static bool is_tap(const struct cima_net *x)
{
    return x->type == CIMA_NET_TAP || x->type == CIMA_NET_MACVTAP;
}

/* ---- the host's side ------------------------------------------------------------------------- */

static void set_vhost(struct making *m, struct cima_opts *o, const struct cima_net *x)
{
    if (!x->vhost) {
        unwanted(m, x->n_vhost_fds, "vhost_fds", "is for `vhost` only");
        return;
    }
    cima_opts_bool(o, "vhost", true);
    if (!x->n_vhost_fds)
        return;
    if (x->n_vhost_fds != x->n_fds)
        doubtful(m, "vhost_fds", "must be as many as `fds`");
    set_fds(m, o, "vhostfds", "vhost_fds", x->vhost_fds, x->n_vhost_fds);
}

/* S2-12, S2-16 to S2-18: vhost's descriptors have their numbers before the others. */
static struct cima_opts *tap(struct making *m, const struct cima_net *x)
{
    struct cima_opts *o = cima_opts_new("type", "tap");

    cima_opts_str(o, "id", x->id);
    if (need_text(m, "ifname", x->ifname) && strlen(x->ifname) > 15)
        fault(m, "ifname", "must have at most 15 bytes");
    if (x->type == CIMA_NET_MACVTAP && !x->n_fds)
        fault(m, "fds", "is missing: a macvtap is handed over by descriptors");
    set_vhost(m, o, x);
    if (x->n_fds) {
        set_fds(m, o, "fds", "fds", x->fds, x->n_fds);
        unwanted(m, x->script || x->down_script, x->script ? "script" : "down_script",
                 "is for a tap by its name only");
        return o;
    }
    cima_opts_str(o, "ifname", x->ifname);
    set_text(m, o, "downscript", "down_script", x->down_script);
    set_text(m, o, "script", "script", x->script);
    return o;
}

static void set_words(struct making *m, struct cima_opts *o, const char *key, const char *field,
                      const char *const *words)
{
    for (size_t i = 0; words && words[i]; i++)
        if (need_text(m, field, words[i]))
            cima_opts_list(o, key, words[i]);
}

static struct cima_opts *user(struct making *m, const struct cima_net *x)
{
    const struct cima_netdev_user n = {.id = x->id, .net = x->net, .dhcp_start = x->dhcp_start};
    struct cima_opts *o;

    has_text(m, "net", x->net);
    has_text(m, "dhcp_start", x->dhcp_start);
    o = cima_netdev_user(&n);
    set_text(m, o, "host", "host", x->host);
    set_text(m, o, "dns", "dns", x->dns);
    set_text(m, o, "hostname", "hostname", x->hostname);
    set_text(m, o, "domainname", "domain", x->domain);
    set_text(m, o, "tftp", "tftp", x->tftp);
    set_text(m, o, "bootfile", "bootfile", x->bootfile);
    set_flag(o, "restrict", x->restrict_guest);
    set_switch(m, o, "ipv6", "ipv6", x->ipv6);
    set_words(m, o, "hostfwd", "hostfwd", x->hostfwd);
    set_words(m, o, "dnssearch", "dns_search", x->dns_search);
    return o;
}

static struct cima_opts *bridge(struct making *m, const struct cima_net *x)
{
    const char *name = has_text(m, "bridge", x->bridge) ? x->bridge : NULL;
    struct cima_opts *o = cima_netdev_bridge(x->id, name);

    set_text(m, o, "helper", "helper", x->helper);
    return o;
}

/* A switch behind a stream: by a descriptor, or by a path where QEMU has that. */
static struct cima_opts *stream(struct making *m, const struct cima_net *x)
{
    bool old = x->type == CIMA_NET_SOCKET;
    struct cima_opts *o = cima_opts_new("type", type_name(x->type)), *addr;

    cima_opts_str(o, "id", x->id);
    if (x->n_fds > 1 || (!x->n_fds && old))
        fault(m, "fds", "must be one connected socket");
    if (!x->n_fds && !old)
        need_text(m, "path", x->path);
    unwanted(m, x->path && (x->n_fds || old), "path", "is for a stream without descriptor only");
    unwanted(m, x->server && (x->n_fds || old), "server", "is for a stream by its path only");
    if (m->failed)
        return o;
    if (old) {
        set_fd(m, o, "fd", "fds", x->fds[0]);
        return o;
    }
    cima_opts_bool(o, "server", x->server && !x->n_fds);
    addr = cima_opts_nested(o, "addr");
    cima_opts_str(addr, "type", x->n_fds ? "fd" : "unix");
    if (x->n_fds)
        set_fd(m, addr, "str", "fds", x->fds[0]);
    else
        cima_opts_str(addr, "path", x->path);
    return o;
}

/* What another type has. */
static void unwanted_fields(struct making *m, const struct cima_net *x)
{
    if (!is_tap(x)) {
        unwanted(m, x->ifname, "ifname", "is for a tap only");
        unwanted(m, x->vhost || x->n_vhost_fds, "vhost", "is for a tap only");
        unwanted(m, x->script || x->down_script, "script", "is for a tap only");
    }
    if (!is_tap(x) && x->type != CIMA_NET_STREAM && x->type != CIMA_NET_SOCKET)
        unwanted(m, x->n_fds, "fds", "is for a tap or a stream only");
    if (x->type != CIMA_NET_BRIDGE)
        unwanted(m, x->bridge || x->helper, "bridge", "is for the type bridge only");
    if (x->type != CIMA_NET_USER) {
        unwanted(m, x->hostfwd, "hostfwd", "is for the user network only");
        unwanted(m, x->net || x->dhcp_start, "net", "is for the user network only");
    }
}

static struct cima_opts *backend(struct making *m, const struct cima_net *x)
{
    unwanted_fields(m, x);
    switch (x->type) {
    case CIMA_NET_TAP:
    case CIMA_NET_MACVTAP:
        return tap(m, x);
    case CIMA_NET_BRIDGE:
        return bridge(m, x);
    case CIMA_NET_STREAM:
    case CIMA_NET_SOCKET:
        return stream(m, x);
    default:
        return user(m, x);
    }
}

/* ---- the guest's side ------------------------------------------------------------------------ */

/* S2-13, S2-15. */
static void make_card(struct making *m, const struct cima_net *x)
{
    bool virtio = !x->model;
    struct cima_opts *o;

    has_text(m, "model", x->model);
    has_mac(m, "mac", x->mac);
    if (m->failed)
        return;
    o = cima_nic(x->place.transport, x->id, x->mac);
    if (x->model)
        cima_opts_str(o, "driver", x->model);
    if (virtio && is_tap(x) && x->n_fds) {
        cima_opts_bool(o, "mq", true);
        if (x->place.transport == CIMA_TRANSPORT_PCI)
            cima_opts_int(o, "vectors", 2 * (int64_t)x->n_fds + 2);
    }
    if (virtio)
        set_number(m, o, "host_mtu", "mtu", x->mtu, 65535);
    else
        unwanted(m, x->mtu, "mtu", "is for virtio only");
    set_place(m, o, &x->place, PLACE_PCI | PLACE_BOOT | (virtio ? (unsigned)PLACE_VIRTIO : 0));
    part(m, "-device", o);
}

void make_net(struct making *m, const struct cima_net *x)
{
    struct cima_opts *o;

    making_name(m, "network device", x->id);
    if (!need_enum(m, "type", x->type, CIMA_NET_TYPE_COUNT, type_name) ||
        !good_transport(m, &x->place))
        return;
    if (!need_id(m, "id", x->id))
        return;
    o = backend(m, x);
    part(m, "-netdev", o);
    make_card(m, x);
}

DEFINE_ADD(net)
