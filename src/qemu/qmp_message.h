/* SPDX-License-Identifier: Apache-2.0 */
/* What QMP's lines and some of HMP's answers say. */
#ifndef CIMA_QEMU_QMP_MESSAGE_H
#define CIMA_QEMU_QMP_MESSAGE_H

#include "json/json.h"

/* Parses one line: for the fuzzer and the client. Kinds of messages: */
enum qmp_line { QMP_LINE_GREETING, QMP_LINE_REPLY, QMP_LINE_EVENT, QMP_LINE_OTHER };
/* -1 with ERR_PROTOCOL when it is no JSON object. *ret belongs to the caller. */
int qmp_parse_line(const char *line, size_t len, enum qmp_line *ret_kind, struct json **ret,
                   struct err *err);
/* A line with more values than that is refused: each costs many times its length in memory. What
 * QEMU says of itself (query-qmp-schema) has some 20000. */
#define QMP_VALUES_LIMIT 500000
/* The text of a command for a log: what is secret in its arguments is "***". args: those in the
 * line; may be NULL. Caller frees. */
char *qmp_without_passwords(const char *line, const struct json *args);
/* The version out of a greeting or query-version: -1 when it has none. */
int qmp_version(const struct json *j, unsigned ret[3]);

/* Host port that `info usernet` names for a TCP forwarding to the guest's port; 0: none. */
uint16_t qmp_usernet_port(const char *text, uint16_t guest_port);

#endif
