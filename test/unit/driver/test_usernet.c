/* SPDX-License-Identifier: Apache-2.0 */
/* The client of a user-v2 network's daemon, against one that does as it is told. */
#include "driver/qemu/usernet.h"
#include "driver/qemu/usernet_call.h"
#include "fake/usernet_server.h"
#include "driver_fixture.h"
#include "driver/log_capture.h"

#define MAC "52:55:55:aa:bb:cc"

struct net {
    char *dir, *sock, *log;
    struct loop *loop;
    struct usernet_server *server;
    struct usernet *client;
    unsigned done;
    char *address;
    struct err err;
};

static void on_done(void *arg, const char *address, const struct err *err)
{
    struct net *n = arg;

    n->done++;
    n->address = xstrdup0(address);
    if (err)
        err_copy(&n->err, err);
    loop_quit(n->loop);
}

static struct usernet_target *target(const struct net *n, uint16_t port)
{
    struct usernet_target *t = xcalloc(1, sizeof(*t));

    t->network = xstrdup("user-v2");
    t->endpoint = xstrdup(n->sock);
    t->gateway = xstrdup("192.168.104.2");
    strv_push(&t->macs, MAC);
    t->hostname = xstrdup("lima-i");
    t->ssh_port = port;
    t->patience_ms = LONG_MS;
    t->hosts = xcalloc(1, sizeof(*t->hosts));
    t->hosts[t->n_hosts++] =
        (struct usernet_zone_host){xstrdup("db.example.test"), xstrdup("10.0.0.7")};
    return t;
}

static void net_up(struct net *n, const struct usernet_orders *orders)
{
    char dir[] = "/tmp/cima-net-XXXXXX";

    *n = (struct net){.loop = loop_new(NULL)};
    cr_assert(mkdtemp(dir));
    n->dir = xstrdup(dir);
    n->sock = path_join(dir, "ep.sock");
    n->log = path_join(dir, "requests");
    capture_log(dir);
    if (orders)
        n->server = usernet_server_new(n->sock, n->log, orders);
}

static void net_down(struct net *n)
{
    usernet_free(n->client);
    if (n->server)
        usernet_server_free(n->server);
    loop_free(n->loop);
    dir_remove(n->dir, NULL);
    err_clear(&n->err);
    free(n->dir);
    free(n->sock);
    free(n->log);
    free(n->address);
}

static void configure(struct net *n, struct usernet_target *t)
{
    n->client = usernet_new(t, n->loop, on_done, n);
    loop_run(n->loop);
    cr_assert_eq(n->done, 1);
}

/* The requests, one line each. Caller frees. */
static char *requests(const struct net *n)
{
    char *text = file_read(n->log, 1 << 20, NULL, NULL);

    cr_assert(text);
    return text;
}

static void expect_requests(const struct net *n, const char *wanted)
{
    _cleanup_free_ char *text = requests(n);

    cr_assert_str_eq(text, wanted);
}

#define LEASES "/services/dhcp/leases \n"
#define EXPOSE                                                                                     \
    "/services/forwarder/expose {\"local\":\"127.0.0.1:60022\",\"remote\":\"192.168.104.5:22\","   \
    "\"protocol\":\"tcp\"}\n"
#define UNEXPOSE                                                                                   \
    "/services/forwarder/unexpose {\"local\":\"127.0.0.1:60022\",\"protocol\":\"tcp\"}\n"
#define ZONES                                                                                      \
    "/services/dns/add {\"Name\":\"test.\",\"Records\":[{\"Name\":\"db.example\","                 \
    "\"IP\":\"10.0.0.7\"}]}\n"                                                                     \
    "/services/dns/add {\"Name\":\"internal.\",\"Records\":[{\"Name\":\"lima-i\","                 \
    "\"IP\":\"192.168.104.5\"},{\"Name\":\"host.lima\",\"IP\":\"192.168.104.2\"}]}\n"

static const struct usernet_orders well = {.leases = "{\"192.168.104.9\": \"52:55:55:00:00:00\", "
                                                     "\"192.168.104.5\": \"52:55:55:AA:BB:CC\"}"};

/* Everything, in order. */
Test(usernet, S1_41_lease_port_names)
{
    struct net n;

    net_up(&n, &well);
    configure(&n, target(&n, 60022));
    cr_assert_not(err_is_set(&n.err), "%s", n.err.msg);
    cr_assert_str_eq(n.address, "192.168.104.5");
    expect_requests(&n, LEASES EXPOSE ZONES);
    net_down(&n);
}

Test(usernet, S1_41_waits_for_the_lease)
{
    struct usernet_orders orders = well;
    struct net n;

    orders.looks = 2;
    net_up(&n, &orders);
    configure(&n, target(&n, 60022));
    cr_assert_not(err_is_set(&n.err), "%s", n.err.msg);
    expect_requests(&n, LEASES LEASES LEASES EXPOSE ZONES);
    net_down(&n);
}

Test(usernet, S1_41_no_lease_in_time)
{
    struct usernet_orders orders = well;
    struct usernet_target *t;
    struct net n;

    orders.leases = NULL;
    net_up(&n, &orders);
    t = target(&n, 60022);
    t->patience_ms = 700;
    configure(&n, t);
    cr_assert_eq(n.err.kind, ERR_TIMEOUT);
    _cleanup_free_ char *text = err_text(&n.err);
    cr_assert(strstr(text, "usernet unable to resolve IP for SSH forwarding"), "%s", text);
    cr_assert(strstr(text, "network 'user-v2'"), "%s", text);
    net_down(&n);
}

/* The text would become a part of requests and of the host's forwards. */
Test(usernet, S1_41_lease_that_is_no_address)
{
    struct usernet_orders orders = well;
    struct net n;

    orders.leases = "{\"10.0.0.1:80,\": \"52:55:55:AA:BB:CC\", "
                    "\"192.168.104.5\": \"52:55:55:aa:bb:cc\"}";
    net_up(&n, &orders);
    configure(&n, target(&n, 60022));
    cr_assert_not(err_is_set(&n.err), "%s", n.err.msg);
    cr_assert_str_eq(n.address, "192.168.104.5");
    net_down(&n);
}

/* No port of the host: no forward. */
Test(usernet, S1_41_no_port)
{
    struct net n;

    net_up(&n, &well);
    configure(&n, target(&n, 0));
    cr_assert_not(err_is_set(&n.err), "%s", n.err.msg);
    expect_requests(&n, LEASES ZONES);
    usernet_unexpose(n.client);
    expect_requests(&n, LEASES ZONES);
    net_down(&n);
}

/* An agent was killed after it had done all this; its successor does it again. */
Test(usernet, S1_41_F01_forwarded_already)
{
    struct usernet_orders orders = well;
    struct net n;

    orders.exposed_already = true;
    net_up(&n, &orders);
    configure(&n, target(&n, 60022));
    cr_assert_not(err_is_set(&n.err), "%s", n.err.msg);
    expect_requests(&n, LEASES EXPOSE UNEXPOSE EXPOSE ZONES);
    net_down(&n);
}

static void fails(const struct usernet_orders *orders, const char *wanted)
{
    struct net n;

    net_up(&n, orders);
    configure(&n, target(&n, 60022));
    cr_assert(err_is_set(&n.err));
    _cleanup_free_ char *text = err_text(&n.err);
    cr_assert(strstr(text, wanted), "%s", text);
    net_down(&n);
}

Test(usernet, S1_41_refusals)
{
    struct usernet_orders orders = well;

    orders.refuse = "/services/forwarder/expose";
    fails(&orders, "/services/forwarder/expose: status 500: it does not want to");
    orders.refuse = "/services/dns/add";
    fails(&orders, "/services/dns/add: status 500");
    orders = well;
    orders.garbage = "/services/dhcp/leases";
    fails(&orders, "the answer is not HTTP");
    orders = well;
    orders.leases = "{not JSON";
    fails(&orders, "the list of leases");
}

Test(usernet, S1_41_nobody_there)
{
    fails(NULL, "ep.sock");
}

/* ---- the end --------------------------------------------------------------------------------- */

static void on_tick(void *arg)
{
    loop_quit(((struct net *)arg)->loop);
}

static void run_for(struct net *n, int ms)
{
    struct loop_source *timer = loop_add_timer(n->loop, ms, on_tick, n);

    loop_run(n->loop);
    loop_source_free(timer);
}

/* The server has got this request, sooner or later; nobody waits for the answer to the last one. */
static void await_request(const struct net *n, const char *line)
{
    int64_t until = deadline_in(LONG_MS);

    for (bool found = false; !found && deadline_left(until); usleep(10000)) {
        _cleanup_free_ char *text = requests(n);

        found = strstr(text, line) != NULL;
    }
}

Test(usernet, S1_48_taken_back)
{
    int64_t until = deadline_in(LONG_MS);
    struct net n;

    net_up(&n, &well);
    configure(&n, target(&n, 60022));
    usernet_unexpose(n.client);
    usernet_unexpose(n.client);
    /* Until the server has answered this one, too; then there is time to read it. */
    while (usernet_server_over(n.server) < 5 && deadline_left(until))
        run_for(&n, 20);
    for (int i = 0; i < 5; i++)
        run_for(&n, 20);
    usernet_end(n.client);
    await_request(&n, UNEXPOSE);
    expect_requests(&n, LEASES EXPOSE ZONES UNEXPOSE);
    expect_no_log(n.dir, "Failed to remove");
    net_down(&n);
}

/* The machine has ended before anybody had asked for it. */
Test(usernet, S1_48_taken_back_at_once)
{
    struct net n;

    net_up(&n, &well);
    configure(&n, target(&n, 60022));
    usernet_end(n.client);
    await_request(&n, UNEXPOSE);
    expect_requests(&n, LEASES EXPOSE ZONES UNEXPOSE);
    net_down(&n);
}

/* An agent that lets go of its machine leaves the port to the next one. */
Test(usernet, S1_48_left_to_the_next_agent)
{
    struct net n;

    net_up(&n, &well);
    configure(&n, target(&n, 60022));
    usernet_free(n.client);
    n.client = NULL;
    expect_requests(&n, LEASES EXPOSE ZONES);
    net_down(&n);
}

Test(usernet, S1_48_failure_is_a_warning)
{
    struct usernet_orders orders = well;
    int64_t until = deadline_in(LONG_MS);
    struct net n;

    orders.refuse = "/services/forwarder/unexpose";
    net_up(&n, &orders);
    configure(&n, target(&n, 60022));
    usernet_unexpose(n.client);
    for (bool told = false; !told && deadline_left(until); run_for(&n, 20)) {
        _cleanup_free_ char *log = captured_log(n.dir);

        told = strstr(log, "Failed to remove SSH binding") != NULL;
    }
    expect_log(n.dir, "Failed to remove SSH binding for port 60022");
    net_down(&n);
}

/* A daemon that hangs holds nobody up. */
Test(usernet, S1_48_mute_daemon)
{
    struct usernet_orders orders = well;
    struct net n;

    orders.mute = "/services/forwarder/unexpose";
    net_up(&n, &orders);
    configure(&n, target(&n, 60022));
    usernet_unexpose(n.client);
    usernet_end(n.client);
    expect_log(n.dir, "Failed to remove SSH binding for port 60022");
    net_down(&n);
}

/* ---- names ----------------------------------------------------------------------------------- */

Test(usernet, S1_41_zones)
{
    char *names[] = {"alias.test", "one.test", "plain", "loop.a", "loop.b", "six.test", "gone"};
    char *values[] = {"one.test", "10.0.0.1", "10.0.0.2", "loop.b", "loop.a", "fd00::1", "nowhere"};
    struct usernet_zone_host hosts[ARRAY_SIZE(names)];

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        hosts[i] = (struct usernet_zone_host){names[i], values[i]};
    _cleanup_json_ struct json *zones = usernet_zones(hosts, ARRAY_SIZE(hosts));
    _cleanup_free_ char *text = json_dump(zones);
    cr_assert_str_eq(
        text, "[{\"Name\":\"test.\",\"Records\":[{\"Name\":\"alias\",\"IP\":\"10.0.0.1\"},"
              "{\"Name\":\"one\",\"IP\":\"10.0.0.1\"},{\"Name\":\"six\",\"IP\":\"fd00::1\"}]},"
              "{\"Name\":\"plain\",\"Records\":[],\"DefaultIP\":\"10.0.0.2\"}]");
}

/* ---- the target of a configuration ----------------------------------------------------------- */

Test(usernet, S1_41_target)
{
    struct fixture f;
    struct usernet_target *t;

    set_up(&f, "", "run");
    cr_assert_null(usernet_target_of(&f.ctx, 1));
    tear_down(&f);
    set_up(&f,
           "networks: [{lima: user-v2, macAddress: \"" MAC "\"}]\n"
           "hostResolver: {hosts: {a.test: 10.0.0.1}}",
           "run");
    setenv("LIMA_USERNET_RESOLVE_IP_ADDRESS_TIMEOUT", "7", 1);
    t = usernet_target_of(&f.ctx, 4022);
    cr_assert(t);
    cr_assert_str_eq(t->network, "user-v2");
    _cleanup_free_ char *endpoint = xasprintf("%s/_networks/user-v2/user-v2_ep.sock", f.dir);
    cr_assert_str_eq(t->endpoint, endpoint);
    cr_assert_str_eq(t->gateway, "192.168.104.2");
    cr_assert_str_eq(t->hostname, "lima-i");
    cr_assert_eq(t->patience_ms, 7 * 60000);
    cr_assert(strv_contains(&t->macs, MAC));
    cr_assert_eq(t->macs.n, 2);
    cr_assert_str_eq(t->hosts[0].name, "a.test");
    usernet_target_free(t);
    /* networks.yaml says where the network is */
    _cleanup_free_ char *config = path_join(f.dir, "_config");
    cr_assert_eq(mkdir(config, 0700), 0);
    write_file(config, "networks.yaml",
               "networks:\n  user-v2:\n    mode: user-v2\n    gateway: 10.9.8.1\n"
               "    netmask: 255.255.255.0\n",
               0600);
    setenv("LIMA_USERNET_RESOLVE_IP_ADDRESS_TIMEOUT", "soon", 1);
    t = usernet_target_of(&f.ctx, 4022);
    cr_assert_str_eq(t->gateway, "10.9.8.2");
    cr_assert_eq(t->patience_ms, 2 * 60000);
    usernet_target_free(t);
    tear_down(&f);
}

/* The daemon comes with a later version: its absence is told before anything is started. */
Test(usernet, S1_41_no_daemon)
{
    struct fixture f;
    struct usernet_target *t;
    _cleanup_err_ struct err err = ERR_INIT;

    set_up(&f, "networks: [{lima: user-v2}]", "run");
    t = usernet_target_of(&f.ctx, 4022);
    cr_assert_eq(usernet_target_check(t, &err), -1);
    _cleanup_free_ char *text = err_text(&err);
    cr_assert(strstr(text, "network 'user-v2': its daemon does not answer"), "%s", text);
    cr_assert(strstr(text, "take the network out of `networks`"), "%s", text);
    usernet_target_free(t);
    tear_down(&f);
}
