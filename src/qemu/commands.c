/* SPDX-License-Identifier: Apache-2.0 */
/* QMP's commands with types: the machine, its parts, descriptors, migration, snapshots, screen. */
#include "qemu/commands_internal.h"

struct cima_qmp_call qmp_command(const char *name, struct json *args)
{
    return (struct cima_qmp_call){.command = name, .args = args, .timeout_ms = CIMA_CMD_MS};
}

struct cima_qmp_call qmp_command_str(const char *name, const char *key, const char *value)
{
    struct json *args = json_object_new();

    json_set_str(args, key, value);
    return qmp_command(name, args);
}

struct err *qmp_problem(struct cima_qmp_call *call)
{
    if (!call->problem)
        call->problem = cima_error_new();
    return call->problem;
}

struct json *qmp_texts(const char *const *texts)
{
    struct json *list = json_array_new();

    for (; texts && *texts; texts++)
        json_append(list, json_string_new(*texts));
    return list;
}

/* ---- the machine as a whole ------------------------------------------------------------------ */

struct cima_qmp_call cima_cmd_stop(void)
{
    return qmp_command("stop", NULL);
}

struct cima_qmp_call cima_cmd_cont(void)
{
    return qmp_command("cont", NULL);
}

struct cima_qmp_call cima_cmd_system_reset(void)
{
    return qmp_command("system_reset", NULL);
}

struct cima_qmp_call cima_cmd_system_powerdown(void)
{
    struct cima_qmp_call call = qmp_command("system_powerdown", NULL);

    call.until_event = "POWERDOWN";
    return call;
}

struct cima_qmp_call cima_cmd_quit(void)
{
    return qmp_command("quit", NULL);
}

/* ---- parts ----------------------------------------------------------------------------------- */

struct cima_qmp_call cima_cmd_part(const struct cima_cmdline *c, size_t i)
{
    struct cima_qmp_call call = qmp_command(cima_cmdline_name(c, i), NULL);

    cima_cmdline_command(c, i, &call.command, &call.args, qmp_problem(&call));
    if (!err_is_set(call.problem)) {
        cima_error_free(call.problem);
        call.problem = NULL;
    }
    return call;
}

/* Its end is the event; the text belongs to the arguments, which the call keeps until it is sent.
 */
static void until_deleted(struct cima_qmp_call *call)
{
    call->until_event = "DEVICE_DELETED";
    call->until_value = json_get_str(call->args, "id");
    call->fail_event = "DEVICE_UNPLUG_GUEST_ERROR";
}

struct cima_qmp_call cima_cmd_undo_part(const struct cima_cmdline *c, size_t i)
{
    struct cima_qmp_call call = qmp_command(cima_cmdline_name(c, i), NULL);

    cima_cmdline_undo_command(c, i, &call.command, &call.args, qmp_problem(&call));
    if (err_is_set(call.problem))
        return call;
    cima_error_free(call.problem);
    call.problem = NULL;
    if (streq(call.command, "device_del"))
        until_deleted(&call);
    return call;
}

static struct cima_qmp_call add(const char *option, struct cima_opts *opts)
{
    _cleanup_cmdline_ struct cima_cmdline *c = cima_cmdline_new();
    struct cima_qmp_call call;

    cima_cmdline_opts(c, option, opts);
    call = cima_cmd_part(c, 0);
    if (call.problem)
        call.command = option;
    return call;
}

struct cima_qmp_call cima_cmd_device_add(struct cima_opts *opts)
{
    return add("-device", opts);
}

struct cima_qmp_call cima_cmd_blockdev_add(struct cima_opts *opts)
{
    return add("-blockdev", opts);
}

struct cima_qmp_call cima_cmd_netdev_add(struct cima_opts *opts)
{
    return add("-netdev", opts);
}

struct cima_qmp_call cima_cmd_chardev_add(struct cima_opts *opts)
{
    return add("-chardev", opts);
}

struct cima_qmp_call cima_cmd_object_add(struct cima_opts *opts)
{
    return add("-object", opts);
}

struct cima_qmp_call cima_cmd_device_del(const char *id)
{
    struct cima_qmp_call call = qmp_command_str("device_del", "id", id);

    until_deleted(&call);
    return call;
}

struct cima_qmp_call cima_cmd_blockdev_del(const char *node)
{
    return qmp_command_str("blockdev-del", "node-name", node);
}

struct cima_qmp_call cima_cmd_netdev_del(const char *id)
{
    return qmp_command_str("netdev_del", "id", id);
}

struct cima_qmp_call cima_cmd_chardev_remove(const char *id)
{
    return qmp_command_str("chardev-remove", "id", id);
}

struct cima_qmp_call cima_cmd_object_del(const char *id)
{
    return qmp_command_str("object-del", "id", id);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

struct cima_qmp_call cima_cmd_getfd(const char *name, int fd)
{
    struct cima_qmp_call call = qmp_command_str("getfd", "fdname", name);

    call.with_fd = true;
    call.fd = fd;
    return call;
}

struct cima_qmp_call cima_cmd_closefd(const char *name)
{
    return qmp_command_str("closefd", "fdname", name);
}

struct cima_qmp_call cima_cmd_add_fd(int set, int fd, const char *opaque)
{
    struct cima_qmp_call call = qmp_command_str("add-fd", "opaque", opaque);

    if (set >= 0)
        json_set_int(call.args, "fdset-id", set);
    call.with_fd = true;
    call.fd = fd;
    return call;
}

struct cima_qmp_call cima_cmd_remove_fd(int set, int fd)
{
    struct json *args = json_object_new();

    json_set_int(args, "fdset-id", set);
    if (fd >= 0)
        json_set_int(args, "fd", fd);
    return qmp_command("remove-fd", args);
}

int cima_qmp_add_fd(struct cima_qmp *q, int set, int fd, const char *opaque, int *ret_set,
                    struct err *error)
{
    _cleanup_json_ struct json *answer = NULL;
    int64_t found;

    if (cima_qmp_run(q, cima_cmd_add_fd(set, fd, opaque), &answer, error) < 0)
        return -1;
    found = json_get_int(answer, "fdset-id", -1);
    if (found < 0 || found > INT32_MAX)
        return err_set(error, ERR_PROTOCOL, "add-fd: QEMU's answer has no number of a set");
    *ret_set = (int)found;
    return 0;
}

/* ---- memory, objects ------------------------------------------------------------------------- */

struct cima_qmp_call cima_cmd_balloon(uint64_t bytes)
{
    struct json *args = json_object_new();
    struct cima_qmp_call call = qmp_command("balloon", args);

    if (bytes == 0 || bytes > INT64_MAX)
        err_set(qmp_problem(&call), ERR_CONFIG, "the guest's memory can't become %llu bytes",
                (unsigned long long)bytes);
    else
        json_set_int(args, "value", (int64_t)bytes);
    return call;
}

static struct cima_qmp_call qom(const char *command, const char *path, const char *property,
                                struct json *value)
{
    struct cima_qmp_call call = qmp_command_str(command, "path", path);

    json_set_str(call.args, "property", property);
    if (value)
        json_set(call.args, "value", value);
    return call;
}

struct cima_qmp_call cima_cmd_qom_get(const char *path, const char *property)
{
    return qom("qom-get", path, property, NULL);
}

struct cima_qmp_call cima_cmd_qom_set(const char *path, const char *property, struct json *value)
{
    return qom("qom-set", path, property, value);
}

struct cima_qmp_call cima_cmd_qom_list(const char *path)
{
    return qmp_command_str("qom-list", "path", path);
}

struct cima_qmp_call cima_cmd_dump_guest_memory(const struct cima_guest_dump *d)
{
    struct cima_qmp_call call = qmp_command_str("dump-guest-memory", "protocol", d->protocol);

    json_set_bool(call.args, "paging", d->paging);
    if (d->detach)
        json_set_bool(call.args, "detach", true);
    else
        call.timeout_ms = -1;
    json_set_str(call.args, "format", d->format);
    return call;
}

/* ---- migration ------------------------------------------------------------------------------- */

struct cima_qmp_call cima_cmd_migrate(const char *uri)
{
    return qmp_command_str("migrate", "uri", uri);
}

struct cima_qmp_call cima_cmd_migrate_cancel(void)
{
    return qmp_command("migrate_cancel", NULL);
}

struct cima_qmp_call cima_cmd_migrate_incoming(const char *uri)
{
    return qmp_command_str("migrate-incoming", "uri", uri);
}

struct cima_qmp_call cima_cmd_migrate_set_capabilities(const char *const *names, bool on)
{
    struct json *args = json_object_new(), *list = json_array_new();

    for (; *names; names++) {
        struct json *one = json_object_new();

        json_set_str(one, "capability", *names);
        json_set_bool(one, "state", on);
        json_append(list, one);
    }
    json_set(args, "capabilities", list);
    return qmp_command("migrate-set-capabilities", args);
}

/* ---- snapshots ------------------------------------------------------------------------------- */

static struct cima_qmp_call snapshot(const char *command, const struct cima_snapshot *s,
                                     bool with_state)
{
    struct cima_qmp_call call = qmp_command_str(command, "job-id", s->job);

    json_set_str(call.args, "tag", s->tag);
    if (with_state)
        json_set_str(call.args, "vmstate", s->vmstate);
    json_set(call.args, "devices", qmp_texts(s->devices));
    return call;
}

struct cima_qmp_call cima_cmd_snapshot_save(const struct cima_snapshot *s)
{
    return snapshot("snapshot-save", s, true);
}

struct cima_qmp_call cima_cmd_snapshot_load(const struct cima_snapshot *s)
{
    return snapshot("snapshot-load", s, true);
}

struct cima_qmp_call cima_cmd_snapshot_delete(const struct cima_snapshot *s)
{
    return snapshot("snapshot-delete", s, false);
}

struct cima_qmp_call cima_cmd_job_cancel(const char *id)
{
    return qmp_command_str("job-cancel", "id", id);
}

struct cima_qmp_call cima_cmd_job_dismiss(const char *id)
{
    return qmp_command_str("job-dismiss", "id", id);
}

/* ---- screen and keys ------------------------------------------------------------------------- */

struct cima_qmp_call cima_cmd_screendump(const char *file, const char *format, const char *device,
                                         unsigned head)
{
    struct cima_qmp_call call = qmp_command_str("screendump", "filename", file);

    json_set_str(call.args, "format", format);
    json_set_str(call.args, "device", device);
    if (head)
        json_set_int(call.args, "head", head);
    return call;
}

struct cima_qmp_call cima_cmd_send_key(const char *const *keys, unsigned hold_ms)
{
    struct json *args = json_object_new(), *list = json_array_new();

    for (; *keys; keys++) {
        struct json *key = json_object_new();

        json_set_str(key, "type", "qcode");
        json_set_str(key, "data", *keys);
        json_append(list, key);
    }
    json_set(args, "keys", list);
    if (hold_ms)
        json_set_int(args, "hold-time", hold_ms);
    return qmp_command("send-key", args);
}

struct cima_qmp_call cima_cmd_change_vnc_password(const char *password)
{
    return qmp_command_str("change-vnc-password", "password", password);
}

struct cima_qmp_call cima_cmd_set_password(const char *protocol, const char *password,
                                           const char *connected)
{
    struct cima_qmp_call call = qmp_command_str("set_password", "protocol", protocol);

    json_set_str(call.args, "password", password);
    json_set_str(call.args, "connected", connected);
    return call;
}

struct cima_qmp_call cima_cmd_expire_password(const char *protocol, const char *time)
{
    struct cima_qmp_call call = qmp_command_str("expire_password", "protocol", protocol);

    json_set_str(call.args, "time", time);
    return call;
}
