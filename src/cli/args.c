/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/args.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cli/help.h"
#include <assert.h>

void args_release(struct args *a)
{
    for (size_t i = 0; i < a->n; i++)
        strv_release(&a->v[i].values);
    free(a->v);
    strv_release(&a->positional);
    *a = (struct args)ARGS_INIT;
}

/* ---- looking options up ---------------------------------------------------------------------- */

static void add_options(struct args *a, const struct cli_option *options)
{
    size_t n = 0;

    while (options && options[n].name)
        n++;
    a->v = xreallocarray(a->v, a->n + n, sizeof(*a->v));
    for (size_t i = 0; i < n; i++)
        a->v[a->n + i] = (struct arg_value){.option = &options[i], .values = STRV_INIT};
    a->n += n;
}

static struct arg_value *find_long(const struct args *a, const char *name, size_t len)
{
    for (size_t i = 0; i < a->n; i++) {
        const char *n = a->v[i].option->name;

        if (strlen(n) == len && memcmp(n, name, len) == 0)
            return &a->v[i];
    }
    return NULL;
}

static struct arg_value *find_short(const struct args *a, char c)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->v[i].option->short_name == c)
            return &a->v[i];
    return NULL;
}

static struct arg_value *known(const struct args *a, const char *name)
{
    struct arg_value *v = find_long(a, name, strlen(name));

    assert(v);
    return v;
}

bool args_has(const struct args *a, const char *name)
{
    return known(a, name)->values.n > 0;
}

const char *args_str(const struct args *a, const char *name)
{
    const struct strv *s = &known(a, name)->values;

    return s->n ? s->v[s->n - 1] : NULL;
}

bool args_flag(const struct args *a, const char *name)
{
    assert(known(a, name)->option->kind == VALUE_BOOL);
    return streq0(args_str(a, name), "true");
}

const struct strv *args_all(const struct args *a, const char *name)
{
    return &known(a, name)->values;
}

const char *args_pos(const struct args *a, size_t i)
{
    return i < a->positional.n ? a->positional.v[i] : NULL;
}

/* ---- errors ---------------------------------------------------------------------------------- */

int args_hint_help(const struct args *a, struct err *err)
{
    _cleanup_free_ char *words = a->command ? command_words(a->command) : NULL;

    return words ? err_hint(err, "see `cima %s --help`", words)
                 : err_hint(err, "see `cima --help`");
}

static int unknown_long(const struct args *a, const char *name, size_t len, struct err *err)
{
    _cleanup_free_ char *word = xstrndup(name, len);
    _cleanup_free_ const char **names = xcalloc(a->n + 1, sizeof(*names));
    size_t n = 0;

    for (size_t i = 0; i < a->n; i++)
        if (!(a->v[i].option->flags & OPTION_HIDDEN))
            names[n++] = a->v[i].option->name;
    const char *nearest = str_nearest(word, names, n);
    err_set(err, ERR_USAGE, "unknown flag: --%s", word);
    if (nearest)
        return err_hint(err, "did you mean `--%s`?", nearest);
    if (!a->command)
        return err_hint(err, "options of a command stand behind its name; see `cima --help`");
    return args_hint_help(a, err);
}

/* The name or alias of a list that the word may be a misspelling of, or NULL. */
static const char *nearest_command(const struct command *const *list, const char *word)
{
    const char *names[128];
    size_t n = 0;

    for (; *list; list++) {
        if ((*list)->flags & COMMAND_HIDDEN)
            continue;
        assert(n + 8 < ARRAY_SIZE(names));
        names[n++] = (*list)->name;
        for (const char *const *alias = (*list)->aliases; alias && *alias; alias++)
            names[n++] = *alias;
    }
    return str_nearest(word, names, n);
}

int args_unknown_command(const struct command *parent, const char *word, struct err *err)
{
    const char *nearest = nearest_command(parent ? parent->sub : commands, word);
    _cleanup_free_ char *before = parent ? xasprintf("cima %s", parent->name) : xstrdup("cima");

    err_set(err, ERR_USAGE, "unknown command \"%s\" for \"%s\"", word, before);
    if (nearest)
        return err_hint(err, "did you mean `%s %s`?", before, nearest);
    if (!parent && (str_ends(word, ".yaml") || str_ends(word, ".yml")))
        return err_hint(err, "to start a machine from a file: `cima start %s`", word);
    return err_hint(err, "`%s --help` lists the commands", before);
}

/* "-f, --force" or "--name", for messages. */
static char *option_words(const struct cli_option *o)
{
    return o->short_name ? xasprintf("-%c, --%s", o->short_name, o->name)
                         : xasprintf("--%s", o->name);
}

static int bad_value(const struct args *a, const struct cli_option *o, const char *value,
                     struct err *err)
{
    _cleanup_free_ char *words = option_words(o);
    _cleanup_sbuf_ struct sbuf want = SBUF_INIT;

    switch (o->kind) {
    case VALUE_BOOL:
        sbuf_addstr(&want, "must be true or false");
        break;
    case VALUE_DURATION:
        sbuf_addstr(&want, "must be a duration such as 90s, 10m or 1h30m");
        break;
    default:
        sbuf_addstr(&want, "must be one of: ");
        for (size_t i = 0; o->choices[i]; i++)
            sbuf_addf(&want, "%s%s", i ? ", " : "", o->choices[i]);
        break;
    }
    err_set(err, ERR_USAGE, "invalid argument \"%s\" for \"%s\" flag: %s", value, words,
            sbuf_str(&want));
    const char *nearest = NULL;
    if (o->kind == VALUE_ENUM) {
        size_t n = 0;

        while (o->choices[n])
            n++;
        nearest = str_nearest(value, o->choices, n);
    }
    return nearest ? err_hint(err, "did you mean `--%s=%s`?", o->name, nearest)
                   : args_hint_help(a, err);
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool value_ok(const struct cli_option *o, const char *value)
{
    int64_t ms;

    switch (o->kind) {
    case VALUE_ENUM:
        for (size_t i = 0; o->choices[i]; i++)
            if (streq(o->choices[i], value))
                return true;
        return false;
    case VALUE_DURATION:
        return parse_duration_ms(value, &ms) == 0 && ms >= 0;
    default:
        return true;
    }
}

static int take_value(const struct args *a, struct arg_value *v, const char *value, struct err *err)
{
    const struct cli_option *o = v->option;
    bool on;

    if (!value_ok(o, value) || (o->kind == VALUE_BOOL && parse_bool(value, &on) < 0))
        return bad_value(a, o, value, err);
    strv_push(&v->values, o->kind != VALUE_BOOL ? value : on ? "true" : "false");
    return 0;
}

/* The value of an option that needs one: behind `=` (or the letter), else the next word. */
static int value_of(const struct args *a, struct arg_value *v, const char *inline_value, int argc,
                    char *const *argv, int *at, struct err *err)
{
    _cleanup_free_ char *words = NULL;

    if (v->option->kind == VALUE_BOOL)
        return take_value(a, v, inline_value ? inline_value : "true", err);
    if (inline_value)
        return take_value(a, v, inline_value, err);
    if (*at + 1 < argc)
        return take_value(a, v, argv[++*at], err);
    words = option_words(v->option);
    err_set(err, ERR_USAGE, "flag needs an argument: %s", words);
    return args_hint_help(a, err);
}

/* ---- words ----------------------------------------------------------------------------------- */

static int parse_long(struct args *a, int argc, char *const *argv, int *at, struct err *err)
{
    const char *name = argv[*at] + 2, *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    struct arg_value *v = find_long(a, name, len);

    if (!v)
        return unknown_long(a, name, len, err);
    return value_of(a, v, equals ? equals + 1 : NULL, argc, argv, at, err);
}

/* -f, -ab, -n value, -nvalue, -n=value. */
static int parse_short(struct args *a, int argc, char *const *argv, int *at, struct err *err)
{
    for (const char *p = argv[*at] + 1; *p; p++) {
        struct arg_value *v = find_short(a, *p);

        if (!v) {
            err_set(err, ERR_USAGE, "unknown shorthand flag: '%c' in %s", *p, argv[*at]);
            return args_hint_help(a, err);
        }
        if (p[1] == '=')
            return value_of(a, v, p + 2, argc, argv, at, err);
        if (v->option->kind != VALUE_BOOL)
            return value_of(a, v, p[1] ? p + 1 : NULL, argc, argv, at, err);
        if (value_of(a, v, NULL, argc, argv, at, err) < 0)
            return -1;
    }
    return 0;
}

/* A word that is no option: the command, then what belongs to it. */
static int take_word(struct args *a, const char *word, struct err *err)
{
    const struct command *c;

    if (a->command && !a->command->sub) {
        strv_push(&a->positional, word);
        return 0;
    }
    c = command_find(a->command ? a->command->sub : commands, word);
    if (!c)
        return args_unknown_command(a->command, word, err);
    a->command = c;
    add_options(a, c->options);
    add_options(a, c->more_options);
    return 0;
}

/* Was this the first word of a command whose further words are not ours to read? */
static bool ends_options(const struct args *a)
{
    return a->positional.n && a->command->flags & COMMAND_OPTIONS_FIRST;
}

/* What is behind argv[at], but for one "--", as it is. */
static int take_rest(struct args *a, int argc, char *const *argv, int at)
{
    if (at + 1 < argc && streq(argv[at + 1], "--"))
        at++;
    while (++at < argc)
        strv_push(&a->positional, argv[at]);
    return 0;
}

static int parse_words(struct args *a, int argc, char *const *argv, int from, struct err *err)
{
    for (int i = from; i < argc; i++) {
        const char *word = argv[i];

        if (streq(word, "--")) {
            while (++i < argc) {
                if (take_word(a, argv[i], err) < 0)
                    return -1;
                if (ends_options(a))
                    return take_rest(a, argc, argv, i);
            }
            return 0;
        }
        if (word[0] != '-' || !word[1]) {
            if (take_word(a, word, err) < 0)
                return -1;
            if (ends_options(a))
                return take_rest(a, argc, argv, i);
            continue;
        }
        if ((word[1] == '-' ? parse_long(a, argc, argv, &i, err)
                            : parse_short(a, argc, argv, &i, err)) < 0)
            return -1;
    }
    return 0;
}

static int check_positional(const struct args *a, struct err *err)
{
    size_t min = 0, max = 0, n = a->positional.n;
    bool unlimited = false;

    for (const struct cli_positional *p = a->command->positional; p && p->name; p++) {
        min += p->min;
        max += p->max;
        unlimited = unlimited || p->max == 0;
    }
    if (n >= min && (unlimited || n <= max))
        return 0;
    _cleanup_free_ char *words = command_words(a->command);
    if (min == max && !unlimited)
        err_set(err, ERR_USAGE, "`cima %s` accepts %zu arg(s), received %zu", words, min, n);
    else if (n < min)
        err_set(err, ERR_USAGE, "`cima %s` requires at least %zu arg(s), only received %zu", words,
                min, n);
    else
        err_set(err, ERR_USAGE, "`cima %s` accepts at most %zu arg(s), received %zu", words, max,
                n);
    _cleanup_free_ char *usage = help_usage_line(a->command);
    err_detail(err, usage);
    return args_hint_help(a, err);
}

int args_parse(int argc, char *const *argv, struct args *ret, struct err *err)
{
    _cleanup_args_ struct args a = ARGS_INIT;

    add_options(&a, global_options);
    if (parse_words(&a, argc, argv, 1, err) < 0)
        return -1;
    a.help = args_flag(&a, "help");
    if (a.command && !a.help && check_positional(&a, err) < 0)
        return -1;
    *ret = a;
    a = (struct args)ARGS_INIT;
    return 0;
}
