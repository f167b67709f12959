/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that add devices of a kind which only a running machine has use for. */
#include "qemu/commands_internal.h"
#include "qemu/making.h"

/* ---- SCSI (Q-13) ----------------------------------------------------------------------------- */

static void set_romfile(struct cima_opts *o, const char *romfile)
{
    if (romfile && streq(romfile, CIMA_NO_ROM))
        cima_opts_empty(o, "romfile");
    else
        cima_opts_str(o, "romfile", romfile);
}

/* As cima_place has it, which is decimal; "0x1f.2" is QEMU's own form. false: it is neither, which
 * the call then says. */
static bool set_addr(struct cima_opts *o, const char *addr, struct cima_qmp_call *call)
{
    unsigned slot, function;

    if (!addr)
        return true;
    if (str_starts(addr, "0x")) {
        cima_opts_str(o, "addr", addr);
        return true;
    }
    if (pci_addr(addr, &slot, &function) && slot <= PCI_SLOT_MAX) {
        set_pci_addr(o, slot, function);
        return true;
    }
    *call = qmp_command("device_add", NULL);
    err_set(qmp_problem(call), ERR_CONFIG, "`addr` " PCI_ADDR_RULE ", got '%s'", addr);
    cima_opts_free(o);
    return false;
}

static struct cima_qmp_call invalid_scsi(const char *driver)
{
    struct cima_qmp_call call = qmp_command("device_add", NULL);

    err_set(qmp_problem(&call), ERR_CONFIG, "invalid SCSI driver provided %s",
            driver ? driver : "");
    return call;
}

static struct cima_qmp_call no_medium(const char *driver)
{
    struct cima_qmp_call call = qmp_command("device_add", NULL);

    err_set(qmp_problem(&call), ERR_CONFIG, "a medium is for a SCSI device, '%s' is a controller",
            driver);
    return call;
}

static struct cima_qmp_call scsi_controller(const struct cima_scsi_unit *u)
{
    struct cima_qmp_call wrong;
    struct cima_opts *o;

    if (u->node || u->has_target || u->has_lun)
        return no_medium(u->driver);
    o = cima_opts_new("driver", u->driver);
    cima_opts_str(o, "id", u->id);
    cima_opts_str(o, "bus", u->bus);
    if (!set_addr(o, u->addr, &wrong))
        return wrong;
    cima_opts_str(o, "iothread", u->iothread);
    set_romfile(o, u->romfile);
    if (u->disable_modern)
        cima_opts_bool(o, "disable-modern", true);
    return cima_cmd_device_add(o);
}

struct cima_qmp_call cima_cmd_scsi_add(const struct cima_scsi_unit *u)
{
    static const char *const devices[] = {"scsi-hd", "scsi-cd", "scsi-block", "scsi-generic", NULL};
    static const char *const controllers[] = {"virtio-scsi-pci", "virtio-scsi-ccw",
                                              "virtio-scsi-device", NULL};
    struct cima_opts *o;

    if (str_is_one_of(u->driver, controllers))
        return scsi_controller(u);
    if (!str_is_one_of(u->driver, devices))
        return invalid_scsi(u->driver);
    o = cima_opts_new("driver", u->driver);
    cima_opts_str(o, "id", u->id);
    cima_opts_str(o, "bus", u->bus);
    cima_opts_str(o, "drive", u->node);
    if (u->has_target)
        cima_opts_int(o, "scsi-id", u->target);
    if (u->has_lun)
        cima_opts_int(o, "lun", u->lun);
    if (u->share_rw)
        cima_opts_bool(o, "share-rw", true);
    return cima_cmd_device_add(o);
}

/* ---- network (Q-14) -------------------------------------------------------------------------- */

static void set_names(struct cima_opts *o, const char *key, const char *const *names)
{
    _cleanup_sbuf_ struct sbuf joined = SBUF_INIT;

    for (size_t i = 0; names && names[i]; i++)
        sbuf_addf(&joined, "%s%s", i ? ":" : "", names[i]);
    if (joined.len)
        cima_opts_str(o, key, sbuf_str(&joined));
}

struct cima_qmp_call cima_cmd_netdev_tap_add(const struct cima_tap *t)
{
    struct cima_opts *o = cima_opts_new("type", "tap");

    cima_opts_str(o, "id", t->id);
    cima_opts_str(o, "ifname", t->ifname);
    cima_opts_str(o, "script", t->script);
    cima_opts_str(o, "downscript", t->down_script);
    if (t->queues > 1)
        cima_opts_int(o, "queues", t->queues);
    set_names(o, "fds", t->fd_names);
    if (t->vhost_fd_names && t->vhost_fd_names[0]) {
        cima_opts_bool(o, "vhost", true);
        set_names(o, "vhostfds", t->vhost_fd_names);
    }
    return cima_cmd_netdev_add(o);
}

struct cima_qmp_call cima_cmd_netdev_vhost_user_add(const char *id, const char *chardev,
                                                    unsigned queues)
{
    struct cima_opts *o = cima_opts_new("type", "vhost-user");

    cima_opts_str(o, "id", id);
    cima_opts_str(o, "chardev", chardev);
    if (queues > 1)
        cima_opts_int(o, "queues", queues);
    return cima_cmd_netdev_add(o);
}

struct cima_qmp_call cima_cmd_card_add(const struct cima_card *n)
{
    const struct cima_place *p = &n->place;
    struct cima_opts *o = cima_nic(p->transport, n->netdev, n->mac);
    struct cima_qmp_call wrong;

    cima_opts_str(o, "id", p->id);
    cima_opts_str(o, "bus", p->bus);
    cima_opts_str(o, "devno", p->devno);
    if (!set_addr(o, p->addr, &wrong))
        return wrong;
    set_romfile(o, p->romfile);
    if (p->disable_modern)
        cima_opts_bool(o, "disable-modern", true);
    if (p->iommu_platform)
        cima_opts_bool(o, "iommu_platform", true);
    if (p->boot_index > 0)
        cima_opts_int(o, "bootindex", p->boot_index);
    if (n->queues)
        cima_opts_bool(o, "mq", true);
    /* N to send, N to receive, the control queue, changes of the configuration. */
    if (n->queues && p->transport == CIMA_TRANSPORT_PCI)
        cima_opts_int(o, "vectors", 2 * (int64_t)n->queues + 2);
    return cima_cmd_device_add(o);
}

/* ---- processors (Q-15) ----------------------------------------------------------------------- */

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && streq(s + n - m, end);
}

struct cima_qmp_call cima_cmd_cpu_add(const char *driver, const char *id,
                                      const struct cima_cpu_place *p)
{
    bool x86 = ends_with(driver, "-x86_64-cpu") || ends_with(driver, "-i386-cpu");
    bool s390x = ends_with(driver, "-s390x-cpu");
    bool ppc = ends_with(driver, "-powerpc64-cpu") || ends_with(driver, "-spapr-cpu-core");
    const struct {
        const char *key;
        int64_t value;
        bool known;
    } parts[] = {{"node-id", p->node, true},
                 {"drawer-id", p->drawer, s390x},
                 {"book-id", p->book, s390x},
                 {"socket-id", p->socket, !s390x && !ppc},
                 {"die-id", p->die, x86},
                 {"cluster-id", p->cluster, !x86 && !s390x && !ppc},
                 {"module-id", p->module, x86},
                 {"core-id", p->core, true},
                 {"thread-id", p->thread, !s390x && !ppc}};
    struct cima_opts *o = cima_opts_new("driver", driver);

    cima_opts_str(o, "id", id);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        if (parts[i].value >= 0 && parts[i].known)
            cima_opts_int(o, parts[i].key, parts[i].value);
    return cima_cmd_device_add(o);
}
