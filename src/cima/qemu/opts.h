/* SPDX-License-Identifier: Apache-2.0 */
/* One option value of QEMU: ordered keys with typed values. The same value becomes the argument of
 * a command line option (commas doubled) and the JSON object of a QMP command, so that a device
 * that is there from the start and one that is plugged in later can't differ.
 *
 * Errors are latched: a value that can't be written (a newline, a control character, an empty text)
 * marks the whole, and cima_opts_to_argv and cima_opts_to_json report it once. So a long list of
 * setters needs one check. */
#ifndef CIMA_QEMU_OPTS_H
#define CIMA_QEMU_OPTS_H

#include "cima/qemu/json.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cima_opts;

void cima_opts_free(struct cima_opts *o); /* NULL is allowed */

/* A value whose first key may be left out on the command line: ("driver", "virtio-net-pci") is
 * written "virtio-net-pci". NULL, NULL: no such key. */
struct cima_opts *cima_opts_new(const char *implied_key, const char *value);

/* Setters append in order; a key that is there already is replaced where it stands. Keys are
 * letters, digits, '-', '_', '.'. */
/* NULL: nothing is set. An empty text is an error of the caller (QEMU takes it for something else).
 */
void cima_opts_str(struct cima_opts *o, const char *key, const char *value);
/* Where an empty text is meant: "romfile=" is no file. */
void cima_opts_empty(struct cima_opts *o, const char *key);
void cima_opts_strf(struct cima_opts *o, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void cima_opts_int(struct cima_opts *o, const char *key, int64_t value);
/* Bytes; written with the largest unit that divides it ("1G"). JSON: the number. */
void cima_opts_size(struct cima_opts *o, const char *key, uint64_t bytes);
void cima_opts_bool(struct cima_opts *o, const char *key, bool value);
/* A repeated key: hostfwd=a,hostfwd=b. JSON: [{"str": "a"}, {"str": "b"}], QAPI's list of String.
 */
void cima_opts_list(struct cima_opts *o, const char *key, const char *value);
/* Numbers of descriptors in QEMU: fds=3:4. JSON: their names (cima_cmdline_fd_name), as netdev_add
 * and chardev-add want them. */
void cima_opts_fds(struct cima_opts *o, const char *key, const int *numbers, size_t n);
/* A struct inside: key.sub=… on the command line, an object in JSON. Belongs to o; valid until o is
 * freed. */
struct cima_opts *cima_opts_nested(struct cima_opts *o, const char *key);

/* The struct inside that has this key; NULL when there is none. Belongs to o. */
struct cima_opts *cima_opts_inner(const struct cima_opts *o, const char *key);

/* The text of a string or implied value; NULL when the key is missing or of another type. Belongs
 * to o. */
const char *cima_opts_get(const struct cima_opts *o, const char *key);

/* The value as text, whatever its type: "on", "3:4", "1G". NULL when the key is missing, a list or
 * a struct inside. Free with free(). */
char *cima_opts_text(const struct cima_opts *o, const char *key);

/* The first thing that can't be written; NULL: none. Belongs to o. */
const char *cima_opts_problem(const struct cima_opts *o);
/* "virtio-net-pci,netdev=net0,mac=52:…". The caller frees it with free(). NULL with "config" when a
 * value can't be written. */
char *cima_opts_to_argv(const struct cima_opts *o, struct cima_error *error);
/* As QMP wants it. Free with cima_json_free. NULL with "config" as above. */
struct cima_json *cima_opts_to_json(const struct cima_opts *o, struct cima_error *error);
/* Reads one argument back ("a,b=c,,d"): for option texts that people write, such as a display.
 * Values are strings; a key without value gets "on" (and "off" behind "no", as QEMU's own short
 * forms, is not guessed). NULL with "config" on an empty text, an empty key or a control character.
 * Free with cima_opts_free. */
struct cima_opts *cima_opts_parse(const char *text, const char *implied_key,
                                  struct cima_error *error);

#ifdef __cplusplus
}
#endif
#endif
