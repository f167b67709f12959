/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/validate.h"
#include "base/log.h"

/* A name for what the file would become; only {{.Name}} and the MAC addresses depend on it. */
static const char *name_for(const struct inst_env *env, const struct inst_template *t)
{
    return t->name && store_check_name(env->store, t->name, NULL) == 0 ? t->name : "validate";
}

int cli_fill_template(struct cli *cli, const struct inst_template *t, struct config *ret,
                      struct err *err)
{
    _cleanup_diags_ struct diags warnings = DIAGS_INIT;
    const struct inst_env *env = &cli->env;
    struct config_layer layer = {t->path, t->text, t->len, NULL};
    int r =
        store_fill_template(env->store, name_for(env, t), &layer, env->host, ret, &warnings, err);

    inst_warnings(&cli_report, &warnings);
    return r;
}

int cli_load_template(struct cli *cli, const struct inst_template *t, struct config *ret,
                      struct err *err)
{
    _cleanup_diags_ struct diags warnings = DIAGS_INIT;
    const struct inst_env *env = &cli->env;
    struct config_layer layer = {t->path, t->text, t->len, NULL};
    int r =
        store_load_template(env->store, name_for(env, t), &layer, env->host, ret, &warnings, err);

    inst_warnings(&cli_report, &warnings);
    return r;
}

static int validate_one(struct cli *cli, const char *path, bool fill, struct err *err)
{
    _cleanup_inst_template_ struct inst_template t = INST_TEMPLATE_INIT;
    _cleanup_config_ struct config config = CONFIG_INIT;

    if (inst_template_read(path, &t, err) < 0)
        return -1;
    if (cli_load_template(cli, &t, &config, err) < 0)
        return err_wrap(err, "failed to validate YAML file `%s`", t.path);
    if (fill) {
        _cleanup_free_ char *yaml = config_to_yaml(&config.v);

        fputs(yaml, stdout);
    }
    log_info("`%s`: OK", t.path);
    return 0;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    if (!cli_env(cli, err))
        return -1;
    return cli_for_each(cli, &args->positional, args_flag(args, "fill"), validate_one, err);
}

static const struct cli_positional positional[] = {
    {"FILE.yaml", VALUE_TEMPLATE, 1, 0},
    {NULL, VALUE_TEXT, 0, 0},
};

static const struct cli_option options[] = {
    {.name = "fill", .kind = VALUE_BOOL, .help = "Print the YAML with every default filled in"},
    {.name = NULL},
};

const struct command cmd_validate = {
    .name = "validate",
    .group = GROUP_BASIC,
    .summary = "Check YAML files",
    .description = "Check YAML files: every problem is shown with its place in the file. `-` is "
                   "standard input.",
    .examples = "cima validate mini.yaml\n"
                "cima validate --fill mini.yaml\n",
    .positional = positional,
    .options = options,
    .run = run,
};
