/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/shellenv.h"
#include "driver/driver.h"
#include "json/json.h"
#include "query/query.h"
#include "sys/helper.h"

static struct json *texts(const char *const *list)
{
    struct json *array = json_array_new();

    for (size_t i = 0; list[i]; i++)
        json_append(array, json_string_new(list[i]));
    return array;
}

static struct json *drivers(void)
{
    struct json *all = json_object_new();

    /* Inside of this program: none has a file of its own. */
    for (size_t i = 0; driver_names()[i]; i++)
        json_set(all, driver_names()[i], json_object_new());
    return all;
}

/* Where the helper programs are; none when they are missing. */
static struct json *libexec_paths(void)
{
    struct json *list = json_array_new();
    _cleanup_free_ char *helper = helper_path("cima-seediso", NULL);

    if (helper) {
        _cleanup_free_ char *dir = path_dirname(helper);

        json_append(list, json_string_new(dir));
    }
    return list;
}

static struct json *share_paths(void)
{
    struct json *list = json_array_new();

    if (path_exists(PKGDATADIR))
        json_append(list, json_string_new(PKGDATADIR));
    return list;
}

static struct json *make_info(const struct inst_env *env)
{
    struct json *o = json_object_new();
    _cleanup_free_ char *identity = store_config_path(env->store, "user");

    json_set_str(o, "version", PACKAGE_VERSION);
    /* There are no templates by name, no guest agents and no plugins in this version. */
    json_set(o, "templates", json_array_new());
    json_set(o, "defaultTemplate", json_null_new());
    json_set_str(o, "limaHome", env->store->home);
    json_set(o, "vmTypes", texts(driver_names()));
    json_set(o, "vmTypesEx", drivers());
    json_set(o, "guestAgents", json_object_new());
    json_set(o, "shellEnvBlock", texts(shellenv_block_default));
    json_set_str(o, "hostOS", "linux");
    json_set_str(o, "hostArch", arch_to_string(env->host->arch));
    json_set_str(o, "identityFile", identity);
    json_set(o, "plugins", json_array_new());
    json_set(o, "libexecPaths", libexec_paths());
    json_set(o, "sharePaths", share_paths());
    return o;
}

static int print_query(const char *expr, const struct json *info, struct err *err)
{
    _cleanup_query_result_ struct query_result result = QUERY_RESULT_INIT;
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;
    _cleanup_free_ char *text = json_dump(info);

    if (query_run(&expr, 1, (const char *const[]){text}, 1, &result, err) < 0)
        return -1;
    for (size_t i = 0; i < result.values.n; i++)
        if (output_value(result.values.v[i], OUTPUT_JSON_INDENTED, &out, err) < 0)
            return -1;
    fputs(sbuf_str(&out), stdout);
    return 0;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    const char *expr = args_str(args, "yq");
    const struct inst_env *env;

    if (expr && query_check(expr, err) < 0)
        return err_wrap(err, "--yq '%s'", expr);
    env = cli_env(cli, err);
    if (!env)
        return -1;
    _cleanup_json_ struct json *info = make_info(env);
    if (expr && !streq(expr, "."))
        return print_query(expr, info, err);
    _cleanup_free_ char *text = json_dump_indent(info, 4);
    printf("%s\n", text);
    return 0;
}

static const struct cli_option options[] = {
    {.name = "yq",
     .kind = VALUE_TEXT,
     .metavar = "EXPR",
     .default_text = ".",
     .help = "Show what EXPR, in the language of jq or yq, makes of the facts"},
    {.name = NULL},
};

const struct command cmd_info = {
    .name = "info",
    .group = GROUP_ADVANCED,
    .summary = "Show facts about this installation as JSON",
    .description = "Show facts about this installation as JSON: version, places, drivers.",
    .examples = "cima info\n"
                "cima info --yq .version\n",
    .options = options,
    .run = run,
};
