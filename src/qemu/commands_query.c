/* SPDX-License-Identifier: Apache-2.0 */
/* QMP's questions, and what their answers say. An answer keeps the JSON value, and its texts are
 * those in there. */
#include "qemu/commands_internal.h"

static int bad_answer(struct err *err, const char *question, const char *what)
{
    return err_set(err, ERR_PROTOCOL, "%s: QEMU's answer has no %s", question, what);
}

static struct json *keep(const struct json *answer)
{
    return json_ref((struct json *)(uintptr_t)answer);
}

/* DEFINE_QUERY(name of the function, struct, name of QMP) */
#define DEFINE_QUERY(name, type, text)                                                             \
    struct cima_qmp_call cima_cmd_query_##name(void)                                               \
    {                                                                                              \
        return qmp_command(text, NULL);                                                            \
    }                                                                                              \
    int cima_query_##name(struct cima_qmp *q, struct cima_##type *ret, struct err *error)          \
    {                                                                                              \
        _cleanup_json_ struct json *answer = NULL;                                                 \
                                                                                                   \
        if (cima_qmp_run(q, cima_cmd_query_##name(), &answer, error) < 0)                          \
            return -1;                                                                             \
        return cima_##type##_read(answer, ret, error);                                             \
    }
DEFINE_QUERY(status, status, "query-status")
DEFINE_QUERY(cpus_fast, cpus_fast, "query-cpus-fast")
DEFINE_QUERY(hotpluggable_cpus, hotpluggable_cpus, "query-hotpluggable-cpus")
DEFINE_QUERY(memory_devices, memory_devices, "query-memory-devices")
DEFINE_QUERY(balloon, balloon_size, "query-balloon")
DEFINE_QUERY(migrate, migration, "query-migrate")
DEFINE_QUERY(jobs, jobs, "query-jobs")
DEFINE_QUERY(vnc, vnc, "query-vnc")

/* Answers without a list. */
#define DEFINE_RELEASE(type)                                                                       \
    void cima_##type##_release(struct cima_##type *x)                                              \
    {                                                                                              \
        json_free(x->json);                                                                        \
        *x = (struct cima_##type){.json = NULL};                                                   \
    }
DEFINE_RELEASE(status)
DEFINE_RELEASE(balloon_size)
DEFINE_RELEASE(migration)
DEFINE_RELEASE(vnc)

/* Answers that are a list: read_ITEM(item, where it goes) says what is missing, or NULL. */
#define DEFINE_LIST(type, item, text, read_item)                                                   \
    void cima_##type##_release(struct cima_##type *x)                                              \
    {                                                                                              \
        free(x->v);                                                                                \
        json_free(x->json);                                                                        \
        *x = (struct cima_##type){.json = NULL};                                                   \
    }                                                                                              \
    int cima_##type##_read(const struct json *answer, struct cima_##type *ret, struct err *error)  \
    {                                                                                              \
        struct cima_##type x = {.n = json_len(answer)};                                            \
        const char *missing = NULL;                                                                \
                                                                                                   \
        if (!json_is_array(answer))                                                                \
            return bad_answer(error, text, "list");                                                \
        x.v = xcalloc(x.n ? x.n : 1, sizeof(struct item));                                         \
        for (size_t i = 0; i < x.n && !missing; i++)                                               \
            missing = read_item(json_at(answer, i), &x.v[i]);                                      \
        if (missing) {                                                                             \
            free(x.v);                                                                             \
            return bad_answer(error, text, missing);                                               \
        }                                                                                          \
        x.json = keep(answer);                                                                     \
        *ret = x;                                                                                  \
        return 0;                                                                                  \
    }

/* ---- the machine ----------------------------------------------------------------------------- */

int cima_status_read(const struct json *answer, struct cima_status *ret, struct err *error)
{
    const char *state = json_get_str(answer, "status");

    if (!state)
        return bad_answer(error, "query-status", "status");
    *ret = (struct cima_status){
        .json = keep(answer),
        .state = state,
        .running = json_get_bool(answer, "running", false),
        .single_step = json_get_bool(answer, "singlestep", false),
    };
    return 0;
}

/* ---- processors ------------------------------------------------------------------------------ */

static struct cima_cpu_place read_place(const struct json *props)
{
    return (struct cima_cpu_place){.node = json_get_int(props, "node-id", -1),
                                   .drawer = json_get_int(props, "drawer-id", -1),
                                   .book = json_get_int(props, "book-id", -1),
                                   .socket = json_get_int(props, "socket-id", -1),
                                   .die = json_get_int(props, "die-id", -1),
                                   .cluster = json_get_int(props, "cluster-id", -1),
                                   .module = json_get_int(props, "module-id", -1),
                                   .core = json_get_int(props, "core-id", -1),
                                   .thread = json_get_int(props, "thread-id", -1)};
}

static const char *read_vcpu(const struct json *j, struct cima_vcpu *ret)
{
    *ret = (struct cima_vcpu){.index = json_get_int(j, "cpu-index", -1),
                              .thread_id = json_get_int(j, "thread-id", -1),
                              .qom_path = json_get_str(j, "qom-path"),
                              .target = json_get_str(j, "target"),
                              .place = read_place(json_get(j, "props"))};
    return ret->index < 0 ? "cpu-index" : !ret->qom_path ? "qom-path" : NULL;
}
DEFINE_LIST(cpus_fast, cima_vcpu, "query-cpus-fast", read_vcpu)

static const char *read_slot(const struct json *j, struct cima_cpu_slot *ret)
{
    *ret = (struct cima_cpu_slot){.type = json_get_str(j, "type"),
                                  .vcpus = json_get_int(j, "vcpus-count", -1),
                                  .qom_path = json_get_str(j, "qom-path"),
                                  .place = read_place(json_get(j, "props"))};
    return !ret->type ? "type" : NULL;
}
DEFINE_LIST(hotpluggable_cpus, cima_cpu_slot, "query-hotpluggable-cpus", read_slot)

/* ---- memory ---------------------------------------------------------------------------------- */

/* The members of virtio devices have other names. */
static const char *read_memory_device(const struct json *j, struct cima_memory_device *ret)
{
    const struct json *data = json_get(j, "data");

    *ret = (struct cima_memory_device){
        .type = json_get_str(j, "type"),
        .id = json_get_str(data, "id"),
        .memdev = json_get_str(data, "memdev"),
        .addr = json_get_int(data, "addr", json_get_int(data, "memaddr", -1)),
        .size = json_get_int(data, "size", -1),
        .slot = json_get_int(data, "slot", -1),
        .node = json_get_int(data, "node", -1),
        .hotplugged = json_get_bool(data, "hotplugged", false),
        .hotpluggable = json_get_bool(data, "hotpluggable", false)};
    return !ret->type ? "type" : !json_is_object(data) ? "data" : NULL;
}
DEFINE_LIST(memory_devices, cima_memory_device, "query-memory-devices", read_memory_device)

int cima_balloon_size_read(const struct json *answer, struct cima_balloon_size *ret,
                           struct err *error)
{
    int64_t actual = json_get_int(answer, "actual", -1);

    if (actual < 0)
        return bad_answer(error, "query-balloon", "actual");
    *ret = (struct cima_balloon_size){.json = keep(answer), .actual = actual};
    return 0;
}

static const char *read_property(const struct json *j, struct cima_qom_property *ret)
{
    *ret = (struct cima_qom_property){json_get_str(j, "name"), json_get_str(j, "type")};
    return !ret->name ? "name" : !ret->type ? "type" : NULL;
}
DEFINE_LIST(qom_properties, cima_qom_property, "qom-list", read_property)

int cima_qom_list(struct cima_qmp *q, const char *path, struct cima_qom_properties *ret,
                  struct err *error)
{
    _cleanup_json_ struct json *answer = NULL;

    if (cima_qmp_run(q, cima_cmd_qom_list(path), &answer, error) < 0)
        return -1;
    return cima_qom_properties_read(answer, ret, error);
}

/* ---- migration, jobs, screen ----------------------------------------------------------------- */

int cima_migration_read(const struct json *answer, struct cima_migration *ret, struct err *error)
{
    const struct json *ram = json_get(answer, "ram"), *disk = json_get(answer, "disk");

    if (!json_is_object(answer))
        return bad_answer(error, "query-migrate", "members");
    *ret = (struct cima_migration){.json = keep(answer),
                                   .status = json_get_str(answer, "status"),
                                   .error = json_get_str(answer, "error-desc"),
                                   .transferred = json_get_int(ram, "transferred", -1),
                                   .remaining = json_get_int(ram, "remaining", -1),
                                   .total = json_get_int(ram, "total", -1),
                                   .duplicate_pages = json_get_int(ram, "duplicate", -1),
                                   .normal_pages = json_get_int(ram, "normal", -1),
                                   .dirty_syncs = json_get_int(ram, "dirty-sync-count", -1),
                                   .disk_transferred = json_get_int(disk, "transferred", -1),
                                   .disk_remaining = json_get_int(disk, "remaining", -1),
                                   .disk_total = json_get_int(disk, "total", -1),
                                   .total_ms = json_get_int(answer, "total-time", -1),
                                   .setup_ms = json_get_int(answer, "setup-time", -1),
                                   .expected_downtime_ms =
                                       json_get_int(answer, "expected-downtime", -1),
                                   .downtime_ms = json_get_int(answer, "downtime", -1)};
    return 0;
}

static const char *read_job(const struct json *j, struct cima_job *ret)
{
    *ret = (struct cima_job){.id = json_get_str(j, "id"),
                             .type = json_get_str(j, "type"),
                             .status = json_get_str(j, "status"),
                             .error = json_get_str(j, "error"),
                             .current = json_get_int(j, "current-progress", 0),
                             .total = json_get_int(j, "total-progress", 0)};
    return !ret->id ? "id" : !ret->status ? "status" : NULL;
}
DEFINE_LIST(jobs, cima_job, "query-jobs", read_job)

int cima_vnc_read(const struct json *answer, struct cima_vnc *ret, struct err *error)
{
    if (!json_is_object(answer))
        return bad_answer(error, "query-vnc", "members");
    *ret = (struct cima_vnc){.json = keep(answer),
                             .enabled = json_get_bool(answer, "enabled", false),
                             .host = json_get_str(answer, "host"),
                             .service = json_get_str(answer, "service"),
                             .family = json_get_str(answer, "family"),
                             .auth = json_get_str(answer, "auth"),
                             .clients = json_len(json_get(answer, "clients"))};
    return 0;
}

struct cima_qmp_call cima_cmd_query_qmp_schema(void)
{
    return qmp_command("query-qmp-schema", NULL);
}
