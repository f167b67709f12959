/* SPDX-License-Identifier: Apache-2.0 */
/* `cima run IMAGE`: one machine on the terminal, with the flags of `linuxkit run qemu` (rows S0).
 *
 *   request ──► facts ──► plan ──► execution
 *   the flags   looked    pure     steps, helpers, QEMU on the terminal or in the background
 *               up once
 *
 * Nothing of it is an instance: what it keeps is in the state directory, if there is one. */
#ifndef CIMA_RUN_RUN_H
#define CIMA_RUN_RUN_H

#include "base/diag.h"
#include "qemu/qemu.h"
#include "sys/host.h"

/* ---- the request ----------------------------------------------------------------------------- */

/* --disk (S0-80). */
struct run_disk {
    char *path;   /* NULL: not given */
    char *format; /* NULL: not given */
    uint64_t mib; /* 0: not given */
};

/* What the user wants; texts that were not given are NULL. */
struct run_request {
    char *image;
    bool gui, usb, detached;
    bool iso, kernel, squashfs, uefi;
    struct run_disk *disks;
    size_t n_disks, cap_disks;
    char *data, *data_file, *fw, *state;
    char *accel, *arch, *qemu, *networking, *virtiofsd;
    uint64_t cpus, mem; /* mem: MiB */
    struct strv publish, devices, virtiofs;
};
#define RUN_REQUEST_INIT                                                                           \
    {                                                                                              \
        .cpus = 1, .mem = 1024                                                                     \
    }
#define _cleanup_run_request_ _cleanup_(run_request_release)
void run_request_release(struct run_request *r);

/* "[file=]path[,size=1G][,format=qcow2]" as a further disk. */
int run_request_add_disk(struct run_request *r, const char *text, struct err *err);
/* A whole number without sign, for --cpus and --mem. */
int run_parse_number(const char *text, uint64_t *ret);

/* --publish (S0-78). */
struct run_port {
    uint16_t host, guest;
    bool udp;
};
int run_parse_port(const char *text, struct run_port *ret, struct err *err);

/* ---- facts ----------------------------------------------------------------------------------- */

/* A file that the plan may want to know about. */
struct run_file {
    char *path;
    int error;      /* errno of stat; 0: it is there */
    bool directory; /* what it is, when it is there */
    bool device;    /* block device */
    bool writable;
    const char *format; /* of a disk image; NULL: can't be told. Static */
    bool has_backing;   /* reads from another file */
    char *text;         /* content of a small file; NULL: not read */
    char *real;         /* full path of a directory; NULL: not known */
};

struct run_facts {
    bool arch_known;
    enum arch arch;           /* of the host */
    bool kvm_there;           /* there is a /dev/kvm */
    bool kvm_usable;          /* … and it works */
    char *kvm_reason;         /* why not */
    char *accel_env;          /* LINUXKIT_QEMU_ACCEL; NULL: not set */
    char *qemu, *qemu_img;    /* programs; NULL: not found */
    char *virtiofsd;          /* looked up only when a directory is shared */
    bool virtiofsd_old;       /* the C daemon, with its own syntax */
    char *firmware;           /* for --uefi without --fw where the usual file is missing */
    bool sandbox;             /* this QEMU has -sandbox */
    bool no_kvm_in_qemu;      /* this QEMU was built without KVM */
    pid_t state_holder;       /* a QEMU that uses the state directory now; 0: none */
    char *uuid, *mac;         /* fresh ones */
    struct run_file *files;
    size_t n_files, cap_files;
};
#define _cleanup_run_facts_ _cleanup_(run_facts_release)
void run_facts_release(struct run_facts *f);

/* Paths of all files that a plan for the request may look at. */
void run_request_paths(const struct run_request *r, struct strv *ret);
/* Adds what is known of a file: `error` of its stat, or, with 0, the open file fd. */
void run_facts_add_file(struct run_facts *f, const char *path, int error, int fd);
/* NULL when it was not looked at. */
const struct run_file *run_facts_file(const struct run_facts *f, const char *path);
/* "qemu-system-aarch64": the program that is looked for (S0-43). Caller frees. */
char *run_qemu_name(const struct run_request *r, const struct run_facts *f);
/* Guest architecture by name; NULL when the host is none that has a default (S0-18). */
const char *run_arch_name(const struct run_request *r, const struct run_facts *f);

/* Fills in `fresh` bytes of randomness like getrandom(); the tests have their own. */
typedef ssize_t run_random_fn(void *buf, size_t len);
/* S0-73, S0-74. Caller frees. */
char *run_make_mac(run_random_fn *fresh, struct err *err);
/* S0-15: version 4. Caller frees. */
char *run_make_uuid(run_random_fn *fresh, struct err *err);

/* Looks everything up. cache_dir: where answers of QEMU about itself are kept; NULL: nowhere. */
int run_facts_gather(const struct run_request *r, const char *cache_dir, struct run_facts *ret,
                     struct err *err);

/* ---- the plan -------------------------------------------------------------------------------- */

enum run_step_kind {
    RUN_STEP_SAY,  /* text, to the user */
    RUN_STEP_DIR,  /* path, private, with those above it */
    RUN_STEP_DISK, /* argv makes path */
    RUN_STEP_ISO,  /* path: an ISO with the file `config`: text, or the content of `from` */
    RUN_STEP_MAC,  /* path with that text */
};
struct run_step {
    enum run_step_kind kind;
    char *path, *text, *from;
    char *format; /* RUN_STEP_DISK */
    struct strv argv;
};

/* A virtiofsd: awaited at its socket before QEMU starts. */
struct run_helper {
    struct strv argv;
    char *socket, *log;
};

struct run_plan {
    struct cima_cmdline *cmdline;
    struct strv argv; /* program and words of cmdline */
    struct run_step *steps;
    size_t n_steps, cap_steps;
    struct run_helper *helpers;
    size_t n_helpers, cap_helpers;
    bool gui, detached;
    char *state;        /* NULL: none */
    char *accel;        /* "kvm:tcg"; NULL: none is named */
    char *kvm_problem;  /* why a machine that wants nothing but KVM can't start; NULL: none */
    pid_t state_holder; /* who else uses the state directory; 0: nobody */
    /* In the background: sockets that QEMU inherits under these numbers, and files. */
    int console_fd, monitor_fd;
    char *console_socket, *console_log, *monitor_socket, *qemu_log, *pid_file;
};
void run_plan_free(struct run_plan *p);
DEFINE_CLEANUP_PTR(run_plan, run_plan_free)
#define _cleanup_run_plan_ _cleanup_(run_plan_freep)

/* Decides everything and does nothing, in the order of S0-17; what comes first in it hides what is
 * wrong later. notes: lines for the user. The same request and facts give the same plan. */
int run_plan_build(const struct run_request *r, const struct run_facts *f, struct run_plan **ret,
                   struct diags *notes, struct err *err);

/* ---- execution ------------------------------------------------------------------------------- */

/* Makes what is to be made, starts QEMU and, unless it is detached, waits for its end with the
 * terminal in its hands. *ret_pid: of a detached one. A QEMU that fails is ERR_QEMU. */
int run_execute(const struct run_plan *p, pid_t *ret_pid, struct err *err);

#endif
