/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/mount_service.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "mount/remote.h"
#include "mount/sftp_pair.h"
#include "mount/sshfs.h"
#include "ssh/failure.h"
#include "ssh/ssh_job.h"
#include <signal.h>

#define RETRY_FIRST_MS 500
#define RETRY_LAST_MS 30000
/* HA-70 has 30 tries, 1 s apart, for the mount; an emulated guest needs its time before that. */
#define MOUNT_MS 60000
#define CHECK_MS 60000
#define ERROR_LINES 10

enum mount_state {
    MOUNT_OFF,     /* not ours: the guest has mounted it by 9p, or nobody knows yet */
    MOUNT_WANTED,
    MOUNT_TRYING,
    MOUNT_UP,
    MOUNT_WAITING, /* lost, a timer runs */
    MOUNT_FAILED,  /* given up until the next boot or the next master */
};

struct mount {
    struct mount_service *service;
    const struct config_mount *m;
    char *local;
    enum mount_state state;
    struct sftp_pair *pair;
    struct loop_source *timer; /* limit of the try, or the time of the next */
    bool nonempty;             /* this is the second try */
    bool no_sshfs;
    bool told;                 /* it was up, or was said to have failed */
    bool was_up;               /* in this boot of the guest: what works once is not given up */
    bool restart;              /* what ends now is to begin anew: the guest boots, the outer is lost */
    int64_t retry_ms;
    struct strv errors;        /* last lines of stderr of this try */
    char *first_problem;       /* what the first of two tries has failed with */
};

struct mount_service {
    struct service base;
    struct ssh_target target;
    char *server;          /* sftp-server */
    struct mount *mounts;
    unsigned n;
    bool ninep;            /* the guest mounts by 9p, and we only look */
    bool ninep_checked, ninep_in_kernel;
    bool ready;            /* the guest has booted, and there is a master */
    bool held, stopped;
    bool boot_done;        /* nothing but the likes of us is waited for */
    struct job *job;       /* the check, or the unmounting */
    struct loop_source *limit, *deferred;
};

static void begin_wanted(struct mount_service *s);
static void lost_or_failed(struct mount *m, const char *problem);

static struct mount_service *self(struct service *base)
{
    return (struct mount_service *)base;
}

/* ---- the start of the instance waits ----------------------------------------------------------- */

static void release_hold(struct mount_service *s)
{
    if (!s->held)
        return;
    s->held = false;
    s->base.host->release(s->base.host, STAGE_RUNNING);
}

static void release_when_decided(struct mount_service *s)
{
    bool decided = !s->job || s->stopped;

    for (unsigned i = 0; i < s->n; i++)
        decided = decided && s->mounts[i].state != MOUNT_WANTED &&
                  (s->mounts[i].state != MOUNT_TRYING || s->mounts[i].told);
    if (decided)
        release_hold(s);
}

/* ---- one mount --------------------------------------------------------------------------------- */

static void forget_try(struct mount *m)
{
    m->timer = loop_source_free(m->timer);
    strv_release(&m->errors);
    m->no_sshfs = false;
}

static void describe_failure(const struct mount *m, const char *problem, struct err *err)
{
    err_set(err, ERR_GUEST, "failed to mount reverse sshfs for `%s` on `%s`: %s", m->local,
            m->m->mount_point, problem);
    if (m->no_sshfs)
        err_hint(err, "install sshfs in the guest and restart the instance");
    else
        err_hint(err, "the machine runs without this directory; `cima shell %s` to look around",
                 m->service->base.host->inst->name);
}

/* For good, as far as this boot of the guest goes. */
static void fail(struct mount *m, struct err *err)
{
    struct service_host *h = m->service->base.host;

    m->state = MOUNT_FAILED;
    m->told = true;
    forget_try(m);
    free(m->first_problem);
    m->first_problem = NULL;
    h->degraded(h, mount_service.name, err);
    begin_wanted(m->service);
}

static void add_error(struct mount *m, const char *line)
{
    struct strv *e = &m->errors;

    if (e->n == ERROR_LINES) {
        free(e->v[0]);
        memmove(e->v, e->v + 1, --e->n * sizeof(*e->v));
    }
    strv_push(e, line);
}

static void on_limit(void *arg)
{
    struct mount *m = arg;

    m->timer = loop_source_free(m->timer);
    add_error(m, "the mount does not answer");
    sftp_pair_terminate(m->pair);
}

static void on_mounted(struct mount *m)
{
    m->timer = loop_source_free(m->timer);
    m->state = MOUNT_UP;
    m->was_up = true;
    if (m->told)
        log_info("%s is mounted on %s again", m->local, m->m->mount_point);
    m->told = true;
    m->nonempty = false;
    m->retry_ms = RETRY_FIRST_MS;
    strv_release(&m->errors);
    free(m->first_problem);
    m->first_problem = NULL;
    begin_wanted(m->service);
}

static void on_line(void *arg, const char *line, size_t len)
{
    struct mount *m = arg;
    struct sbuf s = SBUF_INIT;

    while (len && line[len - 1] == '\r')
        len--;
    sbuf_add_printable(&s, line, len);
    if (streq(sbuf_str(&s), REMOTE_MOUNTED)) {
        if (m->state == MOUNT_TRYING)
            on_mounted(m);
    } else if (streq(sbuf_str(&s), REMOTE_NO_SSHFS)) {
        m->no_sshfs = true;
    } else if (s.len) {
        log_debug("mount of %s: %s", m->local, s.buf);
        add_error(m, s.buf);
    }
    sbuf_release(&s);
}

/* Caller frees. */
static char *end_problem(const struct mount *m, int ssh_status)
{
    _cleanup_free_ char *lines = m->errors.n ? strv_join(&m->errors, "; ") : NULL;

    if (m->no_sshfs)
        return xstrdup("the guest has no program 'sshfs'");
    if (lines)
        return TAKE_PTR(lines);
    return ssh_exit_problem(&m->service->target, ssh_status, "");
}

static void on_pair_ended(void *arg, int ssh_status)
{
    struct mount *m = arg;

    m->pair = NULL;
    if (m->service->stopped)
        return;
    _cleanup_free_ char *problem = end_problem(m, ssh_status);
    lost_or_failed(m, problem);
}

static int start_pair(struct mount *m, struct err *err)
{
    struct mount_service *s = m->service;
    _cleanup_strv_ struct strv ssh = STRV_INIT, server = STRV_INIT;

    if (!s->server && !(s->server = sftp_server_find(err)))
        return -1;
    if (sshfs_prepare(m->local, err) ||
        sshfs_ssh_argv(&s->target, m->m, m->local, m->nonempty, &ssh, err))
        return -1;
    sshfs_server_argv(s->server, m->m, &server);
    m->pair = sftp_pair_start(s->base.host->loop,
                              &(struct sftp_pair_spec){
                                  .ssh_argv = (const char *const *)strv_argv(&ssh),
                                  .server_argv = (const char *const *)strv_argv(&server),
                                  .line = on_line,
                                  .ended = on_pair_ended,
                                  .arg = m,
                              },
                              err);
    return m->pair ? 0 : -1;
}

static void begin(struct mount *m)
{
    struct err err = ERR_INIT;

    forget_try(m);
    if (!m->told && !m->nonempty)
        log_info("Mounting \"%s\" on \"%s\"", m->local, m->m->mount_point);
    m->state = MOUNT_TRYING;
    if (start_pair(m, &err)) {
        err_wrap(&err, "failed to mount reverse sshfs for `%s` on `%s`", m->local,
                 m->m->mount_point);
        fail(m, &err);
        return;
    }
    m->timer = loop_add_timer(m->service->base.host->loop, MOUNT_MS, on_limit, m);
}

static void on_retry(void *arg)
{
    struct mount *m = arg;

    m->timer = loop_source_free(m->timer);
    m->state = MOUNT_WANTED;
    begin_wanted(m->service);
}

static void try_later(struct mount *m)
{
    m->state = MOUNT_WAITING;
    m->timer = loop_add_timer(m->service->base.host->loop, m->retry_ms, on_retry, m);
    m->retry_ms = m->retry_ms * 2 < RETRY_LAST_MS ? m->retry_ms * 2 : RETRY_LAST_MS;
}

/* Mounts inside a lost one are hidden by its successor, or could not be made because of it: they are
 * made again, too. */
static void restart_inner(struct mount *outer)
{
    struct mount_service *s = outer->service;

    for (unsigned i = 0; i < s->n; i++) {
        struct mount *m = &s->mounts[i];

        if (m == outer || !path_is_below(m->m->mount_point, outer->m->mount_point))
            continue;
        if (m->pair) {
            m->restart = true;
            sftp_pair_terminate(m->pair);
        } else if (m->state == MOUNT_FAILED) {
            m->state = MOUNT_WANTED; /* it waits for the outer one */
        }
    }
}

/* The pair of a mount has ended. Up before: lost. A first try is followed by a second with
 * `nonempty` (FUSE 2 wants to be told so; FUSE 3 does not know the word, so that it is the first
 * problem which counts). */
static void lost_or_failed(struct mount *m, const char *problem)
{
    bool lost = m->state == MOUNT_UP;
    struct err err = ERR_INIT;

    m->timer = loop_source_free(m->timer);
    if (lost)
        restart_inner(m);
    if (!m->service->ready || m->restart) {
        m->restart = false;
        m->nonempty = false;
        free(m->first_problem);
        m->first_problem = NULL;
        if (m->state != MOUNT_OFF)
            m->state = MOUNT_WANTED;
        begin_wanted(m->service);
        return;
    }
    if (lost) {
        log_warn("The mount of %s on %s is lost (%s); making it anew", m->local,
                 m->m->mount_point, problem);
        try_later(m);
        return;
    }
    if (!m->nonempty && !m->no_sshfs) {
        log_at(m->was_up ? LOG_DEBUG : LOG_WARN,
               "failed to mount reverse sshfs for `%s` on `%s`: %s; trying again with `-o nonempty`",
               m->local, m->m->mount_point, problem);
        m->first_problem = xstrdup(problem);
        m->nonempty = true;
        begin(m);
        return;
    }
    _cleanup_free_ char *first = TAKE_PTR(m->first_problem);
    problem = first ? first : problem;
    m->nonempty = false;
    if (m->was_up) {
        log_warn("The mount of %s on %s is not back yet (%s); trying again", m->local,
                 m->m->mount_point, problem);
        try_later(m);
    } else {
        describe_failure(m, problem, &err);
        fail(m, &err);
    }
}

/* ---- all of them ------------------------------------------------------------------------------- */

/* Is there one around this that is still to come? */
static bool waits_for_outer(const struct mount_service *s, const struct mount *inner)
{
    for (unsigned i = 0; i < s->n; i++) {
        const struct mount *m = &s->mounts[i];

        if (m != inner && (m->state == MOUNT_WANTED || m->state == MOUNT_TRYING ||
                           m->state == MOUNT_WAITING) &&
            path_is_below(inner->m->mount_point, m->m->mount_point))
            return true;
    }
    return false;
}

static void begin_wanted(struct mount_service *s)
{
    for (unsigned i = 0; s->ready && !s->stopped && i < s->n; i++) {
        struct mount *m = &s->mounts[i];

        if (m->state == MOUNT_WANTED && !m->pair && !waits_for_outer(s, m))
            begin(m);
    }
    if (s->ready)
        release_when_decided(s);
}

/* ---- 9p ---------------------------------------------------------------------------------------- */

static void on_check_limit(void *arg)
{
    struct mount_service *s = arg;

    s->limit = loop_source_free(s->limit);
    job_terminate(s->job);
}

static void on_check_line(void *arg, const char *line, size_t len)
{
    struct mount_service *s = arg;
    _cleanup_free_ char *text = xstrndup(line, len);

    if (streq(text, REMOTE_HAS_9P)) {
        s->ninep_in_kernel = true;
    } else if (str_starts(text, REMOTE_MISSING)) {
        unsigned long i = strtoul(text + strlen(REMOTE_MISSING), NULL, 10);

        if (i < s->n)
            s->mounts[i].state = MOUNT_WANTED;
    } else if (streq(text, REMOTE_CHECKED)) {
        s->ninep_checked = true;
    }
}

/* Its kernel has 9p and yet the mount is not there: the boot scripts have said why, if they are
 * ours. */
static void missing_9p(struct mount *m)
{
    struct service_host *h = m->service->base.host;
    struct err err = ERR_INIT;

    m->state = MOUNT_OFF;
    if (h->troubled)
        return;
    err_set(&err, ERR_GUEST, "failed to mount 9p for `%s` on `%s`: the guest has not mounted it",
            m->local, m->m->mount_point);
    err_hint(&err, "`cima shell %s` and `sudo mount %s` tell more", h->inst->name,
             m->m->mount_point);
    h->degraded(h, mount_service.name, &err);
}

static void on_checked(void *arg, int wait_status, const char *errors)
{
    struct mount_service *s = arg;

    s->job = NULL;
    s->limit = loop_source_free(s->limit);
    if (!s->ninep_checked) {
        _cleanup_free_ char *why = ssh_exit_problem(&s->target, wait_status, errors);

        log_warn("could not find out whether the 9p mounts are there: %s", why);
        for (unsigned i = 0; i < s->n; i++)
            s->mounts[i].state = MOUNT_OFF;
    }
    for (unsigned i = 0; i < s->n; i++) {
        struct mount *m = &s->mounts[i];

        if (m->state != MOUNT_WANTED)
            continue;
        if (s->ninep_in_kernel)
            missing_9p(m);
        else if (!m->told)
            log_warn("The guest's kernel has no 9p: %s is mounted on %s by reverse-sshfs instead",
                     m->local, m->m->mount_point);
    }
    begin_wanted(s);
}

static void points_of(const struct mount_service *s, bool only_up, struct strv *ret)
{
    for (unsigned i = 0; i < s->n; i++)
        if (!only_up || s->mounts[i].state == MOUNT_UP)
            strv_push(ret, s->mounts[i].m->mount_point);
}

static int start_script(struct mount_service *s, const char *script, const struct job_spec *spec,
                        struct err *err)
{
    struct job_spec full = *spec;

    full.input = script;
    full.arg = s;
    s->job = ssh_job_start(s->base.host->loop, &s->target, SSH_MASTER_USE, NULL, &full, err);
    return s->job ? 0 : -1;
}

static void check_9p(struct mount_service *s)
{
    _cleanup_strv_ struct strv points = STRV_INIT;
    struct err err = ERR_INIT;

    points_of(s, /* only_up= */ false, &points);
    _cleanup_free_ char *script = remote_check_9p_script(&points);
    s->ninep_in_kernel = false;
    if (start_script(s, script, &(struct job_spec){.line = on_check_line, .ended = on_checked},
                     &err)) {
        s->base.host->degraded(s->base.host, mount_service.name, &err);
        release_hold(s);
        return;
    }
    s->limit = loop_add_timer(s->base.host->loop, CHECK_MS, on_check_limit, s);
}

/* ---- what happens to the guest ----------------------------------------------------------------- */

static void on_deferred(void *arg)
{
    struct mount_service *s = arg;

    s->deferred = loop_source_free(s->deferred);
    if (s->ninep && !s->ninep_checked) {
        if (!s->job)
            check_9p(s);
        return;
    }
    for (unsigned i = 0; i < s->n; i++) {
        struct mount *m = &s->mounts[i];

        if (m->state != MOUNT_FAILED && m->state != MOUNT_WAITING)
            continue;
        m->timer = loop_source_free(m->timer);
        m->state = MOUNT_WANTED;
    }
    begin_wanted(s);
}

static void booted(struct mount_service *s)
{
    s->ready = true;
    for (unsigned i = 0; i < s->n; i++)
        s->mounts[i].retry_ms = RETRY_FIRST_MS;
    /* Not from within the line's own walk. */
    if (!s->deferred)
        s->deferred = loop_defer(s->base.host->loop, on_deferred, s);
}

static void not_ready(struct mount_service *s)
{
    s->ready = false;
    s->deferred = loop_source_free(s->deferred);
    s->limit = loop_source_free(s->limit);
    s->job = job_free(s->job);
    if (s->boot_done)
        release_hold(s); /* nobody knows when there will be another master */
}

static void boots_again(struct mount_service *s)
{
    not_ready(s);
    s->ninep_checked = false;
    for (unsigned i = 0; i < s->n; i++) {
        struct mount *m = &s->mounts[i];

        m->timer = loop_source_free(m->timer);
        m->restart = m->pair != NULL;
        m->was_up = false;
        if (m->pair)
            sftp_pair_terminate(m->pair);
        m->state = s->ninep ? MOUNT_OFF : MOUNT_WANTED;
    }
}

/* ---- as a service ------------------------------------------------------------------------------ */

static struct service *mount_create(struct service_host *h)
{
    bool ninep = streq0(h->cfg->mount_type, "9p");

    if (!h->cfg->mounts_count || h->cfg->plain == TRI_TRUE ||
        (!ninep && !streq0(h->cfg->mount_type, "reverse-sshfs")))
        return NULL;
    struct mount_service *s = xcalloc(1, sizeof(*s));
    s->base = (struct service){.type = &mount_service, .host = h};
    s->ninep = ninep;
    s->n = h->cfg->mounts_count;
    s->mounts = xcalloc(s->n, sizeof(*s->mounts));
    for (unsigned i = 0; i < s->n; i++) {
        s->mounts[i] = (struct mount){.service = s,
                                      .m = &h->cfg->mounts[i],
                                      .local = xstrdup(h->cfg->mounts[i].location),
                                      .state = ninep ? MOUNT_OFF : MOUNT_WANTED,
                                      .retry_ms = RETRY_FIRST_MS};
        if (!ninep && streq0(h->cfg->mounts[i].sshfs.sftp_driver, "builtin"))
            log_info("mounts[%u].sshfs.sftpDriver: the system's sftp-server takes the place of the "
                     "builtin one", i);
    }
    s->held = true;
    h->hold(h, STAGE_RUNNING);
    return &s->base;
}

static void mount_start(struct service *base)
{
    struct mount_service *s = self(base);
    struct service_host *h = base->host;

    ssh_target_init(&s->target, h->store, h->inst, h->cfg, h->ssh_port);
}

static void mount_stage(struct service *base, enum stage stage)
{
    struct mount_service *s = self(base);

    if (stage != STAGE_BOOT_DONE)
        return;
    s->boot_done = true;
    /* The start is over without a word of the boot scripts: nobody waits for us. */
    if (!s->ready)
        release_hold(s);
}

static void mount_event(struct service *base, enum guest_event ev)
{
    struct mount_service *s = self(base);

    if (ev == GUEST_BOOTED)
        booted(s);
    else if (ev == GUEST_LINK_DOWN)
        not_ready(s);
    else if (ev == GUEST_RESET)
        boots_again(s);
}

static void on_unmounted(void *arg, int wait_status, const char *errors)
{
    struct mount_service *s = arg;

    (void)wait_status;
    (void)errors;
    s->job = NULL;
}

/* A mount that is in use stays until the guest has ended its users: its connection lives on. */
static void mount_stop(struct service *base)
{
    struct mount_service *s = self(base);
    _cleanup_strv_ struct strv points = STRV_INIT;
    struct err ignored = ERR_INIT;
    bool was_ready = s->ready;

    s->stopped = true;
    not_ready(s);
    for (unsigned i = 0; i < s->n; i++) {
        s->mounts[i].timer = loop_source_free(s->mounts[i].timer);
        if (s->mounts[i].state == MOUNT_UP)
            log_info("Unmounting \"%s\"", s->mounts[i].local);
        else if (s->mounts[i].pair)
            sftp_pair_terminate(s->mounts[i].pair);
    }
    points_of(s, /* only_up= */ true, &points);
    if (!was_ready || !points.n)
        return;
    _cleanup_free_ char *script = remote_unmount_script(&points);
    if (start_script(s, script, &(struct job_spec){.ended = on_unmounted}, &ignored))
        err_clear(&ignored); /* they end with the connection */
}

static void mount_free(struct service *base)
{
    struct mount_service *s = self(base);

    job_free(s->job);
    loop_source_free(s->limit);
    loop_source_free(s->deferred);
    for (unsigned i = 0; i < s->n; i++) {
        struct mount *m = &s->mounts[i];

        sftp_pair_free(m->pair);
        loop_source_free(m->timer);
        strv_release(&m->errors);
        free(m->first_problem);
        free(m->local);
    }
    free(s->mounts);
    free(s->server);
    ssh_target_release(&s->target);
    free(s);
}

const struct service_type mount_service = {
    .name = "mounts",
    .start_at = STAGE_VM_RUNNING,
    .create = mount_create,
    .start = mount_start,
    .stage = mount_stage,
    .event = mount_event,
    .stop = mount_stop,
    .free = mount_free,
};
