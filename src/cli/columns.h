/* SPDX-License-Identifier: Apache-2.0 */
/* Text in the columns of a terminal. Pure. */
#ifndef CIMA_CLI_COLUMNS_H
#define CIMA_CLI_COLUMNS_H

#include "base/sbuf.h"

/* Columns that the text takes; a byte that is no UTF-8 takes one. */
size_t columns_of(const char *s);
/* Appends s, cut to `room` columns; a cut text ends with "...". */
void columns_cut(struct sbuf *out, const char *s, size_t room);
/* The same, but beginning and end stay and the middle goes: for file names. */
void columns_cut_middle(struct sbuf *out, const char *s, size_t room);

#endif
