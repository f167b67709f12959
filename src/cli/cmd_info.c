/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/shellenv.h"
#include "cli/validate.h"
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

/* ---- templates ------------------------------------------------------------------------------- */

static struct json *templates(const struct store *store)
{
    struct json *list = json_array_new();
    struct template_entry *entries = NULL;
    size_t n = 0;

    template_list(store, false, &entries, &n);
    for (size_t i = 0; i < n; i++) {
        struct json *o = json_object_new();

        json_set_str(o, "name", entries[i].name);
        json_set_str(o, "location", entries[i].path);
        json_append(list, o);
    }
    template_list_free(entries, n);
    return list;
}

/* template:default as an instance would get it; null when it can't be had. */
static struct json *default_template(struct cli *cli)
{
    _cleanup_template_ struct template t = TEMPLATE_INIT;
    _cleanup_config_ struct config config = CONFIG_INIT;
    _cleanup_diags_ struct diags warnings = DIAGS_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *text = NULL;
    struct json *j = NULL;

    if (cli_read_template(cli, "template:default", &t, &err) == 0) {
        struct config_layer layer = {t.locator, t.text, t.len, t.places};

        if (store_fill_template(cli->env.store, "default", &layer, cli->env.host, &config,
                                &warnings, &err) == 0) {
            text = config_to_json(&config.v);
            j = json_parse(text, strlen(text), "template:default", &err);
        }
    }
    if (!j)
        log_debug("template:default: %s", err.msg ? err.msg : "cannot be read");
    return j ? j : json_null_new();
}

/* ---- plugins --------------------------------------------------------------------------------- */

static void add_plugins_of(const char *dir, struct strv *names, struct json *list)
{
    static const char *const prefixes[] = {"cima-url-", "limactl-url-"};
    _cleanup_strv_ struct strv files = STRV_INIT;

    if (dir_list(dir, &files, NULL) < 0)
        return;
    for (size_t i = 0; i < files.n; i++) {
        for (size_t k = 0; k < ARRAY_SIZE(prefixes); k++) {
            const char *scheme = files.v[i] + strlen(prefixes[k]);
            _cleanup_free_ char *path = NULL;

            if (!str_starts(files.v[i], prefixes[k]) || !*scheme || strv_contains(names, scheme))
                continue;
            path = path_join(dir, files.v[i]);
            if (access(path, X_OK) < 0)
                continue;
            struct json *o = json_object_new();
            strv_push(names, scheme);
            json_set(o, "name", json_string_new(strstr(files.v[i], "url-")));
            json_set_str(o, "path", path);
            json_append(list, o);
        }
    }
}

/* Programs that give locators of templates a scheme; the first one of a name is the one. */
static struct json *plugins(void)
{
    _cleanup_strv_ struct strv dirs = STRV_INIT, names = STRV_INIT, words = STRV_INIT;
    struct json *list = json_array_new();
    const char *path = getenv("PATH");

    plugin_places(&dirs);
    strv_split(&words, path ? path : "", ':');
    strv_extend(&dirs, &words);
    for (size_t i = 0; i < dirs.n; i++)
        if (*dirs.v[i] == '/')
            add_plugins_of(dirs.v[i], &names, list);
    return list;
}

/* ---- the command ----------------------------------------------------------------------------- */

static struct json *make_info(struct cli *cli)
{
    const struct inst_env *env = &cli->env;
    struct json *o = json_object_new();
    _cleanup_free_ char *identity = store_config_path(env->store, "user");

    json_set_str(o, "version", PACKAGE_VERSION);
    json_set(o, "templates", templates(env->store));
    json_set(o, "defaultTemplate", default_template(cli));
    json_set_str(o, "limaHome", env->store->home);
    json_set(o, "vmTypes", texts(driver_names()));
    json_set(o, "vmTypesEx", drivers());
    json_set(o, "guestAgents", json_object_new()); /* guests need none in this version */
    json_set(o, "shellEnvBlock", texts(shellenv_block_default));
    json_set_str(o, "hostOS", "linux");
    json_set_str(o, "hostArch", arch_to_string(env->host->arch));
    json_set_str(o, "identityFile", identity);
    json_set(o, "plugins", plugins());
    json_set(o, "libexecPaths", libexec_paths());
    json_set(o, "sharePaths", share_paths());
    return o;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    const char *expr = args_str(args, "yq");

    if (expr && query_check(expr, err) < 0)
        return err_wrap(err, "--yq '%s'", expr);
    if (!cli_env(cli, err))
        return -1;
    _cleanup_json_ struct json *info = make_info(cli);
    _cleanup_free_ char *text = json_dump_indent(info, 4);
    if (expr && !streq(expr, "."))
        return output_query(expr, text, OUTPUT_JSON_INDENTED, err);
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
    .description = "Show facts about this installation as JSON: version, templates, the default "
                   "template with all fields, places, drivers, plugins.",
    .examples = "cima info\n"
                "cima info --yq .version\n",
    .options = options,
    .run = run,
};
