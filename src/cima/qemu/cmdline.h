/* SPDX-License-Identifier: Apache-2.0 */
/* What a machine is made of, in order: each part is an option of QEMU's command line with a flag, a
 * plain text or a struct cima_opts. This is the one form between typed devices (device.h,
 * machine.h) and QEMU: the parts become words of argv, or commands of a running machine. Only here
 * does an option become text. */
#ifndef CIMA_QEMU_CMDLINE_H
#define CIMA_QEMU_CMDLINE_H

#include "cima/qemu/opts.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cima_cmdline;

struct cima_cmdline *cima_cmdline_new(void);
void cima_cmdline_free(struct cima_cmdline *c); /* NULL is allowed */

/* Names begin with one dash. */
void cima_cmdline_flag(struct cima_cmdline *c, const char *name);
/* A text that is no option list: -kernel, -append. */
void cima_cmdline_text(struct cima_cmdline *c, const char *name, const char *text);
/* Takes over opts. */
void cima_cmdline_opts(struct cima_cmdline *c, const char *name, struct cima_opts *opts);
/* Moves all parts of src behind those of dst; src is empty afterwards. */
void cima_cmdline_move(struct cima_cmdline *dst, struct cima_cmdline *src);

size_t cima_cmdline_len(const struct cima_cmdline *c);
/* The name of part i ("-device"), its option value and its plain text; both NULL for a flag.
 * Borrowed. */
const char *cima_cmdline_name(const struct cima_cmdline *c, size_t i);
const struct cima_opts *cima_cmdline_value(const struct cima_cmdline *c, size_t i);
const char *cima_cmdline_plain(const struct cima_cmdline *c, size_t i);

/* The words behind the program's name, NULL-terminated. NULL with "config" naming the option that
 * can't be written. Free with cima_strings_free. */
char **cima_cmdline_argv(const struct cima_cmdline *c, struct cima_error *error);
void cima_strings_free(char **strings); /* NULL is allowed */

/* The QMP command that adds part i to a running machine, and its arguments: device_add, netdev_add,
 * object-add, blockdev-add, chardev-add. "unsupported" for a part that only the command line has.
 * *ret_command is static text; free *ret_args with cima_json_free. */
int cima_cmdline_command(const struct cima_cmdline *c, size_t i, const char **ret_command,
                         struct cima_json **ret_args, struct cima_error *error);

#ifdef __cplusplus
}
#endif
#endif
