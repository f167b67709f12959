/* SPDX-License-Identifier: Apache-2.0 */
/* From the rules of `portForwards` to the list of forwards that ssh makes (HA-27, HA-50, HA-52).
 * Pure: nothing but the configuration is looked at.
 *
 * Rules are tried in their order and the first that matches counts. Two come before the user's: no
 * guest port 22, and no guest port that has the number of the instance's ssh port. */
#ifndef CIMA_FORWARD_RULES_H
#define CIMA_FORWARD_RULES_H

#include "config/config.h"

/* A rule that is not `static` is forwarded from the start when it has at most this many ports;
 * wider ones mean "whatever listens". */
#define FORWARD_SMALL_RANGE 64
/* And no rule has more than these. */
#define FORWARD_RANGE_MAX 1024

/* One listener: a TCP port or a unix socket on the host, and where it leads in the guest; with
 * `reverse` a socket in the guest that leads to one of the host. */
struct forward {
    unsigned rule;      /* index in portForwards */
    bool reverse;
    char *host_ip;      /* NULL with host_socket */
    uint16_t host_port;
    char *host_socket;
    char *guest_ip;     /* NULL with guest_socket */
    uint16_t guest_port;
    char *guest_socket;
    char *host_addr, *guest_addr; /* for people: "127.0.0.1:80", "[::1]:80", "/run/x.sock" */
    char *spec;         /* what -L (reverse: -R) takes; NULL when ssh can't express it */
};

struct forward_plan {
    struct forward *v;
    size_t n, cap;
};

#define FORWARD_PLAN_INIT {NULL, 0, 0}
#define _cleanup_forward_plan_ _cleanup_(forward_plan_release)
void forward_plan_release(struct forward_plan *p);
/* Fills *ret with what ssh can do of the rules of a filled and valid configuration. */
void forward_plan(const struct config_instance *cfg, uint16_t ssh_port, struct forward_plan *ret);
/* Has the rule any part in it? */
bool forward_plan_has_rule(const struct forward_plan *p, unsigned rule);
/* "tcp" or "unix". */
const char *forward_protocol(const struct forward *f);

/* What this version leaves out of a rule, as a clause for a message ("UDP ports are …"); NULL when
 * nothing is. */
const char *forward_rule_missing(const struct config_port_forward *p);

/* Does the rule decide about a listener of the guest on ip:port (HA-50)? Rules with a guestSocket
 * never do. udp: else tcp. */
bool forward_rule_matches(const struct config_port_forward *p, bool udp, const char *guest_ip,
                          uint16_t port);

#endif
