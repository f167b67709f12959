/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/manual.h"
#include "base/mem.h"
#include "cli/help.h"

char *manual_name(const struct command *c)
{
    if (!c)
        return xstrdup("cima");
    return c->parent ? xasprintf("cima-%s-%s", c->parent->name, c->name)
                     : xasprintf("cima-%s", c->name);
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void put_options(struct page *p, const char *title, const struct cli_option *options)
{
    bool any = false;

    for (const struct cli_option *o = options; o && o->name; o++) {
        _cleanup_free_ char *names = help_option_names(o), *text = help_option_text(o);

        if (o->flags & OPTION_HIDDEN)
            continue;
        if (!any)
            page_heading(p, title);
        any = true;
        page_item(p, names, NULL, text);
    }
}

static void put_commands(struct page *p, const struct command *const *list,
                         enum command_group group)
{
    for (; *list; list++)
        if (!((*list)->flags & COMMAND_HIDDEN) && (group == GROUP_COUNT || (*list)->group == group))
            page_item(p, (*list)->name, NULL, (*list)->summary);
}

static void put_aliases(struct page *p, const struct command *c)
{
    _cleanup_sbuf_ struct sbuf text = SBUF_INIT;

    for (const char *const *alias = c->aliases; alias && *alias; alias++)
        sbuf_addf(&text, "%s`%s`", alias == c->aliases ? "" : ", ", *alias);
    if (!text.len)
        return;
    page_heading(p, "Aliases");
    page_text(p, sbuf_str(&text));
}

static void put_see_also(struct page *p, const struct command *c)
{
    _cleanup_sbuf_ struct sbuf text = SBUF_INIT;

    sbuf_addstr(&text, "`cima`(1)");
    if (c->parent)
        sbuf_addf(&text, ", `cima-%s`(1)", c->parent->name);
    for (const struct command *const *sub = c->sub; sub && *sub; sub++)
        sbuf_addf(&text, ", `cima-%s-%s`(1)", c->name, (*sub)->name);
    sbuf_addstr(&text, ", `cima.yaml`(5)");
    page_heading(p, "See also");
    page_text(p, sbuf_str(&text));
}

/* ---- a command ------------------------------------------------------------------------------- */

static void put_command(struct page *p, const struct command *c)
{
    _cleanup_free_ char *usage = help_usage_line(c);

    page_heading(p, "Synopsis");
    page_verbatim(p, usage + strlen("Usage:  "));
    page_heading(p, "Description");
    page_text(p, c->description);
    if (c->sub) {
        page_heading(p, "Commands");
        put_commands(p, c->sub, GROUP_COUNT);
    }
    put_options(p, "Options", c->options);
    put_options(p, "Options that change the YAML", c->more_options);
    put_options(p, "Global options", global_options);
    put_aliases(p, c);
    if (c->examples) {
        page_heading(p, "Examples");
        page_verbatim(p, c->examples);
    }
    put_see_also(p, c);
}

/* ---- the program ----------------------------------------------------------------------------- */

static const struct {
    const char *name, *text;
} environment[] = {
    {"CIMA_HOME, LIMA_HOME", "Where instances are kept, in this order; else `~/.cima`"},
    {"CIMA_LIBEXEC", "Where the helper programs are"},
    {"CIMA_QEMU_ACCEL", "`kvm` or `tcg`: how the guest's code is run, whatever can be found out"},
    {"CIMA_SFTP_SERVER", "The SFTP server for directories of the host"},
    {"QEMU_SYSTEM_ARCH", "The QEMU for an architecture, such as `QEMU_SYSTEM_X86_64`; also with "
                         "arguments"},
    {"SSH", "The ssh command, also with arguments"},
    {"VISUAL, EDITOR", "The editor of `cima edit`"},
    {"LIMA_INSTANCE, LIMA_SHELL, LIMA_WORKDIR",
     "For the name `lima` of this program: the instance, its shell, and the directory to start in"},
    {"LIMA_SHELLENV_ALLOW, LIMA_SHELLENV_BLOCK",
     "Patterns of the variables that `cima shell --preserve-env` takes along all the same, and of "
     "those that it does not, in place of its own list or, with `+` in front, besides"},
    {"LIMA_SSH_OVER_VSOCK", "Wins against the field `ssh.overVsock`"},
    {"LIMA_TEMPLATES_PATH", "Directories with templates, in place of those that come with cima"},
    {"HTTP_PROXY, HTTPS_PROXY, NO_PROXY", "For downloads, and handed on to guests"},
    {"NO_COLOR", "No colours on a terminal"},
};

static const struct {
    const char *name, *text;
} files[] = {
    {"~/.cima/INSTANCE", "An instance: `lima.yaml`, its disk, its logs"},
    {"~/.cima/_config", "`default.yaml`, `override.yaml`, `base.yaml`, `networks.yaml`, the key "
                        "that guests let in"},
    {"~/.cima/_templates", "Templates of your own, for `template:NAME`"},
    {"~/.cache/lima/download", "Images from the network"},
};

static void put_program(struct page *p)
{
    page_heading(p, "Synopsis");
    page_verbatim(p, "cima [OPTIONS] COMMAND");
    page_heading(p, "Description");
    page_text(p,
              "cima runs Linux virtual machines with QEMU. A machine is described by one YAML "
              "file, `cima.yaml`(5); `cima start FILE` makes an instance from it and starts it, "
              "`cima shell` opens a shell in it. Instances and files have the formats of Lima 2.");
    page_heading(p, "Basic commands");
    put_commands(p, commands, GROUP_BASIC);
    page_heading(p, "Advanced commands");
    put_commands(p, commands, GROUP_ADVANCED);
    put_options(p, "Options", global_options);
    page_heading(p, "Exit status");
    page_text(p, "0: done; 1: an error, told on standard error. `cima shell` ends as the command "
                 "in the guest does.");
    page_heading(p, "Environment");
    for (size_t i = 0; i < ARRAY_SIZE(environment); i++)
        page_item(p, environment[i].name, NULL, environment[i].text);
    page_heading(p, "Files");
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        page_item(p, files[i].name, NULL, files[i].text);
    page_heading(p, "Examples");
    page_verbatim(p, "cima start template:default\n"
                     "cima shell default uname -a\n"
                     "cima stop && cima delete default\n");
    page_heading(p, "See also");
    page_text(p, "`cima.yaml`(5), and a page `cima-COMMAND`(1) for each command.");
}

char *manual_page(const struct command *c, enum page_format format)
{
    _cleanup_free_ char *name = manual_name(c);
    struct page p;

    page_open(&p, format, name, 1, "cima " PACKAGE_VERSION,
              c ? c->summary : "virtual machines from one YAML file");
    if (c)
        put_command(&p, c);
    else
        put_program(&p);
    return page_close(&p);
}

static int for_each(const struct command *const *list, manual_each_fn *fn, void *arg,
                    struct err *err)
{
    for (; list && *list; list++)
        if (!((*list)->flags & COMMAND_HIDDEN) &&
            (fn(*list, arg, err) < 0 || for_each((*list)->sub, fn, arg, err) < 0))
            return -1;
    return 0;
}

int manual_for_each(manual_each_fn *fn, void *arg, struct err *err)
{
    return fn(NULL, arg, err) < 0 ? -1 : for_each(commands, fn, arg, err);
}
