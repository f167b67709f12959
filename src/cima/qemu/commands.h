/* SPDX-License-Identifier: Apache-2.0 */
/* QMP's commands with types. cima_cmd_NAME makes one, whose arguments are checked by
 * the compiler; then it is
 *
 *   cima_qmp_run(q, cima_cmd_stop(), NULL, error)         sent and waited for, or
 *   call = cima_cmd_stop(); call.done = …;                 given to a loop:
 *   cima_qmp_send(q, &call, now)
 *
 * A question's answer is a struct: cima_query_NAME asks and waits, cima_NAME_read reads an answer
 * that a callback got. What needs several commands (a whole device, a job) comes last and waits.
 *
 * Texts and lists are borrowed until the command is sent; NULL leaves an optional one out. What a
 * maker finds wrong is the command's answer: "config". Each gets 30 s (device_del too, which ends
 * when the guest has let go) unless it says something else; call.timeout_ms may be changed. Names
 * and meanings of arguments are QEMU's (qemu-qmp-ref(7)); tests hold them against the schema of
 * QEMU. */
#ifndef CIMA_QEMU_COMMANDS_H
#define CIMA_QEMU_COMMANDS_H

#include "cima/qemu/device.h"
#include "cima/qemu/qmp.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CIMA_CMD_MS 30000

/* ---- the machine as a whole ------------------------------------------------------------------ */
/* The processors stand still; they go on; they begin anew. These end with the reply. */
struct cima_qmp_call cima_cmd_stop(void);
struct cima_qmp_call cima_cmd_cont(void);
struct cima_qmp_call cima_cmd_system_reset(void);
/* Presses the button; ends with POWERDOWN, which says that the guest was told, not what it does. */
struct cima_qmp_call cima_cmd_system_powerdown(void);
/* QEMU ends; the answer comes before. */
struct cima_qmp_call cima_cmd_quit(void);

/* ---- parts ----------------------------------------------------------------------------------- */
/* Adds part i of a command line to the running machine (device_add, netdev_add, …), or takes it
 * away. A part that no command can add is "unsupported". See cima_qmp_plug for whole devices. */
struct cima_qmp_call cima_cmd_part(const struct cima_cmdline *c, size_t i);
struct cima_qmp_call cima_cmd_undo_part(const struct cima_cmdline *c, size_t i);

/* One part from what a constructor of device.h made; opts are taken over. */
struct cima_qmp_call cima_cmd_device_add(struct cima_opts *opts);
struct cima_qmp_call cima_cmd_blockdev_add(struct cima_opts *opts);
struct cima_qmp_call cima_cmd_netdev_add(struct cima_opts *opts);
struct cima_qmp_call cima_cmd_chardev_add(struct cima_opts *opts);
struct cima_qmp_call cima_cmd_object_add(struct cima_opts *opts);

/* Ends with DEVICE_DELETED of that id (or QOM path): the guest has let go. "qemu" when it refused.
 */
struct cima_qmp_call cima_cmd_device_del(const char *id);
struct cima_qmp_call cima_cmd_blockdev_del(const char *node);
struct cima_qmp_call cima_cmd_netdev_del(const char *id);
struct cima_qmp_call cima_cmd_chardev_remove(const char *id);
struct cima_qmp_call cima_cmd_object_del(const char *id);

/* A SCSI device of a controller that is there, or the controller itself. Other drivers are refused:
 * "invalid SCSI driver provided …". */
struct cima_scsi_unit {
    const char
        *driver; /* "scsi-hd", "scsi-cd", "scsi-block", "scsi-generic", "virtio-scsi-pci", … */
    const char *id, *bus;
    /* Of a device only: */
    const char *node; /* node-name of its medium */
    bool has_target, has_lun;
    unsigned target, lun;
    bool share_rw;
    /* Of virtio-scsi-pci only: */
    const char *addr;    /* as in cima_place, or hex as QEMU has it: "0x1f.2" */
    const char *romfile; /* CIMA_NO_ROM: none */
    bool disable_modern;
    const char *iothread;
};
/* device_add. */
struct cima_qmp_call cima_cmd_scsi_add(const struct cima_scsi_unit *u);

/* ---- network --------------------------------------------------------------------------------- */
/* A tap by its name, or by descriptors that getfd has passed, one per queue, with their names. */
struct cima_tap {
    const char *id;
    const char *ifname, *script, *down_script;           /* "no": none */
    unsigned queues;                                     /* by name; said when > 1 */
    const char *const *fd_names, *const *vhost_fd_names; /* …, NULL; they are joined by ':' */
};
/* netdev_add; with vhost when there are names for it. */
struct cima_qmp_call cima_cmd_netdev_tap_add(const struct cima_tap *t);
/* vhost-user over a character device; queues are said when > 1. */
struct cima_qmp_call cima_cmd_netdev_vhost_user_add(const char *id, const char *chardev,
                                                    unsigned queues);

/* The card of a network that is there. With queues it has mq, and on PCI 2N+2 vectors. place.addr
 * may also be hex as QEMU has it: "0x1f.2". */
struct cima_card {
    struct cima_place place;
    const char *netdev, *mac;
    unsigned queues; /* 0: one, not said */
};
/* device_add. */
struct cima_qmp_call cima_cmd_card_add(const struct cima_card *n);

/* ---- descriptors ----------------------------------------------------------------------------- */
/* The descriptor gets a name, for arguments that take one (netdev_add's fds). The one given is
 * duplicated. A name that is there is replaced. */
struct cima_qmp_call cima_cmd_getfd(const char *name, int fd);
struct cima_qmp_call cima_cmd_closefd(const char *name);
/* Puts it into a set, which can be opened as /dev/fdset/N. set -1: a new one. opaque: a text that
 * comes back when sets are asked for. */
struct cima_qmp_call cima_cmd_add_fd(int set, int fd, const char *opaque);
/* fd -1: all of the set. */
struct cima_qmp_call cima_cmd_remove_fd(int set, int fd);
/* add-fd, waited for: the number of the set. */
int cima_qmp_add_fd(struct cima_qmp *q, int set, int fd, const char *opaque, int *ret_set,
                    struct cima_error *error);

/* ---- processors ------------------------------------------------------------------------------ */
/* Where a processor sits; -1: not said. */
struct cima_cpu_place {
    int64_t node, drawer, book, socket, die, cluster, module, core, thread;
};
#define CIMA_CPU_NOWHERE                                                                           \
    {                                                                                              \
        -1, -1, -1, -1, -1, -1, -1, -1, -1                                                         \
    }
/* driver is the type of query-hotpluggable-cpus ("host-x86_64-cpu"). What a driver does not know is
 * left out: die-id and module-id are of x86, socket, cluster and thread not of s390x and ppc64. */
struct cima_qmp_call cima_cmd_cpu_add(const char *driver, const char *id,
                                      const struct cima_cpu_place *place);

/* ---- memory, objects ------------------------------------------------------------------------- */
/* The guest's memory is to become so many bytes. */
struct cima_qmp_call cima_cmd_balloon(uint64_t bytes);
struct cima_qmp_call cima_cmd_qom_get(const char *path, const char *property);
/* value is taken over. */
struct cima_qmp_call cima_cmd_qom_set(const char *path, const char *property,
                                      struct cima_json *value);

struct cima_guest_dump {
    const char *protocol; /* "file:PATH", "fd:NAME" of a getfd */
    bool paging;          /* with the guest's virtual addresses */
    bool detach;          /* answers at once; query-dump tells how far it is */
    const char *format;   /* NULL: elf; "kdump-zlib", … not with paging */
};
/* No limit of time unless detached. */
struct cima_qmp_call cima_cmd_dump_guest_memory(const struct cima_guest_dump *d);

/* ---- migration ------------------------------------------------------------------------------- */
/* Begins it and answers at once; cima_query_migrate tells how far it is. "unix:PATH", "fd:NAME",
 * "tcp:HOST:PORT", "exec:COMMAND" (which a shell runs: never from outside). */
struct cima_qmp_call cima_cmd_migrate(const char *uri);
struct cima_qmp_call cima_cmd_migrate_cancel(void);
/* Of a machine that was started with `-incoming defer`. */
struct cima_qmp_call cima_cmd_migrate_incoming(const char *uri);
/* names: …, NULL. */
struct cima_qmp_call cima_cmd_migrate_set_capabilities(const char *const *names, bool on);

/* ---- snapshots (jobs) ------------------------------------------------------------------------ */
struct cima_snapshot {
    const char *job;            /* id of the job that does it, new */
    const char *tag;            /* its name */
    const char *vmstate;        /* the node that takes the state of the machine: save, load */
    const char *const *devices; /* nodes that take part: …, NULL */
};
/* They begin a job: see cima_qmp_run_job. QEMU 6.0. */
struct cima_qmp_call cima_cmd_snapshot_save(const struct cima_snapshot *s);
struct cima_qmp_call cima_cmd_snapshot_load(const struct cima_snapshot *s);
struct cima_qmp_call cima_cmd_snapshot_delete(const struct cima_snapshot *s);
struct cima_qmp_call cima_cmd_job_cancel(const char *id);
struct cima_qmp_call cima_cmd_job_dismiss(const char *id);

/* ---- screen and keys ------------------------------------------------------------------------- */
/* QEMU writes the file. format NULL: PPM; "png" from QEMU 7.1 on. device NULL: the first screen;
 * head counts the screens of a device. */
struct cima_qmp_call cima_cmd_screendump(const char *file, const char *format, const char *device,
                                         unsigned head);
/* Pressed together: QEMU's key names ("ctrl", "alt", "delete"), …, NULL. hold_ms 0: 100. */
struct cima_qmp_call cima_cmd_send_key(const char *const *keys, unsigned hold_ms);
/* Passwords are not in what handlers.line gets. protocol: "vnc", "spice". */
struct cima_qmp_call cima_cmd_change_vnc_password(const char *password);
/* connected: "keep", "fail", "disconnect"; NULL: keep. vnc has only keep. */
struct cima_qmp_call cima_cmd_set_password(const char *protocol, const char *password,
                                           const char *connected);
/* time: "now", "never", "+SECONDS", "SECONDS" since 1970. */
struct cima_qmp_call cima_cmd_expire_password(const char *protocol, const char *time);

/* ---- questions ------------------------------------------------------------------------------- */
/* Answers hold what QEMU said: texts in them belong to them. Release each with cima_NAME_release,
 * which leaves it empty; one that is empty (zero) is allowed. A text that QEMU did not say is NULL.
 */

struct cima_status {
    struct cima_json *json;
    const char *state; /* "running", "paused", "prelaunch", "shutdown", … */
    bool running;
    bool single_step; /* QEMU up to 8.2 says it */
};

struct cima_vcpu {
    int64_t index, thread_id;
    const char *qom_path, *target;
    struct cima_cpu_place place;
};
struct cima_cpus_fast {
    struct cima_json *json;
    struct cima_vcpu *v;
    size_t n;
};

struct cima_cpu_slot {
    const char *type; /* the driver of cima_cmd_cpu_add */
    int64_t vcpus;
    const char *qom_path; /* NULL: free */
    struct cima_cpu_place place;
};
struct cima_hotpluggable_cpus {
    struct cima_json *json;
    struct cima_cpu_slot *v;
    size_t n;
};

struct cima_memory_device {
    const char *type; /* "dimm", "nvdimm", "virtio-mem", … */
    const char *id, *memdev;
    int64_t addr, size, slot, node; /* bytes; -1: not said */
    bool hotplugged, hotpluggable;
};
struct cima_memory_devices {
    struct cima_json *json;
    struct cima_memory_device *v;
    size_t n;
};

struct cima_balloon_size {
    struct cima_json *json;
    int64_t actual; /* bytes that the guest has */
};

struct cima_migration {
    struct cima_json *json;
    const char *status; /* "active", "completed", "failed", …; NULL: there was none */
    const char *error;
    /* What was not said is -1. */
    int64_t transferred, remaining, total; /* bytes of memory */
    int64_t total_ms, downtime_ms;
    int64_t setup_ms, expected_downtime_ms;
    int64_t duplicate_pages, normal_pages, dirty_syncs;
    int64_t disk_transferred, disk_remaining, disk_total; /* bytes of disks */
};

struct cima_job {
    const char *id, *type, *status; /* "snapshot-save"; "running", "concluded", … */
    const char *error;              /* NULL: none (so far) */
    int64_t current, total;
};
struct cima_jobs {
    struct cima_json *json;
    struct cima_job *v;
    size_t n;
};

struct cima_vnc {
    struct cima_json *json;
    bool enabled;
    const char *host, *service, *family, *auth;
    size_t clients;
};

/* Every question, once: X(NAME of QMP behind "query_", struct). */
#define CIMA_QUERIES(X)                                                                            \
    X(status, status)                                                                              \
    X(cpus_fast, cpus_fast)                                                                        \
    X(hotpluggable_cpus, hotpluggable_cpus)                                                        \
    X(memory_devices, memory_devices)                                                              \
    X(balloon, balloon_size)                                                                       \
    X(migrate, migration)                                                                          \
    X(jobs, jobs)                                                                                  \
    X(vnc, vnc)

/* For each: the command; what its answer says ("protocol" when it is none), filling *ret, which is
 * the caller's; both with waiting; the release. */
#define CIMA_DECLARE_QUERY_(name, type)                                                            \
    struct cima_qmp_call cima_cmd_query_##name(void);                                              \
    int cima_##type##_read(const struct cima_json *answer, struct cima_##type *ret,                \
                           struct cima_error *error);                                              \
    int cima_query_##name(struct cima_qmp *q, struct cima_##type *ret, struct cima_error *error);  \
    void cima_##type##_release(struct cima_##type *x);
CIMA_QUERIES(CIMA_DECLARE_QUERY_)
#undef CIMA_DECLARE_QUERY_

/* The properties of an object: qom-list. */
struct cima_qom_property {
    const char *name, *type;
};
struct cima_qom_properties {
    struct cima_json *json;
    struct cima_qom_property *v;
    size_t n;
};

/* As for the questions above; path: "/machine/peripheral/ID", … */
struct cima_qmp_call cima_cmd_qom_list(const char *path);
int cima_qom_properties_read(const struct cima_json *answer, struct cima_qom_properties *ret,
                             struct cima_error *error);
void cima_qom_properties_release(struct cima_qom_properties *x);
/* Asks and waits. */
int cima_qom_list(struct cima_qmp *q, const char *path, struct cima_qom_properties *ret,
                  struct cima_error *error);

/* Everything this QEMU's monitor knows, some 200 KiB: see "QMP introspection" in QEMU's manual. */
struct cima_qmp_call cima_cmd_query_qmp_schema(void);

/* ---- in several steps ------------------------------------------------------------------------ */
/* These wait as cima_qmp_run does. */

/* Adds all parts of a command line to the running machine, in order, with their descriptors: a
 * device that cima_add_NAME made is there whole or not at all. When one part fails, those before it
 * are taken away again; the error is that of the part, and its detail names what could not be. */
int cima_qmp_plug(struct cima_qmp *q, const struct cima_cmdline *c, struct cima_error *error);
/* Takes them away, the last first; each device is waited for timeout_ms (0: CIMA_CMD_MS), because
 * the guest has to let go. Stops at the first that fails: what it uses stays as well. */
int cima_qmp_unplug(struct cima_qmp *q, const struct cima_cmdline *c, int timeout_ms,
                    struct cima_error *error);
/* One device of device.h: cima_add_device and cima_qmp_plug. */
int cima_qmp_plug_device(struct cima_qmp *q, const struct cima_device *d, struct cima_error *error);
/* A memory module, pc-dimm or nvdimm: its object, then the device; the object goes again when the
 * device is refused. */
int cima_qmp_plug_dimm(struct cima_qmp *q, const struct cima_dimm *d, struct cima_error *error);
/* Puts a processor with this id into the first free slot: "not-found" when there is none. */
int cima_qmp_plug_cpu(struct cima_qmp *q, const char *id, struct cima_error *error);

/* Begins a job and waits until it is over, at most timeout_ms (-1: for ever); id is the job's. Its
 * error is the error; it is dismissed in any case. When the caller cancels or the time is over, the
 * job is cancelled, too. */
int cima_qmp_run_job(struct cima_qmp *q, struct cima_qmp_call call, const char *id, int timeout_ms,
                     struct cima_error *error);

#ifdef __cplusplus
}
#endif
#endif
