/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"
#include "base/fs.h"
#include "base/mem.h"
#include "ssh/probes.h"
#include "ssh/requirements.h"
#include "sys/spawn.h"
#include <criterion/criterion.h>
#include <fcntl.h>

static struct fixture f;
static struct config_probe probes[2];

static void setup(void)
{
    fixture_setup(&f);
    memset(probes, 0, sizeof(probes));
    f.cfg.probes = probes;
    f.cfg.probes_count = 1;
}

static void teardown(void)
{
    fixture_teardown(&f);
}

TestSuite(probes, .init = setup, .fini = teardown, .timeout = 600);

Test(probes, none_no_service)
{
    f.cfg.probes_count = 0;
    cr_assert_null(probe_service.create(&f.host));
}

Test(probes, HA_29_the_start_is_held_until_all_succeed)
{
    f.cfg.probes_count = 2;
    probes[0].script = "#!/bin/sh\ntest -e /run/one";
    probes[1].script = "#!/bin/bash\n[[ -e /run/two ]]\n";
    fixture_start(&f, &probe_service);
    cr_assert_eq(f.holds, 1);
    fixture_write(&f, "guest/run/one", "");
    fixture_write(&f, "guest/run/two", "");
    fixture_until(&f, until_released);
    cr_assert_eq(f.n_degraded, 0);
    /* Through the master; a try before the files were there may have come on top. */
    cr_assert_geq(fixture_calls(&f, "use", NULL), 2);
}

static bool until_three_tries(struct fixture *fx)
{
    return fixture_calls(fx, "use", NULL) >= 3;
}

Test(probes, tried_until_it_succeeds)
{
    probes[0].script = "#!/bin/sh\ntest -e /run/late\n";
    fixture_start(&f, &probe_service);
    fixture_until(&f, until_three_tries);
    cr_assert_eq(f.holds, 1);
    fixture_write(&f, "guest/run/late", "");
    fixture_until(&f, until_released);
    cr_assert_eq(f.n_degraded, 0);
}

Test(probes, HA_29_failure_has_description_and_hint)
{
    /* On a busy machine not even the first try ends within the time: then once more, with more. */
    for (int64_t patience = 2500; patience < 200000; patience *= 4) {
        probes[0].script = "#!/bin/sh\necho it is not there >&2\nexit 3\n";
        probes[0].description = "k3s is up";
        probes[0].hint = "see /var/log/k3s.log";
        f.host.patience_ms = patience;
        fixture_start(&f, &probe_service);
        fixture_until(&f, until_released);
        cr_assert_eq(f.n_degraded, 1);
        if (!strstr(f.degraded.msg, "it does not end"))
            break;
        teardown();
        setup();
    }
    cr_assert(strstr(f.degraded.msg, "probe 'k3s is up'"), "%s", f.degraded.msg);
    cr_assert(strstr(f.degraded.msg, "exit status 3"), "%s", f.degraded.msg);
    cr_assert_str_eq(f.degraded.hint, "see /var/log/k3s.log");
    cr_assert_str_eq(f.degraded.detail, "it is not there");
}

Test(probes, a_hanging_one_is_ended)
{
    probes[0].script = "#!/bin/sh\nsleep 600\n";
    f.host.patience_ms = 500;
    fixture_start(&f, &probe_service);
    fixture_until(&f, until_released);
    cr_assert_eq(f.n_degraded, 1);
    cr_assert(strstr(f.degraded.msg, "it does not end"), "%s", f.degraded.msg);
}

/* The time is over while nothing runs: the last try has an end, too. */
Test(probes, a_last_try_that_hangs_is_ended)
{
    probes[0].script = "#!/bin/sh\n[ -e /run/tried ] && sleep 600\n: >/run/tried\nexit 3\n";
    f.host.patience_ms = 150;
    fixture_start(&f, &probe_service);
    fixture_until(&f, until_released);
    cr_assert_eq(f.n_degraded, 1);
}

Test(probes, once_only_when_something_has_failed_already)
{
    probes[0].script = "#!/bin/sh\nexit 1\n";
    f.host.troubled = true;
    fixture_start(&f, &probe_service);
    fixture_until(&f, until_released);
    cr_assert_eq(fixture_calls(&f, "use", NULL), 1);
}

Test(probes, HA_22_parameters_are_exported)
{
    fixture_write(&f, "guest/mnt/lima-cidata/param.env",
                  "PARAM_a=hello  there $HOME `x` 'q'\nnonsense\n\nPARAM_b=2\n");
    probes[0].script = "#!/bin/sh\ntest \"$PARAM_a\" = 'hello  there $HOME `x` '\"'q'\" && "
                       "test \"$PARAM_b\" = 2\n";
    fixture_start(&f, &probe_service);
    fixture_until(&f, until_released);
    cr_assert_eq(f.n_degraded, 0, "%s", f.degraded.msg);
}

/* The wrapper with a script, run by a local shell. */
static int run_script(const char *script)
{
    _cleanup_free_ char *text = remote_user_script(script, "CIMA_END");
    _cleanup_run_result_ struct run_result r = {0};
    const char *const argv[] = {"sh", "-s", NULL};
    struct spawn s = SPAWN_INIT;
    struct err err = ERR_INIT;

    s.argv = argv;
    s.flags = SPAWN_SEARCH_PATH;
    cr_assert_eq(run_capture(&s, text, 4096, 240000, &r, &err), 0, "%s", err.msg);
    return wait_status_exit_code(r.status);
}

/* The outer shell is gone after a second; the inner one must see it, or its output stays open. */
Test(wait_script, ends_with_the_connection)
{
    char path[] = "/tmp/cima-wait.XXXXXX";
    _cleanup_free_ char *script = remote_login_script("an-id-that-never-comes", false);
    _cleanup_close_ int fd = mkostemp(path, O_CLOEXEC);
    const char *const argv[] = {"sh", "-c", "sh -s <\"$0\" & sleep 1", path, NULL};
    _cleanup_run_result_ struct run_result r = {0};
    struct spawn s = SPAWN_INIT;
    struct err err = ERR_INIT;

    cr_assert_eq(fd_write_all(fd, script, strlen(script)), 0);
    s.argv = argv;
    s.flags = SPAWN_SEARCH_PATH;
    cr_assert_eq(run_capture(&s, NULL, 4096, 240000, &r, &err), 0, "%s", err.msg);
    unlink(path);
}

Test(user_script, every_interpreter_gets_its_script)
{
    cr_assert_eq(run_script("#!/bin/sh\nexit 4"), 4);
    cr_assert_eq(run_script("exit 5\n"), 5);
    cr_assert_eq(run_script("#!/bin/bash -e\n[[ a == a ]]\nfalse\nexit 9\n"), 1);
    cr_assert_eq(run_script("#! /usr/bin/env bash\nexit \"$((2 + 4))\"\n"), 6);
    cr_assert_eq(run_script("#!\nexit 7\n"), 7);
    /* Nothing in it is expanded on the way. */
    cr_assert_eq(run_script("#!/bin/sh\nx='$(exit 3) `exit 3` \\\\'\n[ ${#x} = 21 ] || exit 8\n"), 0);
}
