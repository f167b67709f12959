/* SPDX-License-Identifier: Apache-2.0 */
/* Buses, devices of the host, and the small ones. */
#include "qemu/making.h"
#include "base/enum.h"
#include <ctype.h>

static const char *const cima_bridge_type_names[] = {
    [CIMA_BRIDGE_PCI] = "pci",
    [CIMA_BRIDGE_PCIE] = "pcie",
};
ENUM_STRINGS_DEFINE(cima_bridge_type, CIMA_BRIDGE_TYPE_COUNT)

static const char *const cima_port_kind_names[] = {
    [CIMA_PORT_ROOT] = "root",
    [CIMA_PORT_UPSTREAM] = "upstream",
    [CIMA_PORT_DOWNSTREAM] = "downstream",
};
ENUM_STRINGS_DEFINE(cima_port_kind, CIMA_PORT_KIND_COUNT)

static const char *port_kind(unsigned k)
{
    return cima_port_kind_to_string((enum cima_port_kind)k);
}

static const char *const cima_vfio_kind_names[] = {
    [CIMA_VFIO_PCI] = "pci",
    [CIMA_VFIO_CCW] = "ccw",
    [CIMA_VFIO_AP] = "ap",
};
ENUM_STRINGS_DEFINE(cima_vfio_kind, CIMA_VFIO_KIND_COUNT)

static const char *vfio_kind(unsigned k)
{
    return cima_vfio_kind_to_string((enum cima_vfio_kind)k);
}

static const char *bridge_type(unsigned t)
{
    return cima_bridge_type_to_string((enum cima_bridge_type)t);
}

static void set_reserves(struct cima_opts *o, uint64_t io, uint64_t mem, uint64_t pref64)
{
    if (io)
        cima_opts_size(o, "io-reserve", io);
    if (mem)
        cima_opts_size(o, "mem-reserve", mem);
    if (pref64)
        cima_opts_size(o, "pref64-reserve", pref64);
}

/* S2-28, S2-29, B-CHASSIS: only the PCI bridge has a chassis and a hot-plug controller. */
void make_bridge(struct making *m, const struct cima_bridge *x)
{
    bool pci = x->type == CIMA_BRIDGE_PCI;
    struct cima_opts *o;

    making_name(m, "bridge", x->place.id);
    if (!need_enum(m, "type", x->type, CIMA_BRIDGE_TYPE_COUNT, bridge_type))
        return;
    need_id(m, "id", x->place.id);
    need_text(m, "bus", x->place.bus);
    o = cima_opts_new("driver", pci ? "pci-bridge" : "pcie-pci-bridge");
    set_place(m, o, &x->place, PLACE_PCI);
    if (pci) {
        if (need_number(m, "chassis", x->chassis, 1, 255))
            cima_opts_int(o, "chassis_nr", x->chassis);
        cima_opts_bool(o, "shpc", x->shpc);
        set_reserves(o, x->io_reserve, x->mem_reserve, x->pref64_reserve);
    } else {
        unwanted(m, x->chassis, "chassis", "is for the type pci only");
        unwanted(m, x->shpc, "shpc", "is for the type pci only");
        unwanted(m, x->io_reserve || x->mem_reserve || x->pref64_reserve, "mem_reserve",
                 "is for the type pci only");
    }
    part(m, "-device", o);
}

static void set_root_reserves(struct making *m, struct cima_opts *o, const struct cima_root_port *x)
{
    if (x->kind != CIMA_PORT_ROOT) {
        unwanted(m,
                 x->bus_reserve || x->io_reserve || x->mem_reserve || x->pref64_reserve ||
                     x->pref32_reserve,
                 "bus_reserve", "and what else is reserved are for root ports only");
        return;
    }
    set_number(m, o, "bus-reserve", "bus_reserve", x->bus_reserve, 255);
    set_reserves(o, x->io_reserve, x->mem_reserve, x->pref64_reserve);
    if (x->pref32_reserve && x->pref64_reserve)
        fault(m, "pref32_reserve", "can't go with `pref64_reserve`");
    else if (x->pref32_reserve)
        cima_opts_size(o, "pref32-reserve", x->pref32_reserve);
}

void make_root_port(struct making *m, const struct cima_root_port *x)
{
    static const char *const drivers[] = {
        [CIMA_PORT_ROOT] = "pcie-root-port",
        [CIMA_PORT_UPSTREAM] = "x3130-upstream",
        [CIMA_PORT_DOWNSTREAM] = "xio3130-downstream",
    };
    struct cima_opts *o;

    making_name(m, "port", x->place.id);
    if (!need_enum(m, "kind", x->kind, CIMA_PORT_KIND_COUNT, port_kind))
        return;
    o = cima_opts_new("driver", drivers[x->kind]);
    need_id(m, "id", x->place.id);
    if (x->kind != CIMA_PORT_ROOT)
        need_text(m, "bus", x->place.bus);
    set_place(m, o, &x->place, PLACE_PCI);
    if (x->kind == CIMA_PORT_UPSTREAM) {
        unwanted(m, x->chassis || x->slot, x->chassis ? "chassis" : "slot",
                 "is for ports with a place for a device");
    } else {
        set_number(m, o, "chassis", "chassis", x->chassis, 255);
        set_number(m, o, "slot", "slot", x->slot, 65535);
    }
    set_number(m, o, "port", "port", x->port, 255);
    set_flag(o, "multifunction", x->multifunction);
    set_root_reserves(m, o, x);
    part(m, "-device", o);
}

static bool hex_digits(const char **c, size_t min, size_t max)
{
    size_t n = 0;

    while (isxdigit((unsigned char)(*c)[n]))
        n++;
    *c += n;
    return n >= min && n <= max;
}

/* "02:10.1", "0000:02:10.1". */
static bool pci_address(const char *c)
{
    const char *first = strchr(c, ':');

    if (first && strchr(first + 1, ':') && (!hex_digits(&c, 1, 4) || *c++ != ':'))
        return false;
    return hex_digits(&c, 1, 2) && *c++ == ':' && hex_digits(&c, 1, 2) && *c++ == '.' &&
           *c >= '0' && *c <= '7' && !c[1];
}

/* Which device of the host it is. */
static void set_host(struct making *m, struct cima_opts *o, const struct cima_vfio *x)
{
    bool pci = x->kind == CIMA_VFIO_PCI;

    if (x->host && !pci)
        fault(m, "host", "is for the kind pci only");
    else if (x->host && x->sysfsdev)
        fault(m, "host", "is there twice: `sysfsdev` is given");
    else if (pci && !x->sysfsdev && need_text(m, "host", x->host) && !pci_address(x->host))
        fault(m, "host", "must be a PCI address such as 0000:02:10.1");
    else if (!pci || x->sysfsdev)
        need_text(m, "sysfsdev", x->sysfsdev);
    if (m->failed)
        return;
    cima_opts_str(o, "host", x->host);
    cima_opts_str(o, "sysfsdev", x->sysfsdev);
}

/* What only the PCI devices have. */
static void set_vfio_pci(struct making *m, struct cima_opts *o, const struct cima_vfio *x)
{
    if (x->kind != CIMA_VFIO_PCI) {
        unwanted(m, x->multifunction, "multifunction", "is for the kind pci only");
        unwanted(m, x->vendor_id || x->device_id, x->vendor_id ? "vendor_id" : "device_id",
                 "is for the kind pci only");
        return;
    }
    set_flag(o, "multifunction", x->multifunction);
    if (x->vendor_id)
        cima_opts_strf(o, "x-pci-vendor-id", "0x%04x", x->vendor_id);
    if (x->device_id)
        cima_opts_strf(o, "x-pci-device-id", "0x%04x", x->device_id);
}

/* S2-27. */
void make_vfio(struct making *m, const struct cima_vfio *x)
{
    static const unsigned has[] = {
        [CIMA_VFIO_PCI] = PLACE_PCI | PLACE_BOOT,
        [CIMA_VFIO_CCW] = PLACE_CCW | PLACE_BOOT,
        [CIMA_VFIO_AP] = 0,
    };
    _cleanup_free_ char *driver = NULL;
    struct cima_opts *o;

    making_name(m, "VFIO device", x->host ? x->host : x->sysfsdev);
    if (!need_enum(m, "kind", x->kind, CIMA_VFIO_KIND_COUNT, vfio_kind))
        return;
    driver = xasprintf("vfio-%s", vfio_kind(x->kind));
    o = cima_opts_new("driver", driver);
    set_host(m, o, x);
    set_vfio_pci(m, o, x);
    if (has_id(m, "iommufd", x->iommufd))
        cima_opts_str(o, "iommufd", x->iommufd);
    set_place(m, o, &x->place, has[x->kind]);
    part(m, "-device", o);
}

void make_iommufd(struct making *m, const struct cima_iommufd *x)
{
    struct cima_opts *o = cima_opts_new("qom-type", "iommufd");

    making_name(m, "iommufd", x->id);
    if (need_id(m, "id", x->id))
        cima_opts_str(o, "id", x->id);
    if (x->fd)
        set_fd(m, o, "fd", "fd", x->fd);
    part(m, "-object", o);
}

void make_iommu(struct making *m, const struct cima_iommu *x)
{
    struct cima_opts *o = cima_opts_new("driver", "intel-iommu");

    making_name(m, "IOMMU", x->id);
    if (has_id(m, "id", x->id))
        cima_opts_str(o, "id", x->id);
    set_switch_text(m, o, "intremap", "interrupt_remapping", x->interrupt_remapping);
    set_flag(o, "device-iotlb", x->device_iotlb);
    set_flag(o, "caching-mode", x->caching_mode);
    part(m, "-device", o);
}

void make_balloon(struct making *m, const struct cima_balloon *x)
{
    struct cima_opts *o;

    making_name(m, "balloon", x->place.id);
    if (!good_transport(m, &x->place) || !need_id(m, "id", x->place.id))
        return;
    o = cima_virtio(x->place.transport, "balloon");
    set_flag(o, "deflate-on-oom", x->deflate_on_oom);
    set_flag(o, "free-page-reporting", x->free_page_reporting);
    set_place(m, o, &x->place, PLACE_PCI | PLACE_VIRTIO);
    part(m, "-device", o);
}

void make_vsock(struct making *m, const struct cima_vsock *x)
{
    _cleanup_free_ char *driver = NULL;
    struct cima_opts *o;

    making_name(m, "vsock device", x->place.id);
    if (!good_transport(m, &x->place) || !need_id(m, "id", x->place.id))
        return;
    driver = xasprintf("vhost-vsock-%s", cima_transport_to_string(x->place.transport));
    o = cima_opts_new("driver", driver);
    if (need_number(m, "guest_cid", x->guest_cid, 3, UINT32_MAX - 1))
        cima_opts_int(o, "guest-cid", (int64_t)x->guest_cid);
    if (x->vhost_fd)
        set_fd(m, o, "vhostfd", "vhost_fd", x->vhost_fd);
    set_place(m, o, &x->place, PLACE_PCI | PLACE_VIRTIO);
    part(m, "-device", o);
}

void make_pvpanic(struct making *m, const struct cima_pvpanic *x)
{
    struct cima_opts *o = cima_opts_new("driver", x->isa ? "pvpanic" : "pvpanic-pci");

    making_name(m, "panic device", x->place.id);
    set_place(m, o, &x->place, x->isa ? 0 : PLACE_PCI);
    part(m, "-device", o);
}

void make_gpu(struct making *m, const struct cima_gpu *x)
{
    bool virtio = !x->model || str_starts(x->model, "virtio-");
    struct cima_opts *o;

    making_name(m, "screen", x->place.id);
    if (!good_transport(m, &x->place))
        return;
    o = cima_virtio(x->place.transport, "gpu");
    set_text(m, o, "driver", "model", x->model);
    set_place(m, o, &x->place, PLACE_PCI | (virtio ? (unsigned)PLACE_VIRTIO : 0));
    part(m, "-device", o);
}

void make_loader(struct making *m, const struct cima_loader *x)
{
    struct cima_opts *o = cima_opts_new("driver", "loader");

    making_name(m, "loader", x->id);
    if (need_id(m, "id", x->id))
        cima_opts_str(o, "id", x->id);
    if (need_text(m, "file", x->file))
        cima_opts_str(o, "file", x->file);
    if (x->has_addr)
        cima_opts_strf(o, "addr", "0x%llx", (unsigned long long)x->addr);
    if (x->has_cpu)
        cima_opts_int(o, "cpu-num", x->cpu);
    set_flag(o, "force-raw", x->force_raw);
    part(m, "-device", o);
}

DEFINE_ADD(bridge)
DEFINE_ADD(root_port)
DEFINE_ADD(vfio)
DEFINE_ADD(iommufd)
DEFINE_ADD(iommu)
DEFINE_ADD(balloon)
DEFINE_ADD(vsock)
DEFINE_ADD(pvpanic)
DEFINE_ADD(gpu)
DEFINE_ADD(loader)

/* ---- any device ------------------------------------------------------------------------------ */

void make_device(struct making *m, const struct cima_device *d)
{
    switch (d->kind) {
#define MAKE_CASE(KIND, name)                                                                      \
    case CIMA_DEVICE_##KIND:                                                                       \
        make_##name(m, d->is.as_##name);                                                           \
        return;
        CIMA_DEVICES(MAKE_CASE)
#undef MAKE_CASE
    case CIMA_DEVICE_KIND_COUNT:
        break;
    }
    fault(m, "kind", "is none of the devices there are");
}

DEFINE_ADD(device)
