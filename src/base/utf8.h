/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CIMA_BASE_UTF8_H
#define CIMA_BASE_UTF8_H

#include "base/macro.h"

/* Decodes the character at s (len bytes are there). Returns its length in bytes, 0 when the bytes
 * are no valid UTF-8 (overlong forms, surrogates and cut sequences included) or len is 0. */
size_t utf8_decode(const char *s, size_t len, uint32_t *ret);
/* The whole text is valid UTF-8. */
bool utf8_valid(const char *s, size_t len);
/* May it go to a terminal as it is? Not so: C0 and C1 controls, DEL, line and paragraph
 * separators, marks that turn the direction of text. */
bool utf8_is_printable(uint32_t c);
/* Columns that a printable character takes on a terminal: 0, 1 or 2. */
unsigned utf8_width(uint32_t c);

#endif
