/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as text (RFC 4648, section 4). */
#ifndef CIMA_BASE_BASE64_H
#define CIMA_BASE_BASE64_H

#include "base/sbuf.h"

/* Appends the bytes that `text` stands for; white space between the letters means nothing. -1 when
 * it is no base64 (another letter, padding that is missing or not at the end): out is as it was. */
int base64_decode(struct sbuf *out, const char *text);

#endif
