/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sys/clock.h"

static void read_info(struct world *w, const struct instance *i, struct inst_info *ret)
{
    int budget = 1000;

    inst_info_read(&w->env, i, &budget, ret);
}

Test(info, stopped)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_inst_info_ struct inst_info info = {0};

    world_init(&w);
    world_create(&w, "one", &inst);
    read_info(&w, &inst, &info);
    cr_expect_eq(info.state.status, INST_STOPPED);
    cr_expect(info.has_config);
    cr_expect_eq(info.ssh_port, 0);
    cr_expect_str_eq(info.lima_version, LIMA_VERSION);
    cr_expect_not(info.protected_);
}

/* A row of the table: the values, and not what they come from. */
Test(info, row)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_inst_info_ struct inst_info full = {0}, row = {0}, quick = {0};
    int budget = 0;

    world_init(&w);
    world_create(&w, "one", &inst);
    read_info(&w, &inst, &full);
    inst_info_read_row(&w.env, &inst, &budget, &row);
    _cleanup_store_around_ struct store_around *around = store_around_read(&w.store, NULL);
    cr_assert_not_null(around);
    w.env.around = around;
    inst_info_read_row(&w.env, &inst, &budget, &quick);
    const struct inst_info *rows[] = {&row, &quick};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cr_expect_eq(rows[i]->state.status, INST_STOPPED);
        cr_expect(rows[i]->has_config);
        cr_expect_str_eq(rows[i]->vm_type, full.vm_type);
        cr_expect_eq(rows[i]->arch, ARCH_X86_64);
        cr_expect_eq(rows[i]->cpus, full.cpus);
        cr_expect_eq(rows[i]->memory, full.memory);
        cr_expect_eq(rows[i]->disk, full.disk);
        cr_expect_null(rows[i]->config.arena);
    }
}

Test(info, running)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_inst_info_ struct inst_info info = {0}, degraded = {0}, starting = {0}, stopping = {0};

    world_init(&w);
    world_create(&w, "one", &inst);
    pid_t machine = live_machine(&inst), agent = live_agent(&inst);
    write_events(&inst, "{\"status\":{\"running\":true,\"sshLocalPort\":60022}}\n");
    read_info(&w, &inst, &info);
    cr_expect_eq(info.state.status, INST_RUNNING);
    cr_expect_eq(info.state.agent_pid, agent);
    cr_expect_eq(info.state.driver_pid, machine);
    cr_expect_eq(info.ssh_port, 60077, "what the agent answers counts");
    cr_expect_null(info.state.condition);
    write_events(&inst, "{\"status\":{\"running\":true,\"degraded\":true,\"errors\":[\"e\"]}}\n");
    read_info(&w, &inst, &degraded);
    cr_expect_str_eq(degraded.state.condition, "degraded");
    cr_expect(strv_contains(&degraded.state.errors, "e"));
    write_events(&inst, "{\"status\":{\"stage\":\"created\"}}\n");
    read_info(&w, &inst, &starting);
    cr_expect_str_eq(starting.state.condition, "starting");
    write_events(&inst, "{\"status\":{\"stage\":\"stopping\",\"running\":true}}\n");
    read_info(&w, &inst, &stopping);
    cr_expect_str_eq(stopping.state.condition, "stopping");
}

/* F08: one hanging agent costs a little, many cost no more than the budget. */
Test(info, F08_hanging_agent)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    int budget = 300;

    world_init(&w);
    world_create(&w, "one", &inst);
    live_machine(&inst);
    live_agent(&inst);
    write_events(&inst, "{\"status\":{\"running\":true,\"sshLocalPort\":60022}}\n");
    fakes.info_hangs = true;
    int64_t start = monotonic_ms();
    for (int i = 0; i < 20; i++) {
        _cleanup_inst_info_ struct inst_info info = {0};

        inst_info_read(&w.env, &inst, &budget, &info);
        cr_expect_eq(info.ssh_port, 60022);
        if (i == 0)
            cr_expect_str_eq(info.state.condition, "not responding");
    }
    cr_expect_lt(monotonic_ms() - start, 1000);
}

/* F10: a row for everything. */
Test(info, F10_broken)
{
    static const char *const contents[] = {NULL, "", "cpus: [\n", "cpus: many\n"};
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    _cleanup_free_ char *yaml = instance_path(&inst, INST_LIMA_YAML);
    for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
        _cleanup_inst_info_ struct inst_info info = {0};

        unlink(yaml);
        if (contents[i])
            cr_assert_eq(file_write_atomic(yaml, contents[i], strlen(contents[i]), 0600, NULL), 0);
        read_info(&w, &inst, &info);
        cr_expect_eq(info.state.status, INST_BROKEN, "%zu", i);
        cr_expect_not(info.has_config, "%zu", i);
        cr_expect_eq(info.state.errors.n, 1, "%zu", i);
    }
}

Test(info, message)
{
    struct config_kv param[] = {{(char *)"greeting", (char *)"hello"}};
    struct config_instance cfg = {
        .message = (char *)"{{.Name}} in {{.Dir}} says {{.Param.greeting}}, port {{.SSHLocalPort}}",
        .vm_type = (char *)"qemu",
        .arch = (char *)"x86_64",
        .memory = (char *)"1GiB",
        .disk = (char *)"1GiB",
        .param = param,
        .param_count = 1,
    };
    _cleanup_world_ struct world w;
    struct instance inst = {.name = (char *)"one", .dir = (char *)"/h/one"};

    world_init(&w);
    _cleanup_free_ char *text = inst_message(&w.env, &inst, &cfg, INST_RUNNING, 60022);
    cr_expect_str_eq(text, "one in /h/one says hello, port 60022");
    cfg.message = NULL;
    _cleanup_free_ char *none = inst_message(&w.env, &inst, &cfg, INST_RUNNING, 0);
    cr_expect_str_eq(none, "");
}

Test(info, last_event)
{
    static const struct {
        const char *log;
        int r;
        uint16_t port;
    } cases[] = {
        {"", -1, 0},
        {"{\"status\":{\"sshLocalPort\":1}}", -1, 0}, /* never finished */
        {"{\"status\":{\"sshLocalPort\":1}}\n", 0, 1},
        {"{\"status\":{\"sshLocalPort\":1}}\n{\"status\":{\"sshLocalPort\":2}}\n", 0, 2},
        {"{\"status\":{\"sshLocalPort\":1}}\n{\"status\":{\"sshLoc", 0, 1},
        {"{\"status\":{\"sshLocalPort\":1}}\nnonsense\n\n", 0, 1},
        {"nonsense\n", -1, 0},
    };
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_event_ struct event e = EVENT_INIT;

        write_events(&inst, cases[i].log);
        cr_expect_eq(inst_last_event(&inst, &e), cases[i].r, "%zu", i);
        cr_expect_eq(e.ssh_local_port, cases[i].port, "%zu", i);
    }
}

/* However much the agent has written, only the end is read. */
Test(info, last_event_of_a_long_log)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_sbuf_ struct sbuf log = SBUF_INIT;
    _cleanup_event_ struct event e = EVENT_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    while (log.len < 4 * EVENT_LINE_MAX)
        sbuf_addstr(&log, "{\"status\":{\"sshLocalPort\":1}}\n");
    sbuf_addstr(&log, "{\"status\":{\"sshLocalPort\":2}}\n");
    write_events(&inst, sbuf_str(&log));
    cr_assert_eq(inst_last_event(&inst, &e), 0);
    cr_expect_eq(e.ssh_local_port, 2);
}
