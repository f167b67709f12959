/* SPDX-License-Identifier: Apache-2.0 */
/* Character devices, the ports of the guest, and their controller. */
#include "qemu/making.h"
#include "base/enum.h"

static const char *const cima_char_backend_names[] = {
    [CIMA_CHAR_SOCKET] = "socket",   [CIMA_CHAR_PIPE] = "pipe",   [CIMA_CHAR_PTY] = "pty",
    [CIMA_CHAR_SERIAL] = "serial",   [CIMA_CHAR_TTY] = "tty",     [CIMA_CHAR_PARALLEL] = "parallel",
    [CIMA_CHAR_CONSOLE] = "console", [CIMA_CHAR_STDIO] = "stdio", [CIMA_CHAR_FILE] = "file",
    [CIMA_CHAR_NULL] = "null",       [CIMA_CHAR_VC] = "vc",       [CIMA_CHAR_RINGBUF] = "ringbuf",
};
ENUM_STRINGS_DEFINE(cima_char_backend, CIMA_CHAR_BACKEND_COUNT)

static const char *const cima_char_driver_names[] = {
    [CIMA_CHAR_VIRTCONSOLE] = "virtconsole", [CIMA_CHAR_VIRTSERIALPORT] = "virtserialport",
    [CIMA_CHAR_PCI_SERIAL] = "pci-serial",   [CIMA_CHAR_ISA_SERIAL] = "isa-serial",
    [CIMA_CHAR_USB_SERIAL] = "usb-serial",
};
ENUM_STRINGS_DEFINE(cima_char_driver, CIMA_CHAR_DRIVER_COUNT)

static const char *backend_name(unsigned b)
{
    return cima_char_backend_to_string((enum cima_char_backend)b);
}

static const char *driver_name(unsigned d)
{
    return cima_char_driver_to_string((enum cima_char_driver)d);
}

/* ---- back ends ------------------------------------------------------------------------------- */

/* Where it listens or connects to. */
static void set_address(struct making *m, struct cima_opts *o, const struct cima_chardev *x)
{
    int said = (x->path != NULL) + (x->fd != 0) + (x->host != NULL);

    if (said != 1) {
        fault(m, "path", "%s: a socket has a path, a descriptor, or a host with a port",
              said ? "is not the only one" : "is missing");
        return;
    }
    set_text(m, o, "path", "path", x->path);
    if (x->fd)
        set_fd(m, o, "fd", "fd", x->fd);
    if (x->host && need_text(m, "host", x->host) && need_number(m, "port", x->port, 1, 65535)) {
        cima_opts_str(o, "host", x->host);
        cima_opts_strf(o, "port", "%u", x->port);
    }
}

static void set_socket(struct making *m, struct cima_opts *o, const struct cima_chardev *x)
{
    set_address(m, o, x);
    if (x->server) {
        cima_opts_bool(o, "server", true);
        cima_opts_bool(o, "wait", x->wait);
        unwanted(m, x->reconnect, "reconnect", "is for the client's side only");
    } else {
        set_number(m, o, "reconnect", "reconnect", x->reconnect, INT32_MAX);
        unwanted(m, x->wait, "wait", "is for a server only");
    }
}

/* Fields of sockets with another back end. */
static void no_socket(struct making *m, const struct cima_chardev *x)
{
    unwanted(m, x->fd, "fd", "is for a socket only");
    unwanted(m, x->host || x->port, "host", "is for a socket only");
    unwanted(m, x->server, "server", "is for a socket only");
    unwanted(m, x->wait, "wait", "is for a socket only");
    unwanted(m, x->reconnect, "reconnect", "is for a socket only");
}

static bool wants_path(enum cima_char_backend b)
{
    return b == CIMA_CHAR_PIPE || b == CIMA_CHAR_SERIAL || b == CIMA_CHAR_TTY ||
           b == CIMA_CHAR_PARALLEL || b == CIMA_CHAR_FILE;
}

static void set_backend(struct making *m, struct cima_opts *o, const struct cima_chardev *x)
{
    if (x->backend == CIMA_CHAR_SOCKET) {
        set_socket(m, o, x);
    } else {
        no_socket(m, x);
        if (wants_path(x->backend) && need_text(m, "path", x->path))
            cima_opts_str(o, "path", x->path);
        /* QEMU before 9.2 refuses it, a newer one makes a link there. */
        if (!wants_path(x->backend) && has_text(m, "path", x->path)) {
            doubtful(m, "path", "is nothing that '%s' has", backend_name(x->backend));
            cima_opts_str(o, "path", x->path);
        }
    }
    if (x->backend == CIMA_CHAR_TTY)
        doubtful(m, "backend", "is an old name: 'serial' is meant");
    if (x->backend == CIMA_CHAR_FILE)
        set_flag(o, "append", x->append);
    else
        unwanted(m, x->append, "append", "is for a file only");
    if (x->backend == CIMA_CHAR_STDIO)
        set_switch(m, o, "signal", "signal", x->signal);
    else
        unwanted(m, x->signal != CIMA_UNSET, "signal", "is for stdio only");
}

/* S2-06 to S2-08. */
void make_chardev_part(struct making *m, const struct cima_chardev *x)
{
    struct cima_opts *o;

    if (!need_enum(m, "backend", x->backend, CIMA_CHAR_BACKEND_COUNT, backend_name))
        return;
    o = cima_opts_new("backend", backend_name(x->backend));
    if (need_id(m, "id", x->id))
        cima_opts_str(o, "id", x->id);
    set_backend(m, o, x);
    set_flag(o, "mux", x->mux);
    set_text(m, o, "logfile", "logfile", x->logfile);
    set_switch(m, o, "logappend", "logappend", x->logappend);
    part(m, "-chardev", o);
}

void make_client_part(struct making *m, const char *id, const char *path, int fd)
{
    const struct cima_chardev x = {.id = id, .path = path, .fd = fd};

    make_chardev_part(m, &x);
}

void make_chardev(struct making *m, const struct cima_chardev *x)
{
    making_name(m, "character device", x->id);
    make_chardev_part(m, x);
}

/* ---- what the guest sees --------------------------------------------------------------------- */

static struct cima_opts *port(const struct cima_char_device *x)
{
    switch (x->driver) {
    case CIMA_CHAR_VIRTSERIALPORT:
        return cima_virtserialport(x->chardev.id, x->name);
    case CIMA_CHAR_VIRTCONSOLE:
        return cima_virtconsole(x->place.id, x->chardev.id);
    case CIMA_CHAR_PCI_SERIAL:
        return cima_pci_serial(x->chardev.id);
    default:
        break;
    }
    struct cima_opts *o = cima_opts_new("driver", driver_name(x->driver));

    cima_opts_str(o, "chardev", x->chardev.id);
    return o;
}

/* S2-06, S2-07. */
void make_char_device(struct making *m, const struct cima_char_device *x)
{
    bool virtio = x->driver == CIMA_CHAR_VIRTCONSOLE || x->driver == CIMA_CHAR_VIRTSERIALPORT;
    struct cima_opts *o;

    making_name(m, "character device", x->chardev.id);
    if (!need_enum(m, "driver", x->driver, CIMA_CHAR_DRIVER_COUNT, driver_name))
        return;
    make_chardev_part(m, &x->chardev);
    if (m->failed)
        return;
    has_text(m, "name", x->name);
    o = port(x);
    if (virtio && x->name)
        cima_opts_str(o, "name", x->name);
    if (virtio && has_number(m, "nr", x->nr, 1, 511))
        cima_opts_int(o, "nr", x->nr);
    unwanted(m, !virtio && (x->name || x->nr), x->name ? "name" : "nr",
             "is for ports of virtio-serial only");
    set_place(m, o, &x->place, x->driver == CIMA_CHAR_PCI_SERIAL ? PLACE_PCI : 0);
    part(m, "-device", o);
}

/* S2-20. */
void make_serial_controller(struct making *m, const struct cima_serial_controller *x)
{
    struct cima_opts *o;

    making_name(m, "serial controller", x->place.id);
    if (!good_transport(m, &x->place))
        return;
    need_id(m, "id", x->place.id);
    o = cima_virtio(x->place.transport, "serial");
    if (x->max_ports && need_number(m, "max_ports", (uint64_t)x->max_ports, 1, 511))
        cima_opts_int(o, "max_ports", x->max_ports);
    set_place(m, o, &x->place, PLACE_PCI | PLACE_VIRTIO);
    part(m, "-device", o);
}

void make_legacy_serial(struct making *m, const struct cima_legacy_serial *x)
{
    const char *id = x->chardev_id ? x->chardev_id : x->chardev.id;
    _cleanup_free_ char *name = xasprintf("chardev:%s", id ? id : "");

    making_name(m, "serial port", id);
    if (!x->chardev_id)
        make_chardev_part(m, &x->chardev);
    else if (x->chardev.id)
        fault(m, "chardev_id", "is not the only one: `chardev` is given");
    else
        need_id(m, "chardev_id", x->chardev_id);
    cima_cmdline_text(m->parts, "-serial", name);
}

DEFINE_ADD(chardev)
DEFINE_ADD(char_device)
DEFINE_ADD(serial_controller)
DEFINE_ADD(legacy_serial)
