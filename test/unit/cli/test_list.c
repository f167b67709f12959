/* SPDX-License-Identifier: Apache-2.0 */
/* Row `list`: the table's columns at several widths, the JSON's keys. */
#include "cli/list.h"
#include "base/mem.h"
#include "tmpl/tmpl.h"
#include <criterion/criterion.h>

static const struct host_facts host = {.arch = ARCH_X86_64, .home = (char *)"/home/u"};

static struct inst_info info(const char *name, const char *vm_type, const char *arch)
{
    struct inst_info i = {
        .name = (char *)name,
        .dir = (char *)"/home/u/.cima/x",
        .has_config = vm_type != NULL,
        .ssh_port = 0,
        .lima_version = (char *)"2.2.0",
    };

    i.state.status = vm_type ? INST_STOPPED : INST_BROKEN;
    if (vm_type) {
        i.vm_type = (char *)vm_type;
        cr_assert_eq(arch_from_string(arch, &i.arch), 0);
        i.cpus = 2;
        i.memory = UINT64_C(512) << 20;
        i.disk = UINT64_C(10) << 30;
    }
    return i;
}

static char *table(const struct inst_info *infos, size_t n, unsigned columns, bool all)
{
    struct sbuf out = SBUF_INIT;
    const struct inst_info *rows[8];

    cr_assert_leq(n, ARRAY_SIZE(rows));
    for (size_t i = 0; i < n; i++)
        rows[i] = &infos[i];
    list_table(rows, n, &host, columns, all, &out);
    return sbuf_detach(&out);
}

static void expect_head(const struct inst_info *infos, size_t n, unsigned columns, bool all,
                        const char *want)
{
    _cleanup_free_ char *text = table(infos, n, columns, all);
    _cleanup_sbuf_ struct sbuf words = SBUF_INIT;

    for (const char *p = text; *p != '\n'; p += strspn(p, " ")) {
        size_t word = strcspn(p, " \n");

        sbuf_addf(&words, "%s%.*s", words.len ? " " : "", (int)word, p);
        p += word;
    }
    cr_expect_str_eq(sbuf_str(&words), want, "at %u columns", columns);
}

Test(list, columns_give_way)
{
    struct inst_info one[] = {info("a", "qemu", "x86_64")};

    expect_head(one, 1, 0, false, "NAME STATUS SSH VMTYPE ARCH CPUS MEMORY DISK DIR");
    expect_head(one, 1, 200, false, "NAME STATUS SSH VMTYPE ARCH CPUS MEMORY DISK DIR");
    expect_head(one, 1, 96, false, "NAME STATUS SSH VMTYPE ARCH CPUS MEMORY DISK DIR");
    expect_head(one, 1, 95, false, "NAME STATUS SSH ARCH CPUS MEMORY DISK DIR");
    expect_head(one, 1, 88, false, "NAME STATUS SSH ARCH CPUS MEMORY DISK DIR");
    expect_head(one, 1, 87, false, "NAME STATUS SSH CPUS MEMORY DISK DIR");
    expect_head(one, 1, 80, false, "NAME STATUS SSH CPUS MEMORY DISK DIR");
    expect_head(one, 1, 79, false, "NAME STATUS SSH CPUS MEMORY DISK");
    expect_head(one, 1, 40, false, "NAME STATUS SSH CPUS MEMORY DISK");
    expect_head(one, 1, 40, true, "NAME STATUS SSH VMTYPE ARCH CPUS MEMORY DISK DIR");
}

Test(list, columns_that_differ_stay)
{
    struct inst_info types[] = {info("a", "qemu", "x86_64"), info("b", "vz", "x86_64")};
    struct inst_info archs[] = {info("a", "qemu", "x86_64"), info("b", "qemu", "aarch64")};

    expect_head(types, 2, 40, false, "NAME STATUS SSH VMTYPE CPUS MEMORY DISK");
    expect_head(archs, 2, 40, false, "NAME STATUS SSH ARCH CPUS MEMORY DISK");
}

Test(list, rows)
{
    struct inst_info infos[] = {info("a", "qemu", "x86_64"), info("broken", NULL, NULL)};
    infos[0].ssh_port = 60022;
    infos[0].state.status = INST_RUNNING;
    infos[0].state.condition = (char *)"agent lost";
    _cleanup_free_ char *text = table(infos, 2, 0, false);

    cr_expect_str_eq(text,
                     "NAME      STATUS     SSH                VMTYPE    ARCH      CPUS    MEMORY"
                     "    DISK     DIR\n"
                     "a         Running    127.0.0.1:60022    qemu      x86_64    2       512MiB"
                     "    10GiB    ~/.cima/x\n"
                     "broken    Broken     127.0.0.1:0                            -       -     "
                     "    -        ~/.cima/x\n");
}

static void add_line(void *arg, enum log_level level, const char *text)
{
    sbuf_addf(arg, "%s: %s\n", log_level_to_string(level), text);
}

static void expect_notes(enum inst_status status, const char *condition, const char *error,
                         bool foreign, const char *want)
{
    struct inst_info i = info("a", "qemu", "x86_64");
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

    i.state.status = status;
    i.state.condition = (char *)condition;
    i.state.agent_foreign = foreign;
    i.state.agent_pid = foreign ? 7 : 0;
    if (error)
        strv_push(&i.state.errors, error);
    list_notes(&i, add_line, &out);
    strv_release(&i.state.errors);
    cr_expect_str_eq(sbuf_str(&out), want, "%s: %s", condition ? condition : "", sbuf_str(&out));
}

/* What a person is told below the table: one line, with the next step where there is one. */
Test(list, notes)
{
    expect_notes(INST_STOPPED, NULL, NULL, false, "");
    expect_notes(INST_RUNNING, NULL, NULL, false, "");
    expect_notes(INST_RUNNING, NULL, NULL, true,
                 "info: The instance `a` is run by Lima's host agent (pid 7)\n");
    expect_notes(INST_BROKEN, "starting", "driver is not", false,
                 "info: The instance `a` is starting\n");
    expect_notes(INST_BROKEN, "stopping", "driver is not", false,
                 "info: The instance `a` is shutting down\n");
    expect_notes(
        INST_BROKEN, "agent lost", "host agent is not", false,
        "warning: The instance `a` is Broken: qemu driver is running but host agent is not; "
        "`cima start a` gives it a new one\n");
    expect_notes(INST_RUNNING, "not responding", NULL, false,
                 "warning: The host agent of `a` does not respond; `cima restart a` replaces it\n");
    expect_notes(INST_STOPPED, "crashed", NULL, false,
                 "warning: The instance `a` was not shut down properly; `cima start a` cleans "
                 "up\n");
    expect_notes(INST_RUNNING, "degraded", "no sshfs", false,
                 "warning: The instance `a` is degraded: no sshfs\n");
    expect_notes(INST_RUNNING, "degraded", NULL, false,
                 "warning: The instance `a` is degraded; its ha.stderr.log says why\n");
    expect_notes(INST_BROKEN, NULL, "lima.yaml is empty", false,
                 "warning: The instance `a` is Broken: lima.yaml is empty\n");
    expect_notes(INST_STOPPED, "a new one", "why", false,
                 "warning: The instance `a` is Stopped: why\n");
}

Test(list, json_keys_in_order)
{
    struct store store = {.home = (char *)"/h", .cache = (char *)"/c"};
    struct inst_env env = {.store = &store, .host = &host};
    struct inst_info i = info("a.b", NULL, NULL);
    _cleanup_json_ struct json *o = NULL;
    _cleanup_free_ char *text = NULL;

    strv_push(&i.state.errors, "no lima.yaml");
    i.state.agent_pid = 11;
    i.state.driver_pid = 12;
    i.ssh_port = 13;
    i.state.condition = (char *)"agent lost";
    o = inst_object(&i, &env, true);
    text = json_dump(o);
    strv_release(&i.state.errors);
    cr_expect_str_eq(
        text,
        "{\"name\":\"a.b\",\"hostname\":\"lima-a-b\",\"status\":\"Broken\","
        "\"dir\":\"/home/u/.cima/x\",\"vmType\":\"\",\"arch\":\"\",\"sshLocalPort\":13,"
        "\"sshConfigFile\":\"/home/u/.cima/x/ssh.config\",\"hostAgentPID\":11,\"driverPID\":12,"
        "\"sshAddress\":\"127.0.0.1\",\"protected\":false,\"limaVersion\":\"2.2.0\","
        "\"errors\":[\"no lima.yaml\"],\"HostOS\":\"linux\",\"HostArch\":\"x86_64\","
        "\"LimaHome\":\"/h\",\"IdentityFile\":\"/h/_config/user\",\"condition\":\"agent lost\"}");
}

/* Every field has its name, and every name its field, sorted as they are printed. */
Test(list, fields)
{
    const struct json *shape = inst_shape();
    size_t n = 0;

    for (size_t i = 0; inst_fields[i]; i++, n++) {
        _cleanup_free_ char *text = xasprintf("{{.%s}}", inst_fields[i]);
        _cleanup_json_ struct json *empty = json_object_new();
        const struct tmpl_input in = {empty, shape, TMPL_FOLD_CASE};
        _cleanup_tmpl_ struct tmpl *t = tmpl_parse(text, NULL);
        _cleanup_free_ char *value = tmpl_run(t, &in, NULL, NULL);

        cr_expect_not_null(value, "%s", text);
        cr_expect(i == 0 || strcmp(inst_fields[i - 1], inst_fields[i]) < 0, "%s", inst_fields[i]);
    }
    cr_expect_eq(n + 1, json_len(shape), "`condition` is ours and is not listed");
}

/* `--format TEMPLATE` and `message` see Go's names, and zeros for what is left out. */
Test(list, templates)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"{{.Name}} {{.Status}} {{.Dir}}", "a Stopped /home/u/.cima/x"},
        {"{{.HostAgentPID}} {{.Protected}} [{{.Message}}]", "0 false []"},
        {"{{.Instance.Name}} {{.LimaHome}} {{.HostOS}}/{{.HostArch}}", "a /h linux/x86_64"},
        {"{{.Config.CPUs}} {{range .Config.Mounts}}x{{end}}{{.Config.SSH.LocalPort}}",
         "<nil> <nil>"},
        {"{{if .Param.x}}y{{else}}n{{end}} {{len .Networks}} {{len .Errors}}", "n 0 0"},
        {"{{.CPUs}} {{.Memory}} {{printf \"%-6s|\" .VMType}} {{.Arch | json}}",
         "2 536870912 qemu  | \"x86_64\""},
    };
    struct store store = {.home = (char *)"/h", .cache = (char *)"/c"};
    struct inst_env env = {.store = &store, .host = &host};
    struct inst_info i = info("a", "qemu", "x86_64");
    _cleanup_json_ struct json *o = inst_object(&i, &env, false);
    const struct tmpl_input in = {o, inst_shape(), TMPL_FOLD_CASE};

    for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
        _cleanup_err_ struct err err = ERR_INIT;
        _cleanup_tmpl_ struct tmpl *t = tmpl_parse(rows[k].text, &err);
        _cleanup_free_ char *got = t ? tmpl_run(t, &in, NULL, &err) : NULL;

        cr_expect(got && streq(got, rows[k].want), "%s: %s", rows[k].text, got ? got : err.msg);
    }
}
