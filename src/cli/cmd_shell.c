/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/mem.h"
#include "cli/ask.h"
#include "cli/shellenv.h"
#include "cli/shellwords.h"
#include "ssh/ssh.h"
#include "sys/spawn.h"
#include <errno.h>
#include <signal.h>

static int not_running(const struct instance *i, struct err *err)
{
    err_set(err, ERR_STATE, "instance `%s` is stopped, run `cima start %s` to start the instance",
            i->name, i->name);
    return err_hint(err, "`cima shell --start %s` does both", i->name);
}

/* Stopped: started with --start, or when the person wants it. */
static int start_stopped(struct cli *cli, const struct args *args, const struct instance *i,
                         struct err *err)
{
    bool start = args_flag(args, "start");

    if (!args_has(args, "start") && cli_can_ask(cli)) {
        _cleanup_free_ char *question = xasprintf(
            "Instance `%s` is stopped. Do you want to start the instance now?", i->name);

        start = cli_ask(question, true);
    }
    return start ? cli_start(cli, i, cli_timeout(args), false, err) : not_running(i, err);
}

/* A machine that has lost its agent gets a new one. */
static int make_running(struct cli *cli, const struct args *args, const struct instance *i,
                        struct err *err)
{
    _cleanup_instance_state_ struct instance_state st = {0};

    instance_state_read(i, &st);
    if (st.driver_pid && !st.agent_pid)
        return inst_readopt(&cli->env, i, &cli_report, err);
    if (st.driver_pid || st.agent_pid)
        return 0; /* running, or on its way: find_port() knows */
    return start_stopped(cli, args, i, err);
}

static void add_guest_dir(const struct config_instance *cfg, const char *dir, struct strv *ret)
{
    char *guest = dir ? shell_guest_dir(cfg, dir) : NULL;

    if (guest && !strv_contains(ret, guest))
        strv_push_consume(ret, guest);
    else
        free(guest);
}

/* The working directory, else the home directory, where they are in the guest. */
static void guest_dirs(const struct inst_env *env, const struct config_instance *cfg,
                       struct strv *ret)
{
    _cleanup_free_ char *cwd = getcwd(NULL, 0);

    if (!cwd)
        log_warn("failed to get the current directory: %s", strerror(errno));
    add_guest_dir(cfg, cwd, ret);
    add_guest_dir(cfg, env->host->home, ret);
    if (ret->n)
        return;
    if (!cfg->mounts_count)
        log_debug("nothing is mounted in the guest; the shell starts in its home");
    else if (cwd)
        log_warn("'%s' is not mounted in the guest, nor is your home: the shell starts in the "
                 "guest's home (hint: --workdir)", cwd);
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

/* One argument of a process has a limit, here and in the guest. */
static int check_length(const char *script, struct err *err)
{
    const size_t max = 32 * 4096; /* MAX_ARG_STRLEN of Linux, its NUL included */

    if (strlen(script) < max)
        return 0;
    err_set(err, ERR_USAGE,
            "the command with its environment is too long for the guest's kernel: %zu bytes, at "
            "most %zu",
            strlen(script), max - 1);
    return err_hint(err, "send long data through standard input; with --preserve-env, "
                         "LIMA_SHELLENV_BLOCK='*' takes along only what LIMA_SHELLENV_ALLOW names");
}

static int make_script(const struct inst_env *env, const struct config_instance *cfg,
                       const struct args *args, char **ret, struct err *err)
{
    _cleanup_strv_ struct strv dirs = STRV_INIT, variables = STRV_INIT;
    struct shell_request request = {
        .workdir = str_empty(args_str(args, "workdir")) ? NULL : args_str(args, "workdir"),
        .shell = str_empty(args_str(args, "shell")) ? NULL : args_str(args, "shell"),
        .user_shell = cfg->user.shell,
        .env = &variables,
        .argv = args->positional.n > 1 ? (const char *const *)args->positional.v + 1 : NULL,
        .n_argv = args->positional.n - 1,
    };

    if (!request.workdir)
        guest_dirs(env, cfg, &dirs);
    request.try_dirs = (const char *const *)strv_argv(&dirs);
    if (args_flag(args, "preserve-env") &&
        shellenv_filter(environ, getenv("LIMA_SHELLENV_BLOCK"), getenv("LIMA_SHELLENV_ALLOW"),
                        &variables, err) < 0)
        return -1;
    _cleanup_free_ char *script = shell_script(&request);
    if (check_length(script, err) < 0)
        return -1;
    *ret = TAKE_PTR(script);
    return 0;
}

/* Ends the agent's master, and with it the sessions that go through it. The agent makes a new one,
 * which logs in again: only then new groups of the user count. */
static int end_master(const struct instance *i, const struct ssh_target *target, struct err *err)
{
    _cleanup_strv_ struct strv argv = STRV_INIT;
    _cleanup_run_result_ struct run_result result = {0};
    struct spawn s = SPAWN_INIT;

    if (access(target->control_path, F_OK) != 0)
        return 0;
    log_info("Exiting ssh session for the instance `%s`", i->name);
    if (ssh_base_argv(target, SSH_MASTER_USE, &argv, err) < 0)
        return -1;
    strv_pushl(&argv, "-O", "exit", target->host, NULL);
    s.argv = (const char *const *)strv_argv(&argv);
    s.flags = SPAWN_SEARCH_PATH;
    if (run_capture(&s, NULL, 4096, 5000, &result, err) < 0)
        return err_wrap(err, "ending the ssh session of `%s`", i->name);
    return 0; /* one that was dead already makes ssh fail: fine, too */
}

static int build_argv(const struct inst_env *env, const struct instance *i, const struct args *args,
                      struct strv *argv, struct err *err)
{
    _cleanup_config_ struct config config = CONFIG_INIT;
    _cleanup_ssh_target_ struct ssh_target target = {0};
    _cleanup_free_ char *script = NULL;
    bool reconnect = args_flag(args, "reconnect");
    uint16_t port = 0;

    if (instance_load_config(env->store, i, env->host, &config, NULL, err) < 0 ||
        make_script(env, &config.v, args, &script, err) < 0 || find_port(i, &port, err) < 0)
        return -1;
    ssh_target_init(&target, env->store, i, &config.v, port);
    if (reconnect && end_master(i, &target, err) < 0)
        return -1;
    /* The agent's master when there is one; a master of ours would stand in the agent's way. */
    if (ssh_base_argv(&target, reconnect ? SSH_MASTER_NONE : SSH_MASTER_USE, argv, err) < 0)
        return -1;
    /* Errors, but not "Connection to … closed". QEMU accepts connections before the guest listens:
     * one made too early would wait for ever. */
    strv_pushl(argv, "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=30", NULL);
    if (getenv("COLORTERM"))
        strv_pushl(argv, "-o", "SendEnv=COLORTERM", NULL);
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

/* `lima start` is `cima shell default start`. */
static void warn_misplaced_command(const struct args *args)
{
    static const char *const suspects[] = {"create", "start", "delete", "shell"};
    const char *word = args_pos(args, 1);

    for (size_t i = 0; word && i < ARRAY_SIZE(suspects); i++)
        if (streq(word, suspects[i]))
            log_warn("Perhaps you meant `cima %s`?", word);
}

/* `cima shell NAME --workdir /tmp pwd`: no program has such a name. */
static void warn_misplaced_option(const struct args *args)
{
    const char *word = args_pos(args, 1);

    if (word && *word == '-' && word[1])
        log_warn("`%s` is taken as the command: the options of `cima shell` stand in front of the "
                 "instance's name", word);
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_strv_ struct strv argv = STRV_INIT;
    const struct inst_env *env = cli_env(cli, err);
    const char *name = args_pos(args, 0);

    if (!env)
        return -1;
    warn_misplaced_command(args);
    warn_misplaced_option(args);
    if (store_find(env->store, name, &inst, err) < 0) {
        if (err->kind != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        return err_set(err, ERR_NOT_FOUND,
                       "instance `%s` does not exist, run `cima create --name %s FILE.yaml` to "
                       "create a new instance", name, name);
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
    {.name = "preserve-env",
     .kind = VALUE_BOOL,
     .help = "Take the environment along, but for what belongs to this host; "
             "LIMA_SHELLENV_BLOCK says what else stays, LIMA_SHELLENV_ALLOW what goes all the same"},
    {.name = "reconnect",
     .kind = VALUE_BOOL,
     .help = "Log in anew, so that changed groups count; ends sessions that are open"},
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
                "cima shell --workdir /tmp mini sh -c 'pwd; ls'\n"
                "cima shell --preserve-env mini printenv LANG\n",
    .positional = positional,
    .options = options,
    .flags = COMMAND_OPTIONS_FIRST,
    .run = run,
};
