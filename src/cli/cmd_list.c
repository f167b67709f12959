/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/list.h"
#include "query/query.h"
#include "tmpl/tmpl.h"

/* Asking host agents may take this long in all, however many hang. */
enum { ASK_BUDGET_MS = 600 };

enum list_format { LIST_TABLE, LIST_JSON, LIST_YAML, LIST_TEMPLATE };

/* They are about the host, not about an instance: `cima info` has them. Templates may use them. */
static const char *const deprecated[] = {"HostArch", "HostOS", "IdentityFile", "LimaHome", NULL};

/* What is asked for. */
struct request {
    enum list_format format;
    bool quiet, all_fields;
    enum output_form form; /* of objects */
    struct tmpl *template_;
    struct strv filters, queries;
};

struct entry {
    struct inst_info info;
    char *object; /* JSON text, when queries need it */
};

struct list {
    const struct inst_env *env;
    struct entry *v;
    size_t n;
    int budget_ms;
};

static void request_release(struct request *r)
{
    tmpl_free(r->template_);
    strv_release(&r->filters);
    strv_release(&r->queries);
}

static void list_release(struct list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        inst_info_release(&l->v[i].info);
        free(l->v[i].object);
    }
    free(l->v);
}

/* ---- the request ----------------------------------------------------------------------------- */

static int conflict(const char *what, struct err *err)
{
    err_set(err, ERR_USAGE, "%s", what);
    return err_hint(err, "see `cima list --help`");
}

static int check_conflicts(const struct args *args, struct err *err)
{
    const char *format = args_str(args, "format");
    bool fields = args_flag(args, "list-fields"), json = args_flag(args, "json");
    bool yq = args_has(args, "yq");

    if (json && format)
        return conflict("option --json conflicts with option --format", err);
    if (fields && (format || json))
        return conflict("option --list-fields conflicts with option --format", err);
    if (yq && format && !streq(format, "json") && !streq(format, "yaml"))
        return conflict("option --yq only works with --format json or yaml", err);
    if (fields && yq)
        return conflict("option --list-fields conflicts with option --yq", err);
    if (fields && args_has(args, "filter"))
        return conflict("option --list-fields conflicts with option --filter", err);
    if (args_flag(args, "quiet") && (json || (format && !streq(format, "table"))))
        return conflict("option --quiet can only be used with '--format table'", err);
    return 0;
}

static int choose_format(const struct args *args, struct request *ret, struct err *err)
{
    const char *format = args_str(args, "format");

    /* --yq alone implies JSON. */
    if (args_flag(args, "json") || streq0(format, "json") || (!format && args_has(args, "yq"))) {
        ret->format = LIST_JSON;
    } else if (streq0(format, "yaml")) {
        ret->format = LIST_YAML;
    } else if (!format || streq(format, "table")) {
        ret->format = LIST_TABLE;
    } else if (strstr(format, "{{")) {
        ret->format = LIST_TEMPLATE;
        ret->template_ = tmpl_parse(format, err);
        if (!ret->template_)
            return err_wrap(err, "cannot list as '%s'", format);
    } else {
        err_set(err, ERR_USAGE,
                "invalid argument \"%s\" for \"-f, --format\" flag: must be one of: "
                "table, json, yaml, or a template such as '{{.Name}}'",
                format);
        return err_hint(err, "see `cima list --help`");
    }
    return 0;
}

/* The expressions of an option, each checked by itself so that its place is right. */
static int take_expressions(const struct args *args, const char *option, const char *form,
                            struct strv *ret, struct err *err)
{
    const struct strv *all = args_all(args, option);

    for (size_t i = 0; i < all->n; i++) {
        if (query_check(all->v[i], err) < 0)
            return err_wrap(err, "--%s '%s'", option, all->v[i]);
        if (form && all->v[i][strspn(all->v[i], " \t\r\n")]) /* it may end in a comment */
            strv_pushf(ret, "%s(%s\n)", form, all->v[i]);
        else
            strv_push(ret, all->v[i]);
    }
    return 0;
}

/* People at a terminal see more of it over several lines and in colours; programs get every object
 * in a line. Tests of such output have no terminal. */
static enum output_form choose_form(const struct cli *cli, enum list_format format)
{
    bool hook = !str_empty(getenv("_LIMA_OUTPUT_IS_TTY"));
    bool terminal = hook || (cli->tty && isatty(STDOUT_FILENO) == 1);
    bool colours =
        terminal && str_empty(getenv("NO_COLOR")) && (hook || !streq0(getenv("TERM"), "dumb"));

    if (format == LIST_YAML)
        return colours ? OUTPUT_YAML_COLOURED : OUTPUT_YAML;
    return colours ? OUTPUT_JSON_COLOURED : terminal ? OUTPUT_JSON_INDENTED : OUTPUT_JSON;
}

static int read_request(const struct cli *cli, const struct args *args, struct request *ret,
                        struct err *err)
{
    ret->quiet = args_flag(args, "quiet");
    ret->all_fields = args_flag(args, "all-fields");
    if (choose_format(args, ret, err) < 0 ||
        take_expressions(args, "filter", "select", &ret->filters, err) < 0 ||
        take_expressions(args, "yq", NULL, &ret->queries, err) < 0)
        return -1;
    if (ret->quiet && ret->queries.n)
        strv_push(&ret->queries, ".name");
    ret->form = choose_form(cli, ret->format);
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

/* ---- reading --------------------------------------------------------------------------------- */

/* One that was deleted since we looked is no news. */
static bool find(const struct list *l, const char *name, struct instance *ret)
{
    return store_find(l->env->store, name, ret, NULL) == 0;
}

static void read_entry(struct list *l, const struct instance *inst, bool object)
{
    struct entry *e = &l->v[l->n++];

    if (!object) {
        inst_info_read_row(l->env, inst, &l->budget_ms, &e->info);
        return;
    }
    inst_info_read(l->env, inst, &l->budget_ms, &e->info);
    _cleanup_json_ struct json *o = inst_object(&e->info, l->env, true);
    e->object = json_dump(o);
    config_release(&e->info.config); /* it is large, and there may be many */
}

/* All of them; with their objects when there are queries. */
static void gather(struct list *l, const struct strv *names, bool objects)
{
    l->v = xcalloc(names->n + 1, sizeof(*l->v));
    for (size_t i = 0; i < names->n; i++) {
        _cleanup_instance_ struct instance inst = INSTANCE_INIT;

        if (find(l, names->v[i], &inst))
            read_entry(l, &inst, objects);
    }
}

/* ---- printing -------------------------------------------------------------------------------- */

static void print_note(void *arg, enum log_level level, const char *text)
{
    (void)arg;
    log_at(level, "%s", text);
}

/* The table, and the reasons behind its rows, for which it has no room. */
static void print_table(const struct cli *cli, const struct request *r, const struct list *l)
{
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;
    _cleanup_free_ const struct inst_info **rows = xcalloc(l->n + 1, sizeof(*rows));

    for (size_t i = 0; i < l->n; i++)
        rows[i] = &l->v[i].info;
    if (l->n)
        list_table(rows, l->n, l->env->host, cli->tty ? cli_columns(STDOUT_FILENO) : 0,
                   r->all_fields, &out);
    fputs(sbuf_str(&out), stdout);
    fflush(stdout);
    for (size_t i = 0; i < l->n; i++)
        list_notes(rows[i], print_note, NULL);
}

static int print_object(const struct request *r, const struct json *o, const char *name,
                        bool first, struct err *err)
{
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;
    _cleanup_free_ char *text = NULL;

    if (r->format == LIST_TEMPLATE) {
        const struct tmpl_input in = {o, inst_shape(), TMPL_FOLD_CASE};

        text = tmpl_run(r->template_, &in, NULL, err);
        if (!text) {
            if (err && !err->hint)
                err_hint(err, "`cima list --list-fields` has the names of the fields, `cima list "
                              "--format yaml` what is in them");
            return err_wrap(err, "cannot list instance '%s'", name);
        }
        puts(text);
    } else {
        output_json(o, r->form, &out);
        printf("%s%s", first || r->format != LIST_YAML ? "" : "---\n", sbuf_str(&out));
    }
    return 0;
}

/* One after the other: the configuration of one instance is in memory at a time. */
static int print_objects(const struct request *r, struct list *l, const struct strv *names,
                         struct err *err)
{
    bool first = true;

    for (size_t i = 0; i < names->n; i++) {
        _cleanup_instance_ struct instance inst = INSTANCE_INIT;
        _cleanup_inst_info_ struct inst_info info = {0};

        if (!find(l, names->v[i], &inst))
            continue;
        inst_info_read(l->env, &inst, &l->budget_ms, &info);
        _cleanup_json_ struct json *o = inst_object(&info, l->env, true);
        if (print_object(r, o, info.name, first, err) < 0)
            return -1;
        first = false;
    }
    return 0;
}

static int print_results(const struct request *r, const struct strv *values, struct err *err)
{
    for (size_t i = 0; i < values->n; i++) {
        _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

        if (output_value(values->v[i], r->form, &out, err) < 0)
            return -1;
        printf("%s%s", r->format == LIST_YAML && i ? "---\n" : "", sbuf_str(&out));
    }
    return 0;
}

/* ---- queries --------------------------------------------------------------------------------- */

static int run_queries(const struct request *r, const struct list *l, struct query_result *ret,
                       struct err *err)
{
    _cleanup_strv_ struct strv exprs = STRV_INIT;
    _cleanup_free_ const char **inputs = xcalloc(l->n + 1, sizeof(*inputs));

    strv_extend(&exprs, &r->filters);
    strv_extend(&exprs, &r->queries);
    for (size_t i = 0; i < l->n; i++)
        inputs[i] = l->v[i].object;
    return query_run((const char *const *)strv_argv(&exprs), exprs.n, inputs, l->n, ret, err);
}

/* Those of which a filter has left nothing go. */
static void keep_matching(struct list *l, const struct query_result *result)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->n; i++) {
        if (result->counts[i]) {
            l->v[kept++] = l->v[i];
        } else {
            inst_info_release(&l->v[i].info);
            free(l->v[i].object);
        }
    }
    l->n = kept;
}

static int print_filtered(const struct cli *cli, const struct request *r, const struct list *l,
                          struct err *err)
{
    if (r->format == LIST_TABLE && !r->quiet) {
        print_table(cli, r, l);
        return 0;
    }
    for (size_t i = 0; i < l->n; i++) {
        const struct entry *e = &l->v[i];
        _cleanup_json_ struct json *o = NULL;

        if (r->quiet) {
            puts(e->info.name);
            continue;
        }
        o = json_parse(e->object, strlen(e->object), "instance", err);
        if (!o || print_object(r, o, e->info.name, i == 0, err) < 0)
            return -1;
    }
    return 0;
}

static int query(const struct cli *cli, const struct request *r, struct list *l,
                 const struct strv *names, struct err *err)
{
    _cleanup_query_result_ struct query_result result = QUERY_RESULT_INIT;

    gather(l, names, true);
    if (run_queries(r, l, &result, err) < 0)
        return -1;
    if (r->queries.n)
        return print_results(r, &result.values, err);
    keep_matching(l, &result);
    return print_filtered(cli, r, l, err);
}

/* ---- the command ----------------------------------------------------------------------------- */

static int print(const struct cli *cli, const struct request *r, struct list *l,
                 const struct strv *names, struct err *err)
{
    if (r->filters.n || r->queries.n)
        return query(cli, r, l, names, err);
    if (r->quiet) {
        for (size_t i = 0; i < names->n; i++)
            puts(names->v[i]);
        return 0;
    }
    if (r->format != LIST_TABLE)
        return print_objects(r, l, names, err);
    gather(l, names, false);
    print_table(cli, r, l);
    return 0;
}

static int list(struct cli *cli, const struct args *args, const struct request *r, struct err *err)
{
    _cleanup_strv_ struct strv all = STRV_INIT, names = STRV_INIT;

    if (!cli_env(cli, err) || store_list(cli->env.store, &all, err) < 0)
        return -1;
    if (!all.n && !args->positional.n) {
        log_warn("No instance found. Run `cima create` to create an instance.");
        return 0;
    }
    bool missing = select_names(&all, &args->positional, &names);
    /* Files that can't be read are a reason of every row: then each reads them itself. */
    _cleanup_store_around_ struct store_around *around = store_around_read(cli->env.store, NULL);
    struct inst_env env = cli->env;
    struct list l = {.env = &env, .budget_ms = ASK_BUDGET_MS};

    env.around = around;
    int result = print(cli, r, &l, &names, err);
    list_release(&l);
    if (result < 0)
        return -1;
    return missing ? err_set(err, ERR_NOT_FOUND, "unmatched instances") : 0;
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    struct request r = {0};
    int result = check_conflicts(args, err);

    if (result == 0 && args_flag(args, "list-fields")) {
        for (size_t i = 0; inst_fields[i]; i++)
            if (!str_is_one_of(inst_fields[i], deprecated))
                puts(inst_fields[i]);
        return 0;
    }
    if (result == 0)
        result = read_request(cli, args, &r, err) < 0 ? -1 : list(cli, args, &r, err);
    request_release(&r);
    return result;
}

static const struct cli_positional positional[] = {
    {"INST", VALUE_INSTANCE, 0, 0},
    {NULL, VALUE_TEXT, 0, 0},
};

static const struct cli_option options[] = {
    {.name = "all-fields",
     .kind = VALUE_BOOL,
     .help = "Show every column of the table, however narrow the terminal is"},
    {.name = "filter",
     .short_name = 'l',
     .kind = VALUE_TEXT,
     .metavar = "EXPR",
     .flags = OPTION_REPEAT,
     .help = "Only instances of which EXPR is true, as with --yq 'select(EXPR)'; every one of "
             "them must be"},
    {.name = "format",
     .short_name = 'f',
     .kind = VALUE_TEXT,
     .metavar = "FORMAT",
     .default_text = "table",
     .help = "Form of the output: table, json, yaml, or a template: '{{.Name}}'"},
    {.name = "json", .kind = VALUE_BOOL, .help = "Same as --format json"},
    {.name = "list-fields",
     .kind = VALUE_BOOL,
     .help = "Show the names of the fields that a template can use"},
    {.name = "quiet", .short_name = 'q', .kind = VALUE_BOOL, .help = "Only names"},
    {.name = "yq",
     .kind = VALUE_TEXT,
     .metavar = "EXPR",
     .flags = OPTION_REPEAT,
     .help = "Show what EXPR, in the language of jq or yq, makes of each instance; several are "
             "piped into each other. Implies --format json"},
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
        "On a terminal the table leaves out columns that would not fit and say little, and JSON "
        "and YAML are in colours. Elsewhere JSON is one object per line. What goes on with an "
        "instance beyond its status, and what is wrong with a broken one, is said below the "
        "table, on standard error.\n\n"
        "A template is one of Go's text/template: a field is {{.Name}}, one of the configuration "
        "{{.Config.CPUs}}; there are {{if}}, {{range}}, printf, and json, yaml, indent, missing. "
        "It is written once for each instance.",
    .examples = "cima list\n"
                "cima list --format json mini\n"
                "cima list --format '{{.Name}} {{.SSHLocalPort}}'\n"
                "cima list --filter '.status == \"Running\"' --yq .name\n",
    .positional = positional,
    .options = options,
    .run = run,
};
