/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sys/proc.h"
#include <signal.h>

static const struct event adopted[] = {{.stage = STAGE_VM_RUNNING, .ssh_local_port = 60022}};

static struct instance *spawn_for; /* what on_spawn is about */

static void spawn_agent(void)
{
    live_agent(spawn_for);
}

Test(stop, not_running)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    cr_assert_eq(inst_stop(&w.env, &inst, false, &w.report, &err), -1);
    cr_expect_eq(err.kind, ERR_STATE);
    cr_expect_not_null(strstr(err.msg,
                              "expected status `Running`, got `Stopped` (maybe use `cima stop "
                              "-f`?)"));
    /* By force: fine. */
    cr_expect_eq(inst_stop(&w.env, &inst, true, &w.report, NULL), 0);
}

Test(stop, graceful)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    live_machine(&inst);
    live_agent(&inst);
    cr_assert_eq(inst_stop(&w.env, &inst, false, &w.report, NULL), 0);
    cr_expect_eq(fakes.stopped, 1);
    cr_expect_eq(fakes.spawned, 0);
    cr_expect_not_null(strstr(sbuf_str(&w.notes), "The instance one has shut down"));
}

/* F01: stop works gracefully without an agent. */
Test(stop, F01_lost_agent_is_replaced_first)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    live_machine(&inst);
    fakes.on_spawn = spawn_agent;
    spawn_for = &inst;
    fakes.events = adopted;
    fakes.n_events = 1;
    cr_assert_eq(inst_stop(&w.env, &inst, false, &w.report, NULL), 0);
    cr_expect_eq(fakes.spawned, 1);
    cr_expect_eq(fakes.stopped, 1);
}

/* F08: one that hangs as well. */
Test(stop, F08_hanging_agent_is_replaced)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    live_machine(&inst);
    pid_t hanging = live_agent(&inst);
    write_events(&inst, "{\"status\":{\"running\":true}}\n");
    fakes.info_hangs = true;
    fakes.on_spawn = spawn_agent;
    spawn_for = &inst;
    fakes.events = adopted;
    fakes.n_events = 1;
    cr_assert_eq(inst_stop(&w.env, &inst, false, &w.report, NULL), 0);
    cr_expect_not(is_alive(hanging));
    cr_expect_eq(fakes.spawned, 1);
    cr_expect_eq(fakes.stopped, 1);
    cr_expect_not_null(strstr(sbuf_str(&w.notes), "does not respond"));
}

/* One that does not get to run between two signals sees a single one, and is killed like one that
 * hangs: on a busy machine that may have to be tried some times. */
static void expect_asked(bool (*stops)(void))
{
    bool asked = false;

    for (int i = 0; i < 50 && !asked; i++)
        asked = stops();
    cr_expect(asked, "the agent was killed before it was asked");
}

static bool stop_with_a_limit(void)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    pid_t agent = live_slow_agent(&inst);
    fakes.stop_takes_long = true;
    cr_assert_eq(inst_stop_within(&w.env, &inst, 1000, &w.report, &err), 0, "%s", err.msg);
    cr_expect_eq(fakes.stopped, 1);
    cr_expect_not(is_alive(agent));
    _cleanup_free_ char *last_word = path_join(inst.dir, LAST_WORD);
    cr_expect_not_null(strstr(sbuf_str(&w.notes), "warning: The instance one did not shut down within "
                                                  "1 s: its machine is ended by force"),
                       "%s", sbuf_str(&w.notes));
    return path_exists(last_word);
}

/* F20: --timeout bounds the whole stop; the agent is asked again, which means "at once". */
Test(stop, F20_time_limit_uses_force)
{
    expect_asked(stop_with_a_limit);
}

/* F08: an agent that hears nothing is killed with its machine at the limit. */
Test(stop, F08_time_limit_beside_a_stopped_agent)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    pid_t machine = live_machine(&inst), agent = live_slow_agent(&inst);
    fakes.stop_takes_long = true;
    kill(agent, SIGSTOP);
    cr_assert_eq(inst_stop_within(&w.env, &inst, 500, &w.report, &err), 0, "%s", err.msg);
    cr_expect_not(is_alive(agent));
    cr_expect_not(is_alive(machine));
}

static pid_t ends_at_a_tick;

static void end_at_a_tick(void *arg)
{
    (void)arg;
    kill(ends_at_a_tick, SIGKILL);
}

/* Ctrl-C does not end the stop; and who stops once more waits, since an agent that is asked twice
 * kills its machine. */
Test(stop, F20_interrupted_and_waited_for_again)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    pid_t agent = live_slow_agent(&inst);
    fakes.stop_takes_long = true;
    w.interrupt = true;
    cr_assert_eq(inst_stop(&w.env, &inst, false, &w.report, &err), -1);
    cr_expect_eq(err.kind, ERR_INTERRUPTED);
    cr_expect_str_eq(err.msg, "interrupted: instance `one` goes on shutting down");
    cr_expect(is_alive(agent));
    cr_expect_eq(fakes.stopped, 1);
    write_events(&inst, "{\"status\":{\"stage\":\"stopping\"}}\n");
    err_clear(&err);
    w.interrupt = false;
    ends_at_a_tick = agent;
    w.report.tick = end_at_a_tick;
    cr_assert_eq(inst_stop(&w.env, &inst, false, &w.report, &err), 0, "%s", err.msg);
    cr_expect_eq(fakes.stopped, 1, "it was asked twice");
}

/* A start that waits holds the lock; stop ends its machine all the same. */
Test(stop, interrupts_a_start)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    pid_t command = live_command(&inst);
    live_machine(&inst);
    pid_t agent = live_agent(&inst);
    write_events(&inst, "{\"status\":{\"stage\":\"created\"}}\n");
    /* The start ends when its agent does. */
    if (fork() == 0) {
        pidfd_wait(pidfd_open_(agent), -1);
        kill(command, SIGKILL);
        _exit(0);
    }
    cr_assert_eq(inst_stop(&w.env, &inst, false, &w.report, &err), 0, "%s", err.msg);
    cr_expect_eq(fakes.stopped, 1);
}

/* F12: a lock that is held for anything else is respected. */
Test(stop, F12_busy)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    live_command(&inst);
    pid_t machine = live_machine(&inst);
    pid_t agent = live_agent(&inst);
    write_events(&inst, "{\"status\":{\"stage\":\"running\",\"running\":true}}\n");
    cr_assert_eq(inst_stop(&w.env, &inst, false, &w.report, &err), -1);
    cr_expect_eq(err.kind, ERR_BUSY);
    cr_expect(is_alive(machine) && is_alive(agent));
}

Test(stop, force_kills_both)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    pid_t machine = live_machine(&inst), agent = live_agent(&inst);
    cr_assert_eq(inst_stop(&w.env, &inst, true, &w.report, &err), 0, "%s", err.msg);
    cr_expect_not(is_alive(machine));
    cr_expect_not(is_alive(agent));
    cr_expect_eq(fakes.stopped, 0);
    _cleanup_free_ char *pid_file = instance_path(&inst, INST_QEMU_PID);
    cr_expect_not(path_exists(pid_file));
}

static bool stop_a_young_machine(void)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    pid_t agent = live_slow_agent(&inst);
    _cleanup_free_ char *last_word = path_join(inst.dir, LAST_WORD);
    cr_assert_eq(inst_stop(&w.env, &inst, true, &w.report, &err), 0, "%s", err.msg);
    cr_expect_not(is_alive(agent));
    return path_exists(last_word);
}

/* A machine that was spawned a moment ago has no lock yet: its agent is asked to kill it. */
Test(stop, force_lets_the_agent_end_a_young_machine)
{
    expect_asked(stop_a_young_machine);
}

/* F04: a pid file alone is no reason to kill anybody. */
Test(stop, F04_force_spares_strangers)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    _cleanup_instance_ struct instance elsewhere = {.name = xstrdup("x"), .dir = xstrdup(w.dir)};
    pid_t bystander = live_command(&elsewhere);
    _cleanup_free_ char *qemu = instance_path(&inst, INST_QEMU_PID);
    _cleanup_free_ char *text = xasprintf("%d\n", (int)bystander);
    cr_assert_eq(file_write_atomic(qemu, text, strlen(text), 0600, NULL), 0);
    cr_assert_eq(inst_stop(&w.env, &inst, true, &w.report, NULL), 0);
    cr_expect(is_alive(bystander));
}

/* ---- delete ---------------------------------------------------------------------------------- */

static int delete (struct world *w, const char *name, bool force, struct err *err)
{
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;

    if (store_find(&w->store, name, &inst, err) < 0)
        return -1;
    return inst_delete(&w->env, &inst, force, &w->report, err);
}

Test(delete, stopped)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    cr_assert_eq(delete (&w, "one", false, &err), 0, "%s", err.msg);
    _cleanup_free_ char *ls = world_ls(&w);
    cr_expect_str_eq(ls, "");
}

Test(delete, running_needs_force)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    pid_t machine = live_machine(&inst), agent = live_agent(&inst);
    cr_assert_eq(delete (&w, "one", false, &err), -1);
    cr_expect_eq(err.kind, ERR_STATE);
    cr_expect(is_alive(machine) && is_alive(agent));
    cr_assert_eq(delete (&w, "one", true, NULL), 0);
    cr_expect_not(is_alive(machine) || is_alive(agent));
    _cleanup_free_ char *ls = world_ls(&w);
    cr_expect_str_eq(ls, "");
}

/* F10: broken in any way; delete -f works. */
Test(delete, F10_broken_needs_force)
{
    static const char *const contents[] = {NULL, "", "cpus: [\n", "cpus: many\n"};
    _cleanup_world_ struct world w;

    world_init(&w);
    for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
        _cleanup_instance_ struct instance inst = INSTANCE_INIT;
        _cleanup_err_ struct err err = ERR_INIT;

        world_create(&w, "one", &inst);
        _cleanup_free_ char *yaml = instance_path(&inst, INST_LIMA_YAML);
        unlink(yaml);
        if (contents[i])
            cr_assert_eq(file_write_atomic(yaml, contents[i], strlen(contents[i]), 0600, NULL), 0);
        cr_expect_eq(delete (&w, "one", false, &err), -1, "%zu", i);
        cr_expect_not_null(strstr(err.hint, "cima delete -f one"));
        err_clear(&err);
        cr_assert_eq(delete (&w, "one", true, &err), 0, "%zu: %s", i, err.msg);
    }
}

Test(delete, protected_never)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    _cleanup_free_ char *path = instance_path(&inst, INST_PROTECTED);
    cr_assert_eq(file_write_atomic(path, "", 0, 0600, NULL), 0);
    cr_assert_eq(delete (&w, "one", true, &err), -1);
    cr_expect_not_null(strstr(err.msg, "is protected to prohibit accidental removal"));
}

Test(delete, F12_busy)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    live_command(&inst);
    cr_assert_eq(delete (&w, "one", false, &err), -1);
    cr_expect_eq(err.kind, ERR_BUSY);
    _cleanup_free_ char *ls = world_ls(&w);
    cr_expect_str_eq(ls, "one");
}
