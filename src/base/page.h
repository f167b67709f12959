/* SPDX-License-Identifier: Apache-2.0 */
/* A page of the documentation, as a manual page (man macros) or as Markdown. Texts are UTF-8;
 * `code` between backticks is set off; everything else stands as it is, whatever it means to roff or
 * Markdown. */
#ifndef CIMA_BASE_PAGE_H
#define CIMA_BASE_PAGE_H

#include "base/sbuf.h"

enum page_format { PAGE_MAN, PAGE_MARKDOWN };

struct page {
    enum page_format format;
    struct sbuf out;
    bool in_items; /* Markdown: the last thing was an item */
};

/* Starts "NAME(SECTION)", "name - summary". `version` stands at the foot of a manual page. */
void page_open(struct page *p, enum page_format format, const char *name, unsigned section,
               const char *version, const char *summary);
void page_heading(struct page *p, const char *text);
void page_subheading(struct page *p, const char *text);
/* Paragraphs, with empty lines between them; one that starts with a blank is lines as they are (but
 * for that indentation). */
void page_text(struct page *p, const char *text);
/* An entry of a list: the term (set off), what belongs to it on the same line (may be NULL), and
 * the text. */
void page_item(struct page *p, const char *term, const char *beside, const char *text);
/* Lines as they are. */
void page_verbatim(struct page *p, const char *lines);
/* The page; p is empty afterwards. Caller frees. */
char *page_close(struct page *p);

#endif
