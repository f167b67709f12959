/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/follow.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>

enum { CHUNK = 16384, CHUNKS_MAX = 1024 };

struct follow {
    int fd, notify_fd;
    struct loop_source *source;
    char *label;
    struct sbuf line;
    bool cut; /* the rest of the line is dropped */
};

static void end_line(struct follow *f)
{
    mem_show_nul(f->line.buf, f->line.len);
    log_debug("%s: %s%s", f->label, sbuf_str(&f->line), f->cut ? " […]" : "");
    sbuf_clear(&f->line);
    f->cut = false;
}

static void add(struct follow *f, const char *data, size_t len)
{
    size_t room = FOLLOW_LINE_MAX - f->line.len;

    if (len > room) {
        len = room;
        f->cut = true;
    }
    sbuf_add(&f->line, data, len);
}

static void split(struct follow *f, const char *data, size_t len)
{
    while (len) {
        const char *eol = memchr(data, '\n', len);

        add(f, data, eol ? (size_t)(eol - data) : len);
        if (!eol)
            return;
        end_line(f);
        len -= (size_t)(eol + 1 - data);
        data = eol + 1;
    }
}

/* Returns whether there was anything. */
static bool read_chunk(struct follow *f)
{
    char chunk[CHUNK];
    ssize_t n = read(f->fd, chunk, sizeof(chunk));

    if (n > 0)
        split(f, chunk, (size_t)n);
    return n > 0;
}

/* One chunk each time, so that a process that writes for ever does not starve the others: the
 * notices stay unread until the end of the file is reached. What was written between that look and
 * taking the notices is read then; what comes later makes a new one. */
static void on_change(void *arg, int fd, unsigned events)
{
    char notices[4096];
    struct follow *f = arg;

    (void)events;
    if (read_chunk(f))
        return;
    if (read(fd, notices, sizeof(notices)) < 0 && errno != EAGAIN)
        f->source = loop_source_free(f->source);
    for (int i = 0; i < CHUNKS_MAX && read_chunk(f); i++)
        ;
}

struct follow *follow_new(struct loop *loop, const char *path, int64_t offset, const char *label)
{
    _cleanup_close_ int fd = -1, notify_fd = -1;
    struct follow *f;

    if (log_get_level() > LOG_DEBUG)
        return NULL;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    notify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0 || notify_fd < 0 || inotify_add_watch(notify_fd, path, IN_MODIFY) < 0 ||
        (offset > 0 && lseek(fd, (off_t)offset, SEEK_SET) < 0))
        return NULL;
    f = xcalloc(1, sizeof(*f));
    f->fd = TAKE_FD(fd);
    f->notify_fd = TAKE_FD(notify_fd);
    f->label = xstrdup(label);
    f->source = loop_add_fd(loop, f->notify_fd, LOOP_READ, on_change, f);
    read_chunk(f); /* what was written before */
    return f;
}

void follow_free(struct follow *f)
{
    if (!f)
        return;
    for (int i = 0; i < CHUNKS_MAX && read_chunk(f); i++)
        ; /* the rest of one that still writes is in the file */
    if (f->line.len)
        end_line(f);
    loop_source_free(f->source);
    close(f->fd);
    close(f->notify_fd);
    sbuf_release(&f->line);
    free(f->label);
    free(f);
}
