/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor, the screen and the consoles of a running machine. */
#include "instance/tools.h"
#include "base/mem.h"
#include "instance/machine.h"
#include "sys/clock.h"
#include "sys/lock.h"
#include "sys/sock.h"
#include <poll.h>

/* A client that has just left is still known to the machine for a moment. */
enum { TAKEN_MS = 1500, LOOK_MS = 50, CONNECT_MS = 3000, SHOT_MS = 60 * 1000 };

/* ---- monitor --------------------------------------------------------------------------------- */

int inst_monitor(const struct inst_env *env, const struct instance *i, const char *command,
                 const struct json *args, int timeout_ms, struct json **ret, struct err *err)
{
    _cleanup_inst_machine_ struct inst_machine m = INST_MACHINE_INIT;

    if (inst_machine_open_running(env, i, "monitor", &m, err) < 0)
        return -1;
    return m.monitor.execute(m.monitor.arg, command, args ? json_copy(args) : NULL, timeout_ms, ret,
                             err);
}

char *inst_monitor_line(const struct inst_env *env, const struct instance *i, const char *line,
                        struct err *err)
{
    _cleanup_inst_machine_ struct inst_machine m = INST_MACHINE_INIT;

    if (inst_machine_open_running(env, i, "monitor", &m, err) < 0)
        return NULL;
    return m.driver->tools->command_line(&m.monitor, line, err);
}

/* ---- screen ---------------------------------------------------------------------------------- */

int inst_screenshot(const struct inst_env *env, const struct instance *i,
                    enum picture_format format, struct sbuf *ret, struct err *err)
{
    _cleanup_inst_machine_ struct inst_machine m = INST_MACHINE_INIT;
    _cleanup_(driver_shot_release) struct driver_shot shot = {.format = format};
    int r;

    if (inst_machine_open_running(env, i, "screen", &m, err) < 0)
        return -1;
    do {
        _cleanup_err_ struct err failure = ERR_INIT;
        struct json *args = NULL;

        if (m.driver->tools->shot_begin(i, &shot, &args, err) < 0)
            return -1;
        r = m.monitor.execute(m.monitor.arg, shot.command, args, SHOT_MS, NULL, &failure);
        r = m.driver->tools->shot_end(&shot, r < 0 ? &failure : NULL, ret, err);
    } while (r > 0);
    if (r < 0)
        err_wrap(err, "taking a screenshot of instance `%s`", i->name);
    return r;
}

/* ---- console --------------------------------------------------------------------------------- */

static const char *const inst_console_names[] = {
    [CONSOLE_SERIAL] = "serial", [CONSOLE_VIRTIO] = "virtio", [CONSOLE_PCI] = "pci"};
ENUM_STRINGS_DEFINE(inst_console, CONSOLE_COUNT)

static const struct {
    enum inst_file sock, log, lock;
} console_files[] = {
    [CONSOLE_SERIAL] = {INST_SERIAL_SOCK, INST_SERIAL_LOG, INST_SERIAL_LOCK},
    [CONSOLE_VIRTIO] = {INST_SERIALV_SOCK, INST_SERIALV_LOG, INST_SERIALV_LOCK},
    [CONSOLE_PCI] = {INST_SERIALP_SOCK, INST_SERIALP_LOG, INST_SERIALP_LOCK},
};

char *inst_console_log(const struct instance *i, enum inst_console console)
{
    return instance_path(i, console_files[console].log);
}

static int take_lock(const struct instance *i, enum inst_console console, struct err *err)
{
    _cleanup_free_ char *path = instance_path(i, console_files[console].lock);
    _cleanup_err_ struct err why = ERR_INIT;
    pid_t holder = 0;
    int fd = lock_take(path, /* wait_ms= */ 0, &why);

    if (fd >= 0)
        return fd;
    if (why.kind != ERR_BUSY)
        return err_move(err, &why);
    if (lock_probe(path, &holder) < 1)
        holder = 0;
    err_set(err, ERR_BUSY, "the %s console of instance `%s` is in use by another `cima console`",
            inst_console_to_string(console), i->name);
    return holder ? err_hint(err, "it is process %d; `cima console --log -f %s` only looks on",
                             (int)holder, i->name)
                  : -1;
}

/* Programs that don't know our lock: the machine knows whether somebody is connected. One that does
 * not say is still booting, or its monitor is taken: then there is only the lock. */
static int check_free(const struct inst_env *env, const struct instance *i,
                      enum inst_console console, struct err *err)
{
    _cleanup_inst_machine_ struct inst_machine m = INST_MACHINE_INIT;
    _cleanup_err_ struct err ignored = ERR_INIT;
    int64_t until = deadline_in(TAKEN_MS);

    if (inst_machine_open(env, i, &m, &ignored) < 0 || !m.runs)
        return 0;
    while (m.driver->tools->console_taken(&m.monitor, console_files[console].sock)) {
        if (monotonic_ms() >= until) {
            err_set(err, ERR_BUSY,
                    "another program is connected to the %s console of instance `%s`",
                    inst_console_to_string(console), i->name);
            return err_hint(err, "QEMU serves one at a time; `cima console --log -f %s` only looks "
                                 "on", i->name);
        }
        poll(NULL, 0, LOOK_MS);
    }
    return 0;
}

static int no_such_console(const struct instance *i, enum inst_console console, struct err *err)
{
    err_set(err, ERR_NOT_FOUND, "instance `%s` has no %s console", i->name,
            inst_console_to_string(console));
    return err_hint(err, "see `cima console --help` for the others");
}

int inst_console_open(const struct inst_env *env, const struct instance *i,
                      enum inst_console console, int *ret_fd, int *ret_lock, struct err *err)
{
    _cleanup_free_ char *path = instance_path(i, console_files[console].sock);
    _cleanup_close_ int lock = -1;
    _cleanup_err_ struct err why = ERR_INIT;

    if (!inst_has_machine(i))
        return inst_machine_not_running(i, "console", err);
    lock = take_lock(i, console, err);
    if (lock < 0 || check_free(env, i, console, err) < 0)
        return -1;
    int fd = unix_connect(path, CONNECT_MS, &why);
    if (fd < 0)
        return why.kind == ERR_NOT_FOUND ? no_such_console(i, console, err) : err_move(err, &why);
    *ret_fd = fd;
    *ret_lock = TAKE_FD(lock);
    return 0;
}
