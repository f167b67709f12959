/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots, monitor, screen and console of instances in every state. The driver and the agent are
 * fakes; what lives is real. */
#include "fakes.h"
#include "instance/tools.h"
#include "sys/lock.h"
#include "sys/sock.h"
#include <sys/socket.h>

static void expect(const struct err *err, enum err_kind kind, const char *text)
{
    cr_assert_eq(err->kind, kind, "%s", err->msg);
    cr_assert_not_null(strstr(err->msg, text), "'%s' is not in '%s'", text, err->msg);
}

Test(tools, SD_70_tags)
{
    static const char *const good[] = {"a", "before upgrade", "1a", "a-", "é", "a\"b\\c", "2026-01-31"};
    static const char *const bad[] = {"", "-a", "1", "0123", " a", "a ", "a\nb", "\x1b[1m", "\x7f", "\xff",
                                      "a\xc2\x85", "a\xe2\x80\xae"};
    char longest[129];

    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        cr_assert_null(inst_snapshot_tag_problem(good[i]), "%s", good[i]);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        cr_assert_not_null(inst_snapshot_tag_problem(bad[i]), "%s", bad[i]);
    memset(longest, 'x', sizeof(longest));
    longest[128] = '\0';
    cr_assert_not_null(inst_snapshot_tag_problem(longest));
    longest[127] = '\0';
    cr_assert_null(inst_snapshot_tag_problem(longest));
}

Test(tools, SD_70_bad_tags_touch_nothing)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err none = ERR_INIT, number = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    cr_assert_eq(inst_snapshot_create(&w.env, &inst, "", &w.report, &none), -1);
    expect(&none, ERR_USAGE, "expected tag");
    cr_assert_eq(inst_snapshot_create(&w.env, &inst, "12", &w.report, &number), -1);
    expect(&number, ERR_USAGE, "'12' can't be the tag of a snapshot: it is a number");
}

Test(tools, S1_58_stopped_is_done_with_files)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT, twice = ERR_INIT, missing = ERR_INIT, again = ERR_INIT;
    struct driver_snapshots all = DRIVER_SNAPSHOTS_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    cr_assert_eq(inst_snapshot_create(&w.env, &inst, "a", &w.report, &err), 0, "%s", err.msg);
    cr_assert_eq(inst_snapshot_create(&w.env, &inst, "a", &w.report, &twice), -1);
    expect(&twice, ERR_EXISTS, "instance `one` has a snapshot 'a' already");
    cr_assert_eq(inst_snapshot_apply(&w.env, &inst, "b", &w.report, &missing), -1);
    expect(&missing, ERR_NOT_FOUND, "instance `one` has no snapshot 'b'");
    cr_assert_str_eq(missing.hint, "it has 'a'");
    cr_assert_eq(inst_snapshot_apply(&w.env, &inst, "a", &w.report, &err), 0, "%s", err.msg);
    cr_assert_eq(inst_snapshot_list(&w.env, &inst, &all, &err), 0);
    cr_assert_eq(all.n, 1);
    driver_snapshots_release(&all);
    cr_assert_eq(inst_snapshot_delete(&w.env, &inst, "a", &w.report, &err), 0, "%s", err.msg);
    cr_assert_eq(inst_snapshot_delete(&w.env, &inst, "a", &w.report, &again), -1);
    cr_assert_not_null(strstr(again.hint, "it has none"), "%s", again.hint);
    cr_assert_str_eq(fakes.tools_asked, "create files a\napply files a\ndelete files a\n");
}

Test(tools, S1_58_running_is_done_by_the_monitor)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    live_agent(&inst);
    live_machine(&inst);
    cr_assert_eq(inst_snapshot_create(&w.env, &inst, "a", &w.report, &err), 0, "%s", err.msg);
    cr_assert_eq(inst_snapshot_apply(&w.env, &inst, "a", &w.report, &err), 0, "%s", err.msg);
    cr_assert_eq(inst_snapshot_delete(&w.env, &inst, "a", &w.report, &err), 0, "%s", err.msg);
    cr_assert_str_eq(fakes.tools_asked, "create agent a\napply agent a\ndelete agent a\n");
}

Test(tools, S1_58_a_machine_without_an_agent_is_asked_directly)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    live_machine(&inst);
    cr_assert_eq(inst_snapshot_create(&w.env, &inst, "a", &w.report, &err), 0, "%s", err.msg);
    cr_assert_str_eq(fakes.tools_asked, "create direct a\n");
}

Test(tools, S1_58_not_while_another_command_works_on_it)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT, starting = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    live_command(&inst);
    cr_assert_eq(inst_snapshot_create(&w.env, &inst, "a", &w.report, &err), -1);
    cr_assert_eq(err.kind, ERR_BUSY, "%s", err.msg);
    cr_assert_str_eq(fakes.tools_asked, "");
    /* An agent whose machine is not there (yet). */
    live_agent(&inst);
    struct driver_snapshots all = DRIVER_SNAPSHOTS_INIT;
    cr_assert_eq(inst_snapshot_list(&w.env, &inst, &all, &starting), -1);
    expect(&starting, ERR_STATE, "instance `one` is just starting or ending");
}

Test(tools, what_a_stopped_instance_does_not_have)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err monitor = ERR_INIT, line = ERR_INIT, screen = ERR_INIT,
                             console = ERR_INIT;
    _cleanup_sbuf_ struct sbuf picture = SBUF_INIT;
    int fd = -1, lock = -1;

    world_init(&w);
    world_create(&w, "one", &inst);
    cr_assert_eq(inst_monitor(&w.env, &inst, "x", NULL, -1, NULL, &monitor), -1);
    expect(&monitor, ERR_STATE, "instance `one` is not running: it has no monitor");
    cr_assert_str_eq(monitor.hint, "`cima start one` starts it");
    cr_assert_null(inst_monitor_line(&w.env, &inst, "x", &line));
    expect(&line, ERR_STATE, "it has no monitor");
    cr_assert_eq(inst_screenshot(&w.env, &inst, PICTURE_PNG, &picture, &screen), -1);
    expect(&screen, ERR_STATE, "it has no screen");
    cr_assert_eq(inst_console_open(&w.env, &inst, CONSOLE_SERIAL, &fd, &lock, &console), -1);
    expect(&console, ERR_STATE, "it has no console");
}

Test(tools, monitor_of_a_machine_whose_yaml_is_broken_by_now)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_json_ struct json *ret = NULL;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    live_agent(&inst);
    live_machine(&inst);
    _cleanup_free_ char *yaml = instance_path(&inst, INST_LIMA_YAML);
    cr_assert_eq(file_write_unsynced(yaml, "cpus: [", 7, 0600, NULL), 0);
    cr_assert_eq(inst_monitor(&w.env, &inst, "x", NULL, -1, &ret, &err), 0, "%s", err.msg);
    cr_assert_str_eq(json_str(ret), "agent x");
}

Test(tools, an_agent_that_hangs_is_not_waited_for)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    live_agent(&inst);
    live_machine(&inst);
    fakes.info_hangs = true;
    cr_assert_eq(inst_monitor(&w.env, &inst, "x", NULL, -1, NULL, &err), -1);
    expect(&err, ERR_TIMEOUT, "the host agent does not answer");
    cr_assert_str_eq(err.hint, "`cima restart one` replaces the host agent");
}

/* ---- console --------------------------------------------------------------------------------- */

Test(tools, console_one_at_a_time)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT, busy = ERR_INIT, other = ERR_INIT, port = ERR_INIT;
    int fd = -1, lock = -1, fd2 = -1, lock2 = -1;

    world_init(&w);
    world_create(&w, "one", &inst);
    live_agent(&inst);
    live_machine(&inst);
    _cleanup_free_ char *path = instance_path(&inst, INST_SERIAL_SOCK);
    _cleanup_close_ int listener = unix_listen(path, 1, &err);
    cr_assert_geq(listener, 0, "%s", err.msg);
    cr_assert_eq(inst_console_open(&w.env, &inst, CONSOLE_SERIAL, &fd, &lock, &err), 0, "%s",
                 err.msg);
    cr_assert_eq(inst_console_open(&w.env, &inst, CONSOLE_SERIAL, &fd2, &lock2, &busy), -1);
    expect(&busy, ERR_BUSY, "the serial console of instance `one` is in use by another `cima "
                            "console`");
    cr_assert_not_null(strstr(busy.hint, "cima console --log -f one"), "%s", busy.hint);
    close(fd);
    close(lock);
    /* Somebody who does not know the lock, as the machine tells. */
    fakes.console_taken = true;
    cr_assert_eq(inst_console_open(&w.env, &inst, CONSOLE_SERIAL, &fd, &lock, &other), -1);
    expect(&other, ERR_BUSY, "another program is connected to the serial console");
    fakes.console_taken = false;
    cr_assert_eq(inst_console_open(&w.env, &inst, CONSOLE_VIRTIO, &fd, &lock, &port), -1);
    expect(&port, ERR_NOT_FOUND, "instance `one` has no virtio console");
}

/* ---- screen ---------------------------------------------------------------------------------- */

Test(tools, screenshot_asks_again_in_another_way)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_sbuf_ struct sbuf picture = SBUF_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    live_agent(&inst);
    live_machine(&inst);
    cr_assert_eq(inst_screenshot(&w.env, &inst, PICTURE_PNG, &picture, &err), 0, "%s", err.msg);
    cr_assert_str_eq(sbuf_str(&picture), "picture");
    cr_assert_str_eq(fakes.tools_asked, "shot\nshot plain\n");
}
