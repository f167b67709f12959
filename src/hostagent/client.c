/* SPDX-License-Identifier: Apache-2.0 */
#include "hostagent/client.h"
#include "base/fs.h"
#include "base/mem.h"
#include "hostagent/logs.h"
#include "json/json.h"
#include "sys/clock.h"
#include "sys/http_call.h"
#include "sys/lock.h"
#include "sys/proc.h"
#include "sys/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#define SPAWN_TIMEOUT_MS 60000
#define CONNECT_TIMEOUT_MS 5000
#define LOCK_FILE_MAX 256
#define INFO_MAX (64 * 1024)
#define ANSWER_MAX (32U << 20)
#define REQUEST_MAX (1U << 20)

enum { CODE_OK = 200, CODE_NOT_FOUND = 404 };

/* ---- which process is it ----------------------------------------------------------------------- */

/* The holder has written who it is, with its start time: a pid that was used again is not taken
 * for it. */
static int open_lock_holder(const char *path)
{
    _cleanup_free_ char *text = file_read(path, LOCK_FILE_MAX, NULL, NULL);
    struct proc_id id;

    if (!text || proc_id_parse(text, &id))
        return -1;
    return proc_id_open(&id);
}

int agent_open(const struct instance *i)
{
    _cleanup_free_ char *lock = instance_path(i, INST_HA_LOCK);
    _cleanup_instance_state_ struct instance_state st = {0};
    struct proc_id id;

    if (lock_probe(lock, NULL) > 0)
        return open_lock_holder(lock);
    instance_state_read(i, &st);
    if (!st.agent_foreign || !st.agent_pid || proc_id_of(st.agent_pid, &id))
        return -1;
    return proc_id_open(&id);
}

/* ---- start ------------------------------------------------------------------------------------- */

static int open_log(const struct instance *i, enum inst_file file, struct err *err)
{
    _cleanup_free_ char *path = instance_path(i, file);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return err_set_errno(err, ERR_IO, "could not open '%s'", path);
    fchmod(fd, 0600); /* Lima makes it 0644 */
    return fd;
}

static int spawn_agent(const char *self, const struct instance *i, bool debug, int64_t patience_ms,
                       struct child *ret, struct err *err)
{
    _cleanup_close_ int out = open_log(i, INST_HA_STDOUT, err);
    if (out < 0)
        return -1;
    _cleanup_close_ int err_out = open_log(i, INST_HA_STDERR, err);
    if (err_out < 0)
        return -1;
    _cleanup_free_ char *pidfile = instance_path(i, INST_HA_PID);
    _cleanup_free_ char *socket = instance_path(i, INST_HA_SOCK);
    _cleanup_strv_ struct strv argv = STRV_INIT;

    strv_push(&argv, self);
    if (debug)
        strv_push(&argv, "--debug");
    strv_pushl(&argv, "hostagent", "--pidfile", pidfile, "--socket", socket, NULL);
    if (patience_ms > SERVICE_PATIENCE_MS)
        strv_pushf(&argv, "--patience=%llds", (long long)(patience_ms / 1000));
    strv_push(&argv, i->name);
    struct spawn s = SPAWN_INIT;
    s.argv = (const char *const *)strv_argv(&argv);
    s.stdout_fd = out;
    s.stderr_fd = err_out;
    s.flags = SPAWN_NEW_SESSION;
    return spawn_child(&s, ret, err);
}

/* Waits for the first whole line of the log or the end of the process. 1 line, 0 ended, -1 error. */
static int wait_first_event(const struct instance *i, struct event_log *log, int pidfd,
                            struct err *err)
{
    int64_t deadline = deadline_in(SPAWN_TIMEOUT_MS);
    _cleanup_event_ struct event e = EVENT_INIT;

    for (;;) {
        if (event_log_next(log, &e) > 0)
            return !e.exiting;
        struct pollfd fds[] = {{.fd = log->notify_fd, .events = POLLIN},
                               {.fd = pidfd, .events = POLLIN}};
        int left = deadline_left(deadline);

        if (left == 0) {
            _cleanup_free_ char *path = instance_path(i, INST_HA_STDERR);

            err_set(err, ERR_TIMEOUT, "hostagent (`%s`) did not start up in %d s", i->name,
                    SPAWN_TIMEOUT_MS / 1000);
            return err_hint(err, "see %s", path);
        }
        if (poll(fds, ARRAY_SIZE(fds), left) < 0 && errno != EINTR)
            return err_set_errno(err, ERR_IO, "could not wait for the host agent");
        /* What it wrote before its end is still in the log. */
        if (fds[1].revents)
            return event_log_next(log, &e) > 0 && !e.exiting;
    }
}

int agent_spawn(const char *self, const struct instance *i, bool debug, int64_t patience_ms,
                struct err *err)
{
    _cleanup_free_ char *lock = instance_path(i, INST_HA_LOCK);
    _cleanup_child_ struct child c = CHILD_INIT;
    _cleanup_event_log_ struct event_log log = EVENT_LOG_INIT;
    pid_t holder = 0;

    if (lock_probe(lock, &holder) > 0)
        return err_set(err, ERR_BUSY, "instance `%s` has a host agent already (pid %d)", i->name,
                       (int)holder);
    if (spawn_agent(self, i, debug, patience_ms, &c, err))
        return err_wrap(err, "starting the host agent");
    int r = event_log_open(&log, i, err) ? -1 : wait_first_event(i, &log, c.pidfd, err);
    if (r > 0)
        return 0;
    if (r < 0)
        child_kill(&c, SIGKILL);
    child_wait(&c, 1000, NULL);
    return r < 0 ? -1 : agent_death_error(i, NULL, err);
}

/* ---- follow ------------------------------------------------------------------------------------ */

struct follower {
    struct event_log log;
    event_fn *fn;
    void *arg;
    struct err *last_error; /* of an exiting event that fn was not satisfied with */
};

/* Hands out what the log has now. Non-zero: fn's answer. */
static int drain(struct follower *f)
{
    for (;;) {
        _cleanup_event_ struct event e = EVENT_INIT;

        if (event_log_next(&f->log, &e) <= 0)
            return 0;
        int r = f->fn(f->arg, &e);
        if (r)
            return r;
        if (e.exiting && e.error && !f->last_error)
            f->last_error = TAKE_PTR(e.error);
    }
}

static int wait_more(int notify_fd, int pidfd, int timeout_ms)
{
    struct pollfd fds[] = {{.fd = notify_fd, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};

    if (poll(fds, ARRAY_SIZE(fds), timeout_ms) < 0)
        return errno == EINTR ? 0 : -1;
    return fds[1].revents != 0;
}

static int follow(struct follower *f, const struct instance *i, int64_t timeout_ms,
                  int (*tick)(void *), int tick_ms, struct err *err)
{
    int64_t now = monotonic_ms(), deadline = timeout_ms < 0 ? INT64_MAX : now + timeout_ms;
    _cleanup_close_ int pidfd = agent_open(i);
    bool ended = pidfd < 0;

    for (;;) {
        int r = drain(f);

        if (r)
            return r;
        if (ended)
            return agent_death_error(i, f->last_error, err);
        now = monotonic_ms();
        if (now >= deadline)
            return err_set(err, ERR_TIMEOUT, "the host agent did not say within %lld s what was "
                           "waited for", (long long)(timeout_ms / 1000));
        int64_t left = deadline - now;
        if (tick && left > tick_ms)
            left = tick_ms;
        int over = wait_more(f->log.notify_fd, pidfd, left > 3600000 ? 3600000 : (int)left);
        if (over < 0)
            return err_set_errno(err, ERR_IO, "could not wait for the host agent");
        ended = over > 0; /* one more look at the log */
        int stop = tick ? tick(f->arg) : 0;
        if (stop)
            return stop;
    }
}

int agent_follow(const struct instance *i, int64_t timeout_ms, event_fn *fn, int (*tick)(void *),
                 int tick_ms, void *arg, struct err *err)
{
    struct follower f = {.log = EVENT_LOG_INIT, .fn = fn, .arg = arg};

    if (event_log_open(&f.log, i, err))
        return -1;
    int r = follow(&f, i, timeout_ms, tick, tick_ms, err);
    event_log_close(&f.log);
    if (f.last_error) {
        err_clear(f.last_error);
        free(f.last_error);
    }
    return r;
}

/* ---- ask --------------------------------------------------------------------------------------- */

/* One question over ha.sock: body NULL is a GET. *ret_code is the HTTP status. NULL on error. */
static struct json *ask(const struct instance *i, const char *page, const char *body,
                        int timeout_ms, size_t max, unsigned *ret_code, struct err *err)
{
    int64_t deadline = deadline_in(timeout_ms);
    _cleanup_free_ char *sock = instance_path(i, INST_HA_SOCK);
    const struct http_request r = {.socket = sock,
                                   .connect_ms = timeout_ms < 0 ? CONNECT_TIMEOUT_MS : timeout_ms,
                                   .path = page,
                                   .json = body,
                                   .answer_max = max};
    _cleanup_http_call_ struct http_call *c = http_call_new(&r, err);
    size_t len;

    if (!c || http_call_finish(c, deadline, err) < 0) {
        err_wrap(err, "asking the host agent of `%s`", i->name);
        return NULL;
    }
    const char *text = http_call_body(c, &len);
    *ret_code = http_call_status(c);
    struct json *j =
        json_parse(text, len, "answer of the host agent", *ret_code == CODE_OK ? err : NULL);
    if (!j && *ret_code != CODE_OK) /* the HTTP library's own words */
        err_set(err, ERR_PROTOCOL, "the host agent gives no useful answer (HTTP status %u)",
                *ret_code);
    return j;
}

int agent_info(const struct instance *i, int timeout_ms, uint16_t *ret_ssh_port, struct err *err)
{
    unsigned code = 0;
    _cleanup_json_ struct json *j =
        ask(i, "/v1/info", NULL, timeout_ms, INFO_MAX, &code, err);

    if (!j)
        return -1;
    if (code != CODE_OK)
        return err_set(err, ERR_PROTOCOL,
                       "the host agent gives no useful answer (HTTP status %u)", code);
    int64_t port = json_get_int(j, "sshLocalPort", -1);
    if (port < 0 || port > UINT16_MAX)
        return err_set(err, ERR_PROTOCOL, "the host agent does not tell the ssh port");
    *ret_ssh_port = (uint16_t)port;
    return 0;
}

/* What stands in an answer that is none to the question. */
static int answer_error(const struct instance *i, const struct json *answer, unsigned code,
                        struct err *err)
{
    const struct json *error = json_get(answer, "error");
    const char *message = json_get_str(answer, "message");

    if (error && err_from_json(error, err) == 0)
        return -1;
    if (code == CODE_NOT_FOUND) { /* of the time before there was such a page */
        err_set(err, ERR_UNSUPPORTED,
                "the host agent of instance `%s` does not pass commands on to the machine", i->name);
        return err_hint(err, "it is of another version: `cima restart %s`", i->name);
    }
    return err_set(err, ERR_PROTOCOL, "the host agent of `%s`: %s (HTTP status %u)", i->name,
                   message ? message : "no reason given", code);
}

int agent_monitor(const struct instance *i, const char *command, const struct json *args,
                  int timeout_ms, struct json **ret, struct err *err)
{
    _cleanup_json_ struct json *body = json_object_new();
    unsigned code = 0;

    json_set_str(body, "execute", command);
    if (args)
        json_set(body, "arguments", json_copy(args));
    _cleanup_free_ char *text = json_dump(body);
    if (strlen(text) > REQUEST_MAX)
        return err_set(err, ERR_USAGE, "the arguments of '%s' are longer than %u bytes", command,
                       REQUEST_MAX);
    _cleanup_err_ struct err why = ERR_INIT;
    _cleanup_json_ struct json *answer =
        ask(i, "/v1/monitor", text, timeout_ms, ANSWER_MAX, &code, &why);
    if (!answer && why.kind == ERR_TIMEOUT) /* the agent passes it on at once */
        return err_set(err, ERR_TIMEOUT,
                       "%s: the machine of instance `%s` has not answered within %g s", command,
                       i->name, timeout_ms / 1000.0);
    if (!answer)
        return err_move(err, &why);
    if (code != CODE_OK)
        return answer_error(i, answer, code, err);
    if (ret)
        *ret = json_get(answer, "return") ? json_copy(json_get(answer, "return")) : json_null_new();
    return 0;
}

/* ---- end --------------------------------------------------------------------------------------- */

static int signal_and_wait(int pidfd, int sig, int64_t timeout_ms)
{
    if (pidfd_signal(pidfd, sig) && errno != ESRCH)
        return -1;
    int limit = timeout_ms < 0 ? -1 : timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms;
    return pidfd_wait(pidfd, limit);
}

int agent_stop(const struct instance *i, int64_t timeout_ms, struct err *err)
{
    _cleanup_close_ int pidfd = agent_open(i);

    if (pidfd < 0)
        return err_set(err, ERR_STATE, "instance `%s` has no host agent", i->name);
    int r = signal_and_wait(pidfd, SIGINT, timeout_ms);
    if (r < 0)
        return err_set_errno(err, ERR_IO, "could not stop the host agent of `%s`", i->name);
    if (r == 0) {
        err_set(err, ERR_TIMEOUT,
                "did not receive an event with the `exiting` status: the host agent of `%s` has not "
                "ended within %lld s", i->name, (long long)(timeout_ms / 1000));
        return err_hint(err, "`cima stop -f %s` ends it by force", i->name);
    }
    return 0;
}

int agent_kill(const struct instance *i, int64_t timeout_ms, struct err *err)
{
    _cleanup_close_ int pidfd = agent_open(i);

    if (pidfd < 0)
        return 0;
    int r = signal_and_wait(pidfd, SIGKILL, timeout_ms);
    if (r < 0)
        return err_set_errno(err, ERR_IO, "could not kill the host agent of `%s`", i->name);
    if (r == 0)
        return err_set(err, ERR_TIMEOUT, "the host agent of `%s` does not die", i->name);
    return 0;
}
