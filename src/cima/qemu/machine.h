/* SPDX-License-Identifier: Apache-2.0 */
/* What a machine is apart from its devices, and a whole machine. As in device.h, a field that is
 * zero is not said, cima_add_NAME checks and appends, and nothing is appended when something is
 * wrong. */
#ifndef CIMA_QEMU_MACHINE_H
#define CIMA_QEMU_MACHINE_H

#include "cima/qemu/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A size as people write it: "1G", "768M"; MiB without a unit, as QEMU's -m has it. "config" when
 * it is none. */
int cima_parse_memory(const char *text, uint64_t *ret_bytes, struct cima_error *error);

struct cima_identity {
    const char *name, *uuid;
    bool debug_threads; /* QEMU's threads have names */
};

struct cima_machine {
    const char *type;                 /* "q35", "virt", … */
    const char *const *options;       /* "kernel-irqchip=split", "nvdimm=on", …, NULL */
    const char *const *accelerations; /* first choice first: "kvm", "tcg,thread=multi", …, NULL;
                                       * "kvm:tcg" is both. An option behind a comma that is no
                                       * accelerator's is the machine's: "kvm,nvdimm=on" */
};

struct cima_cpu {
    const char *model;           /* "max", or with features behind commas: "max,-avx2" */
    const char *const *features; /* "avx2=off", "+avx2", "-avx2", …, NULL */
};

struct cima_smp {
    unsigned cpus;
    unsigned cores, threads, sockets;
    unsigned max_cpus; /* with those that can be plugged in later */
};

struct cima_memory {
    uint64_t size;    /* bytes, whole KiB */
    unsigned slots;   /* for modules that are plugged in; with max */
    uint64_t max;     /* bytes */
    const char *id;   /* of the back end, if one is needed; NULL: "dimm1" */
    const char *file; /* the memory is that file */
    bool hugepages;   /* from /dev/hugepages, shared and allocated at once */
    bool memfd;       /* anonymous memory that helpers such as virtiofsd can map */
    bool share, prealloc;
};

struct cima_rtc {
    const char *base;      /* "utc", "localtime", a date */
    const char *clock;     /* "host", "vm" */
    const char *drift_fix; /* "slew", "none" */
};

enum cima_qmp_socket_type { CIMA_QMP_SOCKET_UNIX, CIMA_QMP_SOCKET_TYPE_COUNT };
const char *cima_qmp_socket_type_to_string(enum cima_qmp_socket_type t); /* "unix" */
int cima_qmp_socket_type_from_string(const char *name, enum cima_qmp_socket_type *ret);

struct cima_qmp_socket {
    enum cima_qmp_socket_type type;
    const char *id;   /* of its character device; NULL: "qmp0", "qmp1", … */
    const char *path; /* or a listening (server) or connected socket: */
    int fd;
    bool server;
    bool wait;   /* server: QEMU waits for a client before the machine starts */
    bool pretty; /* answers on several lines: for people, not for the client of qmp.h */
    bool human;  /* the human monitor instead of QMP */
};

struct cima_kernel {
    const char *path, *initrd, *params, *dtb;
};

struct cima_fw_cfg {
    const char *name; /* "opt/…" */
    const char *file; /* one of these */
    const char *string;
};

enum cima_incoming_how {
    CIMA_INCOMING_NONE,
    CIMA_INCOMING_EXEC,
    CIMA_INCOMING_FD,
    CIMA_INCOMING_DEFER,
    CIMA_INCOMING_HOW_COUNT
};
/* The state of a machine that moves here. */
struct cima_incoming {
    enum cima_incoming_how how;
    const char *command; /* EXEC: for a shell */
    int fd;              /* FD */
    bool go_on; /* it runs again when it has arrived, if it ran there; otherwise it waits for
                 * cima_cmd_cont, whatever it did (-S) */
};

/* seccomp: what is not allowed to QEMU once it runs. */
struct cima_sandbox {
    bool on;
    bool deny_obsolete, deny_elevate_privileges, deny_spawn, deny_resource_control;
};

struct cima_knobs {
    bool no_user_config, no_defaults, no_graphic, daemonize;
    bool no_reboot, no_shutdown, stopped;
    bool mem_lock; /* everything stays in RAM */
};

/* ---- one by one ------------------------------------------------------------------------------ */
/* Each checks *x and appends options of qemu(1); -1 with "config" naming the field, and nothing
 * appended. This one: -name, -uuid. */
int cima_add_identity(struct cima_cmdline *c, const struct cima_identity *x,
                      struct cima_error *error);
/* -machine, and -accel for each acceleration. */
int cima_add_machine(struct cima_cmdline *c, const struct cima_machine *x,
                     struct cima_error *error);
/* -cpu. */
int cima_add_cpu(struct cima_cmdline *c, const struct cima_cpu *x, struct cima_error *error);
/* -smp. */
int cima_add_smp(struct cima_cmdline *c, const struct cima_smp *x, struct cima_error *error);
/* -m, with -object and -machine memory-backend for a back end. */
int cima_add_memory(struct cima_cmdline *c, const struct cima_memory *x, struct cima_error *error);
/* -rtc. */
int cima_add_rtc(struct cima_cmdline *c, const struct cima_rtc *x, struct cima_error *error);
/* -chardev socket and -mon in control mode: what cima_qmp_connect connects to; or a human's. */
int cima_add_qmp_socket(struct cima_cmdline *c, const struct cima_qmp_socket *x,
                        struct cima_error *error);
/* -kernel, -initrd, -append, -dtb. */
int cima_add_kernel(struct cima_cmdline *c, const struct cima_kernel *x, struct cima_error *error);
/* -fw_cfg. */
int cima_add_fw_cfg(struct cima_cmdline *c, const struct cima_fw_cfg *x, struct cima_error *error);
/* -incoming, with -S. */
int cima_add_incoming(struct cima_cmdline *c, const struct cima_incoming *x,
                      struct cima_error *error);
/* -sandbox. */
int cima_add_sandbox(struct cima_cmdline *c, const struct cima_sandbox *x,
                     struct cima_error *error);
/* -no-user-config, -nodefaults, -nographic, -S, … */
int cima_add_knobs(struct cima_cmdline *c, const struct cima_knobs *x, struct cima_error *error);
/* -global: "DRIVER.PROPERTY=VALUE". */
int cima_add_global(struct cima_cmdline *c, const char *text, struct cima_error *error);
/* -vga: "none", "std", "virtio", … */
int cima_add_vga(struct cima_cmdline *c, const char *name, struct cima_error *error);
/* -display: "none", "gtk,gl=on", … */
int cima_add_display(struct cima_cmdline *c, const char *text, struct cima_error *error);
/* -bios: a file, or a name in QEMU's directory of firmware. */
int cima_add_bios(struct cima_cmdline *c, const char *path, struct cima_error *error);
/* -pidfile: QEMU holds a lock on it while it runs. */
int cima_add_pidfile(struct cima_cmdline *c, const char *path, struct cima_error *error);
/* -D: where QEMU's own messages go. */
int cima_add_logfile(struct cima_cmdline *c, const char *path, struct cima_error *error);

/* ---- a whole machine ------------------------------------------------------------------------- */
struct cima_config {
    struct cima_identity identity;
    struct cima_machine machine;
    struct cima_cpu cpu;
    const struct cima_qmp_socket *qmp_sockets;
    size_t n_qmp_sockets;
    struct cima_memory memory;
    struct cima_smp smp;
    const struct cima_device *devices;
    size_t n_devices;
    struct cima_rtc rtc;
    const char *const *globals; /* NULL at the end */
    const char *vga, *display;
    struct cima_knobs knobs;
    struct cima_kernel kernel;
    const char *bios;
    const struct cima_fw_cfg *fw_cfg;
    size_t n_fw_cfg;
    struct cima_incoming incoming;
    struct cima_sandbox sandbox;
    const char *pidfile, *logfile;
};

/* All of it, from empty each time, in this order (S2-50, S2-60). With problems NULL everything has
 * to be right: NULL with "config" that names the first thing that is wrong. With problems all of
 * them are added to it, each with what became of it, and the result is what is left: NULL never.
 * The places are names of the members: "devices[2].addr". Free with cima_cmdline_free. */
struct cima_cmdline *cima_config_cmdline(const struct cima_config *config,
                                         struct cima_problems *problems, struct cima_error *error);

#ifdef __cplusplus
}
#endif
#endif
