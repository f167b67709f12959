/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration in neutral names, read into the structs of libcima-qemu. What is right and wrong,
 * and how it is written, is the library's. */
#include "argv-case/case.h"
#include "base/mem.h"
#include "cima/qemu/machine.h"
#include "qemu/qemu.h"
#include <ctype.h>

#define DEVICES_MAX 1000
#define FDS_MAX     64

/* What the structs point to. */
struct reading {
    void **kept;
    size_t n, cap;
    int next_fd;
};

static void *keep(struct reading *r, void *p)
{
    GROW_ARRAY(r->kept, r->n, r->cap);
    return r->kept[r->n++] = p;
}

static void release(struct reading *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->kept[i]);
    free(r->kept);
}

/* An empty text is a field that is not there. */
static const char *text(const struct json *j, const char *key)
{
    const char *s = json_get_str(j, key);

    return str_empty(s) ? NULL : s;
}

static unsigned number(const struct json *j, const char *key)
{
    int64_t n = json_get_int(j, key, 0);

    return n < 0 || n > UINT32_MAX ? UINT32_MAX : (unsigned)n;
}

static bool yes(const struct json *j, const char *key)
{
    return json_get_bool(j, key, false);
}

/* What can't be read as a size is too large to be right. */
static uint64_t size(const struct json *j, const char *key)
{
    const char *s = text(j, key);
    uint64_t n = UINT64_MAX;

    if (!s)
        return 0;
    cima_parse_memory(s, &n, NULL);
    return n;
}

/* What stands between commas: each is one option of the machine. */
static const char *const *comma_words(struct reading *r, const char *s)
{
    size_t n = 0;
    char *copy, *save = NULL;
    const char **list;

    for (const char *c = s; c && *c; c++)
        n += *c == ',';
    copy = keep(r, xstrdup(s ? s : ""));
    list = keep(r, xcalloc(n + 2, sizeof(*list)));
    n = 0;
    for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save))
        list[n++] = w;
    return list;
}

/* A list of one text. */
static const char *const *words(struct reading *r, const char *s)
{
    const char **list = keep(r, xcalloc(2, sizeof(*list)));

    list[0] = s;
    return list;
}

/* A number of descriptors, each another one. */
static const int *descriptors(struct reading *r, const struct json *j, const char *key,
                              size_t *ret_n)
{
    unsigned n = number(j, key) < FDS_MAX ? number(j, key) : FDS_MAX;
    int *fds = keep(r, xcalloc(n ? n : 1, sizeof(*fds)));

    for (unsigned i = 0; i < n; i++)
        fds[i] = r->next_fd++;
    *ret_n = n;
    return fds;
}

/* "virtio-serial-pci", "virtio-9p-ccw", …: the bus is the name's end. */
static enum cima_transport transport(const struct json *j)
{
    const char *driver = text(j, "driver");

    if (!driver)
        return CIMA_TRANSPORT_COUNT;
    return str_ends(driver, "-ccw")      ? CIMA_TRANSPORT_CCW
           : str_ends(driver, "-device") ? CIMA_TRANSPORT_MMIO
                                         : CIMA_TRANSPORT_PCI;
}

static struct cima_place place(const struct json *j, const char *id)
{
    return (struct cima_place){
        .id = text(j, id),
        .bus = text(j, "bus"),
        .addr = text(j, "addr"),
        .disable_modern = yes(j, "disableModern"),
        .romfile = text(j, "romFile"),
    };
}

/* ---- devices --------------------------------------------------------------------------------- */

#define NEW(r, name) ((struct cima_##name *)keep((r), xcalloc(1, sizeof(struct cima_##name))))

static struct cima_device read_object(struct reading *r, const struct json *j)
{
    struct cima_dimm *x = NEW(r, dimm);

    if (!text(j, "driver") || cima_dimm_kind_from_string(text(j, "driver"), &x->kind) < 0)
        x->kind = CIMA_DIMM_KIND_COUNT;
    if (!text(j, "type") || cima_memory_kind_from_string(text(j, "type"), &x->memory.kind) < 0)
        x->memory.kind = CIMA_MEMORY_KIND_COUNT;
    x->id = text(j, "deviceID");
    x->memory.id = text(j, "id");
    x->memory.path = text(j, "memPath");
    x->memory.size = (uint64_t)json_get_int(j, "size", 0);
    return (struct cima_device){CIMA_DEVICE_DIMM, {.as_dimm = x}};
}

static struct cima_device read_fs(struct reading *r, const struct json *j)
{
    struct cima_9p *x = NEW(r, 9p);

    x->place = place(j, "deviceID");
    x->place.transport = transport(j);
    x->id = text(j, "id");
    if (!text(j, "fsDriver") || cima_9p_driver_from_string(text(j, "fsDriver"), &x->driver) < 0)
        x->driver = CIMA_9P_DRIVER_COUNT;
    x->path = text(j, "path");
    x->mount_tag = text(j, "mountTag");
    x->security_model = text(j, "securityModel");
    return (struct cima_device){CIMA_DEVICE_9P, {.as_9p = x}};
}

static struct cima_device read_char(struct reading *r, const struct json *j)
{
    struct cima_char_device *x = NEW(r, char_device);

    if (!text(j, "driver") || cima_char_driver_from_string(text(j, "driver"), &x->driver) < 0)
        x->driver = CIMA_CHAR_DRIVER_COUNT;
    x->place = place(j, "deviceID");
    x->name = text(j, "name");
    x->chardev.id = text(j, "id");
    if (!text(j, "backend") ||
        cima_char_backend_from_string(text(j, "backend"), &x->chardev.backend) < 0)
        x->chardev.backend = CIMA_CHAR_BACKEND_COUNT;
    x->chardev.path = text(j, "path");
    x->chardev.server = x->chardev.backend == CIMA_CHAR_SOCKET;
    return (struct cima_device){CIMA_DEVICE_CHAR_DEVICE, {.as_char_device = x}};
}

static struct cima_device read_net(struct reading *r, const struct json *j)
{
    struct cima_net *x = NEW(r, net);

    if (!text(j, "type") || cima_net_type_from_string(text(j, "type"), &x->type) < 0)
        x->type = CIMA_NET_TYPE_COUNT;
    x->place = place(j, "deviceID");
    x->id = text(j, "id");
    x->ifname = text(j, "ifName");
    x->mac = text(j, "mac");
    x->script = text(j, "script");
    x->down_script = text(j, "downScript");
    x->vhost = yes(j, "vhost");
    x->vhost_fds = descriptors(r, j, "vhostFDs", &x->n_vhost_fds);
    x->fds = descriptors(r, j, "fds", &x->n_fds);
    return (struct cima_device){CIMA_DEVICE_NET, {.as_net = x}};
}

static struct cima_device read_serial(struct reading *r, const struct json *j)
{
    struct cima_serial_controller *x = NEW(r, serial_controller);

    x->place = place(j, "id");
    x->place.transport = transport(j);
    return (struct cima_device){CIMA_DEVICE_SERIAL_CONTROLLER, {.as_serial_controller = x}};
}

static struct cima_device read_block(struct reading *r, const struct json *j)
{
    struct cima_disk *x = NEW(r, disk);
    const char *driver = json_get_str(j, "driver");

    x->form = CIMA_DISK_DRIVE;
    x->place = place(j, "deviceID");
    x->driver = driver ? driver : "";
    x->id = text(j, "id");
    x->file = text(j, "file");
    x->format = text(j, "format");
    x->aio = text(j, "aio");
    x->config_wce = yes(j, "wce") ? CIMA_UNSET : CIMA_OFF;
    return (struct cima_device){CIMA_DEVICE_DISK, {.as_disk = x}};
}

/* There is one type with a network; what else is said there is SCSI. */
static struct cima_device read_vhostuser(struct reading *r, const struct json *j)
{
    struct cima_vhost_user *x = NEW(r, vhost_user);
    const char *type = text(j, "type");

    x->type = type && streq(type, "virtio-net-pci") ? CIMA_VHOST_USER_NET : CIMA_VHOST_USER_SCSI;
    x->place = place(j, "deviceID");
    x->id = text(j, "typeDevID");
    x->chardev = text(j, "charDevID");
    x->socket_path = text(j, "socketPath");
    x->mac = text(j, "mac");
    return (struct cima_device){CIMA_DEVICE_VHOST_USER, {.as_vhost_user = x}};
}

static struct cima_device read_vfio(struct reading *r, const struct json *j)
{
    struct cima_vfio *x = NEW(r, vfio);

    x->place = place(j, "id");
    x->host = text(j, "bdf");
    return (struct cima_device){CIMA_DEVICE_VFIO, {.as_vfio = x}};
}

static struct cima_device read_bridge(struct reading *r, const struct json *j)
{
    struct cima_bridge *x = NEW(r, bridge);

    /* Not said: the first type, PCI. */
    if (text(j, "type") && cima_bridge_type_from_string(text(j, "type"), &x->type) < 0)
        x->type = CIMA_BRIDGE_TYPE_COUNT;
    x->place = place(j, "id");
    x->chassis = number(j, "chassis");
    x->shpc = yes(j, "shpc");
    return (struct cima_device){CIMA_DEVICE_BRIDGE, {.as_bridge = x}};
}

static const struct {
    const char *kind;
    struct cima_device (*read)(struct reading *r, const struct json *j);
} readers[] = {
    {"object", read_object}, {"fs", read_fs},         {"char", read_char},
    {"net", read_net},       {"serial", read_serial}, {"block", read_block},
    {"vfio", read_vfio},     {"bridge", read_bridge}, {"vhostuser", read_vhostuser},
};

static struct cima_device read_device(struct reading *r, const struct json *j)
{
    const char *kind = text(j, "kind");

    for (size_t i = 0; kind && i < ARRAY_SIZE(readers); i++)
        if (streq(kind, readers[i].kind))
            return readers[i].read(r, j);
    return (struct cima_device){.kind = CIMA_DEVICE_KIND_COUNT};
}

static void read_devices(struct reading *r, const struct json *list, struct cima_config *config)
{
    size_t n = json_len(list) < DEVICES_MAX ? json_len(list) : DEVICES_MAX;
    struct cima_device *devices = keep(r, xcalloc(n ? n : 1, sizeof(*devices)));

    for (size_t i = 0; i < n; i++)
        devices[i] = read_device(r, json_at(list, i));
    config->devices = devices;
    config->n_devices = n;
}

/* ---- settings -------------------------------------------------------------------------------- */

static void read_sockets(struct reading *r, const struct json *list, struct cima_config *config)
{
    size_t n = json_len(list) < DEVICES_MAX ? json_len(list) : DEVICES_MAX;
    struct cima_qmp_socket *sockets = keep(r, xcalloc(n ? n : 1, sizeof(*sockets)));

    for (size_t i = 0; i < n; i++) {
        const struct json *j = json_at(list, i);

        if (!text(j, "type") ||
            cima_qmp_socket_type_from_string(text(j, "type"), &sockets[i].type) < 0)
            sockets[i].type = CIMA_QMP_SOCKET_TYPE_COUNT;
        sockets[i].path = text(j, "name");
        sockets[i].server = yes(j, "server");
        sockets[i].wait = !yes(j, "noWait");
    }
    config->qmp_sockets = sockets;
    config->n_qmp_sockets = n;
}

/* Locked memory is asked for by two words together; huge pages win over preallocation. */
static void read_knobs(const struct json *j, struct cima_config *config)
{
    config->knobs = (struct cima_knobs){
        .no_user_config = yes(j, "noUserConfig"),
        .no_defaults = yes(j, "noDefaults"),
        .no_graphic = yes(j, "noGraphic"),
        .daemonize = yes(j, "daemonize"),
        .no_reboot = yes(j, "noReboot"),
        .no_shutdown = yes(j, "noShutdown"),
        .stopped = yes(j, "stopped"),
        .mem_lock = yes(j, "realtime") && yes(j, "mlock"),
    };
    config->memory.hugepages = yes(j, "hugePages");
    config->memory.prealloc = yes(j, "memPrealloc");
}

static void read_config(struct reading *r, const struct json *j, struct cima_config *config)
{
    const struct json *machine = json_get(j, "machine"), *smp = json_get(j, "smp");
    const struct json *memory = json_get(j, "memory"), *rtc = json_get(j, "rtc");
    const struct json *kernel = json_get(j, "kernel");

    config->identity = (struct cima_identity){.name = text(j, "name"), .uuid = text(j, "uuid")};
    config->machine.type = text(machine, "type");
    config->machine.accelerations = words(r, text(machine, "acceleration"));
    config->machine.options = comma_words(r, text(machine, "options"));
    config->cpu.model = text(j, "cpuModel");
    config->memory = (struct cima_memory){.size = size(memory, "size"),
                                          .slots = number(memory, "slots"),
                                          .max = size(memory, "maxMem")};
    config->smp = (struct cima_smp){.cpus = number(smp, "cpus"),
                                    .cores = number(smp, "cores"),
                                    .threads = number(smp, "threads"),
                                    .sockets = number(smp, "sockets"),
                                    .max_cpus = number(smp, "maxCPUs")};
    config->rtc = (struct cima_rtc){
        .base = text(rtc, "base"), .clock = text(rtc, "clock"), .drift_fix = text(rtc, "driftFix")};
    config->globals = words(r, text(j, "globalParam"));
    config->vga = text(j, "vga");
    config->bios = text(j, "bios");
    config->kernel = (struct cima_kernel){.path = text(kernel, "path"),
                                          .initrd = text(kernel, "initrd"),
                                          .params = text(kernel, "params")};
    read_sockets(r, json_get(j, "qmpSockets"), config);
    read_knobs(json_get(j, "knobs"), config);
    read_devices(r, json_get(j, "devices"), config);
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* Where the configuration has another word for a member, or another place. */
static const struct {
    const char *place, *member, *name;
} names[] = {
    {"qmp_sockets", "path", "name"},     {"devices", "host", "bdf"},
    {"devices", "transport", "driver"},  {"devices", "ifname", "ifName"},
    {"devices", "chardev", "charDevID"}, {"devices", "vhost_fds", "vhostFDs"},
    {"memory", "max", "maxMem"},         {"machine", "accelerations", "acceleration"},
    {"smp", "max_cpus", "maxCPUs"},
};

static void add_camel(struct sbuf *out, const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (name[i] == '_' && i + 1 < len)
            sbuf_addch(out, (char)toupper((unsigned char)name[++i]));
        else
            sbuf_addch(out, name[i]);
}

/* "devices[2].mount_tag" is devices[2].mountTag there. */
static char *place_name(const char *where)
{
    struct sbuf out = SBUF_INIT;
    const char *dot = strrchr(where, '.'), *member = dot ? dot + 1 : where;

    if (dot && !str_starts(where, "identity."))
        add_camel(&out, where, (size_t)(member - where));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_starts(where, names[i].place) && streq(member, names[i].member)) {
            sbuf_addstr(&out, names[i].name);
            return sbuf_detach(&out);
        }
    add_camel(&out, member, strlen(member));
    return sbuf_detach(&out);
}

static struct json *errors(const struct cima_problems *problems)
{
    struct json *list = json_array_new();

    for (size_t i = 0; i < cima_problems_len(problems); i++) {
        const struct cima_problem *p = cima_problems_at(problems, i);
        _cleanup_free_ char *where = place_name(p->where);
        struct json *item = json_object_new();

        json_set_str(item, "where", where);
        json_set_str(item, "message", p->message);
        json_set_str(item, "effect", cima_effect_to_string(p->effect));
        json_append(list, item);
    }
    return list;
}

static struct json *answer(const struct cima_config *config)
{
    struct cima_problems *problems = cima_problems_new();
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_cmdline_ struct cima_cmdline *c = cima_config_cmdline(config, problems, &err);
    struct json *out = json_object_new(), *list = json_array_new();
    char **argv;

    cima_cmdline_check_host(c, problems);
    argv = cima_cmdline_argv(c, &err);
    json_append(list, json_string_new("qemu-system-x86_64"));
    for (size_t i = 0; argv && argv[i]; i++)
        json_append(list, json_string_new(argv[i]));
    if (argv) {
        json_set(out, "argv", list);
    } else {
        _cleanup_free_ char *message = err_message(&err);

        json_free(list);
        json_set_int(out, "exit", 1);
        json_set_str(out, "message", message);
    }
    if (cima_problems_len(problems))
        json_set(out, "errors", errors(problems));
    cima_strings_free(argv);
    cima_problems_free(problems);
    return out;
}

struct json *case_govmm(const struct json *input, const struct json *facts)
{
    struct reading r = {.next_fd = 100};
    struct cima_config config = {0};
    struct json *out;

    (void)facts;
    read_config(&r, json_get(input, "config"), &config);
    out = answer(&config);
    release(&r);
    return out;
}
