/* SPDX-License-Identifier: Apache-2.0 */
/* A rule as config_fill() leaves it. */
#ifndef TEST_FORWARD_RULES_FIXTURE_H
#define TEST_FORWARD_RULES_FIXTURE_H

#include "forward/rules.h"
#include "base/mem.h"

static inline void set_range(char ***range, unsigned *count, const char *first, const char *last)
{
    static char *texts[64];
    static size_t n;
    char **v = &texts[n];

    n = (n + 2) % ARRAY_SIZE(texts);
    v[0] = (char *)first;
    v[1] = (char *)last;
    *range = v;
    *count = 2;
}

static inline void rule_ports(struct config_port_forward *p, const char *guest_first,
                              const char *guest_last, const char *host_first, const char *host_last)
{
    p->guest_ip = p->guest_ip ? p->guest_ip : (char *)"127.0.0.1";
    p->host_ip = p->host_ip ? p->host_ip : (char *)"127.0.0.1";
    p->proto = p->proto ? p->proto : (char *)"any";
    set_range(&p->guest_port_range, &p->guest_port_range_count, guest_first, guest_last);
    set_range(&p->host_port_range, &p->host_port_range_count, host_first, host_last);
}

#endif
