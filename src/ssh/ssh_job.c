/* SPDX-License-Identifier: Apache-2.0 */
#include "ssh/ssh_job.h"

struct job *ssh_job_start(struct loop *loop, const struct ssh_target *t, enum ssh_master master,
                          const struct strv *options, const struct job_spec *spec, struct err *err)
{
    _cleanup_strv_ struct strv argv = STRV_INIT;
    struct job_spec full = *spec;

    if (ssh_base_argv(t, master, &argv, err) < 0)
        return NULL;
    if (options)
        strv_extend(&argv, options);
    strv_push(&argv, t->host);
    if (spec->input)
        strv_pushl(&argv, "sh", "-s", NULL);
    full.argv = (const char *const *)strv_argv(&argv);
    return job_start(loop, &full, err);
}
