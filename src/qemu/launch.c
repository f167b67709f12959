/* SPDX-License-Identifier: Apache-2.0 */
#include "qemu/launch.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include <fcntl.h>

enum { MAX_LIMITS = 64 }; /* there are 16 resources */

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

/* ---- checks ---------------------------------------------------------------------------------- */

static bool is_fd(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static int wrong(struct err *err, const char *field, const char *why)
{
    return err_set(err, ERR_CONFIG, "launching QEMU: field `%s`: %s", field, why);
}

/* All that QEMU inherits, in order; spawn wants them with their numbers. */
static size_t inherited(const struct cima_launch *l, struct spawn_fd **ret)
{
    const int *first = NULL;
    size_t n_first = l->cmdline ? cima_cmdline_fds(l->cmdline, &first) : 0;
    struct spawn_fd *all = xcalloc(n_first + l->n_fds + 1, sizeof(*all));
    size_t n = 0;

    for (size_t i = 0; i < n_first + l->n_fds; i++, n++) {
        all[n].fd = i < n_first ? first[i] : l->fds[i - n_first];
        all[n].target = (int)n + CIMA_LAUNCH_FIRST_FD;
    }
    *ret = all;
    return n;
}

static int check_fds(const struct cima_launch *l, struct err *err)
{
    _cleanup_free_ struct spawn_fd *fds = NULL;
    size_t n;

    if (l->n_fds && !l->fds)
        return wrong(err, "fds", "is missing");
    if (l->n_fds > CIMA_LAUNCH_MAX_FDS)
        return wrong(err, "n_fds", "is too large");
    n = inherited(l, &fds);
    for (size_t i = 0; i < n; i++)
        if (!is_fd(fds[i].fd))
            return err_set(err, ERR_CONFIG,
                           "launching QEMU: what it inherits as descriptor %d, %d, is not open",
                           fds[i].target, fds[i].fd);
    if (l->stdout_to == CIMA_OUTPUT_FD && !is_fd(l->stdout_fd))
        return wrong(err, "stdout_fd", "is no open descriptor");
    if (l->stderr_to == CIMA_OUTPUT_FD && !is_fd(l->stderr_fd))
        return wrong(err, "stderr_fd", "is no open descriptor");
    return 0;
}

int qemu_launch_check(const struct cima_launch *l, struct err *err)
{
    if (l->cmdline && l->argv)
        return wrong(err, "argv", "excludes `cmdline`");
    if (l->stdout_to > CIMA_OUTPUT_FD)
        return wrong(err, "stdout_to", "standard output goes to a descriptor or nowhere");
    if (l->stderr_to > CIMA_OUTPUT_CAPTURE)
        return wrong(err, "stderr_to", "is no such value");
    if (l->umask_ < -1 || l->umask_ > 0777)
        return wrong(err, "umask_", "must be between -1 and 0777");
    if (l->user && l->user->n_groups && !l->user->groups)
        return wrong(err, "user", "`groups` is missing");
    if (l->user && (l->user->uid == (uid_t)-1 || l->user->gid == (gid_t)-1))
        return wrong(err, "user", "-1 is neither a user nor a group");
    if (l->n_limits && !l->limits)
        return wrong(err, "limits", "is missing");
    if (l->n_limits > MAX_LIMITS)
        return wrong(err, "n_limits", "is too large");
    for (size_t i = 0; i < l->n_limits; i++)
        if (l->limits[i].soft > l->limits[i].hard)
            return wrong(err, "limits", "a soft limit is above its hard one");
    for (size_t i = 0; l->env && l->env[i]; i++)
        if (l->env[i][0] == '=' || !strchr(l->env[i], '='))
            return wrong(err, "env", "an entry is not of the form NAME=value");
    return check_fds(l, err);
}

/* ---- the start ------------------------------------------------------------------------------- */

/* The program and its arguments. */
static int words_of(const struct cima_launch *l, struct strv *ret, struct err *err)
{
    strv_push(ret, str_empty(l->program) ? "qemu-system-x86_64" : l->program);
    if (l->cmdline) {
        char **words = cima_cmdline_argv(l->cmdline, err);

        for (size_t i = 0; words && words[i]; i++)
            strv_push(ret, words[i]);
        cima_strings_free(words);
        return words ? 0 : -1;
    }
    for (size_t i = 0; l->argv && l->argv[i]; i++)
        strv_push(ret, l->argv[i]);
    return 0;
}

/* Tells the launch's log a line. */
static void tell(const struct cima_launch *l, const char *before, const char *text,
                 const char *after)
{
    _cleanup_sbuf_ struct sbuf line = SBUF_INIT;

    if (!l->log)
        return;
    sbuf_addstr(&line, before);
    sbuf_add_printable(&line, text, strlen(text));
    sbuf_addstr(&line, after);
    l->log(l->log_arg, CIMA_LOG_INFO, sbuf_str(&line));
}

/* S2-53, S2-55 */
static void tell_start(const struct cima_launch *l, const struct strv *words)
{
    const struct strv arguments = {.v = words->v + 1, .n = words->n - 1};
    _cleanup_free_ char *line = strv_to_shell(&arguments);
    _cleanup_free_ struct spawn_fd *fds = NULL;
    _cleanup_sbuf_ struct sbuf numbers = SBUF_INIT;
    size_t n = inherited(l, &fds);

    for (size_t i = 0; i < n; i++)
        sbuf_addf(&numbers, "%s%d", i ? " " : "", fds[i].target);
    if (n)
        tell(l, "Adding extra file [", sbuf_str(&numbers), "]");
    tell(l, "launching qemu with: [", line, "]");
}

static int output_fd(enum cima_output to, enum cima_output otherwise, int fd, int captured)
{
    switch (to == CIMA_OUTPUT_DEFAULT ? otherwise : to) {
    case CIMA_OUTPUT_FD:
        return fd;
    case CIMA_OUTPUT_CAPTURE:
        return captured;
    case CIMA_OUTPUT_NULL:
    case CIMA_OUTPUT_DEFAULT:
        break;
    }
    return -1;
}

static unsigned spawn_flags_of(unsigned flags)
{
    unsigned r = SPAWN_SEARCH_PATH;

    r |= flags & CIMA_LAUNCH_GROUP_ONLY ? SPAWN_NEW_GROUP : SPAWN_NEW_SESSION;
    r |= flags & CIMA_LAUNCH_CORE_DUMPS ? 0 : SPAWN_NO_CORE;
    r |= flags & CIMA_LAUNCH_DIE_WITH_CALLER ? SPAWN_DIE_WITH_PARENT : 0;
    return r;
}

/* With the words, which are complete, and room for what spawn wants in other forms. */
static int start(const struct cima_launch *l, struct strv *words, int captured,
                 unsigned spawn_flags, struct child *ret, struct err *err)
{
    _cleanup_strv_ struct strv env = STRV_INIT;
    _cleanup_free_ struct spawn_fd *fds = NULL;
    _cleanup_free_ struct spawn_limit *limits = xcalloc(l->n_limits + 1, sizeof(*limits));
    struct spawn_user user;
    struct spawn s = SPAWN_INIT;

    for (size_t i = 0; i < l->n_limits; i++)
        limits[i] = (struct spawn_limit){l->limits[i].resource, l->limits[i].soft,
                                         l->limits[i].hard};
    if (l->user)
        user = (struct spawn_user){l->user->uid, l->user->gid, l->user->groups, l->user->n_groups};
    qemu_launch_env(l->flags & CIMA_LAUNCH_DESKTOP, &env);
    s.argv = (const char *const *)strv_argv(words);
    s.env = l->env ? l->env : (const char *const *)strv_argv(&env);
    s.cwd = l->cwd;
    s.stdout_fd = output_fd(l->stdout_to, CIMA_OUTPUT_NULL, l->stdout_fd, -1);
    s.stderr_fd = output_fd(l->stderr_to, CIMA_OUTPUT_CAPTURE, l->stderr_fd, captured);
    s.n_fds = inherited(l, &fds);
    s.fds = fds;
    s.flags = spawn_flags_of(l->flags) | spawn_flags;
    s.umask_ = l->umask_ ? l->umask_ : 077;
    s.user = l->user ? &user : NULL;
    s.limits = limits;
    s.n_limits = l->n_limits;
    return spawn_child(&s, ret, err);
}

int qemu_launch_with(const struct cima_launch *l, int captured, unsigned spawn_flags,
                     struct child *ret, struct err *err)
{
    _cleanup_strv_ struct strv words = STRV_INIT;

    if (qemu_launch_check(l, err) < 0 || words_of(l, &words, err) < 0)
        return -1;
    tell_start(l, &words);
    return start(l, &words, captured, spawn_flags, ret, err);
}

int qemu_launch_child(const struct cima_launch *l, int captured, struct child *ret, struct err *err)
{
    return qemu_launch_with(l, captured, 0, ret, err);
}

/* ---- its words ------------------------------------------------------------------------------- */

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
        {"Could not set up host forwarding rule", "the port is in use: take another one"},
        {"failed to initialize kvm", "choose TCG to run without KVM"},
        {"failed to set MSR", "KVM does not work on this machine: choose TCG"},
        {"Cannot allocate memory", "give the machine less memory"},
        {"cannot set up guest memory", "give the machine less memory"},
        {"Failed to get \"write\" lock", "another process has the disk open: is it still running?"},
        {"cannot lock pid file", "another QEMU of this machine is still running"},
        {"No space left on device", "make room on the file system of its files"},
        {"does not support", "this QEMU is too old for the machine, or lacks a part of it"},
        {"invalid option", "this QEMU does not know an option: is it the right version?"},
        {"not a valid device model name", "install the missing part of QEMU, or another version"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strstr(last_words, known[i].words))
            return known[i].hint;
    return NULL;
}
