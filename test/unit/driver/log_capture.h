/* SPDX-License-Identifier: Apache-2.0 */
/* What the program says in its log, in a file of the test's directory. */
#ifndef CIMA_TEST_LOG_CAPTURE_H
#define CIMA_TEST_LOG_CAPTURE_H

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include <criterion/criterion.h>
#include <fcntl.h>

static inline void capture_log(const char *dir)
{
    _cleanup_free_ char *path = path_join(dir, "test.log");
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);

    cr_assert_geq(fd, 0);
    log_set_fd(fd);
    log_set_level(LOG_DEBUG);
}

/* Caller frees. */
static inline char *captured_log(const char *dir)
{
    _cleanup_free_ char *path = path_join(dir, "test.log");
    char *text = file_read(path, 16 << 20, NULL, NULL);

    cr_assert(text);
    return text;
}

static inline void expect_log(const char *dir, const char *wanted)
{
    _cleanup_free_ char *text = captured_log(dir);

    cr_assert(strstr(text, wanted), "no '%s' in:\n%.4000s", wanted, text);
}

static inline void expect_no_log(const char *dir, const char *unwanted)
{
    _cleanup_free_ char *text = captured_log(dir);

    cr_assert_not(strstr(text, unwanted), "'%s' in:\n%.4000s", unwanted, text);
}

#endif
