/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/manual.h"
#include "config/reference.h"

enum doc_type { DOC_MAN, DOC_MARKDOWN, DOC_DOCSY };
static const char *const types[] = {"man", "markdown", "docsy", NULL};

struct pages {
    const char *dir;
    enum doc_type type;
    unsigned n;
};

static int write_page(struct pages *pages, const char *name, unsigned section, const char *text,
                      struct err *err)
{
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;
    _cleanup_free_ char *path =
        pages->type == DOC_MAN ? xasprintf("%s/%s.%u", pages->dir, name, section)
                               : xasprintf("%s/%s.md", pages->dir, name);

    pages->n++;
    /* What the site generator reads first. */
    if (pages->type == DOC_DOCSY)
        sbuf_addf(&out, "---\ntitle: %s\nweight: %u\n---\n", name, pages->n);
    sbuf_addstr(&out, text);
    return file_write_atomic(path, out.buf, out.len, 0644, err);
}

static enum page_format format(const struct pages *pages)
{
    return pages->type == DOC_MAN ? PAGE_MAN : PAGE_MARKDOWN;
}

static int write_command(const struct command *c, void *arg, struct err *err)
{
    struct pages *pages = arg;
    _cleanup_free_ char *name = manual_name(c), *text = manual_page(c, format(pages));

    return write_page(pages, name, 1, text, err);
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    const char *type = args_str(args, "type");
    struct pages pages = {.dir = args_pos(args, 0)};

    (void)cli;
    for (size_t i = 0; type && types[i]; i++)
        if (streq(types[i], type))
            pages.type = (enum doc_type)i;
    if (dir_make(pages.dir, 0755, err) < 0)
        return -1;
    if (manual_for_each(write_command, &pages, err) < 0)
        return -1;
    _cleanup_free_ char *reference = config_reference(format(&pages), "cima " PACKAGE_VERSION);
    return write_page(&pages, "cima.yaml", 5, reference, err);
}

static const struct cli_positional positional[] = {
    {"DIR", VALUE_DIR, 1, 1},
    {NULL, VALUE_TEXT, 0, 0},
};

/* The paths of a machine, which --output and --prefix would replace, are in none of the pages. */
static const struct cli_option options[] = {
    {.name = "output",
     .kind = VALUE_DIR,
     .metavar = "DIR",
     .help = "Taken for compatibility",
     .flags = OPTION_HIDDEN},
    {.name = "prefix",
     .kind = VALUE_DIR,
     .metavar = "DIR",
     .help = "Taken for compatibility",
     .flags = OPTION_HIDDEN},
    {.name = "type",
     .kind = VALUE_ENUM,
     .metavar = "TYPE",
     .choices = types,
     .default_text = "man",
     .help = "Form of the pages"},
    {.name = NULL},
};

const struct command cmd_generate_doc = {
    .name = "generate-doc",
    .group = GROUP_ADVANCED,
    .summary = "Write the pages of the documentation",
    .description = "Write a page for every command and one about the YAML into a directory: manual "
                   "pages, Markdown, or Markdown for the site generator Docsy.",
    .examples = "cima generate-doc man\n",
    .positional = positional,
    .options = options,
    .flags = COMMAND_HIDDEN,
    .run = run,
};
