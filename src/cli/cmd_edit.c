/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/ask.h"
#include "cli/edit_flags.h"
#include "cli/editor.h"
#include <errno.h>

static const char *what(const struct inst_edit *e)
{
    return e->inst.name ? "instance" : "file";
}

static char *make_hints(const struct inst_edit *e)
{
    struct sbuf s = SBUF_INIT;

    if (e->inst.name)
        sbuf_addf(&s, "#> The configuration of the instance `%s`, %s\n", e->inst.name, e->path);
    else
        sbuf_addf(&s, "#> %s\n", e->path);
    sbuf_addstr(&s, "#> Lines that begin as these are removed again. Leaving the rest as it is, or "
                    "saving an empty file, gives up.\n");
    if (e->inst.name)
        sbuf_addstr(&s, "#> All of it counts from the next start on; a disk can grow, and not "
                        "shrink.\n");
    sbuf_addf(&s, "#> `cima validate --fill '%s'` shows every field with its default.\n", e->path);
    return sbuf_detach(&s);
}

static void tell_problems(const struct err *why)
{
    for (size_t i = 0; i < why->diags.n; i++)
        cli_warn_diag(NULL, &why->diags.v[i]);
    if (!why->diags.n) {
        _cleanup_free_ char *line = err_line(why);

        log_error("%s", line);
    }
}

struct edited {
    char *text;
    size_t len;
    bool kept; /* in the working directory, as CLI_REJECTED */
};

static void edited_release(struct edited *t)
{
    free(t->text);
}

/* One round: 1 when there is a new text that will do, 0 when the person gave up. With -1 and
 * *ret_again the editor can be opened once more, on what it left. */
static int edit_once(struct cli *cli, const struct inst_edit *e, const char *hints,
                     struct edited *t, bool *ret_again, struct err *err)
{
    char *text = NULL;
    size_t len = 0;

    *ret_again = false;
    if (editor_run(cli->env.host->temp_dir, e->name && *e->name ? e->name : "edit", hints,
                   t->text ? t->text : e->text, t->text ? t->len : e->len, &text, &len, err) < 0)
        return -1;
    free(t->text);
    t->text = text;
    t->len = len;
    if (editor_is_blank(text, len)) {
        log_info("Aborting, as requested by saving the file with empty content");
        return 0;
    }
    if (editor_is_same(text, len, e->text, e->len)) {
        log_info("Aborting, no changes made to the %s", what(e));
        return 0;
    }
    /* Silent first: the warnings of a text that is rejected are part of the error, and their places
     * are those of the file that it is kept in. */
    struct config_layer layer = {CLI_REJECTED, text, len, NULL};
    if (inst_edit_check(&cli->env, e, &layer, &(struct inst_report){0}, err) == 0) {
        layer.name = e->path;
        return inst_edit_check(&cli->env, e, &layer, &cli_report, err) < 0 ? -1 : 1;
    }
    cli_keep_rejected(text, len, err);
    t->kept = true;
    *ret_again = true;
    return -1;
}

/* As edit_once, as often as the person likes. */
static int edit_until_valid(struct cli *cli, const struct inst_edit *e, struct edited *t,
                            struct err *err)
{
    _cleanup_free_ char *hints = make_hints(e);

    for (;;) {
        _cleanup_err_ struct err why = ERR_INIT;
        bool again;
        int r = edit_once(cli, e, t->kept ? "" : hints, t, &again, &why);

        if (r >= 0)
            return r;
        if (!again || !cli_can_ask(cli))
            return err_move(err, &why);
        tell_problems(&why);
        if (!cli_ask("Open the editor again?", true))
            return err_set(err, why.kind, "the YAML was rejected, the %s is as it was", what(e));
    }
}

static int edit(struct cli *cli, const struct inst_edit *e, bool *ret_changed, struct err *err)
{
    _cleanup_(edited_release) struct edited t = {NULL, 0, false};
    int r = edit_until_valid(cli, e, &t, err);

    if (r <= 0)
        return r;
    if (inst_edit_commit(e, t.text, t.len, err) < 0) {
        cli_keep_rejected(t.text, t.len, err);
        return -1;
    }
    if (t.kept)
        (void)unlink(CLI_REJECTED); /* a text that came before the good one */
    *ret_changed = true;
    return 0;
}

/* By the flags alone; no editor. */
static int edit_by_flags(struct cli *cli, const struct args *args, const struct inst_edit *e,
                         bool *ret_changed, struct err *err)
{
    _cleanup_free_ char *text = NULL;
    size_t len;

    if (cli_flags_edit(cli, args, e, &text, &len, err) < 0)
        return -1;
    if (!text) {
        log_info("No changes made to the %s", what(e));
        return 0;
    }
    if (inst_edit_commit(e, text, len, err) < 0)
        return -1;
    *ret_changed = true;
    return 0;
}

static bool is_file(const char *word)
{
    return strchr(word, '/') || str_ends(word, ".yaml") || str_ends(word, ".yml");
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_inst_edit_ struct inst_edit e = INST_EDIT_INIT;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    const char *word = args_pos(args, 0);
    bool file = is_file(word), start = args_flag(args, "start"), changed = false, flags;

    if (file && start) {
        err_set(err, ERR_USAGE, "--start needs an instance, and '%s' is a file", word);
        return err_hint(err, "`cima start %s` makes an instance from it", word);
    }
    if (cli_flags_check(args, &flags, err) < 0 || !cli_env(cli, err) ||
        (file ? inst_edit_begin_file(word, &e, err) < 0
              : cli_find(cli, word, &inst, err) < 0 || inst_edit_begin(&inst, &e, err) < 0))
        return -1;
    if ((flags ? edit_by_flags(cli, args, &e, &changed, err) : edit(cli, &e, &changed, err)) < 0)
        return -1;
    if (changed && file)
        log_info("`%s` edited", word);
    else if (changed)
        log_info("Instance `%s` configuration edited", word);
    if (!start || (!changed && !flags))
        return 0; /* who gives up in the editor wants nothing to happen */
    cli_warn_root();
    cli->config_told = changed;
    return cli_start(cli, &inst, cli_timeout(args), false, err);
}

static const struct cli_positional positional[] = {
    {"INST|FILE.yaml", VALUE_INSTANCE_OR_FILE, 1, 1},
    {NULL, VALUE_TEXT, 0, 0},
};

static const struct cli_option options[] = {
    {.name = "start", .kind = VALUE_BOOL, .help = "Start the instance when it was changed"},
    CLI_OPTION_TIMEOUT,
    {.name = NULL},
};

const struct command cmd_edit = {
    .name = "edit",
    .group = GROUP_BASIC,
    .summary = "Edit the YAML of an instance, or a YAML file",
    .description =
        "Edit the YAML of an instance, or a YAML file, by flags; without them in the editor of "
        "$VISUAL or $EDITOR.\n\n"
        "The text is checked before it takes the place of the old one; one that is not valid is "
        "kept as lima.REJECTED.yaml in the working directory. Flags change the bytes of their "
        "values, and no others. Changes count from the next start of the instance on, which must be "
        "stopped. Its disk can grow, and not shrink.",
    .examples = "cima edit mini\n"
                "cima edit --cpus 4 --set '.env.A = \"b\"' mini\n"
                "cima edit --set '.mounts += {\"location\": \"~/src\"}' mini\n"
                "cima edit --start mini\n"
                "cima edit mini.yaml\n",
    .positional = positional,
    .options = options,
    .more_options = cli_edit_options,
    .run = run,
};
