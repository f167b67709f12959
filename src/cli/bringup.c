/* SPDX-License-Identifier: Apache-2.0 */
/* What a person sees while an instance starts or stops: one live line on a terminal, log lines
 * elsewhere. */
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/progress.h"
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

struct bringup {
    bool all_stages; /* --progress */
    bool port_told;
    const char *text; /* of the last stage that was told */
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

static void on_event(void *arg, const struct event *e)
{
    struct bringup *b = arg;
    const char *text = stage_texts[e->stage];

    if (e->ssh_local_port && !b->port_told) {
        log_info("SSH Local Port: %u", e->ssh_local_port);
        b->port_told = true;
    }
    if (e->running || e->stage >= STAGE_STOPPING || text == b->text)
        return;
    b->text = text;
    if (progress_active())
        progress_step((unsigned)e->stage + 1, text);
    if (!progress_active() || b->all_stages)
        log_info("%s", text);
}

static void on_tick(void *arg)
{
    (void)arg;
    progress_tick();
}

/* Lines as they are; what could drive the terminal is made visible. */
static void print_message(const struct instance *i, const char *message)
{
    _cleanup_sbuf_ struct sbuf text = SBUF_INIT;

    for (const char *p = message; *p;) {
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
    _cleanup_config_ struct config config = CONFIG_INIT;
    _cleanup_event_ struct event e = EVENT_INIT;
    bool loaded = instance_load_config(env->store, i, env->host, &config, NULL, NULL) == 0;

    if (loaded && config.v.plain == TRI_TRUE) {
        _cleanup_free_ char *ssh_config = instance_path(i, INST_SSH_CONFIG);

        log_info("READY. Run `ssh -F \"%s\" lima-%s` to open the shell.", ssh_config, i->name);
    } else {
        log_info("READY. Run `cima shell %s` to open the shell.", i->name);
    }
    if (!loaded)
        return;
    (void)inst_last_event(i, &e); /* without it the port is 0 */
    _cleanup_free_ char *message = inst_message(env, i, &config.v, INST_RUNNING, e.ssh_local_port);
    print_message(i, message);
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

int cli_start(struct cli *cli, const struct instance *i, int64_t timeout_ms, bool progress,
              struct err *err)
{
    struct bringup b = {.all_stages = progress};
    struct inst_report report = cli_report;
    struct sigaction old, action = {.sa_handler = on_sigint}; /* no SA_RESTART: waits end */
    enum inst_start_result result;

    report.event = on_event;
    report.tick = on_tick;
    report.interrupted = interrupted;
    report.arg = &b;
    report.config_told = cli->config_told;
    interrupted_ = 0;
    sigaction(SIGINT, &action, &old);
    if (cli->live)
        progress_begin(i->name, STAGE_RUNNING);
    int r = inst_start(&cli->env, i, timeout_ms, &report, &result, err);
    if (r < 0 && err->kind == ERR_INTERRUPTED)
        progress_leave();
    else
        progress_end();
    sigaction(SIGINT, &old, NULL);
    if (r < 0)
        return -1;
    tell_result(&cli->env, i, result);
    return 0;
}

int cli_stop(struct cli *cli, const struct instance *i, bool force, struct err *err)
{
    struct inst_report report = cli_report;

    report.tick = on_tick;
    if (cli->live && !force)
        progress_begin(i->name, 0);
    int r = inst_stop(&cli->env, i, force, &report, err);
    progress_end();
    return r;
}
