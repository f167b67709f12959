/* SPDX-License-Identifier: Apache-2.0 */
#include "forward/rules.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/sbuf.h"

/* The guest's own address on QEMU's user network: a listener on all addresses answers there, one on
 * the loopback address alone does not. */
#define GUEST_ADDRESS "192.168.5.15"

static void forward_release(struct forward *f)
{
    free(f->host_ip);
    free(f->host_socket);
    free(f->guest_ip);
    free(f->guest_socket);
    free(f->host_addr);
    free(f->guest_addr);
    free(f->spec);
}

void forward_plan_release(struct forward_plan *p)
{
    for (size_t i = 0; i < p->n; i++)
        forward_release(&p->v[i]);
    free(p->v);
    *p = (struct forward_plan)FORWARD_PLAN_INIT;
}

bool forward_plan_has_rule(const struct forward_plan *p, unsigned rule)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].rule == rule)
            return true;
    return false;
}

const char *forward_protocol(const struct forward *f)
{
    return f->host_socket && f->guest_socket ? "unix" : "tcp";
}

/* ---- rules ------------------------------------------------------------------------------------- */

/* Ranges of a filled configuration have two numbers; 0 when there is none. */
static uint16_t range_at(char *const *range, unsigned count, unsigned i)
{
    int64_t v = 0;

    if (i >= count || parse_int64(range[i], &v) < 0 || v < 0 || v > UINT16_MAX)
        return 0;
    return (uint16_t)v;
}

static unsigned rule_ports(const struct config_port_forward *p, uint16_t *ret_first)
{
    uint16_t first = range_at(p->guest_port_range, p->guest_port_range_count, 0);
    uint16_t last = range_at(p->guest_port_range, p->guest_port_range_count, 1);

    *ret_first = first;
    return first && last >= first ? (unsigned)last - first + 1 : 0;
}

static bool is_udp(const struct config_port_forward *p)
{
    return streq0(p->proto, "udp");
}

static bool is_any_ip(const char *ip)
{
    return streq(ip, "0.0.0.0") || streq(ip, "::");
}

static const char *ip_or(const char *ip, const char *otherwise)
{
    return str_empty(ip) ? otherwise : ip;
}

bool forward_rule_matches(const struct config_port_forward *p, bool udp, const char *guest_ip,
                          uint16_t port)
{
    const char *ip = ip_or(p->guest_ip, "127.0.0.1");
    uint16_t first;
    unsigned n = rule_ports(p, &first);

    if (!str_empty(p->guest_socket) || streq0(p->proto, udp ? "tcp" : "udp") || port < first ||
        port - first >= (int)n)
        return false;
    if (is_any_ip(guest_ip))
        return p->ignore != TRI_TRUE || is_any_ip(ip);
    if (streq(guest_ip, ip) || (streq(guest_ip, "::1") && streq(ip, "127.0.0.1")))
        return true;
    return is_any_ip(ip) && p->guest_ip_must_be_zero != TRI_TRUE;
}

/* Is the port another rule's matter? A static rule is set up whatever listens, so only rules that
 * are static, too, or that forbid it come before it. */
static bool decided_before(const struct config_instance *c, unsigned rule, const char *guest_ip,
                           uint16_t port)
{
    bool only_static = c->port_forwards[rule].static_ == TRI_TRUE;

    for (unsigned i = 0; i < rule; i++) {
        const struct config_port_forward *p = &c->port_forwards[i];

        if (only_static && p->static_ != TRI_TRUE && p->ignore != TRI_TRUE)
            continue;
        if (forward_rule_matches(p, false, guest_ip, port))
            return true;
    }
    return false;
}

const char *forward_rule_missing(const struct config_port_forward *p)
{
    uint16_t first;
    unsigned n = rule_ports(p, &first);

    if (p->ignore == TRI_TRUE || !str_empty(p->guest_socket))
        return NULL;
    if (is_udp(p))
        return "this version does not forward UDP ports yet";
    if (p->static_ == TRI_TRUE)
        return n > FORWARD_RANGE_MAX ? "this version forwards at most 1024 ports of a rule" : NULL;
    if (n > FORWARD_SMALL_RANGE)
        return "this version does not follow the guest's listeners yet, so a range of more than 64 "
               "ports is not forwarded; hint: `static: true`, or a smaller range";
    return NULL;
}

/* ---- what ssh takes ---------------------------------------------------------------------------- */

static char *address(const char *ip, uint16_t port)
{
    return xasprintf(strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip, port);
}

/* A path in a forward specification of ssh: ':' and '\' by a backslash, '%' doubled because ssh
 * expands its tokens there. "${" can't be written. */
static int add_path(struct sbuf *s, const char *path)
{
    if (strstr(path, "${"))
        return -1;
    for (const char *p = path; *p; p++) {
        if (*p == ':' || *p == '\\')
            sbuf_addch(s, '\\');
        if (*p == '%')
            sbuf_addch(s, '%');
        sbuf_addch(s, *p);
    }
    return 0;
}

static int add_end(struct sbuf *s, const char *socket, const char *addr)
{
    if (socket)
        return add_path(s, socket);
    sbuf_addstr(s, addr);
    return 0;
}

static char *make_spec(const struct forward *f)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;
    int r = f->reverse ? add_path(&s, f->guest_socket) : add_end(&s, f->host_socket, f->host_addr);

    sbuf_addch(&s, ':');
    if (r < 0 || (f->reverse ? add_path(&s, f->host_socket)
                             : add_end(&s, f->guest_socket, f->guest_addr)) < 0)
        return NULL;
    return sbuf_detach(&s);
}

/* ---- the plan ---------------------------------------------------------------------------------- */

/* Where a connection in the guest goes to for a rule that speaks of this address. */
static const char *connect_ip(const struct config_port_forward *p)
{
    const char *ip = ip_or(p->guest_ip, "127.0.0.1");

    if (streq(ip, "::"))
        return "::1";
    if (!streq(ip, "0.0.0.0"))
        return ip;
    return p->guest_ip_must_be_zero == TRI_TRUE ? GUEST_ADDRESS : "127.0.0.1";
}

static void add_forward(struct forward_plan *plan, const struct config_port_forward *p,
                        unsigned rule, uint16_t guest_port, uint16_t host_port)
{
    struct forward f = {.rule = rule, .reverse = p->reverse == TRI_TRUE};

    if (!str_empty(p->host_socket)) {
        f.host_socket = xstrdup(p->host_socket);
        f.host_addr = xstrdup(p->host_socket);
    } else {
        f.host_ip = xstrdup(ip_or(p->host_ip, "127.0.0.1"));
        f.host_port = host_port;
        f.host_addr = address(f.host_ip, host_port);
    }
    if (!str_empty(p->guest_socket)) {
        f.guest_socket = xstrdup(p->guest_socket);
        f.guest_addr = xstrdup(p->guest_socket);
    } else {
        f.guest_ip = xstrdup(connect_ip(p));
        f.guest_port = guest_port;
        f.guest_addr = address(f.guest_ip, guest_port);
    }
    f.spec = make_spec(&f);
    GROW_ARRAY(plan->v, plan->n, plan->cap);
    plan->v[plan->n++] = f;
}

static void add_ports(struct forward_plan *plan, const struct config_instance *c, unsigned rule,
                      uint16_t ssh_port)
{
    const struct config_port_forward *p = &c->port_forwards[rule];
    const char *guest_ip = ip_or(p->guest_ip, "127.0.0.1");
    uint16_t host = range_at(p->host_port_range, p->host_port_range_count, 0), first;
    unsigned n = rule_ports(p, &first);

    if (forward_rule_missing(p) && (p->static_ != TRI_TRUE || is_udp(p)))
        return;
    for (unsigned i = 0; i < n && i < FORWARD_RANGE_MAX; i++) {
        unsigned port = first + i;

        if (port != 22 && port != ssh_port && host + i <= UINT16_MAX &&
            !decided_before(c, rule, guest_ip, (uint16_t)port))
            add_forward(plan, p, rule, (uint16_t)port, (uint16_t)(host + i));
    }
}

void forward_plan(const struct config_instance *cfg, uint16_t ssh_port, struct forward_plan *ret)
{
    for (unsigned i = 0; i < cfg->port_forwards_count; i++) {
        const struct config_port_forward *p = &cfg->port_forwards[i];

        if (p->ignore == TRI_TRUE || (cfg->plain == TRI_TRUE && p->static_ != TRI_TRUE))
            continue;
        if (str_empty(p->guest_socket))
            add_ports(ret, cfg, i, ssh_port);
        else
            add_forward(ret, p, i, 0, range_at(p->host_port_range, p->host_port_range_count, 0));
    }
}
