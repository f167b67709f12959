/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/validate.h"
#include "base/log.h"

struct template_env cli_template_env(struct cli *cli)
{
    static const struct image_report report = {.note = NULL};
    static struct image_report told;

    told = report;
    told.note = cli_report.note;
    told.arg = cli_report.arg;
    return (struct template_env){&cli->store, &cli->host, &told};
}

int cli_read_template(struct cli *cli, const char *locator, struct template *ret, struct err *err)
{
    const struct template_env env = cli_template_env(cli);
    _cleanup_template_ struct template t = TEMPLATE_INIT;

    template_warn_plain(&env, locator);
    if (template_read(&env, locator, &t, err) < 0 ||
        template_embed(&env, &t, TEMPLATE_EMBED_ALL | TEMPLATE_DEFAULT_BASE, err) < 0)
        return -1;
    *ret = t;
    t = (struct template)TEMPLATE_INIT;
    return 0;
}

/* A name for what the file would become; only {{.Name}} and the MAC addresses depend on it. */
static const char *name_for(const struct inst_env *env, const struct template *t)
{
    return t->name && store_check_name(env->store, t->name, NULL) == 0 ? t->name : "validate";
}

int cli_fill_template(struct cli *cli, const struct template *t, struct config *ret,
                      struct err *err)
{
    _cleanup_diags_ struct diags warnings = DIAGS_INIT;
    const struct inst_env *env = &cli->env;
    struct config_layer layer = {t->locator, t->text, t->len, t->places};
    int r =
        store_fill_template(env->store, name_for(env, t), &layer, env->host, ret, &warnings, err);

    inst_warnings(&cli_report, &warnings);
    return r;
}

int cli_load_template(struct cli *cli, const struct template *t, struct config *ret,
                      struct err *err)
{
    _cleanup_diags_ struct diags warnings = DIAGS_INIT;
    const struct inst_env *env = &cli->env;
    struct config_layer layer = {t->locator, t->text, t->len, t->places};
    int r =
        store_load_template(env->store, name_for(env, t), &layer, env->host, ret, &warnings, err);

    inst_warnings(&cli_report, &warnings);
    return r;
}

static int validate_one(struct cli *cli, const char *path, bool fill, struct err *err)
{
    _cleanup_template_ struct template t = TEMPLATE_INIT;
    _cleanup_config_ struct config config = CONFIG_INIT;

    if (cli_read_template(cli, path, &t, err) < 0)
        return -1;
    if (cli_load_template(cli, &t, &config, err) < 0)
        return err_wrap(err, "failed to validate YAML file `%s`", t.locator);
    if (fill) {
        _cleanup_free_ char *yaml = config_to_yaml(&config.v);

        fputs(yaml, stdout);
    }
    log_info("`%s`: OK", t.locator);
    return 0;
}

int cli_validate_run(struct cli *cli, const struct args *args, struct err *err)
{
    if (!cli_env(cli, err))
        return -1;
    return cli_for_each(cli, &args->positional, args_flag(args, "fill"), validate_one, err);
}

const struct cli_positional cli_validate_positional[] = {
    {"TEMPLATE", VALUE_TEMPLATE, 1, 0},
    {NULL, VALUE_TEXT, 0, 0},
};

const struct cli_option cli_validate_options[] = {
    {.name = "fill", .kind = VALUE_BOOL, .help = "Print the YAML with every default filled in"},
    {.name = NULL},
};

const struct command cmd_validate = {
    .name = "validate",
    .group = GROUP_BASIC,
    .summary = "Check YAML files and templates",
    .description = "Check YAML files and templates with all that they are based on: every problem "
                   "is shown with its place in its file. `-` is standard input.",
    .examples = "cima validate mini.yaml\n"
                "cima validate template:docker\n"
                "cima validate --fill mini.yaml\n",
    .positional = cli_validate_positional,
    .options = cli_validate_options,
    .run = cli_validate_run,
};
