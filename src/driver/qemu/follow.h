/* SPDX-License-Identifier: Apache-2.0 */
/* What a process writes into its log file, line by line in our debug log (S1-32). The process
 * writes to the file and not to a pipe of ours, because it outlives us. */
#ifndef CIMA_DRIVER_QEMU_FOLLOW_H
#define CIMA_DRIVER_QEMU_FOLLOW_H

#include "sys/loop.h"

/* What is longer is cut there in the log (never in the file), and reading goes on. */
#define FOLLOW_LINE_MAX 65536

struct follow;

/* From byte `offset` of the file on; "LABEL: " stands before each line. NULL when nobody would see
 * it (no debug log), or when the file can't be watched. */
struct follow *follow_new(struct loop *loop, const char *path, int64_t offset, const char *label);
/* Reads what is left first. NULL is allowed. */
void follow_free(struct follow *f);

#endif
