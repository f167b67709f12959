/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/menu.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cli/ask.h"
#include "cli/editor.h"
#include "cli/output.h"
#include "cli/validate.h"
#include "driver/driver.h"

/* ---- lists ----------------------------------------------------------------------------------- */

static void list_templates(struct cli *cli)
{
    _cleanup_table_ struct table table = TABLE_INIT;
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;
    struct template_entry *v;
    size_t n;

    template_list(&cli->store, false, &v, &n);
    for (size_t i = 0; i < n; i++) {
        struct strv *row = table_row(&table);

        strv_push(row, v[i].name);
        strv_push(row, v[i].summary);
    }
    if (n)
        table_format(&table, &out);
    else
        log_warn("No template found. LIMA_TEMPLATES_PATH may name the directories that have them.");
    fputs(sbuf_str(&out), stdout);
    template_list_free(v, n);
}

bool cli_listed(struct cli *cli, const struct args *args)
{
    if (args_flag(args, "list-templates"))
        list_templates(cli);
    else if (args_flag(args, "list-drivers"))
        for (const char *const *name = driver_names(); *name; name++)
            puts(*name);
    else
        return false;
    return true;
}

/* ---- questions ------------------------------------------------------------------------------- */

enum choice { CHOICE_PROCEED, CHOICE_EDIT, CHOICE_TEMPLATE, CHOICE_EXIT, CHOICE_COUNT };

static const char *const choice_texts[CHOICE_COUNT] = {
    "Proceed with the current configuration",
    "Open an editor to review or modify the current configuration",
    "Choose another template",
    "Exit",
};

enum { TRIES = 3, ANSWER_MAX = 128 };

/* A line of the answer without its end; false at the end of the input. */
static bool read_word(char *line, size_t size)
{
    fputs("> ", stderr);
    fflush(stderr);
    if (!fgets(line, (int)size, stdin)) {
        fputc('\n', stderr);
        return false;
    }
    line[strcspn(line, "\r\n")] = '\0';
    return true;
}

static enum choice ask_what(const struct cli_target *t)
{
    fprintf(stderr, "Creating an instance `%s` from %s\n", t->name, t->template_.locator);
    for (size_t i = 0; i < CHOICE_COUNT; i++)
        fprintf(stderr, "  %zu) %s%s\n", i + 1, choice_texts[i], i ? "" : " (default)");
    for (int i = 0; i < TRIES; i++) {
        char line[ANSWER_MAX];
        uint64_t number;

        if (!read_word(line, sizeof(line)))
            return CHOICE_EXIT;
        if (!*line)
            return CHOICE_PROCEED;
        if (parse_uint(line, CHOICE_COUNT, &number) == 0 && number)
            return (enum choice)(number - 1);
        fprintf(stderr, "A number from 1 to %d, please.\n", CHOICE_COUNT);
    }
    return CHOICE_EXIT;
}

/* A locator, or NULL when nothing was chosen. Caller frees. */
static char *ask_template(struct cli *cli)
{
    struct template_entry *v;
    char line[ANSWER_MAX], *chosen = NULL;
    uint64_t number;
    size_t n;

    template_list(&cli->store, false, &v, &n);
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, "  %2zu) %-20s %s\n", i + 1, v[i].name, v[i].summary);
    fputs("The number or name of a template, or another locator:\n", stderr);
    if (read_word(line, sizeof(line)) && *line) {
        bool known = parse_uint(line, n, &number) == 0 && number;
        const char *name = known ? v[number - 1].name : line;

        for (size_t i = 0; i < n && !known; i++)
            known = streq(v[i].name, line);
        chosen = known ? xasprintf("template:%s", name) : xstrdup(line);
    }
    template_list_free(v, n);
    return chosen;
}

/* ---- a target in the making ------------------------------------------------------------------ */

static int apply_flags(struct cli *cli, const struct args *args, struct template *t,
                       struct err *err)
{
    char *text;
    size_t len;

    if (cli_flags_template(cli, args, t->locator, t->text, t->len, &text, &len, err) < 0)
        return -1;
    if (text)
        template_set_text(t, text, len);
    return 0;
}

static int change_template(struct cli *cli, const struct args *args, struct cli_target *t,
                           struct err *err)
{
    _cleanup_free_ char *locator = ask_template(cli);
    _cleanup_cli_target_ struct cli_target other = CLI_TARGET_INIT;
    /* What was asked for by name, or by no name at all, keeps its name. */
    bool keep = !str_empty(args_str(args, "name")) || !args_pos(args, 0);

    if (!locator)
        return 0;
    if (cli_target_new(cli, locator, keep ? t->name : NULL, &other, err) < 0 ||
        apply_flags(cli, args, &other.template_, err) < 0)
        return -1;
    cli_target_release(t);
    *t = other;
    other = (struct cli_target)CLI_TARGET_INIT;
    return 0;
}

static const char hints[] =
    "#> What the new instance will be made of. Lines that begin as these are removed again.\n"
    "#> Saving an empty file gives up.\n";

/* 1: there is a new text, 0: the person gave up. */
static int edit_text(struct cli *cli, const char *name, struct template *t, struct err *err)
{
    const struct template_env env = cli_template_env(cli);
    char *text = NULL;
    size_t len = 0;

    if (editor_run(cli->host.temp_dir, name, hints, t->text, t->len, &text, &len, err) < 0)
        return -1;
    if (editor_is_blank(text, len)) {
        free(text);
        log_info("Aborting, as requested by saving the file with empty content");
        return 0;
    }
    template_set_text(t, text, len);
    return template_embed(&env, t, TEMPLATE_EMBED_ALL, err) < 0 ? -1 : 1;
}

/* Silent: what there is to say is said by the creation. The places are those of the file that a bad
 * text is kept in. */
static int check_text(struct cli *cli, const struct cli_target *t, struct err *err)
{
    const struct config_layer layer = {CLI_REJECTED, t->template_.text, t->template_.len, NULL};
    _cleanup_config_ struct config config = CONFIG_INIT;
    _cleanup_diags_ struct diags warnings = DIAGS_INIT;

    return store_load_template(&cli->store, t->name, &layer, &cli->host, &config, &warnings, err);
}

static void tell_problems(const struct err *why)
{
    _cleanup_free_ char *text = err_text(why);

    log_error("%s", text);
}

/* The editor until its text will do: 1, or 0 when the person gives up. */
static int edit_until_valid(struct cli *cli, struct cli_target *t, struct err *err)
{
    for (bool kept = false;;) {
        _cleanup_err_ struct err why = ERR_INIT;
        int r = edit_text(cli, t->name, &t->template_, &why);

        if (r == 0)
            return 0;
        if (r > 0 && check_text(cli, t, &why) == 0) {
            if (kept)
                (void)unlink(CLI_REJECTED);
            return 1;
        }
        if (why.kind != ERR_CONFIG && why.kind != ERR_NOT_FOUND)
            return err_move(err, &why);
        cli_keep_rejected(t->template_.text, t->template_.len, &why);
        kept = true;
        tell_problems(&why);
        if (!cli_ask("Open the editor again?", true)) {
            err_set(err, why.kind, "the YAML was rejected, no instance was made");
            return err_hint(err, "the text is in `%s`", CLI_REJECTED);
        }
    }
}

int cli_make(struct cli *cli, const struct args *args, struct cli_target *t, struct instance *ret,
             bool *ret_made, struct err *err)
{
    int r = 1;
    _cleanup_instance_ struct instance taken = INSTANCE_INIT;

    *ret_made = true;
    if (!cli_can_ask(cli) || t->template_.from_stdin ||
        store_find(&cli->store, t->name, &taken, NULL) == 0)
        return cli_flags_create(cli, args, t, ret, err);
    if (apply_flags(cli, args, &t->template_, err) < 0)
        return -1;
    for (enum choice c; (c = ask_what(t)) != CHOICE_PROCEED;) {
        if (c == CHOICE_TEMPLATE) {
            if (change_template(cli, args, t, err) < 0)
                return -1;
            continue;
        }
        r = c == CHOICE_EDIT ? edit_until_valid(cli, t, err) : 0;
        break;
    }
    if (r > 0)
        return cli_create(cli, t->name, &t->template_, ret, err);
    *ret_made = false;
    return r;
}
