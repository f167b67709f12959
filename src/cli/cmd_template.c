/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/validate.h"

extern const struct command cmd_template;

/* ---- template copy --------------------------------------------------------------------------- */

static int put_text(const char *destination, const char *text, size_t len, struct err *err)
{
    if (!streq(destination, "-"))
        return file_write_atomic(destination, text, len, 0644, err);
    fwrite(text, 1, len, stdout);
    return 0;
}

static int copy(struct cli *cli, const struct args *args, struct err *err)
{
    const char *source = args_pos(args, 0), *destination = args_pos(args, 1);
    _cleanup_inst_template_ struct inst_template t = INST_TEMPLATE_INIT;
    _cleanup_config_ struct config config = CONFIG_INIT;
    _cleanup_free_ char *filled = NULL;

    if (!cli_env(cli, err) || inst_template_read(source, &t, err) < 0)
        return -1;
    if (args_flag(args, "fill")) {
        if (cli_fill_template(cli, &t, &config, err) < 0)
            return -1;
        filled = config_to_yaml(&config.v);
        return put_text(destination ? destination : "-", filled, strlen(filled), err);
    }
    return put_text(destination ? destination : "-", t.text, t.len, err);
}

static const struct cli_positional copy_positional[] = {
    {"TEMPLATE", VALUE_TEMPLATE, 1, 1},
    {"DEST", VALUE_FILE, 0, 1},
    {NULL, VALUE_TEXT, 0, 0},
};

static const struct cli_option copy_options[] = {
    {.name = "fill", .kind = VALUE_BOOL, .help = "Write every field, with its default"},
    {.name = NULL},
};

static const char *const copy_aliases[] = {"cp", NULL};

static const struct command template_copy = {
    .name = "copy",
    .aliases = copy_aliases,
    .summary = "Copy a template to a file or to standard output",
    .description = "Copy a template to a file or to standard output (`-`, also without DEST).",
    .examples = "cima template copy --fill mini.yaml -\n",
    .positional = copy_positional,
    .options = copy_options,
    .run = copy,
    .parent = &cmd_template,
};

/* ---- template -------------------------------------------------------------------------------- */

static const struct command *const template_commands[] = {&template_copy, NULL};

static const char *const template_aliases[] = {"tmpl", NULL};

const struct command cmd_template = {
    .name = "template",
    .aliases = template_aliases,
    .group = GROUP_ADVANCED,
    .summary = "Copy and check templates",
    .description = "Commands for templates: the YAML files that instances are made from.",
    .sub = template_commands,
};
