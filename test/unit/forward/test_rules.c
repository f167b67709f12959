/* SPDX-License-Identifier: Apache-2.0 */
/* Rules to forwards, without a process. */
#include "rules_fixture.h"
#include <criterion/criterion.h>

static struct config_instance cfg;
static struct config_port_forward rules[8];
static struct forward_plan plan;

static void setup(void)
{
    memset(&cfg, 0, sizeof(cfg));
    memset(rules, 0, sizeof(rules));
    cfg.port_forwards = rules;
    plan = (struct forward_plan)FORWARD_PLAN_INIT;
}

static void teardown(void)
{
    forward_plan_release(&plan);
}

static struct config_port_forward *add(const char *first, const char *last)
{
    struct config_port_forward *p = &rules[cfg.port_forwards_count++];

    rule_ports(p, first, last, first, last);
    return p;
}

/* "SPEC SPEC …" of the plan. */
static const char *specs(void)
{
    static char text[4096];
    size_t len = 0;

    forward_plan_release(&plan);
    forward_plan(&cfg, 60022, &plan);
    *text = '\0';
    for (size_t i = 0; i < plan.n && len < sizeof(text); i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "",
                                plan.v[i].spec ? plan.v[i].spec : "(none)");
    return text;
}

TestSuite(forward_rules, .init = setup, .fini = teardown);

Test(forward_rules, HA_50_one_port)
{
    add("8080", "8080");
    cr_assert_str_eq(specs(), "127.0.0.1:8080:127.0.0.1:8080");
    cr_assert_str_eq(plan.v[0].host_addr, "127.0.0.1:8080");
    cr_assert_str_eq(forward_protocol(&plan.v[0]), "tcp");
}

Test(forward_rules, HA_27_ranges_go_port_by_port)
{
    struct config_port_forward *p = add("8080", "8082");

    rule_ports(p, "8080", "8082", "9090", "9092");
    p->static_ = TRI_TRUE;
    cr_assert_str_eq(specs(), "127.0.0.1:9090:127.0.0.1:8080 127.0.0.1:9091:127.0.0.1:8081 "
                              "127.0.0.1:9092:127.0.0.1:8082");
}

Test(forward_rules, HA_50_the_first_match_counts)
{
    add("8081", "8081")->ignore = TRI_TRUE;
    struct config_port_forward *p = add("8082", "8082");
    rule_ports(p, "8082", "8082", "9000", "9000");
    add("8080", "8083");
    cr_assert_str_eq(specs(), "127.0.0.1:9000:127.0.0.1:8082 127.0.0.1:8080:127.0.0.1:8080 "
                              "127.0.0.1:8083:127.0.0.1:8083");
}

Test(forward_rules, HA_50_neither_22_nor_the_ssh_port)
{
    add("21", "23");
    add("60021", "60023");
    cr_assert_str_eq(specs(), "127.0.0.1:21:127.0.0.1:21 127.0.0.1:23:127.0.0.1:23 "
                              "127.0.0.1:60021:127.0.0.1:60021 127.0.0.1:60023:127.0.0.1:60023");
}

Test(forward_rules, HA_50_an_ignore_rule_of_another_protocol_or_address_is_none)
{
    struct config_port_forward *udp = add("8080", "8080"), *other = add("8080", "8080");

    udp->ignore = other->ignore = TRI_TRUE;
    udp->proto = (char *)"udp";
    other->guest_ip = (char *)"192.168.5.15";
    add("8080", "8080");
    cr_assert_str_eq(specs(), "127.0.0.1:8080:127.0.0.1:8080");
}

Test(forward_rules, HA_50_addresses)
{
    struct config_port_forward *p = add("80", "80");

    p->host_ip = (char *)"0.0.0.0";
    p->guest_ip = (char *)"192.168.5.15";
    cr_assert_str_eq(specs(), "0.0.0.0:80:192.168.5.15:80");
    p->host_ip = (char *)"::1";
    p->guest_ip = (char *)"::1";
    cr_assert_str_eq(specs(), "[::1]:80:[::1]:80");
    p->guest_ip = (char *)"::";
    cr_assert_str_eq(specs(), "[::1]:80:[::1]:80");
    /* Listeners on all addresses, and no others. */
    p->host_ip = (char *)"127.0.0.1";
    p->guest_ip = (char *)"0.0.0.0";
    p->guest_ip_must_be_zero = TRI_TRUE;
    cr_assert_str_eq(specs(), "127.0.0.1:80:192.168.5.15:80");
    p->guest_ip_must_be_zero = TRI_FALSE;
    cr_assert_str_eq(specs(), "127.0.0.1:80:127.0.0.1:80");
}

Test(forward_rules, HA_27_plain_has_static_rules_only)
{
    add("8080", "8080");
    add("8081", "8081")->static_ = TRI_TRUE;
    cfg.plain = TRI_TRUE;
    cr_assert_str_eq(specs(), "127.0.0.1:8081:127.0.0.1:8081");
}

Test(forward_rules, HA_27_a_static_rule_does_not_yield_to_one_that_waits_for_listeners)
{
    add("1", "65535");
    add("8081", "8081")->static_ = TRI_TRUE;
    add("8082", "8082");
    cr_assert_str_eq(specs(), "127.0.0.1:8081:127.0.0.1:8081");
}

Test(forward_rules, what_is_missing_is_said)
{
    struct config_port_forward *wide = add("1", "65535"), *udp = add("53", "53");

    udp->proto = (char *)"udp";
    cr_assert_str_eq(specs(), "");
    cr_assert(strstr(forward_rule_missing(wide), "more than 64 ports"), "%s", forward_rule_missing(wide));
    cr_assert(strstr(forward_rule_missing(udp), "UDP"), "%s", forward_rule_missing(udp));
    udp->ignore = TRI_TRUE;
    cr_assert_null(forward_rule_missing(udp));
    cr_assert_null(forward_rule_missing(add("80", "90")));
}

Test(forward_rules, HA_52_sockets)
{
    struct config_port_forward *a = add("1", "65535"), *b = add("80", "80"), *c = add("1", "65535");
    struct config_port_forward *d = add("1", "65535");

    a->guest_socket = (char *)"/run/g.sock";
    a->host_socket = (char *)"/h.sock";
    b->host_socket = (char *)"/b.sock";
    c->guest_socket = (char *)"/run/c.sock";
    rule_ports(c, "1", "65535", "7000", "7000");
    d->guest_socket = (char *)"/run/d.sock";
    d->host_socket = (char *)"/d.sock";
    d->reverse = TRI_TRUE;
    cr_assert_str_eq(specs(), "/h.sock:/run/g.sock /b.sock:127.0.0.1:80 "
                              "127.0.0.1:7000:/run/c.sock /run/d.sock:/d.sock");
    cr_assert(plan.v[3].reverse);
    cr_assert_str_eq(forward_protocol(&plan.v[0]), "unix");
}

Test(forward_rules, S09_paths_are_written_so_that_ssh_reads_them_back)
{
    struct config_port_forward *p = add("80", "80");

    p->host_socket = (char *)"/a:b%h\\ c$(x)";
    cr_assert_str_eq(specs(), "/a\\:b%%h\\\\ c$(x):127.0.0.1:80");
    p->host_socket = (char *)"/${HOME}";
    cr_assert_str_eq(specs(), "(none)");
}

Test(forward_rules, HA_50_matching)
{
    struct config_port_forward *p = add("80", "90");

    cr_assert(forward_rule_matches(p, false, "127.0.0.1", 80));
    cr_assert(forward_rule_matches(p, true, "127.0.0.1", 90));
    cr_assert_not(forward_rule_matches(p, false, "127.0.0.1", 91));
    cr_assert_not(forward_rule_matches(p, false, "127.0.0.1", 79));
    cr_assert_not(forward_rule_matches(p, false, "10.0.0.1", 80));
    cr_assert(forward_rule_matches(p, false, "0.0.0.0", 80), "unspecified matches any rule");
    cr_assert(forward_rule_matches(p, false, "::", 80));
    cr_assert(forward_rule_matches(p, false, "::1", 80));
    p->ignore = TRI_TRUE;
    cr_assert_not(forward_rule_matches(p, false, "0.0.0.0", 80), "an ignore rule of one address");
    p->ignore = TRI_FALSE;
    p->proto = (char *)"tcp";
    cr_assert_not(forward_rule_matches(p, true, "127.0.0.1", 80));
    p->guest_ip = (char *)"0.0.0.0";
    cr_assert(forward_rule_matches(p, false, "10.0.0.1", 80));
    p->guest_ip_must_be_zero = TRI_TRUE;
    cr_assert_not(forward_rule_matches(p, false, "10.0.0.1", 80));
    cr_assert(forward_rule_matches(p, false, "0.0.0.0", 80));
    p->guest_socket = (char *)"/x";
    cr_assert_not(forward_rule_matches(p, false, "0.0.0.0", 80));
}
