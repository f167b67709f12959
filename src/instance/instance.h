/* SPDX-License-Identifier: Apache-2.0 */
/* What commands do to instances: create, start, stop, delete, inspect. Each operation takes the
 * operation lock for as long as it changes something, returns a struct err, and tells what happens
 * through callbacks; it never prints. */
#ifndef CIMA_INSTANCE_INSTANCE_H
#define CIMA_INSTANCE_INSTANCE_H

#include "base/log.h"
#include "hostagent/event.h"
#include "image/image.h"
#include "template/template.h"
#include "store/store.h"

/* What every operation needs; borrowed. */
struct inst_env {
    const struct store *store;
    const struct host_facts *host;
    const char *self; /* path of the cima program: host agents are started from it */
    bool debug;       /* host agents log debug lines */
    const struct store_around *around; /* for inst_info_read of many instances; or NULL */
};

/* How an operation talks to its caller. Every function may be NULL. */
struct inst_report {
    /* A line worth a log message. */
    void (*note)(void *arg, enum log_level level, const char *text);
    /* A problem of the configuration or the plan that does not stop us. */
    void (*warning)(void *arg, const struct diag *d);
    /* What is being done now: "preparing the disk". */
    void (*step)(void *arg, const char *what);
    /* How far an image is on its way into the cache. */
    void (*transfer)(void *arg, const struct image_progress *p);
    /* An event of the host agent while we wait for it. */
    void (*event)(void *arg, const struct event *e);
    /* Several times a second while we wait. */
    void (*tick)(void *arg);
    /* Has the person asked to stop waiting? */
    bool (*interrupted)(void *arg);
    void *arg;
    bool config_told; /* the warnings of the configuration are told by somebody else */
};

void inst_note(const struct inst_report *r, enum log_level level, const char *fmt, ...)
    PRINTF_FORMAT(3, 4);
void inst_step(const struct inst_report *r, const char *what);
void inst_warnings(const struct inst_report *r, const struct diags *d);

/* ---- create ---------------------------------------------------------------------------------- */

/* Makes the instance, all or nothing: configuration checked, image adopted, disk made, the plan of
 * the machine tried. Relative locations of images start at the template's directory and become
 * absolute in lima.yaml, which otherwise is the template byte for byte. */
int inst_create(const struct inst_env *env, const char *name, const struct template *t,
                const struct inst_report *r, struct instance *ret, struct err *err);

/* ---- start ----------------------------------------------------------------------------------- */

enum inst_start_result { INST_START_STARTED, INST_START_READOPTED, INST_START_ALREADY_RUNNING };

/* Brings the instance up and waits until it is RUNNING:
 *   nothing alive           leftovers are swept, the plan is checked, the agent started
 *   machine without agent   a new agent takes it over (F01)
 *   still starting          waits for that start
 *   running                 INST_START_ALREADY_RUNNING
 * A failure after the machine has come up leaves it running. ERR_INTERRUPTED when the caller's
 * interrupted() said so: the start goes on without us. */
int inst_start(const struct inst_env *env, const struct instance *i, int64_t timeout_ms,
               const struct inst_report *r, enum inst_start_result *ret, struct err *err);
/* The first part of a start alone, for a host agent in the foreground: checks that there is no
 * agent, sweeps leftovers, checks the plan. From then on the agent's own lock decides who is the
 * one. */
int inst_start_prepare(const struct inst_env *env, const struct instance *i,
                       const struct inst_report *r, struct err *err);
/* Gives a machine that has lost its agent a new one, and waits (at most 30 s) until the agent knows
 * it. Does nothing when there is an agent or no machine. */
int inst_readopt(const struct inst_env *env, const struct instance *i, const struct inst_report *r,
                 struct err *err);

/* ---- stop and delete ------------------------------------------------------------------------- */

/* Graceful: through the agent (a lost one is replaced first). ERR_STATE when it does not run.
 * ERR_INTERRUPTED when the caller's interrupted() said so: it goes on shutting down without us.
 * force: SIGKILL for the machine and its agent, then leftovers are swept; fine when stopped. */
int inst_stop(const struct inst_env *env, const struct instance *i, bool force,
              const struct inst_report *r, struct err *err);
/* Graceful, but what has not ended after limit_ms is ended by force, with a warning. 0: as above. */
int inst_stop_within(const struct inst_env *env, const struct instance *i, int64_t limit_ms,
                     const struct inst_report *r, struct err *err);
/* force: also a running, broken or half-present one. A protected one never. Empties *i. */
int inst_delete(const struct inst_env *env, struct instance *i, bool force,
                const struct inst_report *r, struct err *err);

/* ---- protect and reset ----------------------------------------------------------------------- */

/* *ret_changed: false when it was so already. */
int inst_protect(const struct instance *i, bool *ret_changed, struct err *err);
int inst_unprotect(const struct instance *i, bool *ret_changed, struct err *err);
/* Ends what runs, and removes everything but the YAML, the versions and the protection (a protected
 * instance is refused). The next start makes a fresh disk. */
int inst_factory_reset(const struct instance *i, const struct inst_report *r, struct err *err);

/* ---- edit ------------------------------------------------------------------------------------ */

/* The YAML of an instance, or another YAML file, as it was when the edit began. */
struct inst_edit {
    struct instance inst; /* name NULL: a plain file */
    char *name;           /* of the instance, or the one that the file suggests */
    char *path;           /* symbolic links resolved */
    char *text;
    size_t len;
    mode_t mode;
};

#define INST_EDIT_INIT                                                                             \
    {                                                                                              \
        INSTANCE_INIT, NULL, NULL, NULL, 0, 0                                                      \
    }
#define _cleanup_inst_edit_ _cleanup_(inst_edit_release)
void inst_edit_release(struct inst_edit *e);
/* ERR_STATE for a running instance. A broken YAML is fine: it is there to be mended. */
int inst_edit_begin(const struct instance *i, struct inst_edit *ret, struct err *err);
/* Of one that may still run: for a restart, which checks the new text before it stops anything. */
int inst_edit_begin_running(const struct instance *i, struct inst_edit *ret, struct err *err);
int inst_edit_begin_file(const char *path, struct inst_edit *ret, struct err *err);
/* Would the text do? Every problem with its place; layer->name is for them. Of an instance: the
 * disk would not have to shrink, and what has no effect on a disk that exists is warned about. */
int inst_edit_check(const struct inst_env *env, const struct inst_edit *e,
                    const struct config_layer *layer, const struct inst_report *r, struct err *err);
/* Puts a text that was checked in the place of the file, in one step and under the operation lock.
 * ERR_STATE when the instance runs by now, ERR_BUSY when the file is not what it was. */
int inst_edit_commit(const struct inst_edit *e, const char *text, size_t len, struct err *err);

/* ---- prune ----------------------------------------------------------------------------------- */

/* Empties the caches of images (image_prune); keep_referred: but for what instances refer to. */
int inst_prune(const struct inst_env *env, bool keep_referred, const struct inst_report *r,
               struct image_pruned *ret, struct err *err);

/* ---- inspect --------------------------------------------------------------------------------- */

/* What `list` shows. */
struct inst_info {
    char *name, *dir;
    struct instance_state state; /* Broken, with the reason in errors, when the YAML is */
    bool has_config;      /* it could be read, and then: */
    struct config config;
    char *vm_type;
    enum arch arch;
    int64_t cpus;
    uint64_t memory, disk; /* bytes */
    uint16_t ssh_port; /* 0: unknown, not running */
    bool protected_;
    char *lima_version; /* "" when there is no such file */
    char *message;      /* of the YAML, expanded; NULL without a configuration, and … */
    char *message_problem; /* … when its template fails: why; it is one of the errors then */
};

#define _cleanup_inst_info_ _cleanup_(inst_info_release)
void inst_info_release(struct inst_info *info);
/* Never fails and never blocks: locks, files, and at most *budget_ms of asking the agent (what was
 * used is taken off). An agent that does not answer makes the condition "not responding". */
void inst_info_read(const struct inst_env *env, const struct instance *i, int *budget_ms,
                    struct inst_info *ret);
/* The same for a row of a table, of which there may be thousands: config (which is large),
 * protected_ and lima_version stay empty. */
void inst_info_read_row(const struct inst_env *env, const struct instance *i, int *budget_ms,
                        struct inst_info *ret);
/* `message` of the YAML, its template expanded; "" when there is none, NULL and err when the template
 * fails. Caller frees. */
char *inst_message(const struct inst_env *env, const struct inst_info *info, struct err *err);
/* The instance as one object, keys in Lima's order; `condition` is ours. with_config false: without
 * `config` and what is copied from it. Caller frees. */
struct json *inst_object(const struct inst_info *info, const struct inst_env *env,
                         bool with_config);
/* The fields of that object that may be missing, for templates (tmpl_input.shape). Made once. */
const struct json *inst_shape(void);
/* Names of the fields as templates have them, sorted, NULL-terminated. */
extern const char *const inst_fields[];
/* The last event that the host agent of this run wrote; -1 when there is none. */
int inst_last_event(const struct instance *i, struct event *ret);

#endif
