/* SPDX-License-Identifier: Apache-2.0 */
/* The service with an ssh that runs the guest's part here, where sshfs, stat and fusermount are
 * fakes. */
#include "../ssh/fixture.h"
#include "base/fs.h"
#include "base/mem.h"
#include "mount/mount_service.h"
#include "sys/spawn.h"
#include <criterion/criterion.h>
#include <signal.h>

static struct fixture f;
static struct config_mount mounts[4];
static struct host_facts facts;
static char *points[4], *locations[4];

static void link_tool(const char *name)
{
    _cleanup_free_ char *tool = xasprintf("%s/test/fake/guest-tool", getenv("srcdir"));
    _cleanup_free_ char *absolute = realpath(tool, NULL), *file = xasprintf("bin/%s", name);
    _cleanup_free_ char *path = path_join(f.dir, file);

    cr_assert_eq(symlink(absolute, path), 0);
}

static void setup(void)
{
    static const char *const tools[] = {"sshfs", "stat", "fusermount3", "fusermount", "sudo",
                                        "modprobe", "sftp-server"};
    struct err err = ERR_INIT;

    if (!getenv("srcdir"))
        setenv("srcdir", ".", 1);
    fixture_setup(&f);
    fixture_use_stub(&f, "ssh-mux");
    _cleanup_free_ char *bin = path_join(f.dir, "bin");
    _cleanup_free_ char *server = path_join(f.dir, "bin/sftp-server");
    cr_assert_eq(dir_make(bin, 0700, &err), 0);
    for (size_t i = 0; i < ARRAY_SIZE(tools); i++)
        link_tool(tools[i]);
    setenv("CIMA_SFTP_SERVER", server, 1);
    facts.home = f.dir;
    f.host.facts = &facts;
    memset(mounts, 0, sizeof(mounts));
    f.cfg.mounts = mounts;
    f.cfg.mount_type = (char *)"reverse-sshfs";
}

static void teardown(void)
{
    fixture_teardown(&f);
    for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
        free(points[i]);
        free(locations[i]);
    }
}

TestSuite(mount, .init = setup, .fini = teardown, .timeout = 600);

/* Names below the scratch directory. */
static struct config_mount *add(const char *location, const char *point)
{
    unsigned n = f.cfg.mounts_count++;

    locations[n] = path_join(f.dir, location);
    points[n] = path_join(f.dir, point);
    mounts[n].location = locations[n];
    mounts[n].mount_point = points[n];
    return &mounts[n];
}

static void start(void)
{
    fixture_start(&f, &mount_service);
    cr_assert_eq(f.holds, 1, "the start waits for mounts");
    f.svc->type->event(f.svc, GUEST_BOOTED);
}

/* The n-th line of the log that begins with the word. Caller frees; NULL when there is none. */
static char *logged(const char *word, unsigned n)
{
    _cleanup_free_ char *path = path_join(f.dir, "log"), *text = file_read(path, 65536, NULL, NULL);

    for (char *p = text; p && *p; p += strcspn(p, "\n"), p += *p == '\n')
        if (str_starts(p, word) && p[strlen(word)] == ' ' && n-- == 0)
            return xstrndup(p, strcspn(p, "\n"));
    return NULL;
}

static unsigned tries(void)
{
    return fixture_calls(&f, "sshfs", NULL);
}

static unsigned tries_wanted;

static bool until_tried(struct fixture *fx)
{
    (void)fx;
    return tries() >= tries_wanted;
}

static void wait_for_tries(unsigned n)
{
    tries_wanted = n;
    fixture_until(&f, until_tried);
}

static bool until_unmounted(struct fixture *fx)
{
    return fixture_calls(fx, "unmount", NULL) >= 1;
}

static bool until_two_scripts(struct fixture *fx)
{
    return fixture_calls(fx, "script", NULL) >= 2;
}

/* What sshfs was called with, without its pid. */
static void assert_sshfs(unsigned n, const char *location, const char *point, const char *options)
{
    _cleanup_free_ char *line = logged("sshfs", n);
    _cleanup_free_ char *want = xasprintf(" :%s|%s|%s", location, point, options);

    cr_assert_not_null(line);
    cr_assert_str_eq(strchr(line + strlen("sshfs "), ' '), want);
}

Test(mount, none_no_service)
{
    cr_assert_null(mount_service.create(&f.host));
    add("src", "dst");
    f.cfg.mount_type = (char *)"virtiofs";
    cr_assert_null(mount_service.create(&f.host));
    f.cfg.mount_type = (char *)"reverse-sshfs";
    f.cfg.plain = TRI_TRUE;
    cr_assert_null(mount_service.create(&f.host));
}

/* ---- what is run -------------------------------------------------------------------------------- */

Test(mount, HA_70_read_only)
{
    add("src", "dst");
    start();
    fixture_until(&f, until_released);
    cr_assert_eq(f.n_degraded, 0, "%s", f.degraded.msg);
    assert_sshfs(0, locations[0], points[0], "slave,ro,allow_other");
    _cleanup_free_ char *server = logged("server", 0);
    cr_assert_str_eq(server, "server -e -R");
}

Test(mount, HA_70_writable_and_all_fields)
{
    struct config_mount *m = add("src", "dst");

    m->writable = TRI_TRUE;
    m->sshfs.cache = TRI_FALSE;
    m->sshfs.follow_symlinks = TRI_TRUE;
    m->sshfs.sftp_driver = (char *)"builtin";
    start();
    fixture_until(&f, until_released);
    assert_sshfs(0, locations[0], points[0], "slave,allow_other,cache=no,follow_symlinks");
    _cleanup_free_ char *server = logged("server", 0);
    cr_assert_str_eq(server, "server -e");
}

Test(mount, S09_S11_every_character_of_a_path)
{
    static const char odd[] = "it's \"a\" $(touch x) `touch y` ; \\ * ? # %s\t|&\n-o x";

    add(odd, odd)->location = NULL;
    locations[0] = (free(locations[0]), xasprintf("%s/src %s", f.dir, odd));
    mounts[0].location = locations[0];
    start();
    fixture_until(&f, until_released);
    cr_assert_eq(f.n_degraded, 0, "%s", f.degraded.msg);
    cr_assert(path_exists(points[0]));
    cr_assert(path_exists(locations[0]));
    cr_assert_eq(tries(), 1);
}

Test(mount, F45_a_missing_source_is_made)
{
    add("deep/er", "dst");
    start();
    fixture_until(&f, until_released);
    cr_assert(path_exists(locations[0]));
}

/* ---- what goes wrong ---------------------------------------------------------------------------- */

Test(mount, F45_a_bad_source_is_named_and_the_others_go_on)
{
    add("file", "one");
    add("loop", "two");
    add("good", "three");
    fixture_write(&f, "file", "");
    cr_assert_eq(symlink("loop", locations[1]), 0);
    start();
    fixture_until(&f, until_released);
    cr_assert_eq(f.n_degraded, 2);
    _cleanup_free_ char *text = err_message(&f.degraded);
    cr_assert(strstr(text, "failed to mount reverse sshfs for `"), "%s", text);
    cr_assert(strstr(text, "/file' is no directory"), "%s", text);
    assert_sshfs(0, locations[2], points[2], "slave,ro,allow_other");
}

Test(mount, F45_a_loop_of_links)
{
    add("loop", "dst");
    cr_assert_eq(symlink("loop", locations[0]), 0);
    start();
    fixture_until(&f, until_released);
    _cleanup_free_ char *text = err_message(&f.degraded);
    cr_assert(strstr(text, "too many levels of symbolic links"), "%s", text);
}

Test(mount, HA_70_the_second_try_keeps_the_options)
{
    add("src", "dst")->sshfs.cache = TRI_FALSE;
    fixture_write(&f, "sshfs", "nonempty\n");
    start();
    fixture_until(&f, until_released);
    cr_assert_eq(f.n_degraded, 0, "%s", f.degraded.msg);
    assert_sshfs(0, locations[0], points[0], "slave,ro,allow_other,cache=no");
    assert_sshfs(1, locations[0], points[0], "slave,ro,allow_other,cache=no,nonempty");
}

Test(mount, HA_70_then_it_is_degraded)
{
    add("src", "dst");
    fixture_write(&f, "sshfs", "fail\n");
    start();
    fixture_until(&f, until_released);
    cr_assert_eq(f.n_degraded, 1);
    cr_assert_eq(tries(), 2);
    _cleanup_free_ char *want =
        xasprintf("failed to mount reverse sshfs for `%s` on `%s`: fuse: something is wrong",
                  locations[0], points[0]);
    cr_assert_str_eq(f.degraded.msg, want);
}

Test(mount, a_guest_without_sshfs)
{
    _cleanup_free_ char *path = path_join(f.dir, "bin/sshfs");
    char *found = find_program("sshfs");

    if (found) {
        free(found);
        cr_skip_test("this host has sshfs in $PATH");
    }
    add("src", "dst");
    cr_assert_eq(unlink(path), 0);
    start();
    fixture_until(&f, until_released);
    cr_assert(strstr(f.degraded.msg, "the guest has no program 'sshfs'"), "%s", f.degraded.msg);
    cr_assert(strstr(f.degraded.hint, "install sshfs in the guest"), "%s", f.degraded.hint);
}

Test(mount, a_host_without_sftp_server)
{
    setenv("CIMA_SFTP_SERVER", "/nowhere/sftp-server", 1);
    add("src", "dst");
    start();
    fixture_until(&f, until_released);
    _cleanup_free_ char *text = err_message(&f.degraded);
    cr_assert(strstr(text, "the host has no sftp-server at /nowhere/sftp-server"), "%s", text);
    cr_assert(strstr(f.degraded.hint, "openssh-sftp-server"), "%s", f.degraded.hint);
    cr_assert_eq(tries(), 0);
}

Test(mount, a_master_that_is_lost_in_the_end_is_not_waited_for)
{
    add("src", "dst");
    start();
    f.svc->type->stage(f.svc, STAGE_BOOT_DONE);
    cr_assert_eq(f.holds, 1);
    f.svc->type->event(f.svc, GUEST_LINK_DOWN);
    cr_assert_eq(f.holds, 0);
}

Test(mount, no_boot_no_waiting)
{
    add("src", "dst");
    fixture_start(&f, &mount_service);
    f.svc->type->stage(f.svc, STAGE_BOOT_DONE);
    cr_assert_eq(f.holds, 0);
}

/* ---- lost and made again ------------------------------------------------------------------------ */

Test(mount, F24_a_lost_mount_is_made_again)
{
    int pid = 0;

    add("src", "dst");
    start();
    fixture_until(&f, until_released);
    cr_assert_eq(fixture_calls(&f, "sshfs", &pid), 1);
    cr_assert_eq(kill(pid, SIGKILL), 0);
    wait_for_tries(2);
    cr_assert_eq(f.n_degraded, 0, "%s", f.degraded.msg);
}

/* What has been there is not given up: twice two tries fail. */
Test(mount, F24_a_lost_mount_is_not_given_up)
{
    int pid = 0;

    add("src", "dst");
    fixture_write(&f, "sshfs", "ok\nfail\nfail\nfail\nfail\nok\n");
    start();
    fixture_until(&f, until_released);
    fixture_calls(&f, "sshfs", &pid);
    kill(pid, SIGKILL);
    wait_for_tries(6);
    cr_assert_eq(f.n_degraded, 0, "%s", f.degraded.msg);
    assert_sshfs(2, locations[0], points[0], "slave,ro,allow_other,nonempty");
    assert_sshfs(5, locations[0], points[0], "slave,ro,allow_other");
}

Test(mount, F24_not_before_there_is_a_master)
{
    int pid = 0;

    add("src", "dst");
    start();
    fixture_until(&f, until_released);
    fixture_calls(&f, "sshfs", &pid);
    f.svc->type->event(f.svc, GUEST_LINK_DOWN);
    kill(pid, SIGKILL);
    /* Time for a try that should not come; it proves nothing on a slow machine, and fails on none. */
    fixture_sleep(&f, 1500);
    cr_assert_eq(tries(), 1);
    f.svc->type->event(f.svc, GUEST_BOOTED);
    wait_for_tries(2);
}

Test(mount, a_reboot_of_the_guest)
{
    add("src", "dst");
    start();
    fixture_until(&f, until_released);
    f.svc->type->event(f.svc, GUEST_RESET);
    f.svc->type->event(f.svc, GUEST_BOOTED);
    wait_for_tries(2);
    cr_assert_eq(f.n_degraded, 0, "%s", f.degraded.msg);
}

Test(mount, a_mount_in_a_mount_comes_after_it_and_with_it)
{
    int outer = 0;

    add("src", "dst/inner");
    add("src2", "dst");
    start();
    fixture_until(&f, until_released);
    cr_assert_eq(f.n_degraded, 0, "%s", f.degraded.msg);
    assert_sshfs(0, locations[1], points[1], "slave,ro,allow_other");
    assert_sshfs(1, locations[0], points[0], "slave,ro,allow_other");
    _cleanup_free_ char *first = logged("sshfs", 0);
    outer = atoi(first + strlen("sshfs "));
    kill(outer, SIGKILL);
    wait_for_tries(4);
    assert_sshfs(2, locations[1], points[1], "slave,ro,allow_other");
    assert_sshfs(3, locations[0], points[0], "slave,ro,allow_other");
}

/* It has failed, perhaps because of the one around it: that one is new, and it has another chance. */
Test(mount, a_failed_mount_in_a_lost_one)
{
    int outer = 0;

    add("src", "dst");
    add("src2", "dst/inner");
    fixture_write(&f, "sshfs", "ok\nfail\nfail\nok\n");
    start();
    fixture_until(&f, until_released);
    cr_assert_eq(f.n_degraded, 1);
    _cleanup_free_ char *first = logged("sshfs", 0);
    outer = atoi(first + strlen("sshfs "));
    kill(outer, SIGKILL);
    wait_for_tries(5);
    assert_sshfs(3, locations[0], points[0], "slave,ro,allow_other");
    assert_sshfs(4, locations[1], points[1], "slave,ro,allow_other");
}

Test(mount, HA_70_stop_unmounts)
{
    add("src", "dst");
    start();
    fixture_until(&f, until_released);
    f.svc->type->stop(f.svc);
    fixture_until(&f, until_unmounted);
    _cleanup_free_ char *line = logged("unmount", 0), *want = xasprintf("unmount %s", points[0]);
    cr_assert_str_eq(line, want);
}

/* ---- 9p ----------------------------------------------------------------------------------------- */

Test(mount, F43_no_9p_in_the_kernel)
{
    add("src", "dst");
    f.cfg.mount_type = (char *)"9p";
    start();
    fixture_until(&f, until_released);
    cr_assert_eq(fixture_calls(&f, "script", NULL), 1);
    cr_assert_eq(f.n_degraded, 0, "%s", f.degraded.msg);
    assert_sshfs(0, locations[0], points[0], "slave,ro,allow_other");
    /* Known from now on, until the guest boots again. */
    f.svc->type->event(f.svc, GUEST_RESET);
    f.svc->type->event(f.svc, GUEST_BOOTED);
    fixture_until(&f, until_two_scripts);
    wait_for_tries(2);
}

Test(mount, HA_71_9p_is_there)
{
    add("src", "dst");
    f.cfg.mount_type = (char *)"9p";
    /* The fake of stat looks for a mark, and says what file system it is. */
    setenv("FAKE_FS", "1021997", 1);
    _cleanup_free_ char *mark = xasprintf("mounted/%s", points[0]);
    for (char *p = mark + strlen("mounted/"); *p; p++)
        if (*p == '/')
            *p = '_';
    _cleanup_free_ char *dir = path_join(f.dir, "mounted");
    cr_assert_eq(mkdir(dir, 0700), 0);
    fixture_write(&f, mark, "");
    start();
    fixture_until(&f, until_released);
    cr_assert_eq(tries(), 0);
    cr_assert_eq(f.n_degraded, 0, "%s", f.degraded.msg);
    unsetenv("FAKE_FS");
}

Test(mount, HA_71_9p_in_the_kernel_and_not_mounted)
{
    add("src", "dst");
    f.cfg.mount_type = (char *)"9p";
    fixture_write(&f, "modules", ""); /* modprobe 9p succeeds */
    start();
    fixture_until(&f, until_released);
    cr_assert_eq(tries(), 0);
    cr_assert_eq(f.n_degraded, 1);
    cr_assert(strstr(f.degraded.msg, "the guest has not mounted it"), "%s", f.degraded.msg);
}

Test(mount, F43_neither_9p_nor_sshfs)
{
    _cleanup_free_ char *path = path_join(f.dir, "bin/sshfs");
    char *found = find_program("sshfs");

    if (found) {
        free(found);
        cr_skip_test("this host has sshfs in $PATH");
    }
    add("src", "dst");
    f.cfg.mount_type = (char *)"9p";
    cr_assert_eq(unlink(path), 0);
    start();
    fixture_until(&f, until_released);
    cr_assert_eq(f.n_degraded, 1);
    cr_assert(strstr(f.degraded.msg, "the guest has no program 'sshfs'"), "%s", f.degraded.msg);
}
