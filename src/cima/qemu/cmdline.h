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

/* One without parts. Free with cima_cmdline_free. */
struct cima_cmdline *cima_cmdline_new(void);
/* With all its parts; the descriptors stay open. NULL is allowed. */
void cima_cmdline_free(struct cima_cmdline *c);

/* An option without a value: "-S". Names begin with one dash here and below. */
void cima_cmdline_flag(struct cima_cmdline *c, const char *name);
/* A text that is no option list: -kernel, -append. */
void cima_cmdline_text(struct cima_cmdline *c, const char *name, const char *text);
/* An option with a value of keys: "-device". Takes over opts. */
void cima_cmdline_opts(struct cima_cmdline *c, const char *name, struct cima_opts *opts);
/* Moves all parts and descriptors of src behind those of dst; src is empty afterwards. For parts
 * that name descriptors, src has to be made by cima_cmdline_new_behind(dst). */
void cima_cmdline_move(struct cima_cmdline *dst, struct cima_cmdline *src);
/* An empty one whose descriptors are numbered behind those of c. Free with cima_cmdline_free. */
struct cima_cmdline *cima_cmdline_new_behind(const struct cima_cmdline *c);

/* ---- descriptors that QEMU inherits ---------------------------------------------------------- */
/* Notes that QEMU is to inherit fd, and returns the number it has there: 3 for the first, then 4, …
 * (S2-34). fd stays the caller's and open until QEMU runs. */
int cima_cmdline_inherit(struct cima_cmdline *c, int fd);
/* All of them in order: the first becomes 3. Borrowed. */
size_t cima_cmdline_fds(const struct cima_cmdline *c, const int **ret_fds);
/* The name under which a command of a running machine means the descriptor of that number: it is
 * sent by getfd under this name first. Free with free(). */
char *cima_cmdline_fd_name(int number);

/* The number of parts. */
size_t cima_cmdline_len(const struct cima_cmdline *c);
/* The name of part i ("-device"), its option value and its plain text; both NULL for a flag.
 * Borrowed. */
const char *cima_cmdline_name(const struct cima_cmdline *c, size_t i);
const struct cima_opts *cima_cmdline_value(const struct cima_cmdline *c, size_t i);
const char *cima_cmdline_plain(const struct cima_cmdline *c, size_t i);

/* The words behind the program's name, NULL-terminated. NULL with "config" naming the option that
 * can't be written. Free with cima_strings_free. */
char **cima_cmdline_argv(const struct cima_cmdline *c, struct cima_error *error);
/* Frees such a list with its texts. NULL is allowed. */
void cima_strings_free(char **strings);

/* The QMP command that adds part i to a running machine, and its arguments: device_add, netdev_add,
 * object-add, blockdev-add, chardev-add. "unsupported" for a part that only the command line has.
 * *ret_command is static text; free *ret_args with cima_json_free. */
int cima_cmdline_command(const struct cima_cmdline *c, size_t i, const char **ret_command,
                         struct cima_json **ret_args, struct cima_error *error);
/* The command that takes part i away again: device_del, netdev_del, object-del, blockdev-del,
 * chardev-remove. "unsupported" as above, and for a part without an id. */
int cima_cmdline_undo_command(const struct cima_cmdline *c, size_t i, const char **ret_command,
                              struct cima_json **ret_args, struct cima_error *error);

/* ---- what is wrong --------------------------------------------------------------------------- */
/* What happens to the thing that has the problem when a whole machine is built in spite of it. */
enum cima_effect {
    CIMA_EFFECT_LEFT_OUT,       /* the whole device or setting is not there */
    CIMA_EFFECT_FIELD_LEFT_OUT, /* it is there without this field */
    CIMA_EFFECT_REFUSED,        /* it is written, but the QEMU of today refuses it */
    CIMA_EFFECT_COUNT
};
/* "left out", …: static text for people. */
const char *cima_effect_to_string(enum cima_effect e);

struct cima_problem {
    const char *where;   /* "devices[2].addr", "rtc.clock" */
    const char *message; /* "network device 'n0': `addr` must be …" */
    enum cima_effect effect;
};

struct cima_problems;
/* An empty list of problems. Free with cima_problems_free. */
struct cima_problems *cima_problems_new(void);
/* NULL is allowed. */
void cima_problems_free(struct cima_problems *p);
/* How many there are. */
size_t cima_problems_len(const struct cima_problems *p);
/* Number i of them: borrowed, until the next one is added. */
const struct cima_problem *cima_problems_at(const struct cima_problems *p, size_t i);

/* What the parts say about each other, and QEMU would find out: an id that is there twice or that
 * QEMU does not accept, a reference to something that is not there, an nvdimm in a machine that has
 * none. Adds to p, with the option's name as place;
 * returns the number of problems found. Nothing is opened or looked up. */
size_t cima_cmdline_check(const struct cima_cmdline *c, struct cima_problems *p);
/* What this host lacks: huge pages that are not mounted (QEMU would write a plain file of the
 * machine's size there), vhost=on without /dev/vhost-net. Adds to p; returns the number. */
size_t cima_cmdline_check_host(const struct cima_cmdline *c, struct cima_problems *p);

#ifdef __cplusplus
}
#endif
#endif
