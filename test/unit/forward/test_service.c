/* SPDX-License-Identifier: Apache-2.0 */
/* The service against an ssh that only says yes or no. */
#include "../ssh/fixture.h"
#include "base/fs.h"
#include "forward/forward_service.h"
#include "rules_fixture.h"
#include "ssh/ssh.h"
#include "sys/sock.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

static struct fixture f;
static struct config_port_forward rules[8];
static char ports[8][8];
static int reserved[8];
static unsigned n_reserved;

static void setup(void)
{
    fixture_setup(&f);
    fixture_use_stub(&f, "ssh-mux");
    memset(rules, 0, sizeof(rules));
    f.cfg.port_forwards = rules;
}

static void teardown(void)
{
    while (n_reserved)
        close(reserved[--n_reserved]);
    fixture_teardown(&f);
}

TestSuite(forward, .init = setup, .fini = teardown, .timeout = 600);

/* A port that nobody else gets: it is reserved as long as the test lasts, and who sets SO_REUSEADDR,
 * as ssh does, may listen there. */
static uint16_t free_port(void)
{
    uint16_t port;
    struct err err = ERR_INIT;
    int fd = tcp_reserve_port(&port, &err);

    cr_assert_geq(fd, 0);
    cr_assert_lt(n_reserved, ARRAY_SIZE(reserved));
    reserved[n_reserved++] = fd;
    return port;
}

static struct config_port_forward *add(const char *guest, uint16_t host)
{
    unsigned n = f.cfg.port_forwards_count++;

    snprintf(ports[n], sizeof(ports[n]), "%u", host);
    rule_ports(&rules[n], guest, guest, ports[n], ports[n]);
    return &rules[n];
}

static void start(void)
{
    fixture_start(&f, &forward_service);
    f.svc->type->event(f.svc, GUEST_LINK_UP);
}

/* What of the notes begins with this; NULL when none does. */
static const char *note(const char *type)
{
    for (size_t i = 0; i < f.forwards.n; i++)
        if (str_starts(f.forwards.v[i], type) && f.forwards.v[i][strlen(type)] == ' ')
            return f.forwards.v[i];
    return NULL;
}

static unsigned notes(const char *type)
{
    unsigned n = 0;

    for (size_t i = 0; i < f.forwards.n; i++)
        n += str_starts(f.forwards.v[i], type) && f.forwards.v[i][strlen(type)] == ' ';
    return n;
}

static bool until_up(struct fixture *fx)
{
    (void)fx;
    return note("forwarding") != NULL;
}

static bool until_two_up(struct fixture *fx)
{
    (void)fx;
    return notes("forwarding") >= 2;
}

static bool until_failed(struct fixture *fx)
{
    (void)fx;
    return note("failed") != NULL;
}

static bool until_two_calls(struct fixture *fx)
{
    return fixture_calls(fx, "control", NULL) >= 2;
}

static int listen_on(int family, uint16_t port)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port),
                              .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    int r = family == AF_INET6 ? bind(fd, (struct sockaddr *)&v6, sizeof(v6))
                               : bind(fd, (struct sockaddr *)&v4, sizeof(v4));
    if (fd < 0 || r < 0 || listen(fd, 1) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* ---- the command -------------------------------------------------------------------------------- */

Test(forward, none_no_service)
{
    cr_assert_null(forward_service.create(&f.host));
    add("80", 80)->ignore = TRI_TRUE;
    cr_assert_null(forward_service.create(&f.host));
}

Test(forward, HA_27_one_command_for_all_and_nothing_afterwards)
{
    uint16_t a = free_port(), b = free_port();
    struct ssh_target t;
    _cleanup_strv_ struct strv argv = STRV_INIT;
    struct err err = ERR_INIT;

    add("8080", a)->static_ = TRI_TRUE;
    add("8081", b);
    start();
    cr_assert_eq(f.holds, 1, "the start waits for them");
    fixture_until(&f, until_released);
    cr_assert_eq(notes("forwarding"), 2);
    ssh_target_init(&t, &f.store, &f.inst, &f.cfg, f.host.ssh_port);
    cr_assert_eq(ssh_base_argv(&t, SSH_MASTER_USE, &argv, &err), 0);
    strv_pushl(&argv, "-O", "forward", "-L", NULL);
    strv_pushf(&argv, "127.0.0.1:%u:127.0.0.1:8080", a);
    strv_push(&argv, "-L");
    strv_pushf(&argv, "127.0.0.1:%u:127.0.0.1:8081", b);
    strv_pushl(&argv, "127.0.0.1", "\n", NULL);
    strv_insert(&argv, 0, "");
    _cleanup_free_ char *want = strv_join(&argv, "|");
    _cleanup_free_ char *path = path_join(f.dir, "calls");
    _cleanup_free_ char *calls = file_read(path, 65536, NULL, &err);
    /* Without the name of the program, which the stub does not see as an argument. */
    cr_assert_str_eq(calls, strchr(want + 1, '|') + 1);
    ssh_target_release(&t);
}

Test(forward, HA_14_the_event)
{
    uint16_t port = free_port();
    _cleanup_free_ char *want = xasprintf("forwarding tcp 127.0.0.1:8080 127.0.0.1:%u", port);

    add("8080", port);
    start();
    fixture_until(&f, until_up);
    cr_assert_str_eq(note("forwarding"), want);
}

Test(forward, F24_asked_for_again_with_a_new_master)
{
    add("8080", free_port());
    start();
    fixture_until(&f, until_released);
    cr_assert_eq(fixture_calls(&f, "control", NULL), 1);
    f.svc->type->event(f.svc, GUEST_LINK_DOWN);
    f.svc->type->event(f.svc, GUEST_LINK_UP);
    f.holds = 1;
    f.n_degraded = 0;
    fixture_until(&f, until_two_calls);
    cr_assert_eq(f.n_degraded, 0);
}

Test(forward, no_master_no_waiting)
{
    add("8080", free_port());
    fixture_start(&f, &forward_service);
    cr_assert_eq(f.holds, 1);
    f.svc->type->stage(f.svc, STAGE_BOOT_DONE);
    cr_assert_eq(f.holds, 0);
}

Test(forward, a_master_that_is_lost_in_the_end_is_not_waited_for)
{
    add("8080", free_port());
    start();
    f.svc->type->stage(f.svc, STAGE_BOOT_DONE);
    cr_assert_eq(f.holds, 1);
    f.svc->type->event(f.svc, GUEST_LINK_DOWN);
    cr_assert_eq(f.holds, 0);
}

Test(forward, HA_51_stop_cancels)
{
    add("8080", free_port());
    start();
    fixture_until(&f, until_released);
    f.svc->type->stop(f.svc);
    cr_assert_not_null(note("stopping"));
    fixture_until(&f, until_two_calls);
    _cleanup_free_ char *path = path_join(f.dir, "log");
    _cleanup_free_ char *log = file_read(path, 4096, NULL, NULL);
    cr_assert_str_eq(log, "control forward\ncontrol cancel\n");
}

Test(forward, what_a_killed_agent_has_left_is_cancelled_first)
{
    struct err err = ERR_INIT;
    _cleanup_free_ char *path = path_join(f.dir, "ssh.sock");
    int fd = unix_listen(path, 1, &err);

    add("8080", free_port());
    start();
    fixture_until(&f, until_released);
    _cleanup_free_ char *log_path = path_join(f.dir, "log");
    _cleanup_free_ char *log = file_read(log_path, 4096, NULL, NULL);
    cr_assert_str_eq(log, "control cancel\ncontrol forward\n");
    close(fd);
}

Test(forward, ssh_refuses_one_of_them)
{
    uint16_t a = free_port(), b = free_port();
    _cleanup_free_ char *refused = xasprintf("127.0.0.1:%u:127.0.0.1:8081\n", b);

    add("8080", a);
    add("8081", b);
    fixture_write(&f, "refuse", refused);
    start();
    fixture_until(&f, until_released);
    cr_assert_eq(notes("forwarding"), 1);
    cr_assert(str_ends(note("failed"), "ssh does not forward it: Port forwarding failed"), "%s",
              note("failed"));
    cr_assert_eq(f.n_degraded, 0, "the machine is as good as before");
    /* And it is tried again. */
    fixture_write(&f, "refuse", "");
    fixture_until(&f, until_two_up);
    cr_assert_eq(notes("failed"), 1, "said once");
}

/* ---- the host's side ---------------------------------------------------------------------------- */

Test(forward, F29_a_busy_port_is_told_and_tried_again)
{
    uint16_t port = free_port(), other = free_port();
    int fd = listen_on(AF_INET, port);

    cr_assert_geq(fd, 0);
    add("8080", port);
    add("8081", other);
    start();
    fixture_until(&f, until_released);
    cr_assert_not_null(note("failed"));
    cr_assert(strstr(note("failed"), "another program listens on 127.0.0.1:"), "%s", note("failed"));
    cr_assert_eq(notes("forwarding"), 1, "the other one is not held up");
    close(fd);
    fixture_until(&f, until_two_up);
    cr_assert_eq(notes("failed"), 1, "said once");
}

Test(forward, F29_a_port_that_is_busy_in_ipv6_alone)
{
    uint16_t port = free_port();
    int fd = listen_on(AF_INET6, port);

    if (fd < 0)
        cr_skip_test("this host has no ::1");
    add("8080", port)->host_ip = (char *)"::1";
    start();
    fixture_until(&f, until_failed);
    cr_assert(strstr(note("failed"), "another program listens on [::1]:"), "%s", note("failed"));
    close(fd);
    fixture_until(&f, until_up);
}

Test(forward, F29_the_other_family_does_not_count)
{
    uint16_t port = free_port();
    int fd = listen_on(AF_INET6, port);

    if (fd < 0)
        cr_skip_test("this host has no ::1");
    add("8080", port);
    start();
    fixture_until(&f, until_up); /* with a warning that `localhost` may lead elsewhere */
    cr_assert_null(note("failed"));
    close(fd);
}

Test(forward, F29_an_address_that_the_host_does_not_have)
{
    add("8080", free_port())->host_ip = (char *)"192.0.2.1";
    start();
    fixture_until(&f, until_failed);
    cr_assert(strstr(note("failed"), "the host has no address 192.0.2.1"), "%s", note("failed"));
}

/* Root may do it all: the capability goes, for this process of the test alone. */
static bool drop_bind_privilege(void)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];

    if (syscall(SYS_capget, &head, data))
        return false;
    data[0].effective &= ~(1U << CAP_NET_BIND_SERVICE);
    return syscall(SYS_capset, &head, data) == 0;
}

Test(forward, F29_a_port_below_1024_without_the_right)
{
    _cleanup_free_ char *first =
        file_read("/proc/sys/net/ipv4/ip_unprivileged_port_start", 64, NULL, NULL);

    if (!first || atoi(first) <= 999)
        cr_skip_test("every user may use port 999 here");
    cr_assert(drop_bind_privilege());
    add("8080", 999);
    start();
    fixture_until(&f, until_failed);
    cr_assert(strstr(note("failed"), "ports below 1024 need a privilege"), "%s", note("failed"));
    cr_assert_eq(fixture_calls(&f, "control", NULL), 0, "ssh is not asked in vain");
}

/* ---- sockets ------------------------------------------------------------------------------------ */

static char *add_socket(const char *name)
{
    char *path = path_join(f.dir, name);

    add("8080", 0)->host_socket = path;
    return path;
}

static int bind_socket(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    cr_assert_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    cr_assert_eq(listen(fd, 1), 0);
    return fd;
}

Test(forward, HA_52_the_directory_of_a_socket_is_made)
{
    _cleanup_free_ char *path = add_socket("a/b/h.sock"), *dir = path_dirname(path);
    struct stat st;

    start();
    fixture_until(&f, until_up);
    cr_assert_eq(stat(dir, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0750);
}

Test(forward, F06_a_dead_socket_of_ours_makes_way)
{
    _cleanup_free_ char *path = add_socket("h.sock");

    close(bind_socket(path));
    start();
    fixture_until(&f, until_up);
    cr_assert_neq(access(path, F_OK), 0);
}

Test(forward, S18_a_file_stays)
{
    _cleanup_free_ char *path = add_socket("file");

    fixture_write(&f, "file", "precious");
    start();
    fixture_until(&f, until_failed);
    cr_assert(strstr(note("failed"), "exists and is no socket"), "%s", note("failed"));
    cr_assert_eq(access(path, F_OK), 0);
    f.svc->type->stop(f.svc);
    cr_assert_eq(access(path, F_OK), 0);
}

Test(forward, S18_a_link_to_a_socket_stays)
{
    _cleanup_free_ char *path = add_socket("link"), *target = path_join(f.dir, "h.sock");

    close(bind_socket(target));
    cr_assert_eq(symlink(target, path), 0);
    start();
    fixture_until(&f, until_failed);
    cr_assert_eq(access(path, F_OK), 0);
    cr_assert_eq(access(target, F_OK), 0);
}

Test(forward, S18_a_living_socket_stays_and_is_taken_when_it_is_dead)
{
    _cleanup_free_ char *path = add_socket("h.sock");
    int fd = bind_socket(path);

    start();
    fixture_until(&f, until_failed);
    cr_assert(strstr(note("failed"), "somebody listens on the socket"), "%s", note("failed"));
    cr_assert_eq(access(path, F_OK), 0);
    close(fd);
    fixture_until(&f, until_up);
}

Test(forward, HA_52_reverse_clears_a_dead_socket_in_the_guest)
{
    _cleanup_free_ char *guest = path_join(f.dir, "it's g.sock"), *host = path_join(f.dir, "h.sock");
    struct config_port_forward *p = add("8080", 0);

    p->guest_socket = guest;
    p->host_socket = host;
    p->reverse = TRI_TRUE;
    close(bind_socket(guest));
    start();
    fixture_until(&f, until_up);
    cr_assert_neq(access(guest, F_OK), 0);
    _cleanup_free_ char *want = xasprintf("|-R|%s:%s|", guest, host);
    _cleanup_free_ char *path = path_join(f.dir, "calls");
    _cleanup_free_ char *calls = file_read(path, 65536, NULL, NULL);
    cr_assert(strstr(calls, want), "%s", calls);
}

Test(forward, S18_reverse_leaves_a_file_of_the_guest)
{
    _cleanup_free_ char *guest = path_join(f.dir, "file"), *host = path_join(f.dir, "h.sock");
    struct config_port_forward *p = add("8080", 0);

    p->guest_socket = guest;
    p->host_socket = host;
    p->reverse = TRI_TRUE;
    fixture_write(&f, "file", "precious");
    start();
    fixture_until(&f, until_up); /* sshd would refuse; this ssh is no judge of that */
    cr_assert_eq(access(guest, F_OK), 0);
}
