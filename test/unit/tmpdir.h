/* SPDX-License-Identifier: Apache-2.0 */
/* A private directory for one test: `_tmpdir_ char *dir = tmpdir_new();` removes it at the end. */
#ifndef CIMA_TEST_TMPDIR_H
#define CIMA_TEST_TMPDIR_H

#include "base/fs.h"
#include "base/mem.h"
#include <criterion/criterion.h>

#define _tmpdir_ _cleanup_(tmpdir_remove)

static inline char *tmpdir_new(void)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = xasprintf("%s/cima-test-XXXXXX", str_empty(tmp) ? "/tmp" : tmp);

    cr_assert_not_null(mkdtemp(dir), "mkdtemp %s", dir);
    return dir;
}

static inline void tmpdir_remove(char **dir)
{
    dir_remove(*dir, NULL);
    free(*dir);
}

#endif
