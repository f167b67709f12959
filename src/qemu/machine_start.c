/* SPDX-License-Identifier: Apache-2.0 */
/* How a machine is started and spoken to. */
#include "qemu/making.h"
#include "base/enum.h"

static const char *const cima_qmp_socket_type_names[] = {[CIMA_QMP_SOCKET_UNIX] = "unix"};
ENUM_STRINGS_DEFINE(cima_qmp_socket_type, CIMA_QMP_SOCKET_TYPE_COUNT)

static const char *socket_type(unsigned t)
{
    return cima_qmp_socket_type_to_string((enum cima_qmp_socket_type)t);
}

/* "qmp0", or the next one that is free. Caller frees. */
static char *free_id(const struct cima_cmdline *c)
{
    for (unsigned n = 0;; n++) {
        _cleanup_free_ char *id = xasprintf("qmp%u", n);
        const char *class, *other;
        bool taken = false;

        for (size_t i = 0; i < cima_cmdline_len(c) && !taken; i++) {
            other = part_id(c, i, &class);
            taken = other && streq(class, "character device") && streq(other, id);
        }
        if (!taken)
            return TAKE_PTR(id);
    }
}

/* S2-32, S2-33. */
void make_qmp_socket(struct making *m, const struct cima_qmp_socket *x)
{
    _cleanup_free_ char *id = x->id ? xstrdup(x->id) : free_id(m->dst);
    const struct cima_chardev socket = {
        .id = id,
        .path = x->path,
        .fd = x->fd,
        .server = x->server,
        .wait = x->server && x->wait,
    };
    struct cima_opts *o;

    making_name(m, "QMP socket", x->path);
    if (!need_enum(m, "type", x->type, CIMA_QMP_SOCKET_TYPE_COUNT, socket_type))
        return;
    if (!x->fd && !need_text(m, "path", x->path))
        return;
    make_chardev_part(m, &socket);
    o = cima_monitor_qmp(id);
    if (x->human)
        cima_opts_str(o, "mode", "readline");
    set_flag(o, "pretty", x->pretty && !x->human);
    unwanted(m, x->pretty && x->human, "pretty", "is for QMP only");
    part(m, "-mon", o);
}

/* S2-43: a kernel's command line is no list of options, it is written as it is. */
void make_kernel(struct making *m, const struct cima_kernel *x)
{
    making_name(m, "kernel", NULL);
    if (!x->path) {
        unwanted(m, x->params, "params", "go with a kernel only");
        unwanted(m, x->initrd, "initrd", "goes with a kernel only");
        return;
    }
    if (has_text(m, "path", x->path))
        cima_cmdline_text(m->parts, "-kernel", x->path);
    if (has_text(m, "initrd", x->initrd))
        cima_cmdline_text(m->parts, "-initrd", x->initrd);
    if (has_text(m, "dtb", x->dtb))
        cima_cmdline_text(m->parts, "-dtb", x->dtb);
    if (has_text(m, "params", x->params))
        cima_cmdline_text(m->parts, "-append", x->params);
}

void make_fw_cfg(struct making *m, const struct cima_fw_cfg *x)
{
    struct cima_opts *o = cima_opts_new(NULL, NULL);

    making_name(m, "fw_cfg entry", x->name);
    if (need_text(m, "name", x->name) && strlen(x->name) > 55)
        fault(m, "name", "must have at most 55 bytes");
    else
        cima_opts_str(o, "name", x->name);
    if (!x->file == !x->string)
        fault(m, "file", "%s: an entry has a file or a string",
              x->file ? "is not the only one" : "is missing");
    set_text(m, o, "file", "file", x->file);
    set_text(m, o, "string", "string", x->string);
    part(m, "-fw_cfg", o);
}

static bool is_stopped(const struct cima_cmdline *c)
{
    for (size_t i = 0; i < cima_cmdline_len(c); i++)
        if (streq(cima_cmdline_name(c, i), "-S"))
            return true;
    return false;
}

void make_incoming(struct making *m, const struct cima_incoming *x)
{
    _cleanup_free_ char *text = NULL;

    making_name(m, "incoming state", NULL);
    unwanted(m, x->command && x->how != CIMA_INCOMING_EXEC, "command", "is for exec only");
    unwanted(m, x->fd && x->how != CIMA_INCOMING_FD, "fd", "is for fd only");
    switch (x->how) {
    case CIMA_INCOMING_NONE:
        return;
    case CIMA_INCOMING_EXEC:
        if (need_text(m, "command", x->command))
            text = xasprintf("exec:%s", x->command);
        break;
    case CIMA_INCOMING_FD:
        if (x->fd <= 0)
            fault(m, "fd", "must be an open descriptor from 1 on, got %d", x->fd);
        else
            text = xasprintf("fd:%d", cima_cmdline_inherit(m->parts, x->fd));
        break;
    case CIMA_INCOMING_DEFER:
        text = xstrdup("defer");
        break;
    default:
        fault(m, "how", "must be none, exec, fd or defer");
    }
    if (!text)
        return;
    if (!x->go_on && !is_stopped(m->dst))
        cima_cmdline_flag(m->parts, "-S");
    cima_cmdline_text(m->parts, "-incoming", text);
}

void make_sandbox(struct making *m, const struct cima_sandbox *x)
{
    struct cima_opts *o;

    making_name(m, "sandbox", NULL);
    if (!x->on) {
        unwanted(m,
                 x->deny_obsolete || x->deny_elevate_privileges || x->deny_spawn ||
                     x->deny_resource_control,
                 "on", "is missing: nothing is denied");
        return;
    }
    o = cima_opts_new("enable", "on");
    if (x->deny_obsolete)
        cima_opts_str(o, "obsolete", "deny");
    if (x->deny_elevate_privileges)
        cima_opts_str(o, "elevateprivileges", "deny");
    if (x->deny_spawn)
        cima_opts_str(o, "spawn", "deny");
    if (x->deny_resource_control)
        cima_opts_str(o, "resourcecontrol", "deny");
    part(m, "-sandbox", o);
}

/* S2-44, S2-48, B-REALTIME. */
void make_knobs(struct making *m, const struct cima_knobs *x)
{
    const struct {
        bool on;
        const char *name;
    } flags[] = {
        {x->no_user_config, "-no-user-config"},
        {x->no_defaults, "-nodefaults"},
        {x->no_graphic, "-nographic"},
        {x->daemonize, "-daemonize"},
        {x->no_reboot, "-no-reboot"},
        {x->no_shutdown, "-no-shutdown"},
        {x->stopped, "-S"},
    };
    struct cima_opts *o;

    making_name(m, "knobs", NULL);
    if (x->no_graphic && x->daemonize)
        doubtful(m, "daemonize", "can't go with `no_graphic`: the terminal is gone");
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        if (flags[i].on)
            cima_cmdline_flag(m->parts, flags[i].name);
    if (!x->mem_lock)
        return;
    o = cima_opts_new(NULL, NULL);
    cima_opts_bool(o, "mem-lock", true);
    part(m, "-overcommit", o);
}

/* ---- plain texts ----------------------------------------------------------------------------- */

/* QEMU takes what is in front of the first '=' for "driver.property", and the rest, commas and all,
 * for the value; only a text that begins with driver= is a list. */
void make_global(struct making *m, const char *text)
{
    const char *dot, *eq;

    making_name(m, "global property", NULL);
    if (!need_text(m, "globals", text))
        return;
    eq = strchr(text, '=');
    dot = strchr(text, '.');
    if (!eq || !dot || dot > eq || dot == text || eq == dot + 1 || str_starts(text, "driver="))
        fault(m, "globals", "must be DRIVER.PROPERTY=VALUE");
    else
        cima_cmdline_text(m->parts, "-global", text);
}

void make_display(struct making *m, const char *text)
{
    _cleanup_err_ struct err err = ERR_INIT;
    struct cima_opts *o;

    making_name(m, "machine", NULL);
    if (!need_text(m, "display", text))
        return;
    o = cima_opts_parse(text, "type", &err);
    if (o)
        part(m, "-display", o);
    else
        fault(m, "display", "must be a name such as none, with options or without: %s", err.msg);
}

void make_text(struct making *m, const char *option, const char *field, const char *text)
{
    making_name(m, "machine", NULL);
    if (need_text(m, field, text))
        cima_cmdline_text(m->parts, option, text);
}

DEFINE_ADD(qmp_socket)
DEFINE_ADD(kernel)
DEFINE_ADD(fw_cfg)
DEFINE_ADD(incoming)
DEFINE_ADD(sandbox)
DEFINE_ADD(knobs)

int cima_add_global(struct cima_cmdline *c, const char *text, struct err *error)
{
    struct making m;

    making_begin(&m, c, NULL, NULL);
    make_global(&m, text);
    return making_end_strict(&m, error);
}

int cima_add_display(struct cima_cmdline *c, const char *text, struct err *error)
{
    struct making m;

    making_begin(&m, c, NULL, NULL);
    make_display(&m, text);
    return making_end_strict(&m, error);
}

static int add_text(struct cima_cmdline *c, const char *option, const char *field, const char *text,
                    struct err *error)
{
    struct making m;

    making_begin(&m, c, NULL, NULL);
    make_text(&m, option, field, text);
    return making_end_strict(&m, error);
}

int cima_add_vga(struct cima_cmdline *c, const char *name, struct err *error)
{
    return add_text(c, "-vga", "vga", name, error);
}

int cima_add_bios(struct cima_cmdline *c, const char *path, struct err *error)
{
    return add_text(c, "-bios", "bios", path, error);
}

int cima_add_pidfile(struct cima_cmdline *c, const char *path, struct err *error)
{
    return add_text(c, "-pidfile", "pidfile", path, error);
}

int cima_add_logfile(struct cima_cmdline *c, const char *path, struct err *error)
{
    return add_text(c, "-D", "logfile", path, error);
}
