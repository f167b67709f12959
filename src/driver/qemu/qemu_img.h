/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-img for the files of an instance: the one way to run it here. */
#ifndef CIMA_DRIVER_QEMU_QEMU_IMG_H
#define CIMA_DRIVER_QEMU_QEMU_IMG_H

#include "sys/spawn.h"

/* Runs program (the path of qemu-img) with args, its name not among them. limited: it reads what
 * others have made, ends with us, and costs no more than some time and memory (F35); not for one
 * that changes an image in place, which nothing may end in the middle. timeout_ms as in run_capture.
 * *ret has what it said; ERR_IO with the end of its stderr as detail when it fails. */
int qemu_img(const char *program, const struct strv *args, bool limited, int timeout_ms,
             struct run_result *ret, struct err *err);

#endif
