/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes.h"
#include "base/fs.h"
#include "base/mem.h"

static const struct event coming_up[] = {
    {.stage = STAGE_CREATED},
    {.stage = STAGE_VM_RUNNING, .ssh_local_port = 60022},
    {.stage = STAGE_RUNNING, .ssh_local_port = 60022, .running = true},
};

static int start(struct world *w, const struct instance *i, enum inst_start_result *ret,
                 struct err *err)
{
    return inst_start(&w->env, i, 600000, &w->report, ret, err);
}

static void use_events(const struct event *events, size_t n)
{
    fakes.events = events;
    fakes.n_events = n;
}

Test(start, brings_it_up)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    enum inst_start_result result;

    world_init(&w);
    world_create(&w, "one", &inst);
    fakes.plan_note = "no KVM here";
    use_events(coming_up, ARRAY_SIZE(coming_up));
    cr_assert_eq(start(&w, &inst, &result, NULL), 0);
    cr_expect_eq(result, INST_START_STARTED);
    cr_expect_eq(fakes.spawned, 1);
    cr_expect_eq(w.events, 3);
    cr_expect_str_eq(sbuf_str(&w.warnings), "no KVM here\n");
    cr_expect_not_null(strstr(sbuf_str(&w.notes), "Starting the instance `one`"));
}

/* What this version does not do is said, not passed over. */
Test(start, what_is_not_done_yet)
{
    static const char yaml[] = SIMPLE_YAML "provision: [{mode: ansible, playbook: site.yaml}]\n"
                                           "hostResolver: {hosts: {a.internal: 10.0.0.1}}\n";
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    enum inst_start_result result;

    world_init(&w);
    world_create(&w, "one", &inst);
    _cleanup_free_ char *path = path_join(inst.dir, "lima.yaml");
    cr_assert_eq(file_write_atomic(path, yaml, strlen(yaml), 0600, NULL), 0);
    use_events(coming_up, ARRAY_SIZE(coming_up));
    cr_assert_eq(start(&w, &inst, &result, NULL), 0);
    cr_expect_not_null(strstr(sbuf_str(&w.notes), "this version does not run playbooks"));
    cr_expect_not_null(strstr(sbuf_str(&w.notes), "does not serve names to the guest"));
}

/* B-EXIT: what can't work is said before there is an agent. */
Test(start, bad_plan_starts_nothing)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    enum inst_start_result result;

    world_init(&w);
    world_create(&w, "one", &inst);
    fakes.plan_error = "QEMU is gone";
    cr_assert_eq(start(&w, &inst, &result, &err), -1);
    cr_expect_str_eq(err.msg, "QEMU is gone");
    cr_expect_eq(fakes.spawned, 0);
}

/* Win 6: the agent's own error is the command's. */
Test(start, degraded_is_a_failure_with_the_agents_error)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT, cause = ERR_INIT;
    enum inst_start_result result;

    world_init(&w);
    world_create(&w, "one", &inst);
    err_set(&cause, ERR_GUEST, "provision script 'system/00' exited with status 7");
    err_detail(&cause, "line 50\n");
    const struct event events[] = {
        coming_up[0],
        {.stage = STAGE_RUNNING, .running = true, .degraded = true, .error = &cause},
    };
    use_events(events, 2);
    cr_assert_eq(start(&w, &inst, &result, &err), -1);
    cr_expect_eq(err.kind, ERR_GUEST);
    cr_expect_str_eq(err.msg, cause.msg);
    cr_expect_str_eq(err.detail, "line 50");
    cr_expect_not_null(strstr(err.hint, "cima shell one"));
    cr_expect_not_null(strstr(sbuf_str(&w.notes), "warning: DEGRADED."));
    cr_expect_eq(fakes.stopped, 0);
}

Test(start, exiting_agent)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT, second = ERR_INIT, cause = ERR_INIT;
    enum inst_start_result result;

    world_init(&w);
    world_create(&w, "one", &inst);
    err_set(&cause, ERR_QEMU, "QEMU ended");
    const struct event with_error[] = {{.stage = STAGE_GONE, .exiting = true, .error = &cause}};
    use_events(with_error, 1);
    cr_assert_eq(start(&w, &inst, &result, &err), -1);
    cr_expect_str_eq(err.msg, "QEMU ended");
    cr_expect_not_null(strstr(err.hint, "ha.stderr.log"));
    /* Somebody stopped it meanwhile: no error of the agent. */
    const struct event without[] = {{.stage = STAGE_GONE, .exiting = true}};
    use_events(without, 1);
    cr_assert_eq(start(&w, &inst, &result, &second), -1);
    cr_expect_not_null(strstr(second.msg, "was stopped while it was starting"));
    err_clear(&cause);
}

Test(start, timeout_names_the_stage)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    enum inst_start_result result;

    world_init(&w);
    world_create(&w, "one", &inst);
    use_events(coming_up, 2);
    cr_assert_eq(start(&w, &inst, &result, &err), -1);
    cr_expect_eq(err.kind, ERR_TIMEOUT);
    cr_expect_not_null(strstr(err.msg, "did not receive an event with the `running` status"));
    cr_expect_not_null(strstr(err.msg, stage_to_string(STAGE_VM_RUNNING)));
    cr_expect_not_null(strstr(err.hint, "cima stop one"));
}

/* F21, F22: what the agent waits for right now, and what the guest's console shows. */
Test(start, F22_timeout_names_what_is_waited_for)
{
    static const char console[] = "grub> \x1b[31mboot\r\n(initramfs) _\n";
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    enum inst_start_result result;
    const struct event events[] = {
        {.stage = STAGE_VM_RUNNING, .waiting = (char *)"the guest has not answered yet"},
        {.stage = STAGE_VM_RUNNING, .waiting = (char *)"connections to 127.0.0.1:1 are refused"},
    };

    world_init(&w);
    world_create(&w, "one", &inst);
    use_events(events, 2);
    _cleanup_free_ char *serial = instance_path(&inst, INST_SERIAL_LOG);
    cr_assert_eq(file_write_atomic(serial, console, strlen(console), 0600, NULL), 0);
    cr_assert_eq(start(&w, &inst, &result, &err), -1);
    cr_expect_eq(err.kind, ERR_TIMEOUT);
    cr_expect_str_eq(err.msg, "instance `one`: did not receive an event with the `running` status "
                              "within 600 s: its last stage was 'vm running'; now: connections to "
                              "127.0.0.1:1 are refused");
    cr_expect_not_null(strstr(err.detail, "serial.log:\ngrub> boot\n(initramfs) _"), "%s", err.detail);
    cr_expect_eq(fakes.stopped, 0);
}

Test(start, interrupt_leaves_it_starting)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    enum inst_start_result result;

    world_init(&w);
    world_create(&w, "one", &inst);
    w.interrupt = true;
    fakes.ticks = 3;
    cr_assert_eq(start(&w, &inst, &result, &err), -1);
    cr_expect_eq(err.kind, ERR_INTERRUPTED);
    cr_expect_not_null(strstr(err.hint, "cima stop one"));
    cr_expect_eq(fakes.stopped, 0);
}

Test(start, running_already)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    enum inst_start_result result;

    world_init(&w);
    world_create(&w, "one", &inst);
    live_agent(&inst);
    live_machine(&inst);
    write_events(&inst,
                 "{\"status\":{\"stage\":\"running\",\"running\":true,\"sshLocalPort\":1}}\n");
    cr_assert_eq(start(&w, &inst, &result, NULL), 0);
    cr_expect_eq(result, INST_START_ALREADY_RUNNING);
    cr_expect_eq(fakes.spawned + fakes.followed, 0);
}

Test(start, running_already_but_degraded)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    enum inst_start_result result;

    world_init(&w);
    world_create(&w, "one", &inst);
    live_agent(&inst);
    live_machine(&inst);
    write_events(&inst, "{\"status\":{\"stage\":\"running\",\"running\":true,\"degraded\":true,"
                        "\"errors\":[\"a script failed\"]}}\n");
    cr_assert_eq(start(&w, &inst, &result, NULL), 0);
    cr_expect_eq(result, INST_START_ALREADY_RUNNING);
    cr_expect_not_null(strstr(sbuf_str(&w.notes), "degraded: a script failed"));
}

/* Nobody could reach the machine: it is not started. */
Test(start, without_ssh)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    enum inst_start_result result;

    world_init(&w);
    world_create(&w, "one", &inst);
    fakes.ssh_error = "no ssh";
    cr_assert_eq(start(&w, &inst, &result, &err), -1);
    cr_expect_eq(err.kind, ERR_NOT_FOUND);
    cr_expect_eq(fakes.spawned, 0);
}

/* After an interrupted start: the next one waits with it. */
Test(start, still_starting_is_waited_for)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    enum inst_start_result result;

    world_init(&w);
    world_create(&w, "one", &inst);
    live_agent(&inst);
    live_machine(&inst);
    write_events(&inst, "{\"status\":{\"sshLocalPort\":1}}\n");
    use_events(coming_up, ARRAY_SIZE(coming_up));
    cr_assert_eq(start(&w, &inst, &result, NULL), 0);
    cr_expect_eq(result, INST_START_STARTED);
    cr_expect_eq(fakes.spawned, 0);
    cr_expect_eq(fakes.followed, 1);
}

Test(start, on_its_way_down_is_busy)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    enum inst_start_result result;

    world_init(&w);
    world_create(&w, "one", &inst);
    live_agent(&inst);
    live_machine(&inst);
    write_events(&inst, "{\"status\":{\"running\":true}}\n{\"status\":{\"exiting\":true}}\n");
    cr_assert_eq(start(&w, &inst, &result, &err), -1);
    cr_expect_eq(err.kind, ERR_BUSY);
}

/* F12: one wins, the other is told who. */
Test(start, F12_busy_names_the_holder)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    enum inst_start_result result;

    world_init(&w);
    world_create(&w, "one", &inst);
    pid_t other = live_command(&inst);
    cr_assert_eq(start(&w, &inst, &result, &err), -1);
    _cleanup_free_ char *text = err_message(&err), *pid = xasprintf("%d", (int)other);
    cr_expect_eq(err.kind, ERR_BUSY);
    cr_expect_not_null(strstr(text, pid), "%s", text);
    cr_expect_not_null(strstr(text, "busy"), "%s", text);
    cr_expect_eq(fakes.spawned, 0);
}

/* F01: a machine without agent is taken over, without a plan or a new machine. */
Test(start, F01_readopts)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    enum inst_start_result result;

    world_init(&w);
    world_create(&w, "one", &inst);
    pid_t machine = live_machine(&inst);
    fakes.plan_error = "must not be asked";
    use_events(coming_up, ARRAY_SIZE(coming_up));
    cr_assert_eq(start(&w, &inst, &result, NULL), 0);
    cr_expect_eq(result, INST_START_READOPTED);
    cr_expect_eq(fakes.spawned, 1);
    cr_expect(is_alive(machine));
    /* For `shell` it is enough that the agent knows the port. */
    use_events(coming_up, 2);
    cr_expect_eq(inst_readopt(&w.env, &inst, &w.report, NULL), 0);
    cr_expect_eq(fakes.spawned, 2);
}

/* F01: an agent that was killed this very moment still holds its lock. */
Test(start, F01_agent_dies_while_we_wait)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    enum inst_start_result result;

    world_init(&w);
    world_create(&w, "one", &inst);
    live_machine(&inst);
    fakes.dies = live_agent(&inst);
    write_events(&inst, "{\"status\":{\"sshLocalPort\":1}}\n");
    use_events(coming_up, ARRAY_SIZE(coming_up));
    cr_assert_eq(start(&w, &inst, &result, NULL), 0);
    cr_expect_eq(result, INST_START_READOPTED);
    cr_expect_eq(fakes.spawned, 1);
}

/* Stopped by somebody else while we wait: that is not a crash to mend. */
Test(start, stopped_while_we_wait)
{
    static const struct event ends[] = {{.stage = STAGE_GONE, .exiting = true}};
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    enum inst_start_result result;

    world_init(&w);
    world_create(&w, "one", &inst);
    live_machine(&inst);
    live_agent(&inst);
    write_events(&inst, "{\"status\":{\"sshLocalPort\":1}}\n");
    use_events(ends, 1);
    cr_assert_eq(start(&w, &inst, &result, &err), -1);
    cr_expect_eq(fakes.spawned, 0);
}

/* F03, F04: leftovers of a crash go, and the process that a stale file names gets no signal. */
Test(start, F03_F04_sweeps_and_says_so)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    enum inst_start_result result;

    world_init(&w);
    world_create(&w, "one", &inst);
    _cleanup_instance_ struct instance elsewhere = {.name = xstrdup("x"), .dir = xstrdup(w.dir)};
    pid_t bystander = live_command(&elsewhere);
    _cleanup_free_ char *ha = instance_path(&inst, INST_HA_PID);
    _cleanup_free_ char *qemu = instance_path(&inst, INST_QEMU_PID);
    _cleanup_free_ char *text = xasprintf("%d\n", (int)bystander);
    cr_assert_eq(file_write_atomic(ha, text, strlen(text), 0600, NULL), 0);
    cr_assert_eq(file_write_atomic(qemu, text, strlen(text), 0600, NULL), 0);
    use_events(coming_up, ARRAY_SIZE(coming_up));
    cr_assert_eq(start(&w, &inst, &result, NULL), 0);
    cr_expect_not_null(strstr(sbuf_str(&w.notes), "cleaned up its stale state"));
    cr_expect_not(path_exists(ha));
    cr_expect_not(path_exists(qemu));
    cr_expect(is_alive(bystander));
}
