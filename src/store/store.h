/* SPDX-License-Identifier: Apache-2.0 */
/* Home and instance directories: the only room that knows a path. Layout and names are Lima 2.x's;
 * what is ours is in extra files (cima-version, cima.json, *.lock). */
#ifndef CIMA_STORE_STORE_H
#define CIMA_STORE_STORE_H

#include "base/enum.h"
#include "base/err.h"
#include "config/config.h"
#include "json/json.h"

struct store {
    char *home;   /* $CIMA_HOME, else $LIMA_HOME, else ~/.cima; absolute */
    char *cache;  /* $XDG_CACHE_HOME/cima, else ~/.cache/cima */
    char *downloads; /* $XDG_CACHE_HOME/lima/download, else ~/.cache/lima/download: shared with Lima */
};

#define _cleanup_store_ _cleanup_(store_release)
/* Finds the places from the environment; makes nothing. Refuses a home that others may write to. */
int store_open(struct store *ret, const struct host_facts *host, struct err *err);
void store_release(struct store *s);
/* Makes home and _config (0700) when missing. */
int store_ensure(const struct store *s, struct err *err);
/* Path of a file in _config: "user", "user.pub", "default.yaml", … Caller frees. */
char *store_config_path(const struct store *s, const char *name);
char *store_cache_path(const struct store *s, const char *name);

/* Directory of a data disk (additionalDisks). Caller frees. */
char *store_disk_dir(const struct store *s, const char *name);
/* The socket where QEMU meets the switch of a user-v2 network (NW-03). Caller frees. */
char *store_network_socket(const struct store *s, const char *network);

/* Files of an instance directory; the table in files.c gives each its name. */
enum inst_file {
    INST_LIMA_YAML, INST_LIMA_VERSION, INST_CIMA_VERSION, INST_FACTS /* cima.json */,
    INST_CIDATA_ISO, INST_CLOUD_CONFIG, INST_IMAGE, INST_DISK, INST_ISO, INST_KERNEL,
    INST_OLD_BASE, INST_OLD_DIFF, /* basedisk, diffdisk: image and disk of a Lima before 2.2 */
    INST_KERNEL_CMDLINE, INST_INITRD, INST_EFI_CODE, INST_EFI_VARS,
    INST_QMP_SOCK, INST_QEMU_PID,
    INST_QEMU_LOCK, /* qemu.lock: the machine holds it from its birth on, by a descriptor of ours */
    INST_QEMU_LOG /* stderr of QEMU */,
    INST_SERIAL_LOG, INST_SERIAL_SOCK, INST_SERIALP_LOG, INST_SERIALP_SOCK, INST_SERIALV_LOG,
    INST_SERIALV_SOCK,
    INST_SERIAL_LOCK, INST_SERIALP_LOCK, INST_SERIALV_LOCK, /* held by who is at that console */
    INST_HA_PID, INST_HA_SOCK, INST_HA_STDOUT, INST_HA_STDERR, INST_HA_LOCK,
    INST_BOOT, /* cima-boot.json: the boot that the running machine is in, or how it has crashed */
    INST_RESET, /* cima-reset: a factory reset has begun and is not done */
    INST_OP_LOCK, /* held by the command that changes the instance: start, stop, delete, edit */
    INST_SSH_SOCK, INST_SSH_CONFIG, INST_GA_SOCK, INST_SOCK_DIR, INST_PROTECTED, INST_VNC_DISPLAY,
    INST_VNC_PASSWORD, INST_SWTPM_SOCK, INST_SWTPM_DIR,
    INST_FILE_COUNT,
};

struct instance {
    char *name;
    char *dir;
    bool draft; /* nobody sees it yet: its commit brings its files to the disk, all at once */
};

#define INSTANCE_INIT {NULL, NULL, false}
#define _cleanup_instance_ _cleanup_(instance_release)
void instance_release(struct instance *i);
/* Checks the name; looks whether the directory is there: ERR_NOT_FOUND ("instance %#q does not
 * exist", with the nearest names in the hint) or 0. */
int store_find(const struct store *s, const char *name, struct instance *ret, struct err *err);
/* Names of all instances, sorted; directories that start with '.' or '_' are none. */
int store_list(const struct store *s, struct strv *ret, struct err *err);
/* Name rule (config_instance_name_problem), and the longest socket path must fit. */
int store_check_name(const struct store *s, const char *name, struct err *err);
/* Caller frees. */
char *instance_path(const struct instance *i, enum inst_file f);
const char *inst_file_name(enum inst_file f);
/* Is the file there? */
bool instance_has(const struct instance *i, enum inst_file f);

/* ---- creation as a transaction -------------------------------------------------------------- */
struct instance_draft {
    char *name;
    struct instance inst; /* dir is a hidden sibling; name is already the final one */
    char *final_dir;
    int lock_fd;
};
/* Makes the hidden directory (0700). ERR_EXISTS when the name is taken. Sweeps hidden directories
 * that a killed command left behind. */
int store_create_begin(const struct store *s, const char *name, struct instance_draft *ret,
                       struct err *err);
/* fsync of every file and the directory, then one rename that never replaces. */
int store_create_commit(struct instance_draft *d, struct instance *ret, struct err *err);
/* Removes the draft; nothing when it was committed. */
void store_create_abort(struct instance_draft *d);
#define _cleanup_draft_ _cleanup_(store_create_abort)

/* Renames to a hidden name first, then removes: after a crash the instance is gone, not half there. */
int store_delete(const struct store *s, struct instance *i, struct err *err);

/* Back to what the YAML says: removes everything but *.yaml, *.yml, the versions, `protected` and
 * the locks. A mark says that it has begun, so that a crash in between leaves no instance that is
 * half old: who finds the mark calls this again. Only with the operation lock, nothing alive. */
int instance_reset(const struct instance *i, struct err *err);
bool instance_reset_pending(const struct instance *i);

/* ---- what an instance is made of ------------------------------------------------------------ */
/* lima.yaml with _config/default.yaml and override.yaml, filled and validated. */
int instance_load_config(const struct store *s, const struct instance *i,
                         const struct host_facts *host, struct config *ret,
                         struct diags *ret_warnings, struct err *err);
/* The files of _config that take part in it, for who loads many instances: read once. */
struct store_around;
struct store_around *store_around_read(const struct store *s, struct err *err);
void store_around_free(struct store_around *a);
DEFINE_CLEANUP_PTR(store_around, store_around_free)
#define _cleanup_store_around_ _cleanup_(store_around_freep)
/* instance_load_config with files that were read before, for listing: config_context.only_listed. */
int instance_load_config_in(const struct store *s, const struct store_around *around,
                            const struct instance *i, const struct host_facts *host,
                            struct config *ret, struct err *err);
/* The same for another text in the place of lima.yaml. */
int instance_load_text(const struct store *s, const struct instance *i,
                       const struct config_layer *layer, const struct host_facts *host,
                       struct config *ret, struct diags *ret_warnings, struct err *err);
/* The same for a template that is not an instance yet. */
int store_load_template(const struct store *s, const char *name, const struct config_layer *layer,
                        const struct host_facts *host, struct config *ret,
                        struct diags *ret_warnings, struct err *err);
/* The template filled, for showing it, right or wrong (config_load_filled). The addresses of its
 * networks are those of HOME/NAME.yaml. */
int store_fill_template(const struct store *s, const char *name, const struct config_layer *layer,
                        const struct host_facts *host, struct config *ret,
                        struct diags *ret_warnings, struct err *err);
/* cima.json: facts frozen at creation (machine type, disk formats, …). A missing file is an empty
 * object (an instance that Lima made). */
struct json *instance_facts_read(const struct instance *i, struct err *err);
int instance_facts_write(const struct instance *i, const struct json *facts, struct err *err);

/* ---- status --------------------------------------------------------------------------------- */
enum inst_status {
    INST_UNINITIALIZED, INST_INSTALLING, INST_BROKEN, INST_STOPPED, INST_RUNNING,
    INST_STATUS_COUNT,
};
ENUM_STRINGS_DECLARE(inst_status); /* "Running", … */

struct instance_state {
    enum inst_status status;
    pid_t agent_pid;       /* 0: none alive */
    bool agent_foreign;    /* ha.pid is a live process that is not ours (limactl hostagent) */
    pid_t driver_pid;      /* 0: none alive; holder of the pid file's lock */
    char *condition;       /* what is finer than the status: "agent lost", "starting", …; or NULL */
    struct strv errors;
};
#define _cleanup_instance_state_ _cleanup_(instance_state_release)
void instance_state_release(struct instance_state *st);
/* By kernel locks alone (O(1), no YAML, no socket): agent lock, then QEMU's pid file lock; a bare
 * pid in a file counts for nothing. Stale pid files of dead processes are left for start/stop. */
void instance_state_read(const struct instance *i, struct instance_state *ret);

/* A machine has its lock on the pid file, by which it is known, only some milliseconds after its
 * birth. Waits (at most wait_ms) as long as there is one that is being born. False: there still
 * is. For whoever goes on from "nothing lives" to changing something. */
bool instance_settle(const struct instance *i, int wait_ms);

/* Takes the operation lock, waiting at most wait_ms. Returns its descriptor: closing it lets go.
 * ERR_BUSY names the holder. */
int instance_lock(const struct instance *i, int wait_ms, struct err *err);
/* Removes run-time files (*.pid, *.sock, *.tmp, cima-boot.json) that no living process owns. Only
 * with the operation lock, agent and driver dead. */
void instance_sweep_runtime(const struct instance *i);

#endif
