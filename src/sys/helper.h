/* SPDX-License-Identifier: Apache-2.0 */
/* Where our helper programs are. */
#ifndef CIMA_SYS_HELPER_H
#define CIMA_SYS_HELPER_H

#include "base/err.h"

/* Path of the helper program `name` ("cima-seediso"): in $CIMA_LIBEXEC when that is set; else
 * beside the running program (a build tree), in ../libexec/cima from there (an installation that
 * was moved), or where it was configured to be. ERR_NOT_FOUND names all places. Caller frees. */
char *helper_path(const char *name, struct err *err);
/* Adds the directories (or files) `name` of our data that are there: of a build tree, of an
 * installation that was moved, of the one that was configured, and of Lima. */
void share_places(const char *name, struct strv *ret);
/* Adds the directories where programs that extend us may be, besides those of $PATH. */
void plugin_places(struct strv *ret);

#endif
