/* SPDX-License-Identifier: Apache-2.0 */
/* Which variables of our environment `shell --preserve-env` takes along. Pure. */
#ifndef CIMA_CLI_SHELLENV_H
#define CIMA_CLI_SHELLENV_H

#include "base/err.h"
#include "base/strv.h"

/* Names and globs that stay here by default; NULL-terminated (`cima info` shows it). */
extern const char *const shellenv_block_default[];

/* The "NAME=value" entries of env (NULL-terminated, as environ) that the guest may see, in their
 * order. block and allow are the values of LIMA_SHELLENV_BLOCK and LIMA_SHELLENV_ALLOW, or NULL:
 * globs of letters, digits, `_` and `*`, separated by commas.
 *   block  replaces the default list; with a `+` in front it is added to it
 *   allow  these too, although blocked; a `+` in front means nothing
 * An entry whose name is no identifier never goes along. ERR_USAGE for a glob that is none. */
int shellenv_filter(char *const *env, const char *block, const char *allow, struct strv *ret,
                    struct err *err);

/* Length of the name in "NAME=value"; 0 when it is no identifier or there is no `=`. */
size_t shellenv_name(const char *entry);

#endif
