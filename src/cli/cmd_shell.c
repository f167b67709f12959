/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/shellwords.h"
#include "ssh/ssh.h"
#include <errno.h>
#include <signal.h>

static int not_running(const struct instance *i, struct err *err)
{
    err_set(err, ERR_STATE, "instance `%s` is stopped, run `cima start %s` to start the instance",
            i->name, i->name);
    return err_hint(err, "`cima shell --start %s` does both", i->name);
}

/* A machine that has lost its agent gets a new one; one that is stopped is started with --start. */
static int make_running(struct cli *cli, const struct args *args, const struct instance *i,
                        struct err *err)
{
    _cleanup_instance_state_ struct instance_state st = {0};

    instance_state_read(i, &st);
    if (st.driver_pid && !st.agent_pid)
        return inst_readopt(&cli->env, i, &cli_report, err);
    if (st.driver_pid || st.agent_pid)
        return 0; /* running, or on its way: find_port() knows */
    if (args_flag(args, "start"))
        return cli_start(cli, i, cli_timeout(args), false, err);
    return not_running(i, err);
}

/* The working directory, else the home directory, where they are in the guest; NULL: nowhere. */
static char *guest_dir(const struct inst_env *env, const struct config_instance *cfg)
{
    _cleanup_free_ char *cwd = getcwd(NULL, 0);
    char *dir = cwd ? shell_guest_dir(cfg, cwd) : NULL;

    if (!dir && env->host->home)
        dir = shell_guest_dir(cfg, env->host->home);
    if (!dir)
        log_debug("the working directory is not mounted in the guest; starting in its home");
    return dir;
}

static int find_port(const struct instance *i, uint16_t *ret, struct err *err)
{
    _cleanup_event_ struct event e = EVENT_INIT;

    if (inst_last_event(i, &e) == 0 && e.ssh_local_port) {
        if (!e.running && e.stage < STAGE_USER_SESSION)
            log_warn("The instance `%s` is still starting (%s)", i->name, stage_to_string(e.stage));
        *ret = e.ssh_local_port;
        return 0;
    }
    err_set(err, ERR_STATE, "instance `%s` is still starting: its ssh port is not known yet",
            i->name);
    return err_hint(err, "`cima start %s` waits until it is ready", i->name);
}

static int build_argv(const struct inst_env *env, const struct instance *i, const struct args *args,
                      struct strv *argv, struct err *err)
{
    _cleanup_config_ struct config config = CONFIG_INIT;
    _cleanup_ssh_target_ struct ssh_target target = {0};
    _cleanup_free_ char *dir = NULL, *script = NULL;
    struct shell_request request = {
        .workdir = args_str(args, "workdir"),
        .shell = args_str(args, "shell"),
        .argv = args->positional.n > 1 ? (const char *const *)args->positional.v + 1 : NULL,
        .n_argv = args->positional.n - 1,
    };
    uint16_t port = 0;

    if (instance_load_config(env->store, i, env->host, &config, NULL, err) < 0 ||
        find_port(i, &port, err) < 0)
        return -1;
    if (!request.workdir)
        request.try_dir = dir = guest_dir(env, &config.v);
    script = shell_script(&request);
    ssh_target_init(&target, env->store, i, &config.v, port);
    /* The agent's master when there is one; a master of ours would stand in the agent's way. */
    if (ssh_base_argv(&target, SSH_MASTER_USE, argv, err) < 0)
        return -1;
    /* Errors, but not "Connection to … closed". QEMU accepts connections before the guest listens:
     * one made too early would wait for ever. */
    strv_pushl(argv, "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=30", NULL);
    if (isatty(STDOUT_FILENO))
        strv_push(argv, "-t");
    strv_pushl(argv, target.host, "--", script, NULL);
    return 0;
}

/* ssh takes our place: its exit code, its signals, its terminal. */
static int become(struct strv *argv, struct err *err)
{
    _cleanup_free_ char *line = strv_to_shell(argv);

    log_debug("executing %s", line);
    fflush(NULL);
    signal(SIGPIPE, SIG_DFL);
    execvp(argv->v[0], strv_argv(argv));
    err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot run '%s'", argv->v[0]);
    return err_hint(err, "install the OpenSSH client, or set SSH to the program to use");
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_strv_ struct strv argv = STRV_INIT;
    const struct inst_env *env = cli_env(cli, err);
    const char *name = args_pos(args, 0);

    if (!env)
        return -1;
    if (store_find(env->store, name, &inst, err) < 0) {
        if (err->kind == ERR_NOT_FOUND && !err->hint)
            err_hint(err, "run `cima create --name %s FILE.yaml` to create a new instance", name);
        return -1;
    }
    if (make_running(cli, args, &inst, err) < 0 || build_argv(env, &inst, args, &argv, err) < 0)
        return -1;
    return become(&argv, err);
}

static const struct cli_positional positional[] = {
    {"INST", VALUE_INSTANCE, 1, 1},
    {"CMD", VALUE_TEXT, 0, 0},
    {NULL, VALUE_TEXT, 0, 0},
};

static const struct cli_option options[] = {
    {.name = "shell",
     .kind = VALUE_TEXT,
     .metavar = "SHELL",
     .default_text = "the user's shell",
     .help = "Shell of the guest to use"},
    {.name = "start", .kind = VALUE_BOOL, .help = "Start the instance first when it is stopped"},
    {.name = "timeout",
     .kind = VALUE_DURATION,
     .metavar = "TIME",
     .default_text = "10m0s",
     .help = "How long to wait for the start"},
    {.name = "workdir",
     .kind = VALUE_TEXT,
     .metavar = "DIR",
     .default_text = "where the host's working directory is mounted",
     .help = "Directory of the guest to start in"},
    {.name = NULL},
};

const struct command cmd_shell = {
    .name = "shell",
    .group = GROUP_BASIC,
    .summary = "Open a shell in an instance, or run a command in it",
    .description =
        "Open a login shell in an instance, or run a command in it.\n\n"
        "The options end at the name of the instance; everything behind it belongs to the "
        "command, which gets its words as they are. The exit code is the command's.",
    .examples = "cima shell mini\n"
                "cima shell mini uname -a\n"
                "cima shell --workdir /tmp mini sh -c 'pwd; ls'\n",
    .positional = positional,
    .options = options,
    .flags = COMMAND_OPTIONS_FIRST,
    .run = run,
};
