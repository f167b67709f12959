/* SPDX-License-Identifier: Apache-2.0 */
/* One option value of QEMU: ordered keys with typed values. The same value becomes the argument of
 * a command line option (commas doubled) and the JSON object of a QMP command, so that a device
 * that is there from the start and one that is plugged in later can't differ.
 *
 * Errors are latched: a value that can't be written (a newline, a control character, an empty text)
 * marks the whole, and qemu_opts_to_argv / qemu_opts_to_json report it once. So a long list of
 * setters needs one check. */
#ifndef CIMA_QEMU_OPTS_H
#define CIMA_QEMU_OPTS_H

#include "base/err.h"
#include "base/strv.h"
#include "json/json.h"

struct qemu_opts;

void qemu_opts_free(struct qemu_opts *o); /* NULL is allowed */
DEFINE_CLEANUP_PTR(qemu_opts, qemu_opts_free)
#define _cleanup_qemu_opts_ _cleanup_(qemu_opts_freep)

/* A value whose first key may be left out on the command line: ("driver", "virtio-net-pci") is
 * written "virtio-net-pci". NULL, NULL: no such key. */
struct qemu_opts *qemu_opts_new(const char *implied_key, const char *value);

/* Setters append in order; a key that is there already is replaced where it stands. Keys are
 * letters, digits, '-', '_', '.'. */
/* NULL: nothing is set. An empty text is an error of the caller (QEMU takes it for something else).
 */
void qemu_opts_str(struct qemu_opts *o, const char *key, const char *value);
void qemu_opts_strf(struct qemu_opts *o, const char *key, const char *fmt, ...) PRINTF_FORMAT(3, 4);
void qemu_opts_int(struct qemu_opts *o, const char *key, int64_t value);
/* Bytes; written with the largest unit that divides it ("1G"). JSON: the number. */
void qemu_opts_size(struct qemu_opts *o, const char *key, uint64_t bytes);
void qemu_opts_bool(struct qemu_opts *o, const char *key, bool value);
/* A repeated key: hostfwd=a,hostfwd=b. JSON: [{"str": "a"}, {"str": "b"}], QAPI's list of String.
 */
void qemu_opts_list(struct qemu_opts *o, const char *key, const char *value);
/* A struct inside: key.sub=… on the command line, an object in JSON. Belongs to o; valid until o is
 * freed. */
struct qemu_opts *qemu_opts_nested(struct qemu_opts *o, const char *key);

/* The text of a string or implied value; NULL when the key is missing or of another type. */
const char *qemu_opts_get(const struct qemu_opts *o, const char *key);

/* "virtio-net-pci,netdev=net0,mac=52:…". Caller frees. NULL with err when a value can't be written.
 */
char *qemu_opts_to_argv(const struct qemu_opts *o, struct err *err);
/* As QMP wants it. NULL with err as above. */
struct json *qemu_opts_to_json(const struct qemu_opts *o, struct err *err);
/* Reads one argument back ("a,b=c,,d"): for option texts that people write, such as a display.
 * Values are strings; a key without value gets "on" (and "off" behind "no", as QEMU's own short
 * forms, is not guessed). NULL with err on an empty text, an empty key or a control character. */
struct qemu_opts *qemu_opts_parse(const char *text, const char *implied_key, struct err *err);

#endif
