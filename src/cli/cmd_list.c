/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/list.h"

/* Asking host agents may take this long in all, however many hang. */
enum { ASK_BUDGET_MS = 600 };

enum list_format { LIST_TABLE, LIST_JSON, LIST_YAML };

struct list {
    const struct inst_env *env;
    struct inst_info *infos;
    size_t n;
};

#define _cleanup_list_ _cleanup_(list_release)

static void list_release(struct list *l)
{
    for (size_t i = 0; i < l->n; i++)
        inst_info_release(&l->infos[i]);
    free(l->infos);
}

static int conflict(const char *what, struct err *err)
{
    err_set(err, ERR_USAGE, "%s", what);
    return err_hint(err, "see `cima list --help`");
}

static int choose_format(const struct args *args, enum list_format *ret, struct err *err)
{
    const char *format = args_str(args, "format");

    if (args_flag(args, "json") && format)
        return conflict("option --json conflicts with option --format", err);
    if (args_flag(args, "quiet") &&
        (args_flag(args, "json") || (format && !streq(format, "table"))))
        return conflict("option --quiet can only be used with '--format table'", err);
    if (args_flag(args, "json") || streq0(format, "json")) {
        *ret = LIST_JSON;
    } else if (streq0(format, "yaml")) {
        *ret = LIST_YAML;
    } else if (!format || streq(format, "table")) {
        *ret = LIST_TABLE;
    } else if (strstr(format, "{{")) {
        err_set(err, ERR_UNSUPPORTED, "cannot list as '%s': templates come later", format);
        return err_hint(err, "--format json has every field");
    } else {
        err_set(err, ERR_USAGE,
                "invalid argument \"%s\" for \"-f, --format\" flag: must be one of: "
                "table, json, yaml",
                format);
        return err_hint(err, "see `cima list --help`");
    }
    return 0;
}

/* Names to show: all of them, sorted, or those asked for, in that order. */
static bool select_names(const struct strv *all, const struct strv *asked, struct strv *ret)
{
    bool missing = false;

    for (size_t i = 0; i < asked->n; i++) {
        if (strv_contains(all, asked->v[i])) {
            strv_push(ret, asked->v[i]);
        } else {
            log_warn("No instance matching %s found.", asked->v[i]);
            missing = true;
        }
    }
    if (!asked->n)
        strv_extend(ret, all);
    return missing;
}

static void gather(struct list *l, const struct strv *names)
{
    int budget_ms = ASK_BUDGET_MS;

    l->infos = xcalloc(names->n + 1, sizeof(*l->infos));
    for (size_t i = 0; i < names->n; i++) {
        _cleanup_instance_ struct instance inst = INSTANCE_INIT;

        /* One that was deleted since we looked is no news. */
        if (store_find(l->env->store, names->v[i], &inst, NULL) == 0)
            inst_info_read_row(l->env, &inst, &budget_ms, &l->infos[l->n++]);
    }
}

static void print_table(const struct list *l, unsigned columns, bool all_fields)
{
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

    if (l->n)
        list_table(l->infos, l->n, l->env->host, columns, all_fields, &out);
    fputs(sbuf_str(&out), stdout);
}

/* One after the other: the configuration of one instance is in memory at a time. */
static void print_objects(const struct inst_env *env, const struct strv *names, bool yaml)
{
    int budget_ms = ASK_BUDGET_MS;
    bool first = true;

    for (size_t i = 0; i < names->n; i++) {
        _cleanup_instance_ struct instance inst = INSTANCE_INIT;
        _cleanup_inst_info_ struct inst_info info = {0};

        if (store_find(env->store, names->v[i], &inst, NULL) < 0)
            continue;
        inst_info_read(env, &inst, &budget_ms, &info);
        _cleanup_json_ struct json *o = list_json(&info, env);
        if (yaml) {
            _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

            yaml_from_json(o, &out);
            printf("%s%s", first ? "" : "---\n", sbuf_str(&out));
        } else {
            _cleanup_free_ char *text = json_dump(o);

            puts(text);
        }
        first = false;
    }
}

static void print_note(void *arg, enum log_level level, const char *text)
{
    (void)arg;
    log_at(level, "%s", text);
}

/* The reasons behind a row, for people: the table has no room for them. */
static void print_notes(const struct list *l)
{
    fflush(stdout);
    for (size_t i = 0; i < l->n; i++)
        list_notes(&l->infos[i], print_note, NULL);
}

static int print_fields(const struct args *args, struct err *err)
{
    if (args_has(args, "format") || args_flag(args, "json"))
        return conflict("option --list-fields conflicts with option --format", err);
    for (size_t i = 0; list_fields[i]; i++)
        printf("%s\n", list_fields[i]);
    return 0;
}

static void print(struct cli *cli, const struct args *args, const struct inst_env *env,
                  const struct strv *names, enum list_format format)
{
    _cleanup_list_ struct list l = {env, NULL, 0};

    if (args_flag(args, "quiet")) {
        for (size_t i = 0; i < names->n; i++)
            printf("%s\n", names->v[i]);
    } else if (format == LIST_TABLE) {
        gather(&l, names);
        print_table(&l, cli->tty ? cli_columns(STDOUT_FILENO) : 0, args_flag(args, "all-fields"));
        print_notes(&l);
    } else {
        print_objects(env, names, format == LIST_YAML);
    }
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_strv_ struct strv all = STRV_INIT, names = STRV_INIT;
    enum list_format format = LIST_TABLE;

    if (args_flag(args, "list-fields"))
        return print_fields(args, err);
    if (!cli_env(cli, err) || choose_format(args, &format, err) < 0 ||
        store_list(cli->env.store, &all, err) < 0)
        return -1;
    if (!all.n && !args->positional.n && format == LIST_TABLE && !args_flag(args, "quiet"))
        log_warn("No instance found. Run `cima create` to create an instance.");
    bool missing = select_names(&all, &args->positional, &names);
    /* Files that can't be read are a reason of every row: then each reads them itself. */
    _cleanup_store_around_ struct store_around *around = store_around_read(cli->env.store, NULL);
    struct inst_env env = cli->env;
    env.around = around;
    print(cli, args, &env, &names, format);
    return missing ? err_set(err, ERR_NOT_FOUND, "unmatched instances") : 0;
}

static const struct cli_positional positional[] = {
    {"INST", VALUE_INSTANCE, 0, 0},
    {NULL, VALUE_TEXT, 0, 0},
};

static const struct cli_option options[] = {
    {.name = "all-fields",
     .kind = VALUE_BOOL,
     .help = "Show every column of the table, however narrow the terminal is"},
    {.name = "format",
     .short_name = 'f',
     .kind = VALUE_TEXT,
     .metavar = "FORMAT",
     .default_text = "table",
     .help = "Form of the output: table, json, yaml"},
    {.name = "json", .kind = VALUE_BOOL, .help = "Same as --format json"},
    {.name = "list-fields",
     .kind = VALUE_BOOL,
     .help = "Show the names of the fields that an instance has"},
    {.name = "quiet", .short_name = 'q', .kind = VALUE_BOOL, .help = "Only names"},
    {.name = NULL},
};

static const char *const aliases[] = {"ls", NULL};

const struct command cmd_list = {
    .name = "list",
    .aliases = aliases,
    .group = GROUP_BASIC,
    .summary = "List instances",
    .description =
        "List instances: all of them, or those named.\n\n"
        "On a terminal the table leaves out columns that would not fit and say little. JSON is one "
        "object per line. What goes on with an instance beyond its status, and what is wrong with "
        "a broken one, is said below the table, on standard error.",
    .examples = "cima list\n"
                "cima list --format json mini\n",
    .positional = positional,
    .options = options,
    .run = run,
};
