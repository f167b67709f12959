/* SPDX-License-Identifier: Apache-2.0 */
/* What the QMP client writes. */
#include "qemu/qmp_internal.h"
#include <errno.h>
#include <sys/socket.h>

static struct cmd *unsent(struct cmd *c)
{
    while (c && (c->state != CMD_QUEUED || err_is_set(&c->problem)))
        c = c->next;
    return c;
}

/* The command whose bytes are next. A line that has begun is finished first; those out of band pass
 * the queue, and in the queue one at a time is in flight. */
static struct cmd *next_to_write(const struct cima_qmp *q)
{
    bool negotiating = q->state == CIMA_QMP_NEGOTIATING;
    struct cmd *c;

    if (q->write_errno || (q->state != CIMA_QMP_READY && !negotiating))
        return NULL;
    if (q->writing)
        return q->writing;
    if (!negotiating && q->oob && (c = unsent(q->urgent)))
        return c;
    c = q->queue;
    if (!c || c->state == CMD_SENT)
        return NULL;
    return negotiating ? c : unsent(c);
}

bool qmp_may_write(const struct cima_qmp *q)
{
    return next_to_write(q) != NULL;
}

static ssize_t send_some(int fd, const char *data, size_t len, int pass_fd)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    union {
        char buf[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    if (pass_fd >= 0) {
        struct cmsghdr *h;

        m.msg_control = control.buf;
        m.msg_controllen = sizeof(control.buf);
        h = CMSG_FIRSTHDR(&m);
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(h), &pass_fd, sizeof(int));
    }
    return sendmsg(fd, &m, MSG_NOSIGNAL);
}

/* The first byte went: so did the descriptor. */
static void has_begun(struct cima_qmp *q, struct cmd *c)
{
    c->state = CMD_SENT;
    q->writing = c;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static void show(struct cima_qmp *q, const struct cmd *c)
{
    if (q->h.line)
        q->h.line(q->arg, true, c->shown ? c->shown : "", c->shown ? strlen(c->shown) : 0);
}

void qmp_write(struct cima_qmp *q)
{
    struct cmd *c;

    while (!q->freed && (c = next_to_write(q))) {
        ssize_t n = send_some(q->fd, c->line + c->sent, c->len - c->sent, c->fd);

        if (n > 0) {
            if (c->sent == 0)
                has_begun(q, c);
            c->sent += (size_t)n;
            if (c->sent == c->len) {
                q->writing = NULL;
                show(q, c);
            }
        } else if (n < 0 && errno == EAGAIN) {
            return;
        } else if (n < 0 && errno != EINTR) {
            /* Reading what came before the end is next; the end itself is told after that. */
            q->write_errno = errno;
        }
    }
}
