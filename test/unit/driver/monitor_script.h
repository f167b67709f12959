/* SPDX-License-Identifier: Apache-2.0 */
/* A monitor that answers by a script, and keeps what it was asked. */
#ifndef CIMA_TEST_MONITOR_SCRIPT_H
#define CIMA_TEST_MONITOR_SCRIPT_H

#include "driver/tools.h"

/* One line of the script: the answer to the next question for that command. */
struct script_line {
    const char *command;
    const char *answer; /* JSON, or "!" and the words of an error of QEMU's */
};

struct script {
    struct driver_monitor monitor;
    const struct script_line *lines; /* ends with a NULL command */
    unsigned used;                   /* bits: which lines have been answered */
    struct sbuf asked;               /* "command arguments\n" each */
};

/* A question is answered by the first line for its command that was not used, or else by the last
 * one for it; without any the test fails. */
void script_init(struct script *s, const struct script_line *lines);
void script_release(struct script *s);
#define _cleanup_script_ _cleanup_(script_release)

#endif
