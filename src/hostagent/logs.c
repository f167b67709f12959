/* SPDX-License-Identifier: Apache-2.0 */
#include "hostagent/logs.h"
#include "base/fs.h"
#include "base/mem.h"
#include "json/json.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/statvfs.h>

#define READ_CHUNK 16384
#define TAIL_LINES 5
#define TAIL_BYTES 16384

int event_log_open(struct event_log *l, const struct instance *i, struct err *err)
{
    _cleanup_free_ char *path = instance_path(i, INST_HA_STDOUT);

    l->notify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (l->notify_fd < 0)
        return err_set_errno(err, ERR_IO, "could not watch '%s'", path);
    if (inotify_add_watch(l->notify_fd, path, IN_MODIFY) < 0)
        return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
                             "could not watch '%s'", path);
    l->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (l->fd < 0)
        return err_set_errno(err, ERR_IO, "could not read '%s'", path);
    return 0;
}

void event_log_close(struct event_log *l)
{
    if (l->fd >= 0)
        close(l->fd);
    if (l->notify_fd >= 0)
        close(l->notify_fd);
    sbuf_release(&l->buf);
    *l = (struct event_log)EVENT_LOG_INIT;
}

static void read_notifications(struct event_log *l)
{
    char buf[4096];

    while (read(l->notify_fd, buf, sizeof(buf)) > 0)
        ;
}

/* False at the end of what is there. */
static bool read_more(struct event_log *l)
{
    sbuf_consume(&l->buf, l->at);
    l->at = 0;
    if (l->buf.len > EVENT_LINE_MAX)
        sbuf_clear(&l->buf); /* no event is that long */
    for (;;) {
        ssize_t n = read(l->fd, sbuf_reserve(&l->buf, READ_CHUNK), READ_CHUNK);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        sbuf_grown(&l->buf, (size_t)n);
        return true;
    }
}

int event_log_next(struct event_log *l, struct event *ret)
{
    /* Before the look: what is written during it makes the fd readable again. */
    read_notifications(l);
    for (;;) {
        const char *start = sbuf_str(&l->buf) + l->at;
        const char *eol = memchr(start, '\n', l->buf.len - l->at);

        if (!eol) {
            if (!read_more(l))
                return 0;
            continue;
        }
        l->at += (size_t)(eol - start) + 1;
        if (event_parse(start, (size_t)(eol - start), ret, NULL) == 0)
            return 1;
    }
}

/* The error of the last event in the log. */
static bool last_event_error(const struct instance *i, struct err *err)
{
    _cleanup_event_log_ struct event_log log = EVENT_LOG_INIT;
    struct err *found = NULL;

    if (event_log_open(&log, i, NULL))
        return false;
    for (;;) {
        _cleanup_event_ struct event e = EVENT_INIT;

        if (event_log_next(&log, &e) <= 0)
            break;
        if (found) {
            err_clear(found);
            free(found);
        }
        found = e.exiting ? TAKE_PTR(e.error) : NULL;
    }
    if (!found)
        return false;
    err_move(err, found);
    free(found);
    return true;
}

/* "msg" of a JSON log line, or the line itself (a sanitizer, the dynamic linker). */
static char *log_line_text(const char *line)
{
    _cleanup_json_ struct json *j =
        *line == '{' ? json_parse(line, strlen(line), "log line", NULL) : NULL;
    const char *msg = j ? json_get_str(j, "msg") : NULL;

    return xstrdup(msg ? msg : line);
}

static void add_log_tail(const struct instance *i, struct err *err)
{
    _cleanup_free_ char *path = instance_path(i, INST_HA_STDERR);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    _cleanup_strv_ struct strv lines = STRV_INIT;
    struct stat st;
    char buf[TAIL_BYTES + 1];

    if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode))
        return;
    ssize_t n = pread(fd, buf, TAIL_BYTES, st.st_size > TAIL_BYTES ? st.st_size - TAIL_BYTES : 0);
    if (n <= 0)
        return;
    buf[n] = '\0';
    while (n && buf[n - 1] == '\n')
        buf[--n] = '\0';
    strv_split(&lines, buf, '\n');
    for (size_t k = lines.n > TAIL_LINES ? lines.n - TAIL_LINES : 0; k < lines.n; k++) {
        _cleanup_free_ char *text = log_line_text(lines.v[k]);

        err_detail(err, text);
    }
    if (!err->hint)
        err_hint(err, "see %s", path);
}

/* Then the agent could neither write its events nor its log. */
static bool is_full(const char *dir)
{
    struct statvfs fs;

    return statvfs(dir, &fs) == 0 && fs.f_blocks && !fs.f_bavail;
}

int agent_death_error(const struct instance *i, const struct err *last_error, struct err *err)
{
    if (!err)
        return -1;
    if (last_error)
        return err_copy(err, last_error);
    if (last_event_error(i, err))
        return -1;
    if (is_full(i->dir)) {
        errno = ENOSPC;
        err_set_errno(err, ERR_IO, "host agent process has exited: writing in '%s'", i->dir);
    } else {
        err_set(err, ERR_STATE, "host agent process has exited");
    }
    add_log_tail(i, err);
    return -1;
}
