/* SPDX-License-Identifier: Apache-2.0 */
/* Problems found in a document: collected, never thrown. */
#ifndef CIMA_BASE_DIAG_H
#define CIMA_BASE_DIAG_H

#include "base/macro.h"
#include "base/sbuf.h"

enum diag_severity { DIAG_ERROR, DIAG_WARNING };

struct diag {
    enum diag_severity severity;
    char *kind;         /* which rule it breaks: "ssh-port"; NULL when it is none of a table */
    char *path;         /* "mounts[1].location"; may be NULL */
    char *msg;
    char *hint;         /* may be NULL */
    char *file;         /* NULL when the value has no place in a file (a default, a flag) */
    unsigned line, col; /* from 1; 0 unknown */
    char *source;       /* the text of that line, may be NULL */
};

struct diags {
    struct diag *v;
    size_t n, cap;
};

#define DIAGS_INIT {NULL, 0, 0}
#define _cleanup_diags_ _cleanup_(diags_release)

void diags_release(struct diags *d);
/* Adds one; the returned pointer is valid until the next addition (for hint and position). */
struct diag *diags_add(struct diags *d, enum diag_severity severity, const char *path,
                       const char *fmt, ...) PRINTF_FORMAT(4, 5);
void diag_set_kind(struct diag *d, const char *kind);
void diag_set_hint(struct diag *d, const char *fmt, ...) PRINTF_FORMAT(2, 3);
void diag_set_position(struct diag *d, const char *file, unsigned line, unsigned col,
                       const char *source_line);
bool diags_has_errors(const struct diags *d);
size_t diags_count(const struct diags *d, enum diag_severity severity);
/* "file:line:col: error: message" + source line + caret + "hint: …". Text from the file is made
 * printable; a tab before the caret keeps the caret in its column. No trailing newline. */
void diag_format(const struct diag *d, struct sbuf *out);

#endif
