/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's console, for the messages about a guest that does not come up. */
#ifndef CIMA_SERVICE_SERIAL_H
#define CIMA_SERVICE_SERIAL_H

#include "base/err.h"
#include "store/store.h"

/* The last lines of a text, at most max_lines, without escape sequences, carriage returns and empty
 * lines. Caller frees. */
char *text_tail(const char *text, size_t len, unsigned max_lines);
/* Adds what the guest wrote last on its console as detail, with its file in the heading. Nothing
 * when there is nothing. When it says that its processors hang, that is the hint. */
void serial_add_tail(const struct instance *i, struct err *err);

#endif
