/* SPDX-License-Identifier: Apache-2.0 */
#include "base/page.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static char *page(enum page_format format)
{
    struct page p;

    page_open(&p, format, "a-b", 1, "1.0", "what it does");
    page_heading(&p, "First");
    page_text(&p, "one `two-three` <x>\n\n  ls -l\n    .hidden\n\n.end 'q' \\ a_b *");
    page_subheading(&p, "second");
    page_item(&p, "--opt", "a `b`", "text\nmore");
    page_item(&p, "--other", NULL, "naïve");
    page_text(&p, "last");
    return page_close(&p);
}

Test(page, man)
{
    _cleanup_free_ char *text = page(PAGE_MAN);

    cr_expect_str_eq(text, ".\\\" made by `cima generate\\-doc`, do not edit\n"
                           ".TH A\\-B 1 \"\" \"1.0\" \"cima manual\"\n"
                           ".nh\n"
                           ".ad l\n"
                           ".SH NAME\n"
                           "a\\-b \\- what it does\n"
                           ".SH FIRST\n"
                           ".PP\n"
                           "one \\fBtwo\\-three\\fR <x>\n"
                           ".PP\n.RS 4\n.nf\n"
                           "ls \\-l\n"
                           "  .hidden\n"
                           ".fi\n.RE\n"
                           ".PP\n"
                           "\\&.end \\(aqq\\(aq \\e a_b *\n"
                           ".SS second\n"
                           ".TP\n"
                           "\\fB\\-\\-opt\\fR (a \\fBb\\fR)\n"
                           "text\n.br\nmore\n"
                           ".TP\n"
                           "\\fB\\-\\-other\\fR\n"
                           "na\\[u00EF]ve\n"
                           ".PP\n"
                           "last\n");
}

Test(page, markdown)
{
    _cleanup_free_ char *text = page(PAGE_MARKDOWN);

    cr_expect_str_eq(text, "# a-b\n\nwhat it does\n"
                           "\n## First\n"
                           "\none `two-three` \\<x>\n"
                           "\n```\nls -l\n  .hidden\n```\n"
                           "\n.end 'q' \\\\ a_b \\*\n"
                           "\n### second\n"
                           "\n- **`--opt`** (a `b`): text  \n  more\n"
                           "- **`--other`**: naïve\n"
                           "\nlast\n");
}
