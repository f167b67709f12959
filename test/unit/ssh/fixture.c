/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/log.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/socket.h>

#define LIMIT_MS 300000 /* for what has to happen, on any machine */

static struct fixture *fixture_of(struct service_host *h)
{
    return (struct fixture *)((char *)h - offsetof(struct fixture, host));
}

static void host_reached(struct service_host *h, enum stage stage)
{
    struct fixture *f = fixture_of(h);

    if (stage > f->reached)
        f->reached = stage;
}

static void host_degraded(struct service_host *h, const char *service, struct err *err)
{
    struct fixture *f = fixture_of(h);

    (void)service;
    h->troubled = true;
    if (f->n_degraded++ == 0)
        err_move(&f->degraded, err);
    else
        err_clear(err);
}

static void host_fatal(struct service_host *h, const char *service, struct err *err)
{
    (void)h;
    cr_assert_fail("service %s: %s", service, err->msg);
}

static void host_hold(struct service_host *h, enum stage stage)
{
    (void)stage;
    fixture_of(h)->holds++;
}

static void host_release(struct service_host *h, enum stage stage)
{
    (void)stage;
    fixture_of(h)->holds--;
}

static void host_tell(struct service_host *h, enum guest_event ev)
{
    fixture_of(h)->told[ev]++;
}

static void host_port_forward(struct service_host *h, const struct port_forward_note *note)
{
    strv_pushf(&fixture_of(h)->forwards, "%s %s %s %s%s%s", note->type, note->protocol,
               note->guest_addr, note->host_addr, note->error ? ": " : "",
               note->error ? note->error : "");
}

static void on_connection(void *arg, int fd, unsigned events)
{
    static const char ssh[] = "SSH-2.0-fake\r\n", http[] = "HTTP/1.1 400 Bad Request\r\n";
    struct fixture *f = arg;
    int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

    (void)events;
    if (c < 0)
        return;
    if (f->greeting == GREET_SSH)
        fd_write_all(c, ssh, strlen(ssh));
    else if (f->greeting == GREET_HTTP)
        fd_write_all(c, http, strlen(http));
    if ((f->greeting == GREET_SILENCE || f->greeting == GREET_SLOWLY) &&
        f->n_held < ARRAY_SIZE(f->held)) {
        f->held_since[f->n_held] = monotonic_ms();
        f->held[f->n_held++] = c;
    } else {
        close(c);
    }
}

/* A server under load: each connection waits for its greeting. */
static void greet_slowly(struct fixture *f)
{
    static const char ssh[] = "SSH-2.0-slow\r\n";
    int64_t greet_ms = f->greet_ms ? f->greet_ms : 700;

    for (unsigned i = 0; f->greeting == GREET_SLOWLY && i < f->n_held; i++)
        if (f->held_since[i] && monotonic_ms() - f->held_since[i] > greet_ms) {
            f->held_since[i] = 0;
            fd_write_all(f->held[i], ssh, strlen(ssh));
        }
}

static void listen_anywhere(struct fixture *f)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);

    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(f->listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
    cr_assert_eq(listen(f->listener, 64), 0);
    cr_assert_eq(getsockname(f->listener, (struct sockaddr *)&addr, &len), 0);
    f->host.ssh_port = ntohs(addr.sin_port);
}

void fixture_use_stub(struct fixture *f, const char *name)
{
    const char *srcdir = getenv("srcdir");
    _cleanup_free_ char *stub = xasprintf("%s/test/fake/%s", srcdir ? srcdir : ".", name);

    setenv("SSH", stub, 1);
    setenv("SSH_STUB_DIR", f->dir, 1);
}

void fixture_setup(struct fixture *f)
{
    char template[] = "/tmp/cima-ssh.XXXXXX";
    struct err err = ERR_INIT;

    *f = (struct fixture){.degraded = ERR_INIT};
    cr_assert_not_null(mkdtemp(template));
    f->dir = xstrdup(template);
    static const char *const dirs[] = {"guest/run", "guest/mnt/lima-cidata", "_config"};
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        _cleanup_free_ char *path = path_join(f->dir, dirs[i]);
        cr_assert_eq(dir_make(path, 0700, &err), 0);
    }
    signal(SIGPIPE, SIG_IGN);
    log_set_level(getenv("TEST_VERBOSE") ? LOG_TRACE : LOG_FATAL);
    fixture_use_stub(f, "ssh-stub");
    f->store = (struct store){.home = f->dir, .cache = f->dir};
    f->inst = (struct instance){.name = "x", .dir = f->dir};
    f->cfg.user.name = "lima";
    f->cfg.os = "Linux";
    f->host = (struct service_host){
        .loop = loop_new(&err), .store = &f->store, .inst = &f->inst, .cfg = &f->cfg,
        .iid = "iid-1", .patience_ms = 120000, .reached = host_reached, .degraded = host_degraded,
        .fatal = host_fatal, .hold = host_hold, .release = host_release,
        .tell = host_tell, .port_forward = host_port_forward};
    listen_anywhere(f);
    f->accept = loop_add_fd(f->host.loop, f->listener, LOOP_READ, on_connection, f);
}

void fixture_teardown(struct fixture *f)
{
    if (f->svc) {
        f->svc->type->stop(f->svc);
        f->svc->type->free(f->svc);
    }
    loop_source_free(f->accept);
    loop_free(f->host.loop);
    close(f->listener);
    for (unsigned i = 0; i < f->n_held; i++)
        close(f->held[i]);
    err_clear(&f->degraded);
    strv_release(&f->forwards);
    dir_remove(f->dir, NULL);
    free(f->dir);
}

void fixture_start(struct fixture *f, const struct service_type *type)
{
    f->svc = type->create(&f->host);
    cr_assert_not_null(f->svc);
    type->start(f->svc);
}

static void on_limit(void *arg)
{
    struct fixture *f = arg;

    loop_quit(f->host.loop);
    f->limit = loop_source_free(f->limit);
}

static void on_poll(void *arg)
{
    struct fixture *f = arg;

    greet_slowly(f);
    if (f->until(f))
        loop_quit(f->host.loop);
    else
        loop_timer_restart(f->poll, 10);
}

void fixture_until(struct fixture *f, bool (*until)(struct fixture *f))
{
    f->until = until;
    f->limit = loop_add_timer(f->host.loop, LIMIT_MS, on_limit, f);
    f->poll = loop_add_timer(f->host.loop, 0, on_poll, f);
    loop_run(f->host.loop);
    bool in_time = f->limit != NULL;
    f->limit = loop_source_free(f->limit);
    f->poll = loop_source_free(f->poll);
    cr_assert(in_time, "not so within %d s; degraded: %s", LIMIT_MS / 1000,
              f->degraded.msg ? f->degraded.msg : "no");
}

void fixture_sleep(struct fixture *f, int64_t ms)
{
    f->limit = loop_add_timer(f->host.loop, ms, on_limit, f);
    loop_run(f->host.loop);
}

void fixture_write(struct fixture *f, const char *name, const char *text)
{
    _cleanup_free_ char *path = path_join(f->dir, name);
    struct err err = ERR_INIT;

    cr_assert_eq(file_write_atomic(path, text, strlen(text), 0600, &err), 0);
}

unsigned fixture_calls(struct fixture *f, const char *word, int *ret_pid)
{
    _cleanup_free_ char *path = path_join(f->dir, "log");
    _cleanup_free_ char *text = file_read(path, 1 << 20, NULL, NULL);
    unsigned n = 0;

    for (const char *p = text; p && *p; p += strcspn(p, "\n"), p += *p == '\n')
        if (str_starts(p, word) && p[strlen(word)] == ' ') {
            n++;
            if (ret_pid)
                *ret_pid = atoi(p + strlen(word) + 1);
        }
    return n;
}

bool until_boot_done(struct fixture *f)
{
    return f->reached >= STAGE_BOOT_DONE;
}

bool until_user_session(struct fixture *f)
{
    return f->reached >= STAGE_USER_SESSION;
}

bool until_banner(struct fixture *f)
{
    return f->reached >= STAGE_SSH_BANNER;
}

bool until_released(struct fixture *f)
{
    return f->holds == 0;
}
