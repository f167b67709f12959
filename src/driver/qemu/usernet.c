/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/usernet.h"
#include "base/log.h"
#include "base/mem.h"
#include "driver/qemu/usernet_call.h"
#include "sys/clock.h"
#include <arpa/inet.h>
#include <poll.h>
#include <strings.h>

enum { LOOK_MS = 500, CALL_MS = 30000, LAST_MS = 500 };

enum usernet_state {
    USERNET_LEASES,
    USERNET_EXPOSE,
    USERNET_REPLACE,
    USERNET_ZONES,
    USERNET_UP,
    USERNET_UNEXPOSE,
    USERNET_OVER
};

struct usernet {
    struct usernet_target *t;
    struct loop *loop;
    usernet_done_fn *done;
    void *arg;
    enum usernet_state state;
    struct http_call *call;
    struct loop_source *io, *timer, *limit;
    int64_t until; /* of the patience */
    char *address; /* of the guest */
    bool exposed, replaced;
    struct json *zones;
    size_t next_zone;
};

static void go(struct usernet *u);

/* ---- one request after the other ------------------------------------------------------------- */

static void end_call(struct usernet *u)
{
    u->io = loop_source_free(u->io);
    u->limit = loop_source_free(u->limit);
    http_call_free(u->call);
    u->call = NULL;
}

/* Nothing more happens on its own; the last thing that is done with u. */
static void finish(struct usernet *u, struct err *err)
{
    end_call(u);
    u->timer = loop_source_free(u->timer);
    if (u->state == USERNET_UNEXPOSE) {
        u->exposed = false;
        u->state = USERNET_OVER;
        if (err_is_set(err))
            log_warn("Failed to remove SSH binding for port %u: %s", u->t->ssh_port, err->msg);
        err_clear(err);
        return;
    }
    u->state = err_is_set(err) ? USERNET_OVER : USERNET_UP;
    if (err_is_set(err)) {
        err_wrap(err, "network '%s'", u->t->network);
        if (!err->hint)
            err_hint(err, "does the daemon of the network still run? its logs are beside '%s'",
                     u->t->endpoint);
    }
    if (u->done)
        u->done(u->arg, u->address, err_is_set(err) ? err : NULL);
}

static void answered(struct usernet *u);

static void on_limit(void *arg)
{
    struct usernet *u = arg;
    _cleanup_err_ struct err err = ERR_INIT;

    err_set(&err, ERR_TIMEOUT, "its daemon did not answer within %d s", CALL_MS / 1000);
    finish(u, &err);
}

/* The port is forwarded already: by an agent before us, perhaps to another address. */
static bool replace(struct usernet *u, const struct err *err)
{
    if (u->state != USERNET_EXPOSE || u->replaced || !strstr(err->msg, "already running"))
        return false;
    u->replaced = true;
    u->state = USERNET_REPLACE;
    return true;
}

static void on_io(void *arg, int fd, unsigned events)
{
    struct usernet *u = arg;
    _cleanup_err_ struct err err = ERR_INIT;
    int r = usernet_call_step(u->call, &err);

    (void)fd;
    (void)events;
    if (r < 0 && replace(u, &err)) {
        end_call(u);
        go(u);
    } else if (r < 0) {
        finish(u, &err);
    } else if (r > 0) {
        answered(u);
    } else {
        loop_fd_want(u->io, http_call_wants(u->call) == POLLOUT ? LOOP_WRITE : LOOP_READ);
    }
}

static void begin(struct usernet *u, const char *path, struct json *body)
{
    _cleanup_json_ struct json *own = body;
    _cleanup_err_ struct err err = ERR_INIT;

    end_call(u);
    u->call = usernet_call_new(u->t->endpoint, path, own, &err);
    if (!u->call) {
        finish(u, &err);
        return;
    }
    u->io = loop_add_fd(u->loop, http_call_fd(u->call), LOOP_WRITE, on_io, u);
    u->limit = loop_add_timer(u->loop, CALL_MS, on_limit, u);
}

/* ---- what is asked --------------------------------------------------------------------------- */

static struct json *binding(const struct usernet *u, bool with_remote)
{
    struct json *j = json_object_new();
    _cleanup_free_ char *local = xasprintf("127.0.0.1:%u", u->t->ssh_port);
    _cleanup_free_ char *remote = xasprintf("%s:22", u->address ? u->address : "");

    json_set_str(j, "local", local);
    if (with_remote)
        json_set_str(j, "remote", remote);
    json_set_str(j, "protocol", "tcp");
    return j;
}

/* The names that the configuration gives, the guest's own one, and the host's. */
static struct json *make_zones(const struct usernet *u)
{
    size_t n = u->t->n_hosts;
    _cleanup_free_ struct usernet_zone_host *all = xcalloc(n + 2, sizeof(*all));
    _cleanup_free_ char *own = xasprintf("%s.internal", u->t->hostname);
    char host[] = "host.lima.internal";

    for (size_t i = 0; i < n; i++)
        all[i] = u->t->hosts[i];
    all[n] = (struct usernet_zone_host){own, u->address};
    all[n + 1] = (struct usernet_zone_host){host, u->t->gateway};
    return usernet_zones(all, n + 2);
}

static void go_zones(struct usernet *u)
{
    _cleanup_err_ struct err none = ERR_INIT;

    if (!u->zones)
        u->zones = make_zones(u);
    if (u->next_zone < json_len(u->zones))
        begin(u, "/services/dns/add", json_copy(json_at(u->zones, u->next_zone++)));
    else
        finish(u, &none);
}

static void go(struct usernet *u)
{
    switch (u->state) {
    case USERNET_LEASES:
        begin(u, "/services/dhcp/leases", NULL);
        break;
    case USERNET_EXPOSE:
        begin(u, "/services/forwarder/expose", binding(u, /* with_remote= */ true));
        break;
    case USERNET_REPLACE:
    case USERNET_UNEXPOSE:
        begin(u, "/services/forwarder/unexpose", binding(u, /* with_remote= */ false));
        break;
    case USERNET_ZONES:
        go_zones(u);
        break;
    case USERNET_UP:
    case USERNET_OVER:
        break;
    }
}

/* ---- what is answered ------------------------------------------------------------------------ */

/* The address that one of our cards has got; allocated. What is none is not handed on. */
static char *find_lease(const struct usernet *u, const struct json *leases)
{
    struct in_addr any;

    for (void *it = json_iter(leases); it; it = json_iter_next(leases, it)) {
        const char *mac = json_str(json_iter_value(it));

        for (size_t i = 0; mac && i < u->t->macs.n; i++)
            if (strcasecmp(mac, u->t->macs.v[i]) == 0 &&
                inet_pton(AF_INET, json_iter_key(it), &any) == 1)
                return xstrdup(json_iter_key(it));
    }
    return NULL;
}

static void on_look(void *arg)
{
    struct usernet *u = arg;

    u->timer = loop_source_free(u->timer);
    go(u);
}

static void got_leases(struct usernet *u)
{
    _cleanup_err_ struct err err = ERR_INIT;
    size_t len;
    const char *text = http_call_body(u->call, &len);
    _cleanup_json_ struct json *leases = json_parse(text, len, "the list of leases", &err);

    if (!leases) {
        finish(u, &err);
        return;
    }
    u->address = json_is_object(leases) ? find_lease(u, leases) : NULL;
    if (u->address) {
        log_debug("network '%s': the guest has the address %s", u->t->network, u->address);
        u->state = u->t->ssh_port ? USERNET_EXPOSE : USERNET_ZONES;
        go(u);
    } else if (monotonic_ms() >= u->until) {
        err_set(&err, ERR_TIMEOUT,
                "usernet unable to resolve IP for SSH forwarding: the guest got "
                "no address within %d s",
                u->t->patience_ms / 1000);
        err_hint(&err, "does the guest ask for one (DHCP)? see serial.log of the instance");
        finish(u, &err);
    } else {
        end_call(u);
        u->timer = loop_add_timer(u->loop, LOOK_MS, on_look, u);
    }
}

static void answered(struct usernet *u)
{
    _cleanup_err_ struct err none = ERR_INIT;

    switch (u->state) {
    case USERNET_LEASES:
        got_leases(u);
        return;
    case USERNET_EXPOSE:
        u->exposed = true;
        u->state = USERNET_ZONES;
        break;
    case USERNET_REPLACE:
        u->state = USERNET_EXPOSE;
        break;
    case USERNET_ZONES:
        break;
    default:
        finish(u, &none);
        return;
    }
    go(u);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct usernet *usernet_new(struct usernet_target *target, struct loop *loop, usernet_done_fn *done,
                            void *arg)
{
    struct usernet *u = xcalloc(1, sizeof(*u));

    u->t = target;
    u->loop = loop;
    u->done = done;
    u->arg = arg;
    u->until = deadline_in(target->patience_ms);
    u->timer = loop_defer(loop, on_look, u);
    return u;
}

void usernet_unexpose(struct usernet *u)
{
    if (u->state == USERNET_UNEXPOSE || u->state == USERNET_OVER)
        return;
    end_call(u);
    u->timer = loop_source_free(u->timer);
    u->state = u->exposed ? USERNET_UNEXPOSE : USERNET_OVER;
    go(u);
}

void usernet_end(struct usernet *u)
{
    _cleanup_json_ struct json *body = binding(u, /* with_remote= */ false);
    _cleanup_err_ struct err err = ERR_INIT;

    end_call(u);
    u->timer = loop_source_free(u->timer);
    u->state = USERNET_OVER;
    if (u->exposed &&
        usernet_call_now(u->t->endpoint, "/services/forwarder/unexpose", body, LAST_MS, &err) < 0)
        log_warn("Failed to remove SSH binding for port %u: %s", u->t->ssh_port, err.msg);
    u->exposed = false;
}

void usernet_free(struct usernet *u)
{
    if (!u)
        return;
    end_call(u);
    loop_source_free(u->timer);
    json_free(u->zones);
    free(u->address);
    usernet_target_free(u->t);
    free(u);
}
