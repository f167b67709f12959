/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "cli/output.h"
#include "cli/validate.h"
#include "template/locator.h"

extern const struct command cmd_template, cmd_template_yq;

/* ---- template copy --------------------------------------------------------------------------- */

static int check_options(const struct args *args, struct err *err)
{
    if (!args_flag(args, "verbatim") ||
        !(args_flag(args, "embed") || args_flag(args, "embed-all") || args_flag(args, "fill")))
        return 0;
    err_set(err, ERR_USAGE,
            "--verbatim cannot be used with any of --embed, --embed-all, or --fill");
    return err_hint(err, "--verbatim copies every byte, the others change the text");
}

/* What an instance can't be named after is no template's name either. */
static int check_source(const char *locator, const struct template *t, struct err *err)
{
    const char *why =
        t->name && !locator_is_image(locator) ? config_instance_name_problem(t->name) : NULL;

    if (!t->len)
        return err_set(err, ERR_CONFIG,
                       "don't know how to interpret `%s` as a template locator: it is empty",
                       locator);
    if (!why)
        return 0;
    err_set(err, ERR_USAGE, "filename `%s` is invalid: %s", locator, why);
    return err_hint(err, "an instance takes its name from the file: rename the file");
}

static int fill(struct cli *cli, const struct template *t, const char *destination, struct err *err)
{
    _cleanup_config_ struct config config = CONFIG_INIT;

    if (cli_fill_template(cli, t, &config, err) < 0)
        return -1;
    _cleanup_free_ char *filled = config_to_yaml(&config.v);
    return output_text(destination, filled, strlen(filled), err);
}

/* What is wrong with a template is not for a copy to say: it is copied as it is. */
static int change(const struct template_env *env, const struct args *args, struct template *t,
                  struct err *err)
{
    bool filled = args_flag(args, "fill"), all = filled || args_flag(args, "embed-all");
    unsigned what = (all ? TEMPLATE_EMBED_ALL : 0u) | (filled ? TEMPLATE_DEFAULT_BASE : 0u);

    if (args_flag(args, "verbatim"))
        return 0;
    if ((all || args_flag(args, "embed")) && template_embed(env, t, what, err) < 0)
        return -1;
    return filled ? 0 : template_make_absolute(env, t, true, err);
}

static int copy(struct cli *cli, const struct args *args, struct err *err)
{
    const char *source = args_pos(args, 0), *destination = args_pos(args, 1);
    _cleanup_template_ struct template t = TEMPLATE_INIT;

    if (check_options(args, err) < 0 || !cli_env(cli, err))
        return -1;
    const struct template_env env = cli_template_env(cli);
    template_warn_plain(&env, source);
    if (template_read(&env, source, &t, err) < 0 || check_source(source, &t, err) < 0 ||
        change(&env, args, &t, err) < 0)
        return -1;
    return args_flag(args, "fill") ? fill(cli, &t, destination, err)
                                   : output_text(destination, t.text, t.len, err);
}

static const struct cli_positional copy_positional[] = {
    {"TEMPLATE", VALUE_TEMPLATE, 1, 1},
    {"DEST", VALUE_FILE, 0, 1},
    {NULL, VALUE_TEXT, 0, 0},
};

static const struct cli_option copy_options[] = {
    {.name = "embed",
     .kind = VALUE_BOOL,
     .help = "Put base templates and files into the text, but for those named template:NAME"},
    {.name = "embed-all", .kind = VALUE_BOOL, .help = "Put all of them into the text"},
    {.name = "fill",
     .kind = VALUE_BOOL,
     .help = "Write every field, with its default (with --embed-all)"},
    {.name = "verbatim", .kind = VALUE_BOOL, .help = "Copy every byte as it is"},
    {.name = NULL},
};

static const char *const copy_aliases[] = {"cp", NULL};

static const struct command command_copy = {
    .name = "copy",
    .aliases = copy_aliases,
    .summary = "Copy a template to a file or to standard output",
    .description =
        "Copy a template to a file or to standard output (`-`, also without DEST).\n\n"
        "Without a flag, relative locators become absolute, so that the copy means the same as the "
        "original. With --embed its base templates and the files of its scripts come into the "
        "text; comments stay.",
    .examples = "cima template copy template:docker docker.yaml\n"
                "cima template copy --embed-all template:docker -\n"
                "cima template copy --fill mini.yaml -\n",
    .positional = copy_positional,
    .options = copy_options,
    .run = copy,
    .parent = &cmd_template,
};

/* ---- template validate ----------------------------------------------------------------------- */

static const struct command command_validate = {
    .name = "validate",
    .summary = "Check templates",
    .description = "Check templates: every problem is shown with its place. The same as `cima "
                   "validate`.",
    .examples = "cima template validate template:default mini.yaml\n",
    .positional = cli_validate_positional,
    .options = cli_validate_options,
    .run = cli_validate_run,
    .parent = &cmd_template,
};

/* ---- template url ---------------------------------------------------------------------------- */

static int url(struct cli *cli, const struct args *args, struct err *err)
{
    if (!cli_env(cli, err))
        return -1;
    const struct template_env env = cli_template_env(cli);
    _cleanup_free_ char *place = template_resolve(&env, args_pos(args, 0), err);

    if (!place)
        return -1;
    puts(place);
    return 0;
}

static const struct cli_positional url_positional[] = {
    {"CUSTOM_URL", VALUE_TEXT, 1, 1},
    {NULL, VALUE_TEXT, 0, 0},
};

static const struct command command_url = {
    .name = "url",
    .summary = "Show the URL that a locator stands for",
    .description =
        "Show the URL or path that a locator stands for: github:ORG/REPO/PATH@BRANCH, or one "
        "with a scheme of its own, for which a program `cima-url-SCHEME` or `limactl-url-SCHEME` "
        "in $PATH is asked.",
    .examples = "cima template url github:lima-vm/lima/templates/alpine@master\n",
    .positional = url_positional,
    .run = url,
    .parent = &cmd_template,
};

/* ---- template -------------------------------------------------------------------------------- */

static const struct command *const template_commands[] = {
    &command_copy, &command_url, &command_validate, &cmd_template_yq, NULL};

static const char *const template_aliases[] = {"tmpl", NULL};

const struct command cmd_template = {
    .name = "template",
    .aliases = template_aliases,
    .group = GROUP_ADVANCED,
    .summary = "Copy and check templates",
    .description = "Commands for templates: the YAML files that instances are made from.",
    .sub = template_commands,
};
