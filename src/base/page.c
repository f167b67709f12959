/* SPDX-License-Identifier: Apache-2.0 */
#include "base/page.h"
#include "base/mem.h"
#include "base/utf8.h"
#include <ctype.h>

/* ---- characters ------------------------------------------------------------------------------ */

/* One character for roff: escaped where it would be a request, an escape, or another glyph. */
static void man_char(struct sbuf *out, uint32_t c)
{
    static const struct {
        char c;
        const char *escape;
    } glyphs[] = {{'\\', "\\e"},  {'-', "\\-"},   {'\'', "\\(aq"}, {'`', "\\(ga"},
                  {'^', "\\(ha"}, {'~', "\\(ti"}, {'"', "\\(dq"}};

    for (size_t i = 0; i < ARRAY_SIZE(glyphs); i++)
        if (c == (uint32_t)glyphs[i].c) {
            sbuf_addstr(out, glyphs[i].escape);
            return;
        }
    if (c < 0x80)
        sbuf_addch(out, (char)c);
    else
        sbuf_addf(out, "\\[u%04X]", (unsigned)c);
}

static void man_text(struct sbuf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t c = 0;
        size_t n = utf8_decode(text + i, len - i, &c);

        if ((c == '.' || c == '\'') && (!out->len || out->buf[out->len - 1] == '\n'))
            sbuf_addstr(out, "\\&");
        man_char(out, n ? c : 0xfffd);
        i += n ? n : 1;
    }
}

/* What Markdown could take for its own; `_` only where a word begins or ends there. */
static void markdown_text(struct sbuf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool inside = i && i + 1 < len && isalnum((unsigned char)text[i - 1]) &&
                      isalnum((unsigned char)text[i + 1]);

        if (strchr("\\*<[]|", text[i]) || (text[i] == '_' && !inside))
            sbuf_addch(out, '\\');
        sbuf_addch(out, text[i]);
    }
}

/* A text with its `code`. */
static void inline_text(struct page *p, const char *text, size_t len)
{
    while (len) {
        const char *open = memchr(text, '`', len);
        const char *close = open ? memchr(open + 1, '`', len - (size_t)(open + 1 - text)) : NULL;
        size_t plain = close ? (size_t)(open - text) : len, all;

        if (p->format == PAGE_MAN)
            man_text(&p->out, text, plain);
        else
            markdown_text(&p->out, text, plain);
        if (!close)
            return;
        all = (size_t)(close + 1 - text);
        if (p->format == PAGE_MAN) {
            sbuf_addstr(&p->out, "\\fB");
            man_text(&p->out, open + 1, (size_t)(close - open - 1));
            sbuf_addstr(&p->out, "\\fR");
        } else {
            sbuf_add(&p->out, open, (size_t)(close + 1 - open));
        }
        text += all;
        len -= all;
    }
}

/* ---- parts ----------------------------------------------------------------------------------- */

void page_open(struct page *p, enum page_format format, const char *name, unsigned section,
               const char *version, const char *summary)
{
    *p = (struct page){.format = format, .out = SBUF_INIT};
    if (format == PAGE_MARKDOWN) {
        sbuf_addf(&p->out, "# %s\n\n", name);
        inline_text(p, summary, strlen(summary));
        sbuf_addch(&p->out, '\n');
        return;
    }
    sbuf_addf(&p->out, ".\\\" made by `cima generate\\-doc`, do not edit\n.TH ");
    for (const char *c = name; *c; c++)
        man_char(&p->out, (uint32_t)toupper((unsigned char)*c));
    sbuf_addf(&p->out, " %u \"\" \"%s\" \"cima manual\"\n", section, version);
    /* No hyphens in names of options and fields; ragged lines. */
    sbuf_addstr(&p->out, ".nh\n.ad l\n.SH NAME\n");
    man_text(&p->out, name, strlen(name));
    sbuf_addstr(&p->out, " \\- ");
    inline_text(p, summary, strlen(summary));
    sbuf_addch(&p->out, '\n');
}

static void end_items(struct page *p)
{
    p->in_items = false;
    if (p->format == PAGE_MARKDOWN)
        sbuf_addch(&p->out, '\n');
}

void page_heading(struct page *p, const char *text)
{
    end_items(p);
    if (p->format == PAGE_MARKDOWN) {
        sbuf_addf(&p->out, "## %s\n", text);
        return;
    }
    sbuf_addstr(&p->out, ".SH ");
    for (const char *c = text; *c; c++)
        man_char(&p->out, (uint32_t)toupper((unsigned char)*c));
    sbuf_addch(&p->out, '\n');
}

void page_subheading(struct page *p, const char *text)
{
    end_items(p);
    sbuf_addstr(&p->out, p->format == PAGE_MARKDOWN ? "### " : ".SS ");
    inline_text(p, text, strlen(text));
    sbuf_addch(&p->out, '\n');
}

void page_verbatim(struct page *p, const char *lines)
{
    end_items(p);
    sbuf_addstr(&p->out, p->format == PAGE_MARKDOWN ? "```\n" : ".PP\n.RS 4\n.nf\n");
    while (*lines) {
        size_t n = strcspn(lines, "\n");

        if (p->format == PAGE_MARKDOWN)
            sbuf_add(&p->out, lines, n);
        else
            man_text(&p->out, lines, n);
        sbuf_addch(&p->out, '\n');
        lines += n + (lines[n] == '\n');
    }
    sbuf_addstr(&p->out, p->format == PAGE_MARKDOWN ? "```\n" : ".fi\n.RE\n");
}

/* The end of the lines that stand as they are: the next empty line. */
static size_t block_length(const char *text)
{
    const char *end = strstr(text, "\n\n");

    return end ? (size_t)(end - text) : strlen(text);
}

/* Without as many blanks as the first line begins with. */
static char *unindent(const char *text, size_t len)
{
    struct sbuf out = SBUF_INIT;
    size_t indent = strspn(text, " ");

    for (const char *line = text; line < text + len;) {
        size_t n = strcspn(line, "\n"), blanks = strspn(line, " ");

        if (n > (size_t)(text + len - line))
            n = (size_t)(text + len - line);
        blanks = blanks < indent ? blanks : indent;
        sbuf_add(&out, line + blanks, n - blanks);
        sbuf_addch(&out, '\n');
        line += n + 1;
    }
    return sbuf_detach(&out);
}

void page_text(struct page *p, const char *text)
{
    while (*text) {
        size_t n = block_length(text);

        if (*text == ' ') {
            _cleanup_free_ char *lines = unindent(text, n);

            page_verbatim(p, lines);
        } else {
            end_items(p);
            if (p->format == PAGE_MAN)
                sbuf_addstr(&p->out, ".PP\n");
            inline_text(p, text, n);
            sbuf_addch(&p->out, '\n');
        }
        text += n;
        text += strspn(text, "\n");
    }
}

void page_item(struct page *p, const char *term, const char *beside, const char *text)
{
    if (p->format == PAGE_MARKDOWN) {
        if (!p->in_items)
            sbuf_addch(&p->out, '\n');
        sbuf_addf(&p->out, "- **`%s`**", term);
    } else {
        sbuf_addstr(&p->out, ".TP\n\\fB");
        man_text(&p->out, term, strlen(term));
        sbuf_addstr(&p->out, "\\fR");
    }
    p->in_items = true;
    if (beside) {
        sbuf_addstr(&p->out, " (");
        inline_text(p, beside, strlen(beside));
        sbuf_addch(&p->out, ')');
    }
    sbuf_addstr(&p->out, p->format == PAGE_MARKDOWN ? ": " : "\n");
    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n");

        if (line != text)
            sbuf_addstr(&p->out, p->format == PAGE_MARKDOWN ? "  " : ".br\n");
        inline_text(p, line, n);
        line += n + (line[n] == '\n');
        sbuf_addstr(&p->out, *line && p->format == PAGE_MARKDOWN ? "  \n" : "\n");
    }
}

char *page_close(struct page *p)
{
    return sbuf_detach(&p->out);
}
