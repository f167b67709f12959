/* SPDX-License-Identifier: Apache-2.0 */
/* What a word on the command line means: an instance, a YAML file, standard input. */
#include "base/fs.h"
#include "base/mem.h"
#include "cli/cli.h"

void cli_target_release(struct cli_target *t)
{
    instance_release(&t->inst);
    inst_template_release(&t->template_);
    free(t->name);
    *t = (struct cli_target)CLI_TARGET_INIT;
}

static bool is_yaml_name(const char *word)
{
    return str_ends(word, ".yaml") || str_ends(word, ".yml");
}

/* "template:debian", "https://…", "github:…": places that are no files. */
static bool is_locator(const char *word)
{
    size_t n = strcspn(word, ":/");

    return n > 1 && word[n] == ':' && !path_exists(word);
}

static int locator_error(const char *word, struct err *err)
{
    err_set(err, ERR_UNSUPPORTED, "cannot use '%s': templates by name or URL come later", word);
    return err_hint(err, "what works now is a YAML file: `cima start FILE.yaml`");
}

static int no_default_error(const char *verb, struct err *err)
{
    err_set(err, ERR_UNSUPPORTED,
            "no YAML file given, and the template `default` that would be meant comes later");
    return err_hint(err, "what works now is a YAML file: `cima %s FILE.yaml`", verb);
}

static int read_template(const char *arg, const char *name, struct cli_target *t, struct err *err)
{
    if (streq(arg, "-") && isatty(STDIN_FILENO)) {
        err_set(err, ERR_USAGE,
                "standard input is a terminal: `-` reads the YAML from a pipe or a "
                "file");
        return err_hint(err, "`cima create --name NAME - < FILE.yaml`");
    }
    if (streq(arg, "-") && !name) {
        err_set(err, ERR_USAGE, "a YAML from standard input needs a name for the instance");
        return err_hint(err, "`cima create --name NAME -`");
    }
    if (inst_template_read(arg, &t->template_, err) < 0)
        return -1;
    t->is_template = true;
    t->name = xstrdup(name ? name : t->template_.name);
    return 0;
}

int cli_target_new(const struct inst_env *env, const char *arg, const char *name,
                   struct cli_target *ret, struct err *err)
{
    _cleanup_cli_target_ struct cli_target t = CLI_TARGET_INIT;

    if (str_empty(name))
        name = NULL; /* --name= asks for none in particular */
    if (name && store_check_name(env->store, name, err) < 0)
        return -1;
    if (!arg)
        return no_default_error("create", err);
    if (!streq(arg, "-") && is_locator(arg))
        return locator_error(arg, err);
    if (!streq(arg, "-") && !strchr(arg, '/') && !is_yaml_name(arg) && !path_exists(arg)) {
        err_set(err, ERR_NOT_FOUND,
                "cannot create from '%s': there is no such file, and templates "
                "by name come later",
                arg);
        _cleanup_free_ char *file = xasprintf("%s.yaml", arg);
        return path_exists(file) ? err_hint(err, "did you mean `cima create %s`?", file)
                                 : err_hint(err, "what works now is a YAML file: `cima create "
                                                 "FILE.yaml`");
    }
    if (read_template(arg, name, &t, err) < 0)
        return -1;
    *ret = t;
    t = (struct cli_target)CLI_TARGET_INIT;
    return 0;
}

/* The word is not a path: an instance, or a mistake. A file beside us is offered. */
static int find_instance(const struct inst_env *env, const char *word, struct cli_target *t,
                         struct err *err)
{
    static const char *const endings[] = {".yaml", ".yml"};

    if (store_find(env->store, word, &t->inst, err) == 0)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(endings) && err->kind == ERR_NOT_FOUND; i++) {
        _cleanup_free_ char *file = xasprintf("%s%s", word, endings[i]);

        if (path_exists(file))
            return err_hint(err, "there is a file '%s': `cima start %s` makes the instance from it",
                            file, file);
    }
    return -1;
}

int cli_target_find(const struct inst_env *env, const char *arg, const char *name,
                    struct cli_target *ret, struct err *err)
{
    _cleanup_cli_target_ struct cli_target t = CLI_TARGET_INIT;
    _cleanup_err_ struct err missing = ERR_INIT;
    const char *word = arg ? arg : name ? name : "default";

    if (streq(word, "-") || strchr(word, '/') || is_yaml_name(word) || is_locator(word)) {
        if (cli_target_new(env, word, name, ret, err) < 0)
            return -1;
        return 0;
    }
    if (find_instance(env, word, &t, &missing) < 0) {
        struct stat st;

        if (missing.kind != ERR_NOT_FOUND)
            return err_move(err, &missing);
        if (stat(word, &st) == 0 && S_ISREG(st.st_mode))
            return cli_target_new(env, word, name, ret, err);
        if (!arg && !name)
            return no_default_error("start", err);
        return err_move(err, &missing);
    }
    if (arg && name && !streq(arg, name)) {
        err_set(err, ERR_USAGE, "instance name `%s` and CLI flag --name `%s` must match", arg,
                name);
        return err_hint(err, "`cima start %s` starts the instance; a new one needs a YAML file",
                        arg);
    }
    *ret = t;
    t = (struct cli_target)CLI_TARGET_INIT;
    return 0;
}
