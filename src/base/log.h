/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines on stderr (or the fd that the host agent sets): text for people, logrus-like
 * key=value when stderr is no terminal, or JSON lines. One write(2) per line. */
#ifndef CIMA_BASE_LOG_H
#define CIMA_BASE_LOG_H

#include "base/diag.h"

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_FATAL, LOG_LEVEL_COUNT };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

const char *log_level_to_string(enum log_level level); /* "warning" for LOG_WARN, as logrus */
int log_level_from_string(const char *name, enum log_level *ret); /* also "warn" */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
void log_set_format(enum log_format format);
enum log_format log_get_format(void);
/* Default 2. The fd is not owned. */
void log_set_fd(int fd);
/* Called around each line that goes to a terminal, so that a progress line can step aside. */
void log_set_terminal_hooks(void (*before)(void), void (*after)(void));
/* Text may hold anything: it is made printable (JSON: escaped). */
void log_msg(enum log_level level, const char *fmt, ...) PRINTF_FORMAT(2, 3);

/* A problem on one line, "file:line:col: message; hint: …": an error or a warning as it says. In JSON
 * its parts are members of their own besides: file, line, column, path, kind, message, hint. */
void log_diag(const struct diag *d);

#define log_at(level, ...)                   \
    do {                                     \
        if ((level) >= log_get_level())      \
            log_msg((level), __VA_ARGS__);   \
    } while (0)
#define log_trace(...) log_at(LOG_TRACE, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)

#endif
