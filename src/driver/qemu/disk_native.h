/* SPDX-License-Identifier: Apache-2.0 */
/* What is done to disks without qemu-img, where that is not installed (SD-66). */
#ifndef CIMA_DRIVER_QEMU_DISK_NATIVE_H
#define CIMA_DRIVER_QEMU_DISK_NATIVE_H

#include "base/err.h"
#include <stdint.h>

/* Enlarges a raw or qcow2 disk (fd open for reading and writing) that nobody else has open. A qcow2
 * can be enlarged as far as its L1 table's last cluster reaches (4 TiB with the usual clusters),
 * and only when it is clean and has no snapshots inside: ERR_UNSUPPORTED otherwise, and nothing was
 * changed. The change of a qcow2 is one write into one sector. */
int disk_native_grow(int fd, const char *name, const char *format, uint64_t bytes, struct err *err);
/* Writes the raw file `from` (64 MiB at most) as a qcow2 into the empty file `to`. */
int disk_native_to_qcow2(int from, const char *name, int to, struct err *err);

#endif
