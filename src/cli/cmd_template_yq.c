/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "cli/output.h"
#include "cli/validate.h"
#include "query/query.h"
#include "yaml/patch.h"

extern const struct command cmd_template;

/* The filled configuration as JSON. Caller frees. */
static char *filled_json(struct cli *cli, const char *locator, struct err *err)
{
    _cleanup_template_ struct template t = TEMPLATE_INIT;
    _cleanup_config_ struct config config = CONFIG_INIT;
    _cleanup_diags_ struct diags ignored = DIAGS_INIT;

    if (!cli_env(cli, err) || cli_read_template(cli, locator, &t, err) < 0 ||
        cli_fill_template(cli, &t, &config, err) < 0)
        return NULL;
    _cleanup_free_ char *text = config_to_yaml(&config.v);
    _cleanup_yaml_doc_ struct yaml_doc *doc =
        yaml_doc_parse("filled", text, strlen(text), &ignored);
    if (!doc) {
        err_set(err, ERR_INTERNAL, "the filled template '%s' is no YAML", locator);
        return NULL;
    }
    return yaml_doc_to_json(doc);
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    const char *expr = args_pos(args, 1);
    _cleanup_free_ char *json = NULL;

    if (query_check(expr, err) < 0)
        return -1;
    json = filled_json(cli, args_pos(args, 0), err);
    return json ? output_query(expr, json, OUTPUT_YAML, err) : -1;
}

static const struct cli_positional positional[] = {
    {"TEMPLATE", VALUE_TEMPLATE, 1, 1},
    {"EXPR", VALUE_TEXT, 1, 1},
    {NULL, VALUE_TEXT, 0, 0},
};

extern const struct command cmd_template_yq;
const struct command cmd_template_yq = {
    .name = "yq",
    .summary = "Show what an expression makes of a template",
    .description =
        "Show what an expression, in the language of jq or yq, makes of a template with everything "
        "that it names put in and every field filled. `cima yq-restrictions` tells what expressions "
        "may do.",
    .examples = "cima template yq mini.yaml .images[].location\n"
                "cima template yq mini.yaml '.mounts[] | select(.writable)'\n",
    .positional = positional,
    .run = run,
    .parent = &cmd_template,
};
