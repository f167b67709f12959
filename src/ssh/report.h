/* SPDX-License-Identifier: Apache-2.0 */
/* What the boot scripts report about provisioning: lines
 *   script NAME STATUS SECONDS
 *   cloud-init STATE              (when cloud-init has complained: "error", "degraded")
 *   | a line of its output        (after a failed one, and of cloud-init's log)
 *   end STATUS
 * The guest writes it, so it may be anything: what can't be understood is skipped, what is too much
 * is dropped. */
#ifndef CIMA_SSH_REPORT_H
#define CIMA_SSH_REPORT_H

#include "config/config.h"

struct report_script {
    char *name;
    int status;
    double seconds;
    struct strv output; /* last lines */
};

struct report {
    struct report_script *v;
    size_t n, cap;
    size_t bytes;  /* taken in so far */
    bool ended;
    int end_status;
    char *cloud_init;             /* what it says of itself; NULL: no complaint */
    struct strv cloud_init_output;
    struct strv *output;          /* where lines of output go; NULL: nowhere */
};

#define REPORT_INIT {.n = 0}
#define _cleanup_report_ _cleanup_(report_release)

/* Output lines kept per script, scripts kept, and bytes of the whole report. */
#define REPORT_OUTPUT_LINES 20
#define REPORT_SCRIPTS_MAX 256
#define REPORT_BYTES_MAX (64 * 1024)

void report_release(struct report *r);
/* One line without its end. */
void report_line(struct report *r, const char *line, size_t len);
/* Returns 0 when nothing has failed, else -1 with an ERR_GUEST that names the first failed script as
 * an entry of the configuration's `provision` and shows the output of all of them. cfg may be NULL. */
int report_check(const struct report *r, const struct config_instance *cfg, struct err *err);
/* What cloud-init has complained about, as lines; NULL when there is nothing. Caller frees. */
char *report_cloud_init(const struct report *r);

#endif
