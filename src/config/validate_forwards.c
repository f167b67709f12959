/* SPDX-License-Identifier: Apache-2.0 */
/* Rules about port forwards and files to fetch. */
#include "config/validate.h"
#include "base/mem.h"
#include "base/parse.h"
#include <sys/un.h>

enum { STATIC_RANGE_MAX = 10 };

struct forward {
    const struct check *k;
    const struct config_port_forward *p;
    const char *path; /* "portForwards[2]" */
    int64_t guest[2], host[2];
    bool guest_socket, host_socket;
};

/* A field of the forward: path and problem in one. */
static struct diag *at(const struct forward *f, enum config_rule rule, const char *key,
                       const char *fmt, ...) PRINTF_FORMAT(4, 5);

static struct diag *at(const struct forward *f, enum config_rule rule, const char *key,
                       const char *fmt, ...)
{
    _cleanup_free_ char *path = xasprintf("%s.%s", f->path, key), *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    return problem(f->k, rule, path, "field `%s` %s", path, text);
}

static void read_range(char *const *range, int64_t ret[2])
{
    for (int i = 0; i < 2; i++)
        if (parse_int64(range[i], &ret[i]) < 0)
            ret[i] = -1; /* not a number is not a port either */
}

static void check_one_port(const struct forward *f, const char *key, int64_t port, int64_t first,
                           bool socket)
{
    if (!port)
        return;
    if (socket)
        at(f, RULE_FORWARD_SOCKET_AND_PORT, key, "must be 0 when field `%s.%sSocket` is set",
           f->path, *key == 'g' ? "guest" : "host");
    else if (port != first)
        at(f, RULE_FORWARD_PORT_AND_RANGE, key, "must match field `%s.%sRange[0]`", f->path, key);
}

/* Every port of the forward; what is the same wrong number is said once. */
static void check_numbers(const struct forward *f)
{
    const struct {
        const char *key;
        int64_t port;
        bool given, in_range; /* within a longer range 22 only fails to be forwarded */
    } ports[] = {
        {"guestPort", f->p->guest_port, f->p->guest_port != 0, false},
        {"hostPort", f->p->host_port, f->p->host_port != 0, false},
        {"guestPortRange[0]", f->guest[0], true, f->guest[0] != f->guest[1]},
        {"guestPortRange[1]", f->guest[1], true, f->guest[0] != f->guest[1]},
        {"hostPortRange[0]", f->host[0], !f->host_socket, f->host[0] != f->host[1]},
        {"hostPortRange[1]", f->host[1], !f->host_socket, f->host[0] != f->host[1]},
    };
    bool said[ARRAY_SIZE(ports)] = {false};

    for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
        const char *why = port_problem(ports[i].port);
        _cleanup_sbuf_ struct sbuf also = SBUF_INIT;

        if (said[i] || !ports[i].given || !why || (ports[i].port == 22 && ports[i].in_range))
            continue;
        for (size_t k = i + 1; k < ARRAY_SIZE(ports); k++)
            if (ports[k].given && ports[k].port == ports[i].port &&
                ports[k].in_range == ports[i].in_range) {
                sbuf_addf(&also, "%s`%s.%s`", also.len ? ", " : "; it is also ", f->path,
                          ports[k].key);
                said[k] = true;
            }
        struct diag *d = at(f, RULE_FORWARD_PORT, ports[i].key, "%s, got %lld%s", why,
                            (long long)ports[i].port, sbuf_str(&also));
        if (ports[i].port == 22)
            diag_set_hint(d, "remove it: `ssh.localPort` is the port of the host that leads there");
    }
}

static void check_ports(const struct forward *f)
{
    int64_t guest_ports = f->guest[1] - f->guest[0], host_ports = f->host[1] - f->host[0];
    bool same = f->guest[0] == f->host[0] && f->guest[1] == f->host[1];

    check_one_port(f, "guestPort", f->p->guest_port, f->guest[0], f->guest_socket);
    check_one_port(f, "hostPort", f->p->host_port, f->host[0], f->host_socket);
    check_numbers(f);
    if (guest_ports < 0)
        at(f, RULE_FORWARD_RANGE_ORDER, "guestPortRange[1]",
           "must be greater than or equal to field "
           "`%s.guestPortRange[0]`%s%s%s",
           f->path, same ? " (and so must `" : "", same ? f->path : "",
           same ? ".hostPortRange[1]`, which follows it)" : "");
    if (host_ports < 0 && !same)
        at(f, RULE_FORWARD_RANGE_ORDER, "hostPortRange[1]",
           "must be greater than or equal to field `%s.hostPortRange[0]`", f->path);
    if (!f->host_socket && !f->guest_socket && guest_ports != host_ports)
        at(f, RULE_FORWARD_COUNT, "hostPortRange",
           "must specify the same number of ports as field `%s.guestPortRange`", f->path);
}

static void check_sockets(const struct forward *f)
{
    const struct config_port_forward *p = f->p;
    const size_t max = sizeof(((struct sockaddr_un *)0)->sun_path);

    if (f->guest_socket) {
        if (*p->guest_socket != '/')
            at(f, RULE_FORWARD_SOCKET_PATH, "guestSocket", "must be an absolute path, but is `%s`",
               p->guest_socket);
        if (!f->host_socket && f->host[1] != f->host[0])
            at(f, RULE_FORWARD_SOCKET_RANGE, "guestSocket",
               "can only be mapped to a single port or socket, not to a range");
    }
    if (!f->host_socket)
        return;
    if (*p->host_socket != '/')
        at(f, RULE_FORWARD_SOCKET_PATH, "hostSocket", "must be an absolute path, but is `%s`",
           p->host_socket);
    if (!f->guest_socket && f->guest[1] != f->guest[0])
        at(f, RULE_FORWARD_SOCKET_RANGE, "hostSocket",
           "can only be mapped from a single port or socket, not from a range");
    if (strlen(p->host_socket) >= max)
        at(f, RULE_FORWARD_SOCKET_LENGTH, "hostSocket",
           "must be less than UNIX_PATH_MAX=%zu characters, but is %zu", max,
           strlen(p->host_socket));
}

static void check_forward(const struct forward *f)
{
    const struct config_port_forward *p = f->p;

    if (p->guest_ip_must_be_zero == TRI_TRUE && !streq(p->guest_ip, "0.0.0.0"))
        at(f, RULE_FORWARD_GUEST_IP_ZERO, "guestIPMustBeZero",
           "can only be true when field `%s.guestIP` is 0.0.0.0", f->path);
    check_ports(f);
    check_sockets(f);
    if (!config_shape_has(&config_shape_proto, p->proto))
        at(f, RULE_FORWARD_PROTO, "proto", "must be `tcp`, `udp`, or `any`, got `%s`", p->proto);
    if (p->reverse == TRI_TRUE && !(f->guest_socket && f->host_socket))
        at(f, RULE_FORWARD_REVERSE, "reverse", "needs both `guestSocket` and `hostSocket`");
    if (f->k->v->plain == TRI_TRUE && p->static_ == TRI_TRUE &&
        f->guest[1] - f->guest[0] >= STATIC_RANGE_MAX)
        problem(f->k, RULE_FORWARD_STATIC_RANGE, f->path,
                "%s: a static range of more than %d ports may take long to set up", f->path,
                STATIC_RANGE_MAX);
}

static void check_port_forwards(const struct check *k)
{
    for (unsigned i = 0; i < k->v->port_forwards_count; i++) {
        const struct config_port_forward *p = &k->v->port_forwards[i];
        _cleanup_free_ char *path = xasprintf("portForwards[%u]", i);
        struct forward f = {
            .k = k,
            .p = p,
            .path = path,
            .guest_socket = !str_empty(p->guest_socket),
            .host_socket = !str_empty(p->host_socket),
        };

        read_range(p->guest_port_range, f.guest);
        read_range(p->host_port_range, f.host);
        check_forward(&f);
    }
}

static void check_copies(const struct check *k)
{
    for (unsigned i = 0; i < k->v->copy_to_host_count; i++) {
        _cleanup_free_ char *guest = xasprintf("copyToHost[%u].guest", i);
        _cleanup_free_ char *host = xasprintf("copyToHost[%u].host", i);

        check_absolute(k, RULE_COPY_TO_HOST_PATH, guest, k->v->copy_to_host[i].guest);
        check_absolute(k, RULE_COPY_TO_HOST_PATH, host, k->v->copy_to_host[i].host);
    }
}

static const struct rule rules[] = {
    {"port-forwards", check_port_forwards},
    {"copy-to-host", check_copies},
};
const struct rules rules_forwards = {rules, ARRAY_SIZE(rules)};
