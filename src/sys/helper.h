/* SPDX-License-Identifier: Apache-2.0 */
/* Where our helper programs are. */
#ifndef CIMA_SYS_HELPER_H
#define CIMA_SYS_HELPER_H

#include "base/err.h"

/* Path of the helper program `name` ("cima-seediso"): in $CIMA_LIBEXEC when that is set; else
 * beside the running program (a build tree), in ../libexec/cima from there (an installation that
 * was moved), or where it was configured to be. ERR_NOT_FOUND names all places. Caller frees. */
char *helper_path(const char *name, struct err *err);

#endif
