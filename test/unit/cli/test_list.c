/* SPDX-License-Identifier: Apache-2.0 */
/* Row `list`: the table's columns at several widths, the JSON's keys. */
#include "cli/list.h"
#include "base/mem.h"
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
        i.config.v.vm_type = (char *)vm_type;
        i.config.v.arch = (char *)arch;
        i.config.v.cpus = 2;
        i.config.v.memory = (char *)"512MiB";
        i.config.v.disk = (char *)"10GiB";
    }
    return i;
}

static char *table(const struct inst_info *infos, size_t n, unsigned columns, bool all)
{
    struct sbuf out = SBUF_INIT;

    list_table(infos, n, &host, columns, all, &out);
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

    cr_expect_str_eq(text, "NAME      STATUS                  SSH                VMTYPE    ARCH    "
                           "  CPUS    MEMORY    DISK     DIR\n"
                           "a         Running (agent lost)    127.0.0.1:60022    qemu      x86_64  "
                           "  2       512MiB    10GiB    ~/.cima/x\n"
                           "broken    Broken                  127.0.0.1:0                          "
                           "  -       -         -        ~/.cima/x\n");
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
    o = list_json(&i, &env);
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
