/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/tools.h"
#include "base/mem.h"
#include "driver/qemu/vm.h"
#include "sys/clock.h"
#include "sys/sock.h"

/* QEMU greets at once unless somebody else is connected. */
#define GREETING_MS 3000

/* ---- the monitor ----------------------------------------------------------------------------- */

static uint64_t send_command(struct vm *vm, const char *command, struct json *args,
                             driver_reply_fn *done, void *arg)
{
    const struct cima_qmp_call call = {.command = command,
                                       .args = args,
                                       .timeout_ms = -1,
                                       .done = done,
                                       .arg = arg};
    uint64_t number = qemu_vm_send(vm, &call);

    if (!number)
        json_free(args);
    return number;
}

static int direct_execute(void *arg, const char *command, struct json *args, int timeout_ms,
                          struct json **ret, struct err *err)
{
    return cima_qmp_execute(arg, command, args, timeout_ms, ret, err);
}

static void direct_close(void *arg)
{
    cima_qmp_free(arg);
}

static int explain_open(const struct instance *inst, struct err *why, struct err *err)
{
    if (why->kind != ERR_TIMEOUT) {
        err_move(err, why);
        return err_wrap(err, "opening the monitor of instance `%s`", inst->name);
    }
    err_clear(why);
    err_set(err, ERR_BUSY,
            "another program is connected to the monitor of instance `%s`, or QEMU hangs",
            inst->name);
    return err_hint(err,
                    "QEMU serves one at a time: end the other one first; `cima stop -f %s` ends a "
                    "machine that hangs",
                    inst->name);
}

static int open_monitor(const struct instance *inst, struct driver_monitor *ret, struct err *err)
{
    _cleanup_free_ char *path = instance_path(inst, INST_QMP_SOCK);
    _cleanup_err_ struct err why = ERR_INIT;
    int fd = unix_connect(path, GREETING_MS, &why);

    if (fd < 0)
        return explain_open(inst, &why, err);
    _cleanup_qmp_ struct cima_qmp *q = cima_qmp_new(fd, NULL, NULL, GREETING_MS, monotonic_ms());
    if (cima_qmp_wait_ready(q, GREETING_MS, &why) < 0)
        return explain_open(inst, &why, err);
    *ret = (struct driver_monitor){
        .execute = direct_execute, .close = direct_close, .arg = TAKE_PTR(q)};
    return 0;
}

/* ---- the human monitor ----------------------------------------------------------------------- */

char *qemu_hmp(const struct driver_monitor *m, const char *line, struct err *err)
{
    _cleanup_json_ struct json *ret = NULL;
    struct json *args = json_object_new();
    _cleanup_free_ char *text = NULL;
    size_t len = 0;

    json_set_str(args, "command-line", line);
    if (m->execute(m->arg, "human-monitor-command", args, /* timeout_ms= */ -1, &ret, err) < 0)
        return NULL;
    text = xstrdup(json_str(ret) ? json_str(ret) : "");
    for (const char *c = text; *c; c++)
        if (*c != '\r')
            text[len++] = *c;
    text[len] = '\0';
    return cima_hmp_check(text, err) < 0 ? NULL : TAKE_PTR(text);
}

char *qemu_hmp_quote(const char *text)
{
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

    sbuf_addch(&out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            sbuf_addch(&out, '\\');
        sbuf_addch(&out, *text);
    }
    sbuf_addch(&out, '"');
    return sbuf_detach(&out);
}

/* ---- consoles -------------------------------------------------------------------------------- */

static const char *chardev_of(enum inst_file sock)
{
    switch (sock) {
    case INST_SERIALP_SOCK:
        return "char-serial-pci";
    case INST_SERIALV_SOCK:
        return "char-serial-virtio";
    default:
        return "char-serial";
    }
}

/* A socket without a client is "disconnected:unix:…". */
static bool console_taken(const struct driver_monitor *m, enum inst_file sock)
{
    _cleanup_json_ struct json *list = NULL;
    _cleanup_err_ struct err ignored = ERR_INIT;
    const char *label = chardev_of(sock);

    if (m->execute(m->arg, "query-chardev", NULL, GREETING_MS, &list, &ignored) < 0)
        return false;
    for (size_t i = 0; i < json_len(list); i++) {
        const struct json *c = json_at(list, i);
        const char *name = json_get_str(c, "filename");

        if (streq0(json_get_str(c, "label"), label))
            return name && !str_starts(name, "disconnected:");
    }
    return false;
}

const struct driver_tools qemu_tools = {
    .send = send_command,
    .cancel = qemu_vm_cancel,
    .open = open_monitor,
    .command_line = qemu_hmp,
    .snapshot_list = qemu_snapshot_list,
    .snapshot_create = qemu_snapshot_create,
    .snapshot_apply = qemu_snapshot_apply,
    .snapshot_delete = qemu_snapshot_delete,
    .shot_begin = qemu_shot_begin,
    .shot_end = qemu_shot_end,
    .console_taken = console_taken,
};
