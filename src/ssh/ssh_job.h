/* SPDX-License-Identifier: Apache-2.0 */
/* An ssh of the host agent as a job beside its loop. */
#ifndef CIMA_SSH_SSH_JOB_H
#define CIMA_SSH_SSH_JOB_H

#include "service/job.h"
#include "ssh/ssh.h"

/* Starts `ssh … OPTIONS HOST`, with `sh -s` as the guest's command when spec has an input: the
 * script. spec is complete but for argv; options may be NULL. NULL and err as job_start(), or when
 * $SSH makes no sense. */
struct job *ssh_job_start(struct loop *loop, const struct ssh_target *t, enum ssh_master master,
                          const struct strv *options, const struct job_spec *spec, struct err *err);

#endif
