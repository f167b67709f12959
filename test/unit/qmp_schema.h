/* SPDX-License-Identifier: Apache-2.0 */
/* What query-qmp-schema and device-list-properties of a real QEMU say about a command. */
#ifndef CIMA_TEST_QMP_SCHEMA_H
#define CIMA_TEST_QMP_SCHEMA_H

#include "qemu/qemu.h"

/* Is the command known, and are its arguments: names, kinds of values, words of enums, and whether
 * those that QEMU needs are there? For device_add also the properties of the driver. *ret_why gets
 * "command: where: why", at most size bytes. */
bool schema_accepts(struct cima_qmp *q, const struct json *schema, const char *command,
                    const struct json *args, char *ret_why, size_t size);

#endif
