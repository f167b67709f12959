/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes.h"
#include "base/fs.h"
#include "base/mem.h"
#include "driver/driver.h"
#include "hostagent/client.h"
#include "ssh/ssh.h"
#include "sys/lock.h"
#include "sys/proc.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct fakes fakes;

/* ---- image and driver ------------------------------------------------------------------------ */

int image_prepare(const struct store *s, const struct config_instance *cfg, const char *base_dir,
                  const struct instance *inst, const struct image_report *rep,
                  struct image_result *ret, struct err *err)
{
    _cleanup_free_ char *path = instance_path(inst, INST_IMAGE);

    (void)s;
    (void)cfg;
    (void)rep;
    snprintf(fakes.base_dir, sizeof(fakes.base_dir), "%s", base_dir);
    fakes.prepared++;
    if (fakes.image_error)
        return err_set(err, ERR_NOT_FOUND, "%s", fakes.image_error);
    *ret = (struct image_result){.info = {.format = IMAGE_QCOW2, .virtual_size = 1 << 20}};
    return file_write_atomic(path, "image", 5, 0600, err);
}

int image_check_adoptable(int fd, const char *name, struct image_info *ret, struct err *err)
{
    (void)fd;
    if (fakes.adopt_error)
        return err_set(err, ERR_IO, "'%s' %s", name, fakes.adopt_error);
    *ret = (struct image_info){.format = IMAGE_QCOW2, .virtual_size = 1 << 20};
    return 0;
}

static int create_disk(const struct driver_ctx *ctx, const struct image_result *image,
                       struct json *facts, struct err *err)
{
    _cleanup_free_ char *disk = instance_path(ctx->inst, INST_DISK);

    (void)image;
    if (fakes.disk_error)
        return err_set(err, ERR_IO, "%s", fakes.disk_error);
    json_set_str(facts, "machine", "frozen");
    return file_write_atomic(disk, "disk", 4, 0600, err);
}

static int check_disk(const struct driver_ctx *ctx, struct err *err)
{
    _cleanup_free_ char *disk = instance_path(ctx->inst, INST_DISK);

    if (path_exists(disk) && config_disk_bytes(ctx->cfg) < fakes.disk_bytes)
        return err_set(err, ERR_CONFIG, "disk shrinking is not supported");
    return 0;
}

static int plan(const struct driver_ctx *ctx, struct driver_plan **ret, struct diags *notes,
                struct err *err)
{
    (void)ctx;
    if (fakes.plan_error)
        return err_set(err, ERR_QEMU, "%s", fakes.plan_error);
    if (fakes.plan_note)
        diags_add(notes, DIAG_WARNING, NULL, "%s", fakes.plan_note);
    *ret = (struct driver_plan *)&fakes;
    return 0;
}

static void plan_free(struct driver_plan *p)
{
    (void)p;
}

static const struct driver driver = {
    .name = "qemu",
    .create_disk = create_disk,
    .check_disk = check_disk,
    .plan = plan,
    .plan_free = plan_free,
    .tools = &fake_tools,
};

const struct driver *driver_find(const char *vm_type)
{
    return streq(vm_type, "qemu") ? &driver : NULL;
}

const char *const *driver_names(void)
{
    static const char *const names[] = {"qemu", NULL};

    return names;
}

void driver_sweep(const struct instance *inst)
{
    (void)inst;
}

/* ---- ssh ------------------------------------------------------------------------------------- */

int ssh_check_program(struct err *err)
{
    return fakes.ssh_error ? err_set(err, ERR_NOT_FOUND, "%s", fakes.ssh_error) : 0;
}

/* ---- the commands' side of the host agent ---------------------------------------------------- */

int agent_spawn(const char *self, const struct instance *i, bool debug, int64_t patience_ms,
                struct err *err)
{
    (void)patience_ms;
    (void)self;
    (void)i;
    (void)debug;
    fakes.spawned++;
    if (fakes.on_spawn)
        fakes.on_spawn();
    return fakes.spawn_error ? err_set(err, ERR_QEMU, "%s", fakes.spawn_error) : 0;
}

int agent_follow(const struct instance *i, int64_t timeout_ms, event_fn *fn, int (*tick)(void *),
                 int tick_ms, void *arg, struct err *err)
{
    (void)i;
    (void)timeout_ms;
    (void)tick_ms;
    fakes.followed++;
    if (fakes.dies) {
        end_process(fakes.dies);
        fakes.dies = 0;
        return err_set(err, ERR_STATE, "host agent process has exited");
    }
    for (size_t k = 0; k < fakes.n_events; k++) {
        int r = fn(arg, &fakes.events[k]);

        if (r)
            return r;
    }
    for (unsigned k = 0; tick && k < fakes.ticks; k++) {
        int r = tick(arg);

        if (r)
            return r;
    }
    return err_set(err, ERR_TIMEOUT, "time is over");
}

int agent_open(const struct instance *i)
{
    _cleanup_free_ char *path = instance_path(i, INST_HA_LOCK);
    pid_t pid = 0;

    return lock_probe(path, &pid) > 0 && pid > 0 ? pidfd_open_(pid) : -1;
}

/* Our agents do not clean up: the machine goes with them, as after a graceful end. */
int agent_stop(const struct instance *i, int64_t timeout_ms, struct err *err)
{
    _cleanup_free_ char *pid_file = instance_path(i, INST_QEMU_PID);
    pid_t machine = lock_posix_holder(pid_file);

    (void)timeout_ms;
    fakes.stopped++;
    if (fakes.stop_takes_long) {
        _cleanup_close_ int pidfd = agent_open(i);

        pidfd_signal(pidfd, SIGINT);
        return err_set(err, ERR_TIMEOUT, "the agent shuts the machine down");
    }
    if (machine > 0)
        end_process(machine);
    return agent_kill(i, 1000, err);
}

int agent_kill(const struct instance *i, int64_t timeout_ms, struct err *err)
{
    _cleanup_close_ int pidfd = agent_open(i);

    (void)err;
    if (pidfd >= 0) {
        pidfd_signal(pidfd, SIGKILL);
        pidfd_wait(pidfd, (int)timeout_ms);
    }
    return 0;
}

int agent_info(const struct instance *i, int timeout_ms, uint16_t *ret_ssh_port, struct err *err)
{
    (void)i;
    if (fakes.info_hangs) {
        usleep((useconds_t)timeout_ms * 1000);
        fakes.info_waited_ms += timeout_ms;
        return err_set(err, ERR_TIMEOUT, "the host agent does not answer");
    }
    *ret_ssh_port = 60077;
    return 0;
}

/* ---- the world ------------------------------------------------------------------------------- */

static void on_note(void *arg, enum log_level level, const char *text)
{
    struct world *w = arg;

    sbuf_addf(&w->notes, "%s: %s\n", log_level_to_string(level), text);
}

static void on_warning(void *arg, const struct diag *d)
{
    struct world *w = arg;

    sbuf_addf(&w->warnings, "%s\n", d->msg);
}

static void on_event(void *arg, const struct event *e)
{
    struct world *w = arg;

    (void)e;
    w->events++;
}

static bool is_interrupted(void *arg)
{
    const struct world *w = arg;

    return w->interrupt;
}

void world_init(struct world *w)
{
    *w = (struct world){.dir = tmpdir_new()};
    memset(&fakes, 0, sizeof(fakes));
    w->store = (struct store){path_join(w->dir, "home"), path_join(w->dir, "cache"),
                              path_join(w->dir, "downloads")};
    host_facts_gather(&w->host);
    w->env = (struct inst_env){.store = &w->store, .host = &w->host, .self = "/bin/false"};
    w->report = (struct inst_report){
        .note = on_note,
        .warning = on_warning,
        .event = on_event,
        .interrupted = is_interrupted,
        .arg = w,
    };
}

void world_release(struct world *w)
{
    sbuf_release(&w->notes);
    sbuf_release(&w->warnings);
    host_facts_release(&w->host);
    store_release(&w->store);
    tmpdir_remove(&w->dir);
}

void world_template(const struct world *w, const char *yaml, struct template *ret)
{
    *ret = (struct template){
        .locator = xstrdup("test.yaml"),
        .base = xstrdup(w->dir),
        .name = xstrdup("test"),
        .text = xstrdup(yaml),
        .len = strlen(yaml),
    };
}

void world_create(struct world *w, const char *name, struct instance *ret)
{
    _cleanup_template_ struct template t = TEMPLATE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_template(w, SIMPLE_YAML, &t);
    int r = inst_create(&w->env, name, &t, &w->report, ret, &err);
    _cleanup_free_ char *text = err_text(&err);
    cr_assert_eq(r, 0, "%s", text);
}

char *world_ls(const struct world *w)
{
    _cleanup_strv_ struct strv names = STRV_INIT, shown = STRV_INIT;

    dir_list(w->store.home, &names, NULL);
    for (size_t i = 0; i < names.n; i++)
        if (!streq(names.v[i], "_config"))
            strv_push(&shown, names.v[i]);
    return strv_join(&shown, " ");
}

/* ---- processes ------------------------------------------------------------------------------- */

enum role { ROLE_AGENT, ROLE_SLOW_AGENT, ROLE_MACHINE, ROLE_COMMAND };

static void hold(const struct instance *i, enum role role)
{
    _cleanup_free_ char *path = instance_path(i, role == ROLE_MACHINE   ? INST_QEMU_PID
                                                 : role == ROLE_COMMAND ? INST_OP_LOCK
                                                                        : INST_HA_LOCK);
    if (role != ROLE_MACHINE) {
        if (lock_take(path, 0, NULL) < 0)
            _exit(1);
        return;
    }
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || fcntl(fd, F_SETLK, &whole) < 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
        _exit(1);
}

static volatile sig_atomic_t asked;

static void on_sigint(int signo)
{
    (void)signo;
    asked = asked + 1;
}

static void end_when_asked_twice(const struct instance *i)
{
    _cleanup_free_ char *path = path_join(i->dir, LAST_WORD);

    while (asked < 2)
        usleep(1000);
    _exit(file_write_atomic(path, "", 0, 0600, NULL) < 0);
}

static pid_t live(const struct instance *i, enum role role)
{
    int ready[2];
    char c;

    cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ready[0]);
        if (role == ROLE_SLOW_AGENT)
            signal(SIGINT, on_sigint);
        hold(i, role);
        (void)!write(ready[1], "x", 1);
        if (role == ROLE_SLOW_AGENT)
            end_when_asked_twice(i);
        for (;;)
            pause();
    }
    close(ready[1]);
    cr_assert_eq(read(ready[0], &c, 1), 1, "the process could not take its lock");
    close(ready[0]);
    return pid;
}

pid_t live_agent(const struct instance *i)
{
    return live(i, ROLE_AGENT);
}

pid_t live_slow_agent(const struct instance *i)
{
    return live(i, ROLE_SLOW_AGENT);
}

pid_t live_machine(const struct instance *i)
{
    return live(i, ROLE_MACHINE);
}

pid_t live_command(const struct instance *i)
{
    return live(i, ROLE_COMMAND);
}

void end_process(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

bool is_alive(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) == 0;
}

void write_events(const struct instance *i, const char *lines)
{
    _cleanup_free_ char *path = instance_path(i, INST_HA_STDOUT);

    cr_assert_eq(file_write_atomic(path, lines, strlen(lines), 0600, NULL), 0);
}
