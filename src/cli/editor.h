/* SPDX-License-Identifier: Apache-2.0 */
/* The person's editor on a copy of a text. */
#ifndef CIMA_CLI_EDITOR_H
#define CIMA_CLI_EDITOR_H

#include "base/err.h"
#include "base/sbuf.h"

/* Comment lines (each "#…\n") in front of a text, behind its byte order mark and with its kind of
 * line ends. UTF-16 gets none. */
void editor_add_hints(const char *text, size_t len, const char *hints, struct sbuf *out);
/* The text without those lines: each is removed once, wherever it is now; every other byte stays.
 */
void editor_remove_hints(const char *text, size_t len, const char *hints, struct sbuf *out);
/* Nothing but blanks and line ends. */
bool editor_is_blank(const char *text, size_t len);
/* The same but for a line end at the end, which many editors add. */
bool editor_is_same(const char *a, size_t a_len, const char *b, size_t b_len);

/* The command of the editor as words: $VISUAL or $EDITOR, split as a shell would; else the first
 * program that is there of those that are usual. */
int editor_command(struct strv *ret, struct err *err);
/* Runs it on a private file NAME.yaml that holds hints and text, and reads back what it left, the
 * hints removed: *ret is "" when the file is gone. Ctrl-C is the editor's meanwhile. An editor that
 * does not end with success is an error. Caller frees. */
int editor_run(const char *temp_dir, const char *name, const char *hints, const char *text,
               size_t len, char **ret, size_t *ret_len, struct err *err);

#endif
