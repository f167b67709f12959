/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"
#include "store/internal.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sys/lock.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

static const char *const file_names[INST_FILE_COUNT] = {
    [INST_LIMA_YAML] = "lima.yaml",
    [INST_LIMA_VERSION] = "lima-version",
    [INST_CIMA_VERSION] = "cima-version",
    [INST_FACTS] = "cima.json",
    [INST_CIDATA_ISO] = "cidata.iso",
    [INST_CLOUD_CONFIG] = "cloud-config.yaml",
    [INST_IMAGE] = "image",
    [INST_DISK] = "disk",
    [INST_ISO] = "iso",
    [INST_OLD_BASE] = "basedisk",
    [INST_OLD_DIFF] = "diffdisk",
    [INST_KERNEL] = "kernel",
    [INST_KERNEL_CMDLINE] = "kernel.cmdline",
    [INST_INITRD] = "initrd",
    [INST_EFI_CODE] = "qemu-efi-code.fd",
    [INST_EFI_VARS] = "qemu-efi-vars.fd",
    [INST_QMP_SOCK] = "qmp.sock",
    [INST_QEMU_PID] = "qemu.pid",
    [INST_QEMU_LOCK] = "qemu.lock",
    [INST_QEMU_LOG] = "qemu.log",
    [INST_SERIAL_LOG] = "serial.log",
    [INST_SERIAL_SOCK] = "serial.sock",
    [INST_SERIALP_LOG] = "serialp.log",
    [INST_SERIALP_SOCK] = "serialp.sock",
    [INST_SERIALV_LOG] = "serialv.log",
    [INST_SERIALV_SOCK] = "serialv.sock",
    [INST_SERIAL_LOCK] = "serial.lock",
    [INST_SERIALP_LOCK] = "serialp.lock",
    [INST_SERIALV_LOCK] = "serialv.lock",
    [INST_HA_PID] = "ha.pid",
    [INST_HA_SOCK] = "ha.sock",
    [INST_HA_STDOUT] = "ha.stdout.log",
    [INST_HA_STDERR] = "ha.stderr.log",
    [INST_HA_LOCK] = "ha.lock",
    [INST_BOOT] = "cima-boot.json",
    [INST_RESET] = "cima-reset",
    [INST_OP_LOCK] = "op.lock",
    [INST_SSH_SOCK] = "ssh.sock",
    [INST_SSH_CONFIG] = "ssh.config",
    [INST_GA_SOCK] = "ga.sock",
    [INST_SOCK_DIR] = "sock",
    [INST_PROTECTED] = "protected",
    [INST_VNC_DISPLAY] = "vncdisplay",
    [INST_VNC_PASSWORD] = "vncpassword",
    [INST_SWTPM_SOCK] = "swtpm.sock",
    [INST_SWTPM_DIR] = "swtpm",
};

const char *inst_file_name(enum inst_file f)
{
    return (size_t)f < INST_FILE_COUNT ? file_names[f] : "?";
}

char *instance_path(const struct instance *i, enum inst_file f)
{
    return path_join(i->dir, inst_file_name(f));
}

bool instance_has(const struct instance *i, enum inst_file f)
{
    _cleanup_free_ char *path = instance_path(i, f);

    return path_exists(path);
}

void instance_release(struct instance *i)
{
    free(i->name);
    free(i->dir);
    *i = (struct instance)INSTANCE_INIT;
}

/* A socket that nobody listens on any more. What can't be told apart counts as alive. */
static bool socket_is_dead(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof(addr.sun_path))
        return false;
    memcpy(addr.sun_path, path, len + 1);
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    return connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 && errno == ECONNREFUSED;
}

/* Only what carries the kind that its name promises is run-time state (F06, S18): a regular file
 * called ha.sock is somebody's data and stays. */
static bool is_stale_runtime(const char *path, const struct stat *st)
{
    if (str_ends(path, ".sock"))
        return S_ISSOCK(st->st_mode) && socket_is_dead(path);
    if (str_ends(path, ".pid"))
        return S_ISREG(st->st_mode) && lock_posix_holder(path) == 0;
    if (str_ends(path, ".tmp"))
        return S_ISREG(st->st_mode);
    return false;
}

void instance_sweep_runtime(const struct instance *i)
{
    _cleanup_free_ char *boot = instance_path(i, INST_BOOT);
    _cleanup_strv_ struct strv names = STRV_INIT;
    if (dir_list(i->dir, &names, NULL) < 0)
        return;
    (void)unlink(boot);
    for (size_t k = 0; k < names.n; k++) {
        _cleanup_free_ char *path = path_join(i->dir, names.v[k]);
        struct stat st;
        if (lstat(path, &st) == 0 && st.st_uid == geteuid() && is_stale_runtime(path, &st))
            (void)unlink(path);
    }
}

int instance_lock(const struct instance *i, int wait_ms, struct err *err)
{
    _cleanup_free_ char *path = instance_path(i, INST_OP_LOCK);
    _cleanup_err_ struct err e = ERR_INIT;
    int fd = lock_take(path, wait_ms, &e);
    if (fd >= 0)
        return fd;
    /* While we waited, the holder may have deleted the instance. */
    if (!path_exists(i->dir))
        return err_set(err, ERR_NOT_FOUND, "instance `%s` does not exist any more", i->name);
    bool busy = e.kind == ERR_BUSY;
    err_move(err, &e);
    return err_wrap(err, busy ? "instance `%s` is busy" : "cannot lock instance `%s`", i->name);
}
