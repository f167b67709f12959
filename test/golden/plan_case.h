/* SPDX-License-Identifier: Apache-2.0 */
/* A YAML and facts about a host, turned into QEMU's command line without looking at this host: for
 * the golden tests and for argv-case. */
#ifndef CIMA_TEST_PLAN_CASE_H
#define CIMA_TEST_PLAN_CASE_H

#include "driver/qemu/plan.h"
#include "json/json.h"

struct plan_case {
    const char *yaml;         /* may hold @QCOW2@, @RAW@, @ISO@, @KERNEL@, @INITRD@, @FIRMWARE@ */
    const char *instance;     /* name */
    const struct json *facts; /* an object; the keys are those of plan_case.c */
    uint16_t ssh_port;        /* used when the YAML names none */
    unsigned times;           /* plan this often before, and hand each time to `timed`, in ns */
    void (*timed)(uint64_t ns);
};

struct plan_result {
    struct qemu_plan *plan; /* NULL: refused */
    struct strv argv;       /* with @DIR@, @HOME@, @USERHOME@, @PREFIX@ for the directories */
    struct diags notes;
    struct err err;
};

#define PLAN_RESULT_INIT                                                                           \
    {                                                                                              \
        NULL, STRV_INIT, DIAGS_INIT, ERR_INIT                                                      \
    }
#define _cleanup_plan_result_ _cleanup_(plan_result_release)
void plan_result_release(struct plan_result *r);
/* 0, or -1 with r->err. */
int plan_case_run(const struct plan_case *c, struct plan_result *r);
/* What its QEMU can do (plan_features.c). -1: the tables can't be read; said on stderr. */
int plan_case_features(const struct json *facts, enum arch arch, struct qemu_features *ret);
/* The places of the case written as @DIR@ and so on. Caller frees. */
char *plan_case_symbols(const struct plan_case *c, const char *text);

#endif
