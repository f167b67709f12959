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

/* An empty one; free with cima_error_free. */
struct cima_error *cima_error_new(void);
/* NULL is allowed. */
void cima_error_free(struct cima_error *e);
/* Makes it empty, ready for the next use. NULL is allowed. */
void cima_error_clear(struct cima_error *e);
/* Has something failed? false for NULL. */
bool cima_error_is_set(const struct cima_error *e);
/* What a program may decide by; static text:
 *   "none"         it is not set
 *   "config"       what the caller asked for is wrong: a field, a value, a path that has to be given
 *   "not_found"    a program, a file, a directory
 *   "exists"       it is there already
 *   "state"        not possible now
 *   "busy"         somebody else has the lock
 *   "io"           the operating system refused; the message has its reason
 *   "net"          a connection could not be made, or broke
 *   "permission"   not allowed to this user
 *   "unsupported"  QEMU or this library can't do it
 *   "qemu"         QEMU refused, or ended
 *   "timeout"      it did not happen in time
 *   "interrupted"  the caller cancelled it
 *   "protocol"     the other side broke the rules of QMP or JSON
 *   "internal"     a bug of this library */
const char *cima_error_kind(const struct cima_error *e);
/* What failed and why, on one line, "" when it is not set. The caller frees it with free(). */
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
