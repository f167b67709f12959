/* SPDX-License-Identifier: Apache-2.0 */
#include "qemu/launch.h"
#include "base/mem.h"
#include <fcntl.h>

/* XDG_RUNTIME_DIR and friends lead to sockets of the user's session: only for windows and sound. */
static const char *const env_always[] = {"PATH",   "HOME", "TMPDIR",          "LANG",
                                         "LC_ALL", "TZ",   "LD_LIBRARY_PATH", "QEMU_MODULE_DIR"};
static const char *const env_desktop[] = {
    "DISPLAY",         "WAYLAND_DISPLAY",  "XAUTHORITY",
    "XDG_RUNTIME_DIR", "XDG_SESSION_TYPE", "DBUS_SESSION_BUS_ADDRESS",
    "PULSE_SERVER",    "PULSE_COOKIE",     "PIPEWIRE_RUNTIME_DIR",
    "SDL_VIDEODRIVER", "GDK_BACKEND"};

static void pass_on(const char *const *names, size_t n, struct strv *ret)
{
    for (size_t i = 0; i < n; i++)
        if (getenv(names[i]))
            strv_pushf(ret, "%s=%s", names[i], getenv(names[i]));
}

void qemu_launch_env(bool desktop, struct strv *ret)
{
    pass_on(env_always, ARRAY_SIZE(env_always), ret);
    if (desktop)
        pass_on(env_desktop, ARRAY_SIZE(env_desktop), ret);
}

int cima_launch(const struct cima_launch *l, struct child *ret, struct err *err)
{
    _cleanup_strv_ struct strv env = STRV_INIT;
    struct spawn s = SPAWN_INIT;

    qemu_launch_env(l->desktop, &env);
    s.argv = (const char *const *)l->argv->v;
    s.env = (const char *const *)strv_argv(&env);
    s.cwd = l->cwd;
    s.stdout_fd = l->log_fd;
    s.stderr_fd = l->log_fd;
    s.fds = l->fds;
    s.n_fds = l->n_fds;
    s.flags = SPAWN_NEW_SESSION | SPAWN_NO_CORE | SPAWN_SEARCH_PATH;
    s.umask_ = 077;
    return spawn_child(&s, ret, err);
}

char *qemu_log_tail(const char *path, int64_t offset, size_t max)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
    off_t from = (off_t)offset;
    char *buf, *line;
    ssize_t n;

    if (end < 0 || end <= from)
        return xstrdup("");
    if ((uint64_t)(end - from) > max)
        from = end - (off_t)max;
    buf = xmalloc(max + 1);
    n = pread(fd, buf, max, from);
    buf[n > 0 ? n : 0] = '\0';
    if (from > (off_t)offset && (line = strchr(buf, '\n')))
        memmove(buf, line + 1, strlen(line + 1) + 1); /* the first line was cut */
    return buf;
}

const char *qemu_death_hint(const char *last_words)
{
    static const struct {
        const char *words, *hint;
    } known[] = {
        {"Could not set up host forwarding rule",
         "the port is in use: change ssh.localPort, or 0 for a free one"},
        {"failed to initialize kvm", "set CIMA_QEMU_ACCEL=tcg to run without KVM"},
        {"failed to set MSR", "KVM does not work on this machine: set CIMA_QEMU_ACCEL=tcg"},
        {"Cannot allocate memory", "lower `memory` in the instance's YAML"},
        {"cannot set up guest memory", "lower `memory` in the instance's YAML"},
        {"Failed to get \"write\" lock", "another process has the disk open: is it still running?"},
        {"cannot lock pid file", "another QEMU of this instance is still running"},
        {"No space left on device", "make room on the file system of the instance"},
        {"does not support", "this QEMU is too old for the instance, or lacks a part of it"},
        {"invalid option", "this QEMU does not know an option: is it the right version?"},
        {"not a valid device model name", "install the missing part of QEMU, or another version"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strstr(last_words, known[i].words))
            return known[i].hint;
    return NULL;
}
