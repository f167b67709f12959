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
    for (int i = 0; i < 20; i++) {
        _cleanup_inst_info_ struct inst_info info = {0};

        inst_info_read(&w.env, &inst, &budget, &info);
        cr_expect_eq(info.ssh_port, 60022);
        if (i == 0)
            cr_expect_str_eq(info.state.condition, "not responding");
    }
    cr_expect_leq(fakes.info_waited_ms, 300);
    cr_expect_leq(budget, 0, "it is used up");
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

/* What the template makes; NULL with the error's line in *ret_problem. */
static char *message_of(const char *text, char **ret_problem)
{
    struct config_kv param[] = {{(char *)"greeting", (char *)"hello"}};
    struct inst_info info = {
        .name = (char *)"one",
        .dir = (char *)"/h/one",
        .state = {.status = INST_RUNNING},
        .has_config = true,
        .config = {.v = {.message = (char *)text, .cpus = 3, .param = param, .param_count = 1}},
        .vm_type = (char *)"qemu",
        .arch = ARCH_X86_64,
        .cpus = 3,
        .memory = UINT64_C(1) << 30,
        .ssh_port = 60022,
        .lima_version = (char *)"2.2.0",
    };
    _cleanup_world_ struct world w;
    _cleanup_err_ struct err err = ERR_INIT;
    char *got;

    info.config.v.set = CFG_BIT(instance, cpus);
    world_init(&w);
    got = inst_message(&w.env, &info, &err);
    *ret_problem = got ? NULL : err_line(&err);
    return got;
}

Test(info, message)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {NULL, ""},
        {"plain\n", "plain\n"},
        {"{{.Name}} in {{.Dir}} says {{.Param.greeting}}, port {{.SSHLocalPort}}",
         "one in /h/one says hello, port 60022"},
        {"{{.Status}} {{.VMType}} {{.Arch}} {{.CPUs}} {{.Memory}} {{.Disk}} {{.Hostname}}",
         "Running qemu x86_64 3 1073741824 0 lima-one"},
        {"{{.Config.CPUs}} {{.Instance.Name}} {{.LimaVersion}} {{.HostOS}}", "3 one 2.2.0 linux"},
        {"{{if .Param.none}}a{{else}}b{{end}}{{range $k, $v := .Param}}{{$k}}={{$v}}{{end}}",
         "bgreeting=hello"},
    };
    static const struct {
        const char *text, *problem;
    } bad[] = {
        {"{{.NoSuchThing}}", "`message` can't be processed as a template: 1:3: can't evaluate "
                             "field `.NoSuchThing`: there is none of that name"},
        {"x\n{{.Nam}}", "`message` can't be processed as a template: 2:3: can't evaluate field "
                        "`.Nam`: there is none of that name; hint: did you mean `.Name`?"},
        {"{{if}}", "`message` can't be processed as a template: 1:5: missing value for if"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *problem = NULL, *got = message_of(rows[i].text, &problem);

        cr_expect(got && streq(got, rows[i].want), "%s: %s", rows[i].text, got ? got : problem);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_free_ char *problem = NULL, *got = message_of(bad[i].text, &problem);

        cr_expect_null(got);
        cr_expect(problem && streq(problem, bad[i].problem), "%s: %s", bad[i].text, problem);
    }
}

/* A message that is no template breaks the instance in every form of the list, but not one that
 * runs. */
Test(info, broken_message)
{
    static const char yaml[] = "images: [{location: /i}]\nmessage: '{{.Nope}}'\n";
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_inst_info_ struct inst_info info = {0}, row = {0}, running = {0};
    int budget = 0;

    world_init(&w);
    world_create(&w, "one", &inst);
    _cleanup_free_ char *path = instance_path(&inst, INST_LIMA_YAML);
    cr_assert_eq(file_write_atomic(path, yaml, strlen(yaml), 0600, NULL), 0);
    read_info(&w, &inst, &info);
    inst_info_read_row(&w.env, &inst, &budget, &row);
    const struct inst_info *both[] = {&info, &row};
    for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
        cr_expect_eq(both[i]->state.status, INST_BROKEN);
        cr_expect(both[i]->has_config);
        cr_expect_null(both[i]->message);
        cr_expect(both[i]->message_problem && strstr(both[i]->message_problem, ".Nope"));
        cr_assert_eq(both[i]->state.errors.n, 1);
        cr_expect_str_eq(both[i]->state.errors.v[0], both[i]->message_problem);
    }
    live_machine(&inst);
    live_agent(&inst);
    read_info(&w, &inst, &running);
    cr_expect_eq(running.state.status, INST_RUNNING);
    cr_expect_eq(running.state.errors.n, 1);
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
