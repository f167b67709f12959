/* SPDX-License-Identifier: Apache-2.0 */
/* The scripts that are run in the guest over ssh, as text for the stdin of `sh -s`. They speak in
 * lines that begin with REMOTE_MARK; whatever else appears on stdout (a talkative .bashrc) is not
 * theirs. */
#ifndef CIMA_SSH_REQUIREMENTS_H
#define CIMA_SSH_REQUIREMENTS_H

#include "base/macro.h"

#define REMOTE_LOGIN       "cima:login"       /* a login works */
#define REMOTE_SESSION     "cima:session"     /* the user session is ready */
#define REMOTE_NOW         "cima:now "        /* the name of the script that runs follows */
#define REMOTE_MASTER      "cima:master"      /* the master is up */
#define REMOTE_BOOT_DONE   "cima:boot-done"   /* boot scripts are over; the report follows */
#define REMOTE_REPORT_END  "cima:report-end"
/* Lines of a report (report.h) about what cloud-init says, when it has finished and the boot scripts
 * have not begun, or when it has finished with errors after they were done. */
#define REMOTE_TROUBLE     "cima:trouble"
#define REMOTE_TROUBLE_END "cima:trouble-end"

/* Logs in; unless plain, waits in the guest until the user session is ready (/run/lima-ssh-ready
 * holds iid; with iid NULL: is there). Caller frees. */
char *remote_login_script(const char *iid, bool plain);
/* The session of the master: unless plain, waits in the guest until the boot scripts are over
 * (/run/lima-boot-done) and prints their report; then stays until its stdin is closed. Shorter than
 * JOB_OPEN_INPUT_MAX. Caller frees. */
char *remote_master_script(const char *iid, bool plain);
/* A script of the user, run by the interpreter of its #! line (/bin/sh without one), with the
 * parameters of the instance exported (HA-22). delimiter: a line that the script does not hold.
 * Caller frees. */
char *remote_user_script(const char *script, const char *delimiter);

#endif
