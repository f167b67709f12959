/* SPDX-License-Identifier: Apache-2.0 */
/* What a person sees while an instance starts or stops: one live line on a terminal, log lines
 * elsewhere. */
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "sys/clock.h"
#include <signal.h>

/* What is going on once a stage is reached. */
static const char *const stage_texts[] = {
    [STAGE_CREATED] = "preparing disk and seed",
    [STAGE_DISK_READY] = "starting the machine",
    [STAGE_VM_RUNNING] = "booting, waiting for ssh",
    [STAGE_SSH_BANNER] = "waiting for the user session",
    [STAGE_USER_SESSION] = "waiting for boot scripts",
    [STAGE_AGENT_HELLO] = "waiting for boot scripts",
    [STAGE_BOOT_DONE] = "finishing",
    [STAGE_RUNNING] = "ready",
    [STAGE_STOPPING] = "shutting down",
    [STAGE_GONE] = "stopped",
};
_Static_assert(ARRAY_SIZE(stage_texts) == STAGE_COUNT, "a text for every stage");

/* Where nobody sees a live line, a log says that we are alive. */
enum { LOG_AGAIN_MS = 10 * 1000 };
/* Asking the host agent for what the message of the instance says. */
enum { MESSAGE_BUDGET_MS = 1000 };

struct bringup {
    bool all_stages; /* --progress */
    bool port_told;
    const char *stage; /* text of the last stage that was told */
    unsigned step;
    char *waiting;     /* what the agent waits for, printable */
    int64_t start, last_log;
};

static volatile sig_atomic_t interrupted_;

static void on_sigint(int signo)
{
    (void)signo;
    interrupted_ = 1;
}

static bool interrupted(void *arg)
{
    (void)arg;
    return interrupted_ != 0;
}

/* "booting, waiting for ssh: connections to 127.0.0.1:60022 are refused". Caller frees. */
static char *present_text(const struct bringup *b)
{
    return str_empty(b->waiting) ? xstrdup(b->stage) : xasprintf("%s: %s", b->stage, b->waiting);
}

static void show(struct bringup *b, bool new_stage)
{
    _cleanup_free_ char *text = present_text(b);

    if (progress_active())
        progress_step(b->step, text);
    if (new_stage && (!progress_active() || b->all_stages)) {
        log_info("%s", b->stage);
        b->last_log = monotonic_ms();
    }
}

static void on_event(void *arg, const struct event *e)
{
    struct bringup *b = arg;
    const char *stage = stage_texts[e->stage];
    _cleanup_sbuf_ struct sbuf waiting = SBUF_INIT;

    if (e->ssh_local_port && !b->port_told) {
        log_info("SSH Local Port: %u", e->ssh_local_port);
        b->port_told = true;
    }
    if (e->running || e->stage >= STAGE_STOPPING)
        return;
    if (e->waiting) /* a guest may have written it */
        sbuf_add_printable(&waiting, e->waiting, strlen(e->waiting));
    bool new_stage = stage != b->stage;
    if (!new_stage && streq(sbuf_str(&waiting), b->waiting ? b->waiting : ""))
        return;
    b->stage = stage;
    b->step = (unsigned)e->stage + 1;
    free(b->waiting);
    b->waiting = sbuf_detach(&waiting);
    show(b, new_stage);
}

static void on_tick(void *arg)
{
    struct bringup *b = arg;
    int64_t now = monotonic_ms();

    progress_tick();
    if (!b || !b->stage || progress_active() || now - b->last_log < LOG_AGAIN_MS)
        return;
    _cleanup_free_ char *text = present_text(b);
    log_info("still %s (%lld s)", text, (long long)((now - b->start) / 1000));
    b->last_log = now;
}

static void on_stop_tick(void *arg)
{
    (void)arg;
    progress_tick();
}

/* Without a live line: a log line for each phase of each file, and one each ten seconds. The log's
 * lines belong to the process, as the live line does. */
void cli_transfer(void *arg, const struct image_progress *p)
{
    static struct {
        char *location;
        enum image_phase phase;
        int64_t last;
        struct speed speed;
    } told;
    int64_t now = monotonic_ms();

    (void)arg;
    if (progress_active()) {
        progress_transfer(p);
        return;
    }
    bool other = !told.location || !streq0(p->location, told.location) || p->phase != told.phase;
    if (other) {
        free(told.location);
        told.location = xstrdup(p->location ? p->location : "");
        told.phase = p->phase;
        told.speed = (struct speed){.n = 0};
    }
    speed_add(&told.speed, now, p->done);
    if (!other && now - told.last < LOG_AGAIN_MS)
        return;
    _cleanup_free_ char *name = transfer_name(p->location ? p->location : "");
    _cleanup_sbuf_ struct sbuf text = SBUF_INIT;
    struct transfer_view v = {
        .phase = p->phase,
        .name = name,
        .done = other ? 0 : p->done,
        .total = other ? 0 : p->total,
        .rate = speed_rate(&told.speed),
    };
    told.last = now;
    transfer_render(&v, SIZE_MAX / 2, &text);
    log_info("%s", sbuf_str(&text));
}

/* Lines as they are; what could drive the terminal is made visible. */
static void print_message(const struct instance *i, const char *message)
{
    _cleanup_sbuf_ struct sbuf text = SBUF_INIT;

    for (const char *p = message; p && *p;) {
        size_t n = strcspn(p, "\n");

        sbuf_add_printable(&text, p, n);
        sbuf_addch(&text, '\n');
        p += n + (p[n] == '\n');
    }
    if (text.len)
        printf("Message from the instance `%s`:\n%s", i->name, sbuf_str(&text));
}

static void tell_ready(const struct inst_env *env, const struct instance *i)
{
    _cleanup_inst_info_ struct inst_info info = {0};
    int budget_ms = MESSAGE_BUDGET_MS;

    inst_info_read(env, i, &budget_ms, &info);
    if (info.has_config && info.config.v.plain == TRI_TRUE) {
        _cleanup_free_ char *ssh_config = instance_path(i, INST_SSH_CONFIG);

        log_info("READY. Run `ssh -F \"%s\" lima-%s` to open the shell.", ssh_config, i->name);
    } else {
        log_info("READY. Run `cima shell %s` to open the shell.", i->name);
    }
    if (!info.has_config)
        return;
    if (info.message_problem)
        log_warn("%s", info.message_problem);
    print_message(i, info.message ? info.message : info.config.v.message);
}

static void tell_result(const struct inst_env *env, const struct instance *i,
                        enum inst_start_result result)
{
    if (result == INST_START_ALREADY_RUNNING)
        log_info("The instance `%s` is already running. Run `cima shell %s` to open the shell.",
                 i->name, i->name);
    else
        tell_ready(env, i);
}

/* SIGINT asks `interrupted` until the matching call. Twice: as if we had never been here. */
static void catch_sigint(struct sigaction *old)
{
    /* no SA_RESTART: waits end */
    struct sigaction action = {.sa_handler = on_sigint, .sa_flags = (int)SA_RESETHAND};

    interrupted_ = 0;
    sigaction(SIGINT, &action, old);
}

static void end_live(bool leave)
{
    if (leave)
        progress_leave();
    else
        progress_end();
}

int cli_create(struct cli *cli, const char *name, const struct template *t,
               struct instance *ret, struct err *err)
{
    struct inst_report report = cli_report;
    struct sigaction old;

    report.interrupted = interrupted;
    report.tick = on_stop_tick;
    report.config_told = cli->config_told;
    catch_sigint(&old);
    if (cli->live)
        progress_begin(name, 0);
    int r = inst_create(&cli->env, name, t, &report, ret, err);
    end_live(interrupted_ != 0);
    sigaction(SIGINT, &old, NULL);
    if (r < 0 || !interrupted_)
        return r;
    err_set(err, ERR_INTERRUPTED, "interrupted: instance `%s` was created and not started", name);
    return err_hint(err, "`cima start %s` starts it, `cima delete %s` removes it", name, name);
}

int cli_start(struct cli *cli, const struct instance *i, int64_t timeout_ms, bool progress,
              struct err *err)
{
    struct bringup b = {
        .all_stages = progress, .start = monotonic_ms(), .last_log = monotonic_ms()};
    struct inst_report report = cli_report;
    struct sigaction old;
    enum inst_start_result result;

    report.event = on_event;
    report.tick = on_tick;
    report.interrupted = interrupted;
    report.arg = &b;
    report.config_told = cli->config_told;
    catch_sigint(&old);
    if (cli->live)
        progress_begin(i->name, STAGE_RUNNING);
    int r = inst_start(&cli->env, i, timeout_ms, &report, &result, err);
    end_live(r < 0 && err->kind == ERR_INTERRUPTED);
    sigaction(SIGINT, &old, NULL);
    free(b.waiting);
    if (r < 0)
        return -1;
    tell_result(&cli->env, i, result);
    return 0;
}

static int stop(struct cli *cli, const struct instance *i, bool force, int64_t limit_ms,
                struct err *err)
{
    struct inst_report report = cli_report;
    struct sigaction old;

    if (force)
        return inst_stop(&cli->env, i, true, &report, err);
    report.tick = on_stop_tick;
    report.interrupted = interrupted;
    catch_sigint(&old);
    if (cli->live)
        progress_begin(i->name, 0);
    int r = inst_stop_within(&cli->env, i, limit_ms, &report, err);
    end_live(r < 0 && err->kind == ERR_INTERRUPTED);
    sigaction(SIGINT, &old, NULL);
    return r;
}

int cli_stop(struct cli *cli, const struct instance *i, bool force, struct err *err)
{
    return stop(cli, i, force, 0, err);
}

int cli_stop_within(struct cli *cli, const struct instance *i, int64_t limit_ms, struct err *err)
{
    return stop(cli, i, false, limit_ms, err);
}
