/* SPDX-License-Identifier: Apache-2.0 */
/* A growing string. Invariant: buf is NULL and len 0, or buf[len] == '\0'. */
#ifndef CIMA_BASE_SBUF_H
#define CIMA_BASE_SBUF_H

#include "base/macro.h"
#include <stdarg.h>

struct sbuf {
    char *buf;
    size_t len, cap;
};

#define SBUF_INIT {NULL, 0, 0}
#define _cleanup_sbuf_ _cleanup_(sbuf_release)

void sbuf_release(struct sbuf *s);
/* Empties, keeps the memory. */
void sbuf_clear(struct sbuf *s);
void sbuf_add(struct sbuf *s, const void *data, size_t len);
void sbuf_addstr(struct sbuf *s, const char *str);
void sbuf_addch(struct sbuf *s, char c);
/* A character as UTF-8; what is none (half a surrogate pair, beyond U+10FFFF) as U+FFFD. */
void sbuf_add_utf8(struct sbuf *s, uint32_t c);
void sbuf_addf(struct sbuf *s, const char *fmt, ...) PRINTF_FORMAT(2, 3);
void sbuf_vaddf(struct sbuf *s, const char *fmt, va_list ap) PRINTF_FORMAT(2, 0);
/* Room for `extra` more bytes behind len; the caller writes there and then calls sbuf_grown. */
char *sbuf_reserve(struct sbuf *s, size_t extra);
void sbuf_grown(struct sbuf *s, size_t n);
/* Removes the first n bytes (n <= len). */
void sbuf_consume(struct sbuf *s, size_t n);
/* The text, "" when empty; owned by the buffer. */
const char *sbuf_str(const struct sbuf *s);
/* The text as memory of the caller; the buffer is empty afterwards. Never NULL. */
char *sbuf_detach(struct sbuf *s);

/* Appends str with control characters, DEL and invalid UTF-8 made visible (\n, \x1b, …): for
 * text from a guest or a file on its way to a terminal or a log line. */
void sbuf_add_printable(struct sbuf *s, const char *str, size_t len);
/* Appends str quoted so that a POSIX shell reads it back as one word. */
void sbuf_add_shell_quoted(struct sbuf *s, const char *str);

#endif
