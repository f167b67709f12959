/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/edit_flags.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

/* ---- options ---------------------------------------------------------------------------------- */

#define KIND_BOOL  VALUE_BOOL, 0
#define KIND_INT   VALUE_TEXT, 0
#define KIND_PORT  VALUE_TEXT, 0
#define KIND_SIZE  VALUE_TEXT, 0
#define KIND_TEXT  VALUE_TEXT, 0
#define KIND_LIST  VALUE_TEXT, OPTION_REPEAT
#define KIND_IPS   VALUE_TEXT, OPTION_REPEAT
#define KIND_TEXTS VALUE_TEXT, OPTION_REPEAT

#define OPTION(option_name, option_metavar, option_help, option_kind, option_flags)                \
    {.name = (option_name),                                                                        \
     .kind = (option_kind),                                                                        \
     .metavar = (option_metavar),                                                                  \
     .help = (option_help),                                                                        \
     .flags = (option_flags)},
#define MAKE_OPTION(...) OPTION(__VA_ARGS__)

const struct cli_option cli_create_options[] = {
#define FLAG(id, name, kind, metavar, creation, trial, help)                                       \
    MAKE_OPTION(name, metavar, help, KIND_##kind)
#include "instance/flags.def"
#undef FLAG
    {.name = NULL},
};

#define false_OPTION(...) MAKE_OPTION(__VA_ARGS__)
#define true_OPTION(...)

const struct cli_option cli_edit_options[] = {
#define FLAG(id, name, kind, metavar, creation, trial, help)                                       \
    creation##_OPTION(name, metavar, help, KIND_##kind)
#include "instance/flags.def"
#undef FLAG
    {.name = NULL},
};

static const struct strv *values_of(const struct args *args, const char *name)
{
    for (size_t i = 0; i < args->n; i++)
        if (streq(args->v[i].option->name, name))
            return &args->v[i].values;
    return NULL; /* the command does not take it */
}

void cli_flags_read(const struct args *args, struct inst_flags *ret)
{
    for (size_t i = 0; i < INST_FLAG_COUNT; i++) {
        const struct strv *values = values_of(args, inst_flag_table[i].name);

        if (values)
            strv_extend(&ret->values[i], values);
    }
}

int cli_flags_check(const struct args *args, bool *ret_any, struct err *err)
{
    _cleanup_inst_flags_ struct inst_flags flags = {0};

    cli_flags_read(args, &flags);
    *ret_any = inst_flags_any(&flags);
    if (inst_flags_check(&flags, err) == 0)
        return 0;
    return err && !err->hint && !err->diags.n ? args_hint_help(args, err) : -1;
}

/* ---- applying --------------------------------------------------------------------------------- */

void cli_keep_rejected(const char *text, size_t len, struct err *err)
{
    _cleanup_err_ struct err why = ERR_INIT;
    _cleanup_free_ char *cwd = getcwd(NULL, 0);
    _cleanup_free_ char *path = path_join(cwd ? cwd : ".", CLI_REJECTED);

    if (file_write_atomic(path, text, len, 0600, &why) == 0) {
        log_info("The rejected YAML was saved as `%s`", path);
        return;
    }
    _cleanup_free_ char *line = err_line(&why);
    log_warn("The rejected YAML could not be saved: %s", line);
    err_detail(err, text);
}

static int apply(struct cli *cli, const struct args *args, const struct inst_flags_input *in,
                 char **ret, size_t *ret_len, struct err *err)
{
    _cleanup_inst_flags_ struct inst_flags flags = {0};

    cli_flags_read(args, &flags);
    *ret = NULL;
    *ret_len = 0;
    if (!inst_flags_any(&flags))
        return 0;
    return inst_flags_apply(&flags, in, cli->env.host, &cli_report, ret, ret_len, err);
}

int cli_flags_template(struct cli *cli, const struct args *args, const char *name, const char *text,
                       size_t len, char **ret, size_t *ret_len, struct err *err)
{
    const struct inst_flags_input in = {name, text, len, false};

    return apply(cli, args, &in, ret, ret_len, err);
}

/* The text that flags have changed was rejected: keeps it, and says what is wrong with it in the
 * places of the file that it is kept in. */
static int reject(struct cli *cli, const struct cli_target *t, struct err *err)
{
    const struct template *from = &t->template_;
    const struct config_layer layer = {CLI_REJECTED, from->text, from->len, from->places};
    _cleanup_config_ struct config config = CONFIG_INIT;
    _cleanup_diags_ struct diags warnings = DIAGS_INIT;
    _cleanup_err_ struct err why = ERR_INIT;

    if (store_load_template(&cli->store, t->name, &layer, &cli->host, &config, &warnings, &why) < 0) {
        err_wrap(&why, "cannot use the template with these flags");
        err_hint(&why, "change the flags, or mend `" CLI_REJECTED "` and make the instance from it");
        err_clear(err);
        err_move(err, &why);
    }
    cli_keep_rejected(from->text, from->len, err);
    return -1;
}

int cli_flags_create(struct cli *cli, const struct args *args, struct cli_target *t,
                     struct instance *ret, struct err *err)
{
    struct template *from = &t->template_;
    char *text;
    size_t len;

    if (cli_flags_template(cli, args, from->locator, from->text, from->len, &text, &len, err) < 0)
        return -1;
    bool changed = text != NULL;
    if (changed)
        template_set_text(from, text, len);
    if (cli_create(cli, t->name, from, ret, err) == 0)
        return 0;
    return changed && err->kind == ERR_CONFIG ? reject(cli, t, err) : -1;
}

int cli_flags_edit(struct cli *cli, const struct args *args, const struct inst_edit *e, char **ret,
                   size_t *ret_len, struct err *err)
{
    const struct inst_flags_input in = {e->path, e->text, e->len, e->inst.name != NULL};
    _cleanup_free_ char *text = NULL;
    size_t len;

    *ret = NULL;
    if (apply(cli, args, &in, &text, &len, err) < 0)
        return -1;
    if (!text || (len == e->len && memcmp(text, e->text, len) == 0))
        return 0;
    /* Silent first, as with an editor: the places of a text that is rejected are those of the file
     * that it is kept in. */
    struct config_layer layer = {.name = CLI_REJECTED, .text = text, .len = len};
    if (inst_edit_check(&cli->env, e, &layer, &(struct inst_report){0}, err) < 0) {
        cli_keep_rejected(text, len, err);
        return err_wrap(err, "cannot change '%s' by these flags", e->path);
    }
    layer.name = e->path;
    if (inst_edit_check(&cli->env, e, &layer, &cli_report, err) < 0)
        return -1;
    *ret = TAKE_PTR(text);
    *ret_len = len;
    return 0;
}

int cli_flags_instance(struct cli *cli, const struct args *args, const struct instance *i,
                       bool *ret_changed, struct err *err)
{
    _cleanup_inst_edit_ struct inst_edit e = INST_EDIT_INIT;
    _cleanup_free_ char *text = NULL;
    size_t len;
    bool any;

    *ret_changed = false;
    if (cli_flags_check(args, &any, err) < 0)
        return -1;
    if (!any)
        return 0;
    if (inst_edit_begin(i, &e, err) < 0 || cli_flags_edit(cli, args, &e, &text, &len, err) < 0)
        return -1;
    if (!text)
        return 0;
    if (inst_edit_commit(&e, text, len, err) < 0)
        return -1;
    *ret_changed = true;
    return 0;
}
