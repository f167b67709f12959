/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. */
#ifndef CIMA_INSTANCE_INTERNAL_H
#define CIMA_INSTANCE_INTERNAL_H

#include "driver/driver.h"
#include "instance/instance.h"

/* instance_lock with a next step in the error. */
int inst_lock(const struct instance *i, int wait_ms, struct err *err);
/* instance_state_read, which waits for a machine that is being born and has no agent (any more). */
void inst_state_read(const struct instance *i, struct instance_state *ret);
/* A host agent lives, known by its pid or not yet. */
bool inst_has_agent(const struct instance_state *st);
/* Anything of the instance lives. */
bool inst_is_alive(const struct instance_state *st);
/* Ends everything that lives, with SIGKILL where it must. Needs no lock. */
int inst_kill(const struct instance *i, const struct inst_report *r, struct err *err);
/* The same, silent when nothing lives. */
int inst_kill_if_alive(const struct instance *i, const struct inst_report *r, struct err *err);
/* inst_readopt for a caller that holds the operation lock. */
int inst_readopt_locked(const struct inst_env *env, const struct instance *i,
                        const struct inst_report *r, struct err *err);
/* Would the machine start? Plans it, tells the notes, and throws the plan away. */
int inst_try_plan(const struct driver_ctx *ctx, const struct inst_report *r, struct err *err);
/* Tells what the configuration asks for and this version does not do yet. */
void inst_pending(const struct config_instance *c, const struct inst_report *r);
/* By the configuration's vmType. NULL and err when there is none. */
const struct driver *inst_driver(const struct config_instance *cfg, struct err *err);

/* Brings the image of the configuration into the directory; base_dir: where relative paths start. */
int inst_fetch_image(const struct inst_env *env, const struct instance *i,
                     const struct config_instance *cfg, const char *base_dir,
                     const struct inst_report *r, struct image_result *ret, struct err *err);
/* Makes the disk out of that image, and keeps the facts that are frozen then. */
int inst_make_disk(const struct inst_env *env, const struct instance *i,
                   const struct config_instance *cfg, const struct image_result *image,
                   const struct inst_report *r, struct err *err);
/* For a start: a directory without a disk gets one. With the operation lock, nothing alive. */
int inst_ensure_disk(const struct inst_env *env, const struct instance *i,
                     const struct config_instance *cfg, const struct inst_report *r,
                     struct err *err);
/* For a start: a factory reset that was killed in the middle is brought to its end. */
int inst_finish_reset(const struct instance *i, const struct inst_report *r, struct err *err);
/* "failed to VERB instance …: instance is protected to prohibit accidental FROM". */
int inst_check_protected(const struct instance *i, const char *verb, const char *from,
                         struct err *err);

#endif
