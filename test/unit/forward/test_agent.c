/* SPDX-License-Identifier: Apache-2.0 */
#include "../ssh/fixture.h"
#include "base/fs.h"
#include "base/mem.h"
#include "forward/agent_service.h"
#include <criterion/criterion.h>

static struct fixture f;

static void setup(void)
{
    fixture_setup(&f);
    fixture_use_stub(&f, "ssh-mux");
    setenv("SSH_AUTH_SOCK", "/tmp/agent.of.the.test", 1);
    f.cfg.ssh.forward_agent = TRI_TRUE;
    _cleanup_free_ char *bin = path_join(f.dir, "bin"), *sudo = path_join(f.dir, "bin/sudo");
    struct err err = ERR_INIT;
    /* What would be done as root in the guest is written down. */
    static const char text[] = "#!/bin/sh\necho \"sudo $*\" >>\"$SSH_STUB_DIR/log\"\n";
    cr_assert_eq(dir_make(bin, 0700, &err), 0);
    cr_assert_eq(file_write_atomic(sudo, text, strlen(text), 0700, &err), 0);
}

static void teardown(void)
{
    fixture_teardown(&f);
}

TestSuite(ssh_agent, .init = setup, .fini = teardown, .timeout = 600);

static bool until_linked(struct fixture *fx)
{
    return fixture_calls(fx, "sudo", NULL) >= 2;
}

static bool until_linked_again(struct fixture *fx)
{
    return fixture_calls(fx, "sudo", NULL) >= 4;
}

Test(ssh_agent, HA_24_linked_and_again_with_each_master)
{
    fixture_start(&f, &ssh_agent_service);
    f.svc->type->event(f.svc, GUEST_BOOTED);
    fixture_until(&f, until_linked);
    _cleanup_free_ char *path = path_join(f.dir, "log"), *log = file_read(path, 4096, NULL, NULL);
    cr_assert(strstr(log, "sudo -n ln -sfn /tmp/agent.of.the.test "
                          "/run/host-services/ssh-auth.sock\n"), "%s", log);
    f.svc->type->event(f.svc, GUEST_LINK_DOWN);
    f.svc->type->event(f.svc, GUEST_BOOTED);
    fixture_until(&f, until_linked_again);
}

Test(ssh_agent, HA_24_not_when_it_can_not_be)
{
    f.cfg.plain = TRI_TRUE;
    cr_assert_null(ssh_agent_service.create(&f.host));
    f.cfg.plain = TRI_FALSE;
    unsetenv("SSH_AUTH_SOCK");
    cr_assert_null(ssh_agent_service.create(&f.host));
    setenv("SSH_AUTH_SOCK", "/x", 1);
    f.cfg.ssh.forward_agent = TRI_FALSE;
    cr_assert_null(ssh_agent_service.create(&f.host));
}
