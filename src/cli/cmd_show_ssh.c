/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "ssh/ssh.h"

static const char *const formats[] = {"cmd", "args", "options", "config", NULL};

static uint16_t find_port(const struct instance *i, const struct config_instance *cfg)
{
    _cleanup_instance_state_ struct instance_state st = {0};
    _cleanup_event_ struct event e = EVENT_INIT;

    instance_state_read(i, &st);
    if ((st.driver_pid || st.agent_pid) && inst_last_event(i, &e) == 0 && e.ssh_local_port)
        return e.ssh_local_port;
    return (uint16_t)cfg->ssh.local_port; /* 0: another one at every start */
}

static int no_port(const struct instance *i, struct err *err)
{
    err_set(err, ERR_STATE, "instance `%s` is stopped: its ssh port is chosen when it starts",
            i->name);
    return err_hint(err, "`cima start %s` first; a fixed port can be set with `ssh.localPort`",
                    i->name);
}

static void add_option_words(const struct strv *options, struct sbuf *out)
{
    for (size_t k = 0; k < options->n; k++) {
        sbuf_addstr(out, k ? " -o " : "-o ");
        sbuf_add_shell_quoted(out, options->v[k]);
    }
}

/* "Name=value" as a line of a configuration file: "Name value". */
static void add_config(const struct strv *options, const char *host, struct sbuf *out)
{
    sbuf_addf(out, "Host %s\n", host);
    for (size_t k = 0; k < options->n; k++) {
        int name = (int)strcspn(options->v[k], "=");

        sbuf_addf(out, "  %.*s %s\n", name, options->v[k], options->v[k] + name + 1);
    }
}

static int format(const char *how, const struct strv *options, const char *host, struct sbuf *out,
                  struct err *err)
{
    if (streq(how, "config")) {
        add_config(options, host, out);
        return 0;
    }
    if (streq(how, "options")) {
        for (size_t k = 0; k < options->n; k++)
            sbuf_addf(out, "%s\n", options->v[k]);
        return 0;
    }
    if (streq(how, "cmd")) {
        _cleanup_strv_ struct strv program = STRV_INIT;

        if (ssh_program(&program, err) < 0)
            return -1;
        _cleanup_free_ char *line = strv_to_shell(&program);
        sbuf_addf(out, "%s ", line);
    }
    add_option_words(options, out);
    sbuf_addf(out, "%s%s\n", streq(how, "cmd") ? " " : "", streq(how, "cmd") ? host : "");
    return 0;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_config_ struct config config = CONFIG_INIT;
    _cleanup_ssh_target_ struct ssh_target target = {0};
    _cleanup_strv_ struct strv options = STRV_INIT;
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;
    const struct inst_env *env = cli_env(cli, err);
    const char *how = args_str(args, "format");

    if (!env || store_find(env->store, args_pos(args, 0), &inst, err) < 0 ||
        instance_load_config(env->store, &inst, env->host, &config, NULL, err) < 0)
        return -1;
    _cleanup_free_ char *host = config_hostname(inst.name);
    _cleanup_free_ char *ssh_config = instance_path(&inst, INST_SSH_CONFIG);
    _cleanup_sbuf_ struct sbuf quoted = SBUF_INIT;
    sbuf_add_shell_quoted(&quoted, ssh_config);
    log_warn("`cima show-ssh` is deprecated. Instead, use `ssh -F %s lima-%s`.", sbuf_str(&quoted),
             inst.name);
    uint16_t port = find_port(&inst, &config.v);
    if (!port)
        return no_port(&inst, err);
    ssh_target_init(&target, env->store, &inst, &config.v, port);
    if (ssh_options(&target, &options, err) < 0 ||
        format(how ? how : "cmd", &options, host, &out, err) < 0)
        return -1;
    fputs(sbuf_str(&out), stdout);
    return 0;
}

static const struct cli_positional positional[] = {
    {"INST", VALUE_INSTANCE, 1, 1},
    {NULL, VALUE_TEXT, 0, 0},
};

static const struct cli_option options[] = {
    {.name = "format",
     .short_name = 'f',
     .kind = VALUE_ENUM,
     .metavar = "FORMAT",
     .choices = formats,
     .default_text = "cmd",
     .help = "The whole command, its arguments, the options one per line, or an ssh.config"},
    {.name = NULL},
};

const struct command cmd_show_ssh = {
    .name = "show-ssh",
    .group = GROUP_ADVANCED,
    .summary = "Show how ssh reaches an instance (deprecated)",
    .description = "Show how ssh reaches an instance. Deprecated: the file ssh.config in the "
                   "directory of the instance says the same, for `ssh -F FILE lima-NAME`.",
    .examples = "cima show-ssh mini\n"
                "cima show-ssh --format config mini\n",
    .positional = positional,
    .options = options,
    .run = run,
};
