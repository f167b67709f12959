/* SPDX-License-Identifier: Apache-2.0 */
/* Everything about a machine decided, nothing done. Building a plan looks at nothing but its input:
 * same input, same plan (the golden tests). start.c executes it. */
#ifndef CIMA_DRIVER_QEMU_PLAN_H
#define CIMA_DRIVER_QEMU_PLAN_H

#include "base/diag.h"
#include "config/config.h"
#include "driver/qemu/features.h"
#include "driver/qemu/firmware.h"
#include "qemu/qemu.h"
#include "store/store.h"

/* A data disk (additionalDisks), looked up and inspected. */
struct qemu_plan_disk {
    char *path, *format;
    char *lock; /* its in_use_by link (SD-16) */
};

struct qemu_plan_input {
    const struct config_instance *cfg; /* filled and valid */
    const struct host_facts *host;
    const struct instance *inst;
    const struct store *store;
    const struct qemu_features *features;
    const char *exe;             /* full path of the binary */
    const struct strv *env_args; /* further words of $QEMU_SYSTEM_…; NULL: none */
    const char *env_name;        /* "QEMU_SYSTEM_X86_64" */
    const char *accel_env;       /* $CIMA_QEMU_ACCEL; NULL: not set */
    bool kvm_usable;
    const char *kvm_reason;  /* why not; NULL when usable */
    const char *machine;     /* full type frozen at creation; NULL: the newest */
    const char *disk_format; /* of `disk`; frozen at creation or inspected */
    uint64_t disk_size;      /* its virtual size; 0: not known, is left alone */
    uint64_t disk_minimum;   /* size of the image it was made of; 0: not known */
    uint64_t disk_asked;     /* the most that the YAML has asked for; 0: not known */
    bool has_iso, has_kernel, has_initrd, has_vars;
    bool old_disk, old_iso;  /* under the names of an older Lima: get the ones of today */
    const char *kernel_cmdline;           /* NULL: none */
    const struct qemu_firmware *firmware; /* NULL: none found or none wanted */
    const struct qemu_plan_disk *disks;   /* one per additionalDisks entry */
    size_t n_disks;
    uint16_t ssh_port;             /* when ssh.localPort is 0 */
    const char *swtpm;             /* full path; NULL: not installed */
    const char *virtiofsd;         /* the same; NULL: none that can be used */
    const char *virtiofsd_problem; /* why not: lines; NULL: nothing was found */
    bool virtiofsd_read_only;      /* it knows --readonly */
};

/* Things to do before QEMU starts, in order. */
enum qemu_step_kind {
    QEMU_STEP_MKDIR,  /* path: made with mode when missing (SD-34) */
    QEMU_STEP_REMOVE, /* path: an old socket or log */
    QEMU_STEP_VARS,   /* variable store: from (format) → path, qcow2 */
    QEMU_STEP_LINK,   /* path: symbolic link with the text `from` */
    QEMU_STEP_GROW,   /* disk image path of that format to size bytes */
};
struct qemu_step {
    enum qemu_step_kind kind;
    char *path, *from, *format;
    uint64_t size;
    unsigned mode;
};

/* A socket that QEMU inherits. */
struct qemu_plan_fd {
    int fd; /* its number in QEMU */
    char *path;
    bool listen; /* we bind and listen; else we connect */
    char *field; /* YAML field it comes from, for messages; NULL: none */
};

/* A process that runs beside QEMU: started before it, awaited at its socket, gone with it. */
struct qemu_helper {
    char *name; /* "virtiofsd-0", "swtpm" */
    struct strv argv;
    char *socket;
};

struct qemu_plan {
    char *exe;
    struct cima_cmdline *cmdline;
    struct strv argv;  /* complete: program, $QEMU_SYSTEM_…'s words, cmdline */
    const char *accel; /* "kvm" or "tcg"; static */
    char *machine;     /* full type when it is known, else the alias */
    struct qemu_step *steps;
    size_t n_steps, cap_steps;
    struct qemu_plan_fd *fds;
    size_t n_fds, cap_fds;
    struct qemu_helper *helpers;
    size_t n_helpers, cap_helpers;
    bool desktop;      /* wants windows or sound */
    uint16_t ssh_port; /* of the host */
};

/* Refuses what can't work (ERR_CONFIG, ERR_UNSUPPORTED, …); adds lines for the user to notes. */
int qemu_plan_build(const struct qemu_plan_input *in, struct qemu_plan **ret, struct diags *notes,
                    struct err *err);
void qemu_plan_free(struct qemu_plan *p);
DEFINE_CLEANUP_PTR(qemu_plan, qemu_plan_free)

/* ERR_CONFIG when the configuration asks for a smaller disk than there is (SD-64, F36). */
int qemu_plan_check_disk(const struct qemu_plan_input *in, struct err *err);
/* The version checks of SD-03 and SD-04: needed before firmware and disks are looked at. */
int qemu_plan_check_version(const struct qemu_plan_input *in, struct diags *notes, struct err *err);
/* Does this machine need firmware in flash? (SD-13) */
bool qemu_plan_wants_firmware(const struct config_instance *cfg);
/* Does it want a window of the host's desktop, or sound? Then the features must hold displays and
 * audiodevs. */
bool qemu_plan_wants_desktop(const struct config_instance *cfg);

#endif
