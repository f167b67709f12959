/* SPDX-License-Identifier: Apache-2.0 */
/* The YAML that an instance is made from, as it came: text and where relative paths in it start. */
#ifndef CIMA_TEMPLATE_TEMPLATE_H
#define CIMA_TEMPLATE_TEMPLATE_H

#include "base/err.h"

/* More than this is no instance YAML. */
#define TEMPLATE_MAX (4u << 20)

struct inst_template {
    char *path;     /* for messages: as given, or "<stdin>" */
    char *base_dir; /* absolute */
    char *name;     /* the instance's name that the file name suggests; NULL for standard input */
    char *text;
    size_t len;
};

#define INST_TEMPLATE_INIT                                                                         \
    {                                                                                              \
        NULL, NULL, NULL, NULL, 0                                                                  \
    }
#define _cleanup_inst_template_ _cleanup_(inst_template_release)
void inst_template_release(struct inst_template *t);
/* Reads a file, or standard input for "-". */
int inst_template_read(const char *path, struct inst_template *ret, struct err *err);

#endif
