/* SPDX-License-Identifier: Apache-2.0 */
/* The error of every function of libcima-qemu that can fail. The caller makes one and hands it in;
 * a function that fails fills it and returns -1 or NULL, success leaves it untouched. It is set
 * once: clear it before the next use. A null pointer is allowed everywhere: then nothing is kept.
 * The text has the form "what: why". */
#ifndef CIMA_QEMU_ERROR_H
#define CIMA_QEMU_ERROR_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cima_error;

struct cima_error *cima_error_new(void);
void cima_error_free(struct cima_error *e); /* NULL is allowed */
void cima_error_clear(struct cima_error *e);
bool cima_error_is_set(const struct cima_error *e);
/* "config", "not-found", "io", "permission", "unsupported", "qemu", "timeout", "interrupted",
 * "protocol", …: what a program may decide by. Static text. */
const char *cima_error_kind(const struct cima_error *e);
/* What failed and why, on one line. The caller frees it with free(). */
char *cima_error_message(const struct cima_error *e);
/* The next step for a person; NULL when there is none. Belongs to the error. */
const char *cima_error_hint(const struct cima_error *e);
/* Further lines, such as what QEMU wrote before it ended; NULL when there are none. Belongs to the
 * error. */
const char *cima_error_detail(const struct cima_error *e);

#ifdef __cplusplus
}
#endif
#endif
