/* SPDX-License-Identifier: Apache-2.0 */
/* The stage line: where the instance is, and the services that live along it.
 *
 * Theory of operation. `now` only grows. Somebody claims a stage (line_claim), and the line walks
 * there one stage after the other, as long as the next one is not held. At each stage it tells
 * the observer, starts the services of that stage and tells those that run already. After
 * STAGE_BOOT_DONE it walks on to STAGE_RUNNING by itself as soon as nobody holds that. line_stop()
 * leaves the walk for good: services are stopped in the reverse order of their starts. */
#ifndef CIMA_HOSTAGENT_LINE_H
#define CIMA_HOSTAGENT_LINE_H

#include "service/service.h"

struct line;

/* Called when a stage is entered, before its services start. */
typedef void line_fn(void *arg, enum stage stage);

struct line *line_new(line_fn *entered, void *arg);
/* Makes the services out of the types (NULL-terminated) whose create() wants to. Before the first
 * claim. */
void line_add_services(struct line *l, struct service_host *host,
                       const struct service_type *const *types);
/* Frees the services; line_stop() was called or nothing was started. NULL is allowed. */
void line_free(struct line *l);
enum stage line_stage(const struct line *l);
void line_claim(struct line *l, enum stage stage);
void line_hold(struct line *l, enum stage stage);
void line_release(struct line *l, enum stage stage);
/* Drops all holds and goes to STAGE_RUNNING: the start is over, with what there is. */
void line_force_running(struct line *l);
void line_event(struct line *l, enum guest_event ev);
/* Enters STAGE_STOPPING and stops what was started. Again: nothing. */
void line_stop(struct line *l);
/* Enters STAGE_GONE, after line_stop(). */
void line_gone(struct line *l);

#endif
