/* SPDX-License-Identifier: Apache-2.0 */
/* What the boot scripts report about provisioning: lines
 *   script NAME STATUS SECONDS
 *   | a line of its output        (after a failed one)
 *   end STATUS
 * The guest writes it, so it may be anything: what can't be understood is skipped, what is too much
 * is dropped. */
#ifndef CIMA_SSH_REPORT_H
#define CIMA_SSH_REPORT_H

#include "base/err.h"

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
};

#define REPORT_INIT {NULL, 0, 0, 0, false, 0}
#define _cleanup_report_ _cleanup_(report_release)

/* Output lines kept per script, scripts kept, and bytes of the whole report. */
#define REPORT_OUTPUT_LINES 20
#define REPORT_SCRIPTS_MAX 256
#define REPORT_BYTES_MAX (64 * 1024)

void report_release(struct report *r);
void report_line(struct report *r, const char *line, size_t len);
size_t report_failures(const struct report *r);
/* Returns 0 when nothing has failed, else -1 with an ERR_GUEST that names the first failed script
 * and shows the output of all of them. */
int report_check(const struct report *r, struct err *err);

#endif
