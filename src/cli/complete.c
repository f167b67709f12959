/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/complete.h"
#include "base/mem.h"
#include "template/template.h"
#include <inttypes.h>

void completion_release(struct completion *c)
{
    strv_release(&c->words);
}

/* The line so far, as args.c would read it; what it would refuse is passed over. */
struct line {
    struct cli *cli;
    const struct command *command;
    const struct cli_option *awaited; /* the option that the word being typed is the value of */
    unsigned n_positional;
    bool options_end;
    const struct strv *words;
    struct completion *out;
};

/* ---- the words before ------------------------------------------------------------------------ */

static void read_option(struct line *l, const char *word)
{
    const struct cli_option *o = NULL;

    if (word[1] == '-') {
        if (!strchr(word, '='))
            o = command_option(l->command, word + 2, strlen(word + 2), '\0');
    } else {
        /* -abn VALUE: all but the last are without one. */
        for (const char *p = word + 1; *p && *p != '='; p++) {
            o = command_option(l->command, NULL, 0, *p);
            if (o && o->kind != VALUE_BOOL && p[1])
                return;
        }
    }
    l->awaited = o && o->kind != VALUE_BOOL ? o : NULL;
}

static void read_word(struct line *l, const char *word)
{
    const struct command *c;

    if (l->awaited) {
        l->awaited = NULL;
        return;
    }
    if (!l->options_end && streq(word, "--")) {
        l->options_end = true;
        return;
    }
    if (!l->options_end && word[0] == '-' && word[1]) {
        read_option(l, word);
        return;
    }
    if (!l->command || l->command->sub) {
        c = command_find(l->command ? l->command->sub : commands, word);
        if (c)
            l->command = c;
        return;
    }
    l->n_positional++;
    if (l->command->flags & COMMAND_OPTIONS_FIRST)
        l->options_end = true;
}

/* ---- what may come --------------------------------------------------------------------------- */

/* `before` is what stands in the same word in front of it ("--format="). */
static void add(struct line *l, const char *typed, const char *before, const char *word,
                const char *what)
{
    _cleanup_free_ char *all = xasprintf("%s%s", before, word);

    if (!str_starts(all, typed))
        return;
    if (str_empty(what))
        strv_push(&l->out->words, all);
    else
        strv_push_consume(&l->out->words, xasprintf("%s\t%.*s", all,
                                                    (int)strcspn(what, "\n\t"), what));
}

static void add_commands(struct line *l, const char *typed, const struct command *const *list)
{
    for (; *list; list++)
        if (!((*list)->flags & COMMAND_HIDDEN))
            add(l, typed, "", (*list)->name, (*list)->summary);
}

static void add_instances(struct line *l, const char *typed, const char *before)
{
    _cleanup_strv_ struct strv names = STRV_INIT;
    const struct inst_env *env = cli_env(l->cli, NULL);

    if (!env || store_list(env->store, &names, NULL) < 0)
        return;
    /* A name that stands there already is not asked for again. */
    for (size_t i = 0; i < names.n; i++)
        if (!strv_contains(l->words, names.v[i]) || streq(names.v[i], typed))
            add(l, typed, before, names.v[i], "instance");
}

static void add_templates(struct line *l, const char *typed, const char *before)
{
    const struct inst_env *env = cli_env(l->cli, NULL);
    struct template_entry *list = NULL;
    size_t n = 0;

    l->out->files = COMPLETE_FILES;
    if (env)
        template_list(env->store, false, &list, &n);
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *locator = xasprintf("template:%s", list[i].name);

        add(l, typed, before, locator, list[i].summary);
    }
    template_list_free(list, n);
}

/* What texts often are, by the name of the option or the argument; others may be good too. */
static const struct {
    const char *name, *words[7];
} common[] = {
    {"SHELL", {"bash", "zsh", "fish", NULL}},
    {"arch", {"x86_64", "aarch64", "armv7l", "ppc64le", "riscv64", "s390x", NULL}},
    {"audio-interface", {"hda", "virtio", NULL}},
    {"containerd", {"user", "system", "user+system", "none", NULL}},
    {"format", {"table", "json", "yaml", NULL}},
    {"mount-type", {"reverse-sshfs", "9p", "virtiofs", NULL}},
    {"network", {"lima:user-v2", NULL}},
    {"vm-type", {"qemu", NULL}},
};

static void add_common(struct line *l, const char *name, const char *typed, const char *before)
{
    for (size_t i = 0; i < ARRAY_SIZE(common); i++)
        for (const char *const *w = common[i].words; streq(common[i].name, name) && *w; w++)
            add(l, typed, before, *w, NULL);
}

/* Powers of two up to a number, and itself. */
static void add_ladder(struct line *l, uint64_t max, const char *typed, const char *before)
{
    for (uint64_t n = 1; n <= max; n = n < max && n * 2 > max ? max : n * 2) {
        char word[32];

        snprintf(word, sizeof(word), "%" PRIu64, n);
        add(l, typed, before, word, NULL);
    }
}

/* What this host can give: all its processors, half of its memory. */
static void add_of_host(struct line *l, const char *name, const char *typed, const char *before)
{
    bool cpus = streq(name, "cpus");
    const struct inst_env *env = cpus || streq(name, "memory") ? cli_env(l->cli, NULL) : NULL;

    if (!env)
        return;
    uint64_t gib = env->host->memory_bytes / 2 >> 30;
    if (cpus || gib)
        add_ladder(l, cpus ? env->host->cpus : gib, typed, before);
    else
        add(l, typed, before, "0.5", NULL);
}

static void add_values(struct line *l, enum value_kind kind, const char *name,
                       const char *const *choices, const char *typed, const char *before)
{
    static const char *const truth[] = {"true", "false", NULL};

    switch (kind) {
    case VALUE_BOOL:
    case VALUE_ENUM:
        for (const char *const *c = kind == VALUE_BOOL ? truth : choices; c && *c; c++)
            add(l, typed, before, *c, NULL);
        break;
    case VALUE_TEXT:
        add_common(l, name, typed, before);
        add_of_host(l, name, typed, before);
        break;
    case VALUE_FILE:
        l->out->files = COMPLETE_FILES;
        break;
    case VALUE_DIR:
        l->out->files = COMPLETE_DIRS;
        break;
    case VALUE_INSTANCE_OR_TEMPLATE:
        add_instances(l, typed, before);
        add_templates(l, typed, before);
        break;
    case VALUE_INSTANCE_OR_FILE:
        l->out->files = COMPLETE_FILES;
        add_instances(l, typed, before);
        break;
    case VALUE_INSTANCE:
        add_instances(l, typed, before);
        break;
    case VALUE_TEMPLATE:
        add_templates(l, typed, before);
        break;
    case VALUE_COMMAND:
        add_commands(l, typed, commands);
        break;
    default: /* of which nothing is known */
        break;
    }
}

static bool is_given(const struct line *l, const struct cli_option *o)
{
    _cleanup_free_ char *name = xasprintf("--%s", o->name), *value = xasprintf("--%s=", o->name);

    for (size_t i = 0; i + 1 < l->words->n; i++)
        if (streq(l->words->v[i], name) || str_starts(l->words->v[i], value))
            return !(o->flags & OPTION_REPEAT);
    return false;
}

static void add_options(struct line *l, const char *typed)
{
    const char *equals = strchr(typed, '=');

    if (equals) {
        const struct cli_option *o =
            command_option(l->command, typed + 2, (size_t)(equals - typed) - 2, '\0');
        _cleanup_free_ char *before = xstrndup(typed, (size_t)(equals - typed) + 1);

        if (o)
            add_values(l, o->kind, o->name, o->choices, typed, before);
        return;
    }
    const struct cli_option *lists[COMMAND_OPTION_LISTS];
    command_option_lists(l->command, lists);
    for (const struct cli_option *const *list = lists; *list; list++)
        for (const struct cli_option *o = *list; o->name; o++)
            if (!(o->flags & OPTION_HIDDEN) && !is_given(l, o))
                add(l, typed, "--", o->name, o->help);
}

static void add_positional(struct line *l, const char *typed)
{
    const struct cli_positional *p = l->command->positional;
    unsigned at = l->n_positional;

    for (; p && p->name; p++) {
        if (!p->max || at < p->max) {
            add_values(l, p->kind, p->name, NULL, typed, "");
            return;
        }
        at -= p->max;
    }
}

void complete(struct cli *cli, const struct strv *words, struct completion *ret)
{
    struct line l = {.cli = cli, .words = words, .out = ret};
    const char *typed = words->n ? words->v[words->n - 1] : "";

    for (size_t i = 0; i + 1 < words->n; i++)
        read_word(&l, words->v[i]);
    if (l.awaited)
        add_values(&l, l.awaited->kind, l.awaited->name, l.awaited->choices, typed, "");
    else if (!l.options_end && str_starts(typed, "--"))
        add_options(&l, typed);
    else if (!l.options_end && streq(typed, "-"))
        add_options(&l, "--");
    else if (!l.command || l.command->sub)
        add_commands(&l, typed, l.command ? l.command->sub : commands);
    else
        add_positional(&l, typed);
}
