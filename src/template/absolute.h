/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CIMA_TEMPLATE_ABSOLUTE_H
#define CIMA_TEMPLATE_ABSOLUTE_H

#include "base/sbuf.h"
#include "template/template.h"

/* The template's text with every relative location of an image, kernel or initrd made absolute,
 * from the template's directory on: an instance does not know where its template was. Every other
 * byte stays. The text is a document that loads. */
int template_make_absolute(const struct inst_template *t, struct sbuf *ret, struct err *err);

#endif
