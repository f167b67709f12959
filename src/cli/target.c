/* SPDX-License-Identifier: Apache-2.0 */
/* What a word on the command line means: an instance, or what to make one from. */
#include "base/fs.h"
#include "base/mem.h"
#include "cli/validate.h"
#include "template/locator.h"

#define DEFAULT_TEMPLATE "template:default"
#define DEFAULT_NAME     "default"

void cli_target_release(struct cli_target *t)
{
    instance_release(&t->inst);
    template_release(&t->template_);
    free(t->name);
    *t = (struct cli_target)CLI_TARGET_INIT;
}

static bool is_yaml_name(const char *word)
{
    return str_ends(word, ".yaml") || str_ends(word, ".yml");
}

/* A place of a template by its form; a plain word is the name of an instance. */
static bool is_place(const char *word)
{
    return locator_kind(word) != LOCATOR_PATH || strchr(word, '/') || is_yaml_name(word) ||
           (locator_is_image(word) && path_exists(word));
}

static int check_stdin(const struct cli *cli, const char *name, struct err *err)
{
    if (cli->tty_asked) {
        err_set(err, ERR_USAGE, "cannot use --tty=true when reading template from stdin");
        return err_hint(err, "there is nobody to ask");
    }

    if (isatty(STDIN_FILENO)) {
        err_set(err, ERR_USAGE,
                "standard input is a terminal: `-` reads the YAML from a pipe or a "
                "file");
        return err_hint(err, "`cima create --name NAME - < FILE.yaml`");
    }
    if (!name) {
        err_set(err, ERR_USAGE,
                "must pass instance name with --name when reading template from stdin");
        return err_hint(err, "`cima create --name NAME -`");
    }
    return 0;
}

/* The name that the template suggests may be none of an instance. */
static int take_name(struct cli *cli, const char *name, struct cli_target *t, struct err *err)
{
    t->name = xstrdup(name ? name : t->template_.name);
    if (name || store_check_name(&cli->store, t->name, err) == 0)
        return 0;
    err_wrap(err, "`%s` suggests no name for the instance", t->template_.locator);
    return err_hint(err, "choose one with --name NAME");
}

static int read_target(struct cli *cli, const char *locator, const char *name,
                       struct cli_target *ret, struct err *err)
{
    _cleanup_cli_target_ struct cli_target t = CLI_TARGET_INIT;

    if (locator_kind(locator) == LOCATOR_STDIN && check_stdin(cli, name, err) < 0)
        return -1;
    if (cli_read_template(cli, locator, &t.template_, err) < 0 || take_name(cli, name, &t, err) < 0)
        return -1;
    t.is_template = true;
    *ret = t;
    t = (struct cli_target)CLI_TARGET_INIT;
    return 0;
}

/* `default` alone is what no word at all means, unless a file has that name. */
static bool is_default(const char *arg, const char *name)
{
    return !arg || (streq(arg, DEFAULT_NAME) && (!name || streq(name, arg)) && !path_exists(arg));
}

/* A plain word that is no file: most probably an instance. */
static int check_word(struct cli *cli, const char *word, struct err *err)
{
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_free_ char *file = xasprintf("%s.yaml", word);

    if (store_find(&cli->store, word, &inst, NULL) == 0) {
        err_set(err, ERR_EXISTS, "instance `%s` already exists", word);
        return err_hint(err, "`cima start %s` starts it; a new one needs a template", word);
    }
    if (path_exists(file)) {
        err_set(err, ERR_NOT_FOUND, "cannot create from '%s': there is no such file", word);
        return err_hint(err, "did you mean `cima create %s`?", file);
    }
    return 0;
}

int cli_target_new(struct cli *cli, const char *arg, const char *name, struct cli_target *ret,
                   struct err *err)
{
    if (str_empty(name))
        name = NULL; /* --name= asks for none in particular */
    if (name && store_check_name(&cli->store, name, err) < 0)
        return -1;
    if (is_default(arg, name))
        return read_target(cli, DEFAULT_TEMPLATE, name ? name : DEFAULT_NAME, ret, err);
    if (!is_place(arg) && !path_exists(arg) && check_word(cli, arg, err) < 0)
        return -1;
    return read_target(cli, arg, name, ret, err);
}

/* The word is not a path: an instance, or a mistake. A file beside us is offered, or a template. */
static int find_instance(struct cli *cli, const char *word, struct cli_target *t, struct err *err)
{
    static const char *const endings[] = {".yaml", ".yml"};

    if (store_find(&cli->store, word, &t->inst, err) == 0)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(endings) && err->kind == ERR_NOT_FOUND; i++) {
        _cleanup_free_ char *file = xasprintf("%s%s", word, endings[i]);

        if (path_exists(file))
            return err_hint(err, "there is a file '%s': `cima start %s` makes the instance from it",
                            file, file);
    }
    if (err->kind == ERR_NOT_FOUND) {
        _cleanup_free_ char *path = template_find(&cli->store, word, NULL);

        if (path)
            return err_hint(err,
                            "there is a template of that name: `cima start template:%s` makes "
                            "the instance from it",
                            word);
    }
    return -1;
}

int cli_target_find(struct cli *cli, const char *arg, const char *name, struct cli_target *ret,
                    struct err *err)
{
    _cleanup_cli_target_ struct cli_target t = CLI_TARGET_INIT;
    _cleanup_err_ struct err missing = ERR_INIT;

    if (str_empty(name))
        name = NULL;
    const char *word = arg ? arg : name ? name : DEFAULT_NAME;
    if (arg && is_place(word))
        return cli_target_new(cli, word, name, ret, err);
    if (find_instance(cli, word, &t, &missing) < 0) {
        struct stat st;

        if (missing.kind != ERR_NOT_FOUND)
            return err_move(err, &missing);
        if (is_default(arg, name))
            return cli_target_new(cli, arg, name, ret, err);
        if (stat(word, &st) == 0 && S_ISREG(st.st_mode))
            return cli_target_new(cli, word, name, ret, err);
        return err_move(err, &missing);
    }
    if (arg && name && !streq(arg, name)) {
        err_set(err, ERR_USAGE, "instance name `%s` and CLI flag --name `%s` must match", arg,
                name);
        return err_hint(err, "`cima start %s` starts the instance; a new one needs a template",
                        arg);
    }
    *ret = t;
    t = (struct cli_target)CLI_TARGET_INIT;
    return 0;
}
