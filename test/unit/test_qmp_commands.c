/* SPDX-License-Identifier: Apache-2.0 */
/* QMP's commands with types: what they say (Q-10 to Q-15), and that the QEMU here knows it. */
#include "base/fs.h"
#include "base/mem.h"
#include "cima/qemu/commands.h"
#include "qmp_calls.h"
#include "qmp_schema.h"
#include "real_qemu.h"
#include <criterion/criterion.h>

static struct json *parse(const char *text)
{
    _cleanup_free_ char *copy = xstrdup(text);
    _cleanup_err_ struct err err = ERR_INIT;
    struct json *j;

    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    j = json_parse(copy, strlen(copy), "test", &err);
    cr_assert(j, "%s: %s", text, err.msg);
    return j;
}

/* Every command exactly as it goes over the wire. */
Test(qmp_commands, Q_13_Q_14_Q_15_arguments)
{
    for (size_t i = 0; i < n_known_calls; i++) {
        const struct known_call *k = &known_calls[i];
        struct cima_qmp_call call = k->make();
        _cleanup_json_ struct json *expected = k->args ? parse(k->args) : NULL;
        _cleanup_free_ char *text = call.args ? json_dump(call.args) : xstrdup("nothing");

        cr_assert_null(call.problem, "%s: %s", k->maker, call.problem ? call.problem->msg : "");
        cr_expect_str_eq(call.command, k->command, "%s", k->maker);
        cr_expect(expected ? json_equal(expected, call.args) : !call.args, "%s: %s", k->maker,
                  text);
        cima_qmp_call_release(&call);
    }
}

/* Nothing that commands.h declares is missing from the table above. */
Test(qmp_commands, Q_13_Q_14_Q_15_table_is_whole)
{
    _cleanup_free_ char *path =
        xasprintf("%s/src/cima/qemu/commands.h", getenv("srcdir") ? getenv("srcdir") : ".");
    static const char *const parts[] = {"part", "undo_part"}; /* they take a command line */
    static const char start[] = "struct cima_qmp_call cima_cmd_";
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *text = file_read(path, 1 << 20, NULL, &err);
    size_t found = 0;

    cr_assert(text, "%s", err.msg);
    for (const char *c = text; (c = strstr(c, start)); found++) {
        _cleanup_free_ char *name = NULL;
        bool known = false;

        c += strlen(start);
        name = xstrndup(c, strcspn(c, "(#"));
        known = str_starts(name, "query_") || streq(name, parts[0]) || streq(name, parts[1]);
        for (size_t i = 0; i < n_known_calls && !known; i++)
            known = streq(known_calls[i].maker, name);
        cr_expect(known, "cima_cmd_%s is not in the table", name);
    }
    cr_assert_gt(found, 40);
#define KNOWN(name, type)                                                                          \
    {                                                                                              \
        bool known = false;                                                                        \
                                                                                                   \
        for (size_t i = 0; i < n_known_calls; i++)                                                 \
            known = known || streq(known_calls[i].maker, "query_" #name);                          \
        cr_expect(known, "cima_cmd_query_" #name " is not in the table");                          \
    }
    CIMA_QUERIES(KNOWN)
#undef KNOWN
}

Test(qmp_commands, Q_10_Q_11_ends_with_the_event)
{
    struct cima_qmp_call down = cima_cmd_system_powerdown(), del = cima_cmd_device_del("d0"),
                         quit = cima_cmd_quit();

    cr_assert_str_eq(down.until_event, "POWERDOWN");
    cr_assert_null(down.until_value);
    cr_assert_str_eq(del.until_event, "DEVICE_DELETED");
    cr_assert_str_eq(del.until_value, "d0");
    cr_assert_null(quit.until_event);
    cima_qmp_call_release(&del);
}

Test(qmp_commands, Q_13_invalid_scsi_driver)
{
    static const char *const bad[] = {"virtio-blk-pci", "scsi", "", "ide-hd"};
    struct cima_qmp_call call;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_free_ char *text = xasprintf("invalid SCSI driver provided %s", bad[i]);

        call = cima_cmd_scsi_add(&(struct cima_scsi_unit){.driver = bad[i], .id = "d"});
        cr_assert(call.problem, "%s", bad[i]);
        cr_assert_str_eq(call.problem->msg, text);
        cr_assert_eq(call.problem->kind, ERR_CONFIG);
        cima_qmp_call_release(&call);
    }
    call = cima_cmd_scsi_add(&(struct cima_scsi_unit){.driver = "virtio-scsi-pci", .node = "n"});
    cr_assert(call.problem);
    cima_qmp_call_release(&call);
}

Test(qmp_commands, Q_15_die_id_only_where_it_is_known)
{
    static const struct cima_cpu_place place = {.die = 1, .core = 2};
    static const char *const drivers[] = {"host-x86_64-cpu", "qemu32-i386-cpu",
                                          "host-s390x-cpu",  "host-powerpc64-cpu",
                                          "host-arm-cpu",    "rv64-riscv-cpu"};

    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
        struct cima_qmp_call call = cima_cmd_cpu_add(drivers[i], "c", &place);

        cr_assert_eq(json_get(call.args, "die-id") != NULL, i < 2, "%s", drivers[i]);
        cr_assert_eq(json_get_int(call.args, "core-id", -1), 2);
        cima_qmp_call_release(&call);
    }
}

Test(qmp_commands, hostile_texts_are_refused)
{
    struct cima_opts *o = cima_virtio_scsi(CIMA_TRANSPORT_PCI, "s0");
    struct cima_qmp_call call;

    cima_opts_str(o, "bus", "pcie.0\nquit");
    call = cima_cmd_device_add(o);
    cr_assert(call.problem);
    cr_assert_eq(call.problem->kind, ERR_CONFIG);
    cr_assert_null(call.args);
    cima_qmp_call_release(&call);
    call = cima_cmd_balloon(UINT64_MAX);
    cr_assert(call.problem);
    cima_qmp_call_release(&call);
}

/* Decimal as everywhere; QEMU's own form only where it shows that it is hex. */
Test(qmp_commands, Q_13_Q_14_addr_that_is_none)
{
    static const char *const bad[] = {"32", "1.8", "1f", "", "-1", "0,x=y"};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct cima_qmp_call calls[] = {
            cima_cmd_card_add(&(struct cima_card){.place = {.id = "c", .addr = bad[i]}}),
            cima_cmd_scsi_add(
                &(struct cima_scsi_unit){.driver = "virtio-scsi-pci", .addr = bad[i]})};

        for (size_t k = 0; k < ARRAY_SIZE(calls); k++) {
            cr_assert(calls[k].problem, "%s", bad[i]);
            cr_assert_eq(calls[k].problem->kind, ERR_CONFIG);
            cr_assert(strstr(calls[k].problem->msg, "`addr` must be a slot from 0 to 31"), "%s",
                      calls[k].problem->msg);
            cima_qmp_call_release(&calls[k]);
        }
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

Test(qmp_commands, Q_15_answers)
{
    _cleanup_json_ struct json *status =
                                   parse("{'status': 'paused', 'running': false, 'singlestep': "
                                         "true}"),
                               *moved =
                                   parse("{'status': 'active', 'total-time': 5, 'setup-time': "
                                         "6, 'expected-downtime': 7, 'ram': {'total': 1, "
                                         "'duplicate': 2, 'normal': 3, 'dirty-sync-count': 4}, "
                                         "'disk': {'total': 8, 'remaining': 9, "
                                         "'transferred': 10}}"),
                               *dimms = parse("[{'type': 'dimm', 'data': {'id': 'd', 'addr': 4096, "
                                              "'size': 8192, 'slot': 1, 'node': 0, 'memdev': '/m', "
                                              "'hotplugged': true, 'hotpluggable': true}}]"),
                               *jobs = parse("[{'id': 'j', 'type': 't', 'status': 'concluded', "
                                             "'current-progress': 1, 'total-progress': 2, "
                                             "'error': 'no'}]"),
                               *gone = parse("{}");
    struct cima_status s;
    struct cima_memory_devices m;
    struct cima_jobs j;
    struct cima_migration none;
    _cleanup_err_ struct err err = ERR_INIT;

    cr_assert_eq(cima_status_read(status, &s, &err), 0);
    cr_assert_str_eq(s.state, "paused");
    cr_assert_not(s.running);
    cr_assert(s.single_step);
    cima_status_release(&s);
    cima_status_release(&s); /* empty now */
    cr_assert_eq(cima_memory_devices_read(dimms, &m, &err), 0);
    cr_assert_eq(m.n, 1);
    cr_assert_str_eq(m.v[0].id, "d");
    cr_assert_eq(m.v[0].addr, 4096);
    cr_assert(m.v[0].hotplugged);
    cima_memory_devices_release(&m);
    cr_assert_eq(cima_jobs_read(jobs, &j, &err), 0);
    cr_assert_str_eq(j.v[0].error, "no");
    cr_assert_eq(j.v[0].total, 2);
    cima_jobs_release(&j);
    cr_assert_eq(cima_migration_read(gone, &none, &err), 0);
    cr_assert_null(none.status);
    cr_assert_eq(none.remaining, -1);
    cr_assert_eq(none.disk_total, -1);
    cima_migration_release(&none);
    cr_assert_eq(cima_migration_read(moved, &none, &err), 0);
    cr_assert_str_eq(none.status, "active");
    cr_assert(none.total == 1 && none.duplicate_pages == 2 && none.normal_pages == 3 &&
              none.dirty_syncs == 4);
    cr_assert(none.total_ms == 5 && none.setup_ms == 6 && none.expected_downtime_ms == 7 &&
              none.downtime_ms == -1);
    cr_assert(none.disk_total == 8 && none.disk_remaining == 9 && none.disk_transferred == 10);
    cima_migration_release(&none);
}

Test(qmp_commands, Q_15_answers_that_are_none)
{
    static const char *const bad[] = {"{}", "[]", "[{}]", "[1]", "null", "'x'", "[[]]"};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_json_ struct json *j = parse(bad[i]);
        struct err e[5] = {ERR_INIT};
        struct cima_status s;
        struct cima_hotpluggable_cpus h;
        struct cima_cpus_fast c;
        struct cima_balloon_size b;
        struct cima_vnc v;
        bool empty = streq(bad[i], "[]");

        cr_assert_eq(cima_status_read(j, &s, &e[0]), -1, "%s", bad[i]);
        cr_assert_eq(e[0].kind, ERR_PROTOCOL);
        cr_assert_str_eq(e[0].msg, "query-status: QEMU's answer has no status");
        cr_assert_eq(cima_hotpluggable_cpus_read(j, &h, &e[1]), empty ? 0 : -1, "%s", bad[i]);
        cr_assert_eq(cima_cpus_fast_read(j, &c, &e[2]), empty ? 0 : -1, "%s", bad[i]);
        cr_assert_eq(cima_balloon_size_read(j, &b, &e[3]), -1, "%s", bad[i]);
        if (!json_is_object(j))
            cr_assert_eq(cima_vnc_read(j, &v, &e[4]), -1, "%s", bad[i]);
        if (empty) {
            cima_hotpluggable_cpus_release(&h);
            cima_cpus_fast_release(&c);
        }
        for (size_t k = 0; k < ARRAY_SIZE(e); k++)
            err_clear(&e[k]);
    }
}

/* ---- against the real QEMU ------------------------------------------------------------------- */

static const struct {
    const char *driver, *why;
} not_here[] = {
    {"virtio-net-ccw", "an s390x machine's, not in this binary"},
    {"host-s390x-cpu", "an s390x machine's, not in this binary"},
    {"power9_v2.0-spapr-cpu-core", "a ppc64 machine's, not in this binary"},
    {"cortex-a72-arm-cpu", "an arm machine's, not in this binary"},
};

static const char *reason_not_here(const struct json *args)
{
    for (size_t i = 0; i < ARRAY_SIZE(not_here); i++)
        if (streq0(json_get_str(args, "driver"), not_here[i].driver))
            return not_here[i].why;
    return NULL;
}

Test(qmp_commands, Q_13_Q_14_Q_15_schema_of_the_real_qemu)
{
    static const char *const words[] = {"-M", "none", NULL};
    _cleanup_json_ struct json *schema = NULL;
    _cleanup_err_ struct err err = ERR_INIT;
    unsigned version[3];
    struct real_qemu r;

    real_qemu_start(&r, words, NULL, NULL, false);
    cr_assert_eq(cima_qmp_version(r.q, version), 0);
    cr_assert_eq(cima_qmp_run(r.q, cima_cmd_query_qmp_schema(), &schema, &err), 0, "%s", err.msg);
    for (size_t i = 0; i < n_known_calls; i++) {
        struct cima_qmp_call call = known_calls[i].make();
        char why[512] = "";

        if (version[0] < 9 && call.args)
            json_del(call.args, "module-id"); /* x86 has modules since QEMU 9.1 */
        if (!reason_not_here(call.args))
            cr_expect(schema_accepts(r.q, schema, call.command, call.args, why, sizeof(why)),
                      "cima_cmd_%s: %s", known_calls[i].maker, why);
        cima_qmp_call_release(&call);
    }
    real_qemu_end(&r);
}

/* The check above can fail. */
Test(qmp_commands, schema_check_finds_mistakes)
{
    static const char *const words[] = {"-M", "none", NULL};
    static const struct {
        const char *command, *args, *why;
    } bad[] = {
        {"no-such-command", "{}", "there is no such command"},
        {"balloon", "{'value': '5'}", "balloon.value: int"},
        {"balloon", "{}", "balloon: value"},
        {"stop", "{'x': 1}", "stop.x: is not known"},
        {"netdev_add", "{'type': 'tap', 'id': 'n', 'hostname': 'x'}", "hostname: is not known"},
        {"send-key", "{'keys': [{'type': 'qcode', 'data': 'nokey'}]}", "is not one of its words"},
        {"device_add", "{'driver': 'e1000', 'queues': 1}", "queues: is no property"},
        {"device_add", "{'driver': 'virtio-net-pci', 'mq': 1}", "mq: is no bool"},
        {"device_add", "{'driver': 'no-such-device'}", "driver: "},
    };
    _cleanup_json_ struct json *schema = NULL;
    _cleanup_err_ struct err err = ERR_INIT;
    struct real_qemu r;

    real_qemu_start(&r, words, NULL, NULL, false);
    cr_assert_eq(cima_qmp_run(r.q, cima_cmd_query_qmp_schema(), &schema, &err), 0, "%s", err.msg);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_json_ struct json *args = parse(bad[i].args);
        char why[512] = "";

        cr_expect_not(schema_accepts(r.q, schema, bad[i].command, args, why, sizeof(why)));
        cr_expect(strstr(why, bad[i].why), "%s: %s", bad[i].command, why);
    }
    real_qemu_end(&r);
}
