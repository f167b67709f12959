/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/mem.h"
#include "cli/output.h"
#include "cli/validate.h"

/* Unknown keys are errors here; everywhere else they are warnings. */
static int check_keys(const struct template *t, struct err *err)
{
    const struct config_layer layer = {.name = t->locator, .text = t->text, .len = t->len};
    _cleanup_config_ struct config config = CONFIG_INIT;
    _cleanup_diags_ struct diags d = DIAGS_INIT;

    if (config_parse(&layer, &config, &d, err) < 0)
        return -1;
    for (size_t i = 0; i < d.n; i++)
        d.v[i].severity = DIAG_ERROR;
    if (!d.n)
        return 0;
    err_set(err, ERR_CONFIG, "'%s' is not valid: %zu problem%s", t->locator, d.n, d.n == 1 ? "" : "s");
    if (err) {
        diags_release(&err->diags);
        err->diags = d;
        d = (struct diags)DIAGS_INIT;
    }
    return -1;
}

static int check_template(struct cli *cli, const char *locator, bool unused, struct err *err)
{
    _cleanup_template_ struct template t = TEMPLATE_INIT;
    _cleanup_config_ struct config config = CONFIG_INIT;

    (void)unused;
    if (cli_read_template(cli, locator, &t, err) < 0)
        return -1;
    if (check_keys(&t, err) < 0 || cli_load_template(cli, &t, &config, err) < 0)
        return err_wrap(err, "failed to validate YAML file `%s`", t.locator);
    log_info("`%s`: OK", t.locator);
    return 0;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    const char *path = args_str(args, "schemafile");
    _cleanup_free_ char *schema = config_json_schema();

    if ((path || !args->positional.n) && output_text(path, schema, strlen(schema), err) < 0)
        return -1;
    if (args->positional.n && !cli_env(cli, err))
        return -1;
    return cli_for_each(cli, &args->positional, false, check_template, err);
}

static const struct cli_positional positional[] = {
    {"TEMPLATE", VALUE_TEMPLATE, 0, 0},
    {NULL, VALUE_TEXT, 0, 0},
};

static const struct cli_option options[] = {
    {.name = "schemafile",
     .kind = VALUE_FILE,
     .metavar = "FILE",
     .default_text = "standard output",
     .help = "Where to write the schema"},
    {.name = NULL},
};

const struct command cmd_generate_jsonschema = {
    .name = "generate-jsonschema",
    .group = GROUP_ADVANCED,
    .summary = "Write the JSON Schema of the instance YAML",
    .description = "Write the JSON Schema of the instance YAML, for editors. Templates that are "
                   "named are checked more strictly than by `cima validate`: a field that cima "
                   "does not know is an error. The schema is then written only with --schemafile.",
    .examples = "cima generate-jsonschema --schemafile cima.schema.json\n"
                "cima generate-jsonschema mini.yaml\n",
    .positional = positional,
    .options = options,
    .flags = COMMAND_HIDDEN,
    .run = run,
};
