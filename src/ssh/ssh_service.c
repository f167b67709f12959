/* SPDX-License-Identifier: Apache-2.0 */
#include "ssh/ssh_service.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/serial.h"
#include "ssh/banner.h"
#include "ssh/failure.h"
#include "ssh/report.h"
#include "ssh/requirements.h"
#include "ssh/ssh_job.h"
#include "sys/sock.h"
#include <errno.h>
#include <sys/stat.h>

#define LINE_CAP 2048
#define SCRIPT_NAME_MAX 120
/* A connection that hangs before its first word: the guest has gone away in the middle of it.
 * Generous, for emulated guests, but there must be time for further tries. */
#define CONNECT_MS (60 * 1000)
#define TRIES_AT_LEAST 4
/* For a guest where all that starts the boot scripts is over. */
#define STUCK_MS (20 * 1000)
#define RETRY_FIRST_MS 200
#define RETRY_LAST_MS 5000
/* What a guest may tell through one connection: each of it is an event or a line in a log. */
#define SCRIPTS_MAX 1000
#define TROUBLES_MAX 5

enum ssh_state { SSH_OFF, SSH_BANNER, SSH_LOGIN, SSH_MASTER, SSH_UP, SSH_STOPPED };

enum requirement { REQ_SSH, REQ_SESSION, REQ_MASTER, REQ_BOOT, REQ_NONE };

static const struct {
    const char *group, *label;
} requirements[] = {
    [REQ_SSH] = {"essential", "ssh"},
    [REQ_SESSION] = {"essential", "user session is ready for ssh"},
    [REQ_MASTER] = {"essential", "Explicitly start ssh ControlMaster"},
    [REQ_BOOT] = {"final", "boot scripts must have finished"},
};

/* For people, while nothing better is known. */
static const char *const waiting_texts[] = {
    [REQ_SSH] = "the guest has not answered yet",
    [REQ_SESSION] = "the guest prepares the user session (/run/lima-ssh-ready)",
    [REQ_MASTER] = "the ssh master connects",
    [REQ_BOOT] = "the guest runs its boot scripts (/run/lima-boot-done)",
};

struct ssh_service {
    struct service base;
    struct ssh_target target;
    bool plain;
    enum ssh_state state;
    enum requirement waiting; /* what the log says we wait for */
    struct banner_wait *banner;
    struct job *job;          /* login or master */
    struct loop_source *timer;    /* next try, or the limit of a connection's first word */
    struct loop_source *deadline; /* of the requirement */
    int64_t retry_ms;
    int64_t up_since;
    bool over;                /* the start is over: all is up, or was given up */
    bool login_needed;        /* the guest has booted (again): all requirements are to be checked */
    bool reset;               /* it boots again: the job that ends now is no failure */
    bool in_report, boot_done;
    bool boot_told;           /* through this connection */
    unsigned n_scripts, n_troubles;
    struct report report;
    bool in_trouble;
    struct report trouble;    /* what cloud-init said when our scripts did not come (REMOTE_TROUBLE) */
    char *problem;            /* what the last try failed with */
    char *errors;             /* and the last lines of its stderr */
    bool no_banner;           /* the problem is that nobody has greeted */
};

static void wait_for_banner(struct ssh_service *s);
static bool line_is(const char *line, size_t len, const char *text);

/* ---- requirements: what the log and the time-out talk about -------------------------------------- */

static unsigned requirement_number(const struct ssh_service *s, enum requirement r, unsigned *ret_of)
{
    if (r == REQ_BOOT) {
        *ret_of = 1;
        return 1;
    }
    *ret_of = s->plain ? 2 : 3;
    return s->plain && r == REQ_MASTER ? 2 : (unsigned)r + 1;
}

static void set_timeout(const struct ssh_service *s, struct err *err)
{
    const int64_t seconds = s->base.host->patience_ms / 1000;
    const char *problem = s->problem ? s->problem : "no answer";

    switch (s->waiting) {
    case REQ_SSH:
        err_set(err, ERR_TIMEOUT, "could not log in to the guest within %lld s: %s",
                (long long)seconds, problem);
        break;
    case REQ_SESSION:
        err_set(err, ERR_TIMEOUT,
                "the guest has not made the user session ready within %lld s "
                "(/run/lima-ssh-ready)", (long long)seconds);
        break;
    case REQ_MASTER:
        err_set(err, ERR_TIMEOUT, "the ssh master did not start within %lld s: %s",
                (long long)seconds, problem);
        break;
    case REQ_BOOT:
    case REQ_NONE:
        err_set(err, ERR_TIMEOUT, "the boot scripts have not finished within %lld s",
                (long long)seconds);
        break;
    }
}

/* The time is over: say what we were waiting for, why the last try failed, and what the guest says
 * of cloud-init and on its console. */
static void describe_timeout(struct ssh_service *s, struct err *err)
{
    if (s->trouble.cloud_init && (s->waiting == REQ_SESSION || s->waiting == REQ_BOOT))
        err_set(err, ERR_GUEST, "cloud-init has finished in the guest, but the boot scripts have "
                                "not come to their end");
    else
        set_timeout(s, err);
    if (s->waiting != REQ_BOOT && !str_empty(s->errors))
        err_detail(err, s->errors);
    _cleanup_free_ char *cloud_init = report_cloud_init(&s->trouble);
    if (cloud_init)
        err_detail(err, cloud_init);
    if (s->waiting == REQ_SESSION || s->waiting == REQ_BOOT)
        err_hint(err, "`cima shell %s` to look at /var/log/cloud-init-output.log; the machine is "
                      "left running", s->base.host->inst->name);
    else
        err_hint(err, "the guest's console is in %s/serial.log; the machine is left running",
                 s->base.host->inst->dir);
    serial_add_tail(s->base.host->inst, err);
}

static void on_deadline(void *arg)
{
    struct ssh_service *s = arg;
    struct service_host *h = s->base.host;
    struct err err = ERR_INIT;

    s->deadline = loop_source_free(s->deadline);
    describe_timeout(s, &err);
    s->over = true; /* it is still tried, in case the guest is only slow */
    if (s->job && s->state == SSH_LOGIN)
        job_terminate(s->job); /* over a new connection: this one may be dead */
    h->degraded(h, ssh_service.name, &err);
    h->reached(h, STAGE_BOOT_DONE);
}

static void wait_for(struct ssh_service *s, enum requirement r)
{
    unsigned of, number = requirement_number(s, r, &of);

    if (s->over || s->waiting == r)
        return;
    s->waiting = r;
    log_info("Waiting for the %s requirement %u of %u: `%s`", requirements[r].group, number, of,
             requirements[r].label);
    service_waiting(&s->base, waiting_texts[r]);
    s->deadline = loop_source_free(s->deadline);
    s->deadline = loop_add_timer(s->base.host->loop, s->base.host->patience_ms, on_deadline, s);
}

/* What the scripts in the guest say about cloud-init (REMOTE_TROUBLE). Returns whether the line was
 * part of it. */
static bool on_trouble_line(struct ssh_service *s, const char *line, size_t len)
{
    if (line_is(line, len, REMOTE_TROUBLE)) {
        if (s->n_troubles++ >= TROUBLES_MAX)
            return true;
        report_release(&s->trouble);
        s->in_trouble = true;
        return true;
    }
    if (!s->in_trouble)
        return false;
    if (!line_is(line, len, REMOTE_TROUBLE_END)) {
        report_line(&s->trouble, line, len);
        return true;
    }
    s->in_trouble = false;
    if (!s->deadline) {
        _cleanup_free_ char *text = report_cloud_init(&s->trouble);

        if (text)
            log_warn("cloud-init reports errors in the guest:\n%s", text);
        return true;
    }
    /* Nothing more is to come. A little patience, in case somebody mends it by hand. */
    int64_t patience = s->base.host->patience_ms / TRIES_AT_LEAST;
    s->deadline = loop_source_free(s->deadline);
    s->deadline = loop_add_timer(s->base.host->loop, patience < STUCK_MS ? patience : STUCK_MS,
                                 on_deadline, s);
    return true;
}

static void satisfied(struct ssh_service *s, enum requirement r)
{
    unsigned of, number = requirement_number(s, r, &of);

    if (s->over || s->waiting != r)
        return;
    log_info("The %s requirement %u of %u is satisfied", requirements[r].group, number, of);
}

/* Nothing more to wait for. */
static void start_is_over(struct ssh_service *s)
{
    s->waiting = REQ_NONE;
    service_waiting(&s->base, NULL);
    s->deadline = loop_source_free(s->deadline);
    s->over = true;
    s->base.host->reached(s->base.host, STAGE_BOOT_DONE);
}

/* ---- tries ------------------------------------------------------------------------------------- */

static struct ssh_service *self(struct service *base)
{
    return (struct ssh_service *)base;
}

static void set_problem_consume(struct ssh_service *s, char *problem, const char *errors)
{
    if (!streq0(problem, s->problem))
        log_debug("ssh: %s", problem);
    free(s->problem);
    free(s->errors);
    s->problem = problem;
    s->errors = xstrdup(errors);
    if (!s->over)
        service_waiting(&s->base, problem);
}

/* Our side is at fault (no ssh program, no memory for a process): trying again changes nothing. */
static void give_up(struct ssh_service *s, struct err *err)
{
    s->state = SSH_OFF;
    s->base.host->degraded(s->base.host, ssh_service.name, err);
    start_is_over(s);
}

static void on_retry(void *arg)
{
    struct ssh_service *s = arg;

    s->timer = loop_source_free(s->timer);
    wait_for_banner(s);
}

static void retry_in(struct ssh_service *s, int64_t ms)
{
    s->state = SSH_BANNER;
    loop_source_free(s->timer);
    s->timer = loop_add_timer(s->base.host->loop, ms, on_retry, s);
}

static void retry_later(struct ssh_service *s)
{
    retry_in(s, s->retry_ms);
    s->retry_ms = s->retry_ms * 2 < RETRY_LAST_MS ? s->retry_ms * 2 : RETRY_LAST_MS;
}

/* The guest boots: everything from the start. */
static void begin(struct ssh_service *s)
{
    s->login_needed = true;
    s->reset = false;
    s->in_report = s->in_trouble = false;
    s->retry_ms = RETRY_FIRST_MS;
    s->waiting = REQ_NONE;
    wait_for(s, REQ_SSH);
    retry_in(s, 0);
}

/* Before what OpenSSH prefers: the post-quantum exchange costs ssh 0.1 s of processor time beside an
 * emulated guest, and this connection does not leave the machine. */
#define KEX "^curve25519-sha256,curve25519-sha256@libssh.org"

/* Starts the one job of this time; script goes to its stdin. */
static int start_job(struct ssh_service *s, const struct strv *options, enum ssh_master master,
                     const struct job_spec *spec)
{
    _cleanup_strv_ struct strv all = STRV_INIT;
    struct job_spec full = *spec;
    struct err err = ERR_INIT;

    s->in_trouble = s->boot_told = false;
    s->n_scripts = s->n_troubles = 0;
    strv_extend(&all, options);
    strv_pushl(&all, "-o", "KexAlgorithms=" KEX, NULL);
    full.line_cap = LINE_CAP;
    full.arg = s;
    s->job = ssh_job_start(s->base.host->loop, &s->target, master, &all, &full, &err);
    if (s->job)
        return 0;
    give_up(s, &err);
    return -1;
}

static void on_connect_limit(void *arg)
{
    struct ssh_service *s = arg;

    s->timer = loop_source_free(s->timer);
    log_debug("ssh: the connection hangs, trying again");
    job_terminate(s->job);
}

/* The job that was started has this time for its first word. */
static void limit_connect(struct ssh_service *s)
{
    int64_t patience = s->base.host->patience_ms / TRIES_AT_LEAST;

    loop_source_free(s->timer);
    s->timer = loop_add_timer(s->base.host->loop, patience < CONNECT_MS ? patience : CONNECT_MS,
                              on_connect_limit, s);
}

static bool line_is(const char *line, size_t len, const char *text)
{
    while (len && line[len - 1] == '\r')
        len--;
    return len == strlen(text) && memcmp(line, text, len) == 0;
}

/* ---- master ------------------------------------------------------------------------------------ */

static void check_report(struct ssh_service *s)
{
    struct service_host *h = s->base.host;
    struct err err = ERR_INIT;
    bool first = !s->boot_done;

    s->boot_done = true;
    if (report_check(&s->report, h->cfg, &err)) {
        if (first) {
            err_hint(&err, "the machine is left running; `cima shell %s` to look around",
                     h->inst->name);
            h->degraded(h, ssh_service.name, &err);
        } else {
            _cleanup_free_ char *text = err_line(&err);

            log_warn("after the guest has booted again: %s", text);
            err_clear(&err);
        }
    } else if (s->report.cloud_init) {
        _cleanup_free_ char *text = report_cloud_init(&s->report);

        log_warn("cloud-init has complaints in the guest:\n%s", text);
    }
    report_release(&s->report);
}

static void on_boot_done(struct ssh_service *s)
{
    s->in_report = false;
    s->boot_told = true;
    satisfied(s, REQ_BOOT);
    check_report(s);
    s->base.host->tell(s->base.host, GUEST_BOOTED);
    start_is_over(s);
}

static void on_master_up(struct ssh_service *s)
{
    s->state = SSH_UP;
    s->timer = loop_source_free(s->timer);
    s->up_since = monotonic_ms();
    s->login_needed = false;
    satisfied(s, REQ_MASTER);
    if (s->over)
        log_info("The ssh master connection is up");
    s->base.host->tell(s->base.host, GUEST_LINK_UP);
    if (s->plain)
        start_is_over(s);
    else
        wait_for(s, REQ_BOOT);
}

/* The guest says which of its scripts runs. */
static void show_script(struct ssh_service *s, const char *name, size_t len)
{
    _cleanup_sbuf_ struct sbuf shown = SBUF_INIT;

    if (s->n_scripts++ >= SCRIPTS_MAX)
        return;
    sbuf_add_printable(&shown, name, len < SCRIPT_NAME_MAX ? len : SCRIPT_NAME_MAX);
    _cleanup_free_ char *text = xasprintf("script '%s' runs in the guest", sbuf_str(&shown));
    service_waiting(&s->base, text);
}

static void on_master_line(void *arg, const char *line, size_t len)
{
    struct ssh_service *s = arg;

    if (on_trouble_line(s, line, len))
        return;
    if (s->state == SSH_MASTER && line_is(line, len, REMOTE_MASTER))
        on_master_up(s);
    else if (s->in_report && line_is(line, len, REMOTE_REPORT_END))
        on_boot_done(s);
    else if (s->in_report)
        report_line(&s->report, line, len);
    else if (s->waiting == REQ_BOOT && len > strlen(REMOTE_NOW) && str_starts(line, REMOTE_NOW))
        show_script(s, line + strlen(REMOTE_NOW), len - strlen(REMOTE_NOW));
    else if (s->state == SSH_UP && !s->boot_told && line_is(line, len, REMOTE_BOOT_DONE)) {
        report_release(&s->report);
        s->in_report = true;
    }
}

static void on_master_ended(void *arg, int wait_status, const char *errors)
{
    struct ssh_service *s = arg;
    bool was_up = s->state == SSH_UP;

    s->job = NULL;
    s->timer = loop_source_free(s->timer);
    s->in_report = false;
    unlink(s->target.control_path); /* killed, it could not do that itself */
    if (s->state == SSH_STOPPED)
        return;
    if (was_up)
        s->base.host->tell(s->base.host, GUEST_LINK_DOWN);
    if (s->reset) {
        begin(s);
        return;
    }
    set_problem_consume(s, ssh_exit_problem(&s->target, wait_status, errors), errors);
    if (was_up)
        log_warn("The ssh master connection has ended (%s); making a new one", s->problem);
    if (was_up && monotonic_ms() - s->up_since > RETRY_LAST_MS)
        s->retry_ms = RETRY_FIRST_MS;
    retry_later(s);
}

static void spawn_master(struct ssh_service *s)
{
    _cleanup_free_ char *script = remote_master_script(s->base.host->iid, s->plain);
    _cleanup_strv_ struct strv none = STRV_INIT;
    struct job_spec spec = {
        .input = script,
        .keep_stdin_open = true,
        .line = on_master_line,
        .ended = on_master_ended,
    };

    if (start_job(s, &none, SSH_MASTER_FOREGROUND, &spec) == 0)
        limit_connect(s);
}

static void on_old_master_ended(void *arg, int wait_status, const char *errors)
{
    struct ssh_service *s = arg;

    (void)wait_status;
    (void)errors;
    s->job = NULL;
    s->timer = loop_source_free(s->timer);
    if (s->state == SSH_STOPPED)
        return;
    if (s->reset) {
        begin(s);
        return;
    }
    unlink(s->target.control_path);
    spawn_master(s);
}

/* The control socket may be there already: dead, from an agent that was killed; or that of a living
 * master which somebody's ssh has made in the meantime. That one keeps its sessions, and gives the
 * socket up. */
static void start_master(struct ssh_service *s)
{
    const char *path = s->target.control_path;
    _cleanup_strv_ struct strv options = STRV_INIT;
    struct err err = ERR_INIT;
    struct stat st;

    s->state = SSH_MASTER;
    wait_for(s, REQ_MASTER);
    if (lstat(path, &st)) {
        spawn_master(s);
        return;
    }
    if (!S_ISSOCK(st.st_mode)) {
        err_set(&err, ERR_EXISTS, "'%s' is in the way of the ssh control socket: it is no socket",
                path);
        err_hint(&err, "remove it and restart the instance");
        give_up(s, &err);
        return;
    }
    _cleanup_close_ int fd = unix_connect(path, /* timeout_ms= */ 200, &err);
    if (fd < 0) {
        err_clear(&err);
        unlink(path);
        spawn_master(s);
        return;
    }
    strv_pushl(&options, "-O", "stop", NULL);
    if (start_job(s, &options, SSH_MASTER_USE,
                  &(struct job_spec){.ended = on_old_master_ended}) == 0)
        limit_connect(s);
}

/* ---- login ------------------------------------------------------------------------------------- */

static void on_login_line(void *arg, const char *line, size_t len)
{
    struct ssh_service *s = arg;
    struct service_host *h = s->base.host;

    if (on_trouble_line(s, line, len))
        return;
    if (line_is(line, len, REMOTE_LOGIN)) {
        s->timer = loop_source_free(s->timer);
        satisfied(s, REQ_SSH);
        if (!s->plain)
            wait_for(s, REQ_SESSION);
    } else if (line_is(line, len, REMOTE_SESSION)) {
        satisfied(s, REQ_SESSION);
        s->login_needed = false;
        h->reached(h, STAGE_USER_SESSION);
    }
}

static void on_login_ended(void *arg, int wait_status, const char *errors)
{
    struct ssh_service *s = arg;

    s->job = NULL;
    s->timer = loop_source_free(s->timer);
    if (s->state == SSH_STOPPED)
        return;
    if (s->reset) {
        begin(s);
        return;
    }
    if (!s->login_needed) {
        start_master(s);
        return;
    }
    set_problem_consume(s, ssh_exit_problem(&s->target, wait_status, errors), errors);
    retry_later(s);
}

static void start_login(struct ssh_service *s)
{
    _cleanup_free_ char *script = remote_login_script(s->base.host->iid, s->plain);
    _cleanup_strv_ struct strv none = STRV_INIT;
    struct job_spec spec = {.input = script, .line = on_login_line, .ended = on_login_ended};

    s->state = SSH_LOGIN;
    if (start_job(s, &none, SSH_MASTER_NONE, &spec) == 0)
        limit_connect(s);
}

/* ---- banner ------------------------------------------------------------------------------------ */

static void on_banner(void *arg, enum banner_result result, const char *text)
{
    struct ssh_service *s = arg;
    struct service_host *h = s->base.host;

    if (result != BANNER_OK) {
        set_problem_consume(s, ssh_banner_problem(&s->target, result, text), "");
        s->no_banner = true;
        return;
    }
    s->banner = NULL;
    if (s->no_banner) /* what a login has said before stays until the next one says something */
        set_problem_consume(s, xstrdup("the ssh server greets, the login is not through yet"), "");
    s->no_banner = false;
    h->reached(h, STAGE_SSH_BANNER);
    if (s->state != SSH_BANNER)
        return; /* the line has stopped us */
    if (s->login_needed)
        start_login(s);
    else
        start_master(s);
}

static void wait_for_banner(struct ssh_service *s)
{
    s->banner = banner_wait_start(s->base.host->loop, s->target.port, on_banner, s);
}

/* ---- as a service ------------------------------------------------------------------------------ */

static struct service *ssh_create(struct service_host *h)
{
    struct ssh_service *s = xcalloc(1, sizeof(*s));

    s->base = (struct service){.type = &ssh_service, .host = h};
    s->waiting = REQ_NONE;
    /* Other systems than Linux have no boot scripts of ours. */
    s->plain = h->cfg->plain == TRI_TRUE || (h->cfg->os && !streq(h->cfg->os, "Linux"));
    return &s->base;
}

static void ssh_start(struct service *base)
{
    struct ssh_service *s = self(base);
    struct service_host *h = base->host;
    struct err err = ERR_INIT;

    ssh_target_init(&s->target, h->store, h->inst, h->cfg, h->ssh_port);
    if (ssh_write_config(&s->target, h->inst, &err))
        h->degraded(h, ssh_service.name, &err);
    begin(s);
}

static void ssh_event(struct service *base, enum guest_event ev)
{
    struct ssh_service *s = self(base);

    if (ev == GUEST_RESTORED && s->job)
        job_terminate(s->job); /* its end is that of the link: a new one follows */
    if (ev != GUEST_RESET || s->state == SSH_OFF)
        return;
    s->reset = true;
    if (s->job) {
        job_terminate(s->job);
        return;
    }
    s->banner = banner_wait_free(s->banner);
    begin(s);
}

static void ssh_stop(struct service *base)
{
    struct ssh_service *s = self(base);
    bool was_up = s->state == SSH_UP;

    s->state = SSH_STOPPED;
    s->timer = loop_source_free(s->timer);
    s->deadline = loop_source_free(s->deadline);
    s->banner = banner_wait_free(s->banner);
    /* A master that is up leaves when its sessions are over (mounts with files that programs of the
     * guest still write), at the latest with the guest. */
    if (s->job && was_up)
        job_close_input(s->job);
    else if (s->job)
        job_terminate(s->job);
}

static void ssh_free(struct service *base)
{
    struct ssh_service *s = self(base);

    if (s->job && s->target.control_path)
        unlink(s->target.control_path);
    job_free(s->job);
    banner_wait_free(s->banner);
    loop_source_free(s->timer);
    loop_source_free(s->deadline);
    report_release(&s->report);
    report_release(&s->trouble);
    ssh_target_release(&s->target);
    free(s->problem);
    free(s->errors);
    free(s);
}

const struct service_type ssh_service = {
    .name = "ssh",
    .start_at = STAGE_VM_RUNNING,
    .create = ssh_create,
    .start = ssh_start,
    .event = ssh_event,
    .stop = ssh_stop,
    .free = ssh_free,
};
