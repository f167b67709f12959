/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CIMA_INSTANCE_FLAGS_INTERNAL_H
#define CIMA_INSTANCE_FLAGS_INTERNAL_H

#include "instance/flags.h"
#include "json/json.h"

/* ---- values of flags (flags_parse.c) ---------------------------------------------------------- */

/* The values of a flag as it has them: one for what is no list, numbers in one form
 * (FLAG_SIZE: "2.5GiB"). ERR_USAGE naming flag and value. */
int flag_parse(enum inst_flag flag, const struct strv *written, struct strv *ret, struct err *err);
/* "invalid argument "X" for "--NAME" flag: WHY". Returns -1. */
int flag_invalid(enum inst_flag flag, const char *value, struct err *err, const char *fmt, ...)
    PRINTF_FORMAT(4, 5);

struct port_forward {
    char *host, *guest;
    bool is_static;
};
void port_forward_release(struct port_forward *p);
int port_forward_parse(const char *text, struct port_forward *ret, struct err *err);
/* NAME=VALUE: the length of NAME. */
int param_parse(const char *text, size_t *ret_name, struct err *err);
/* "user" and so on: which of the two. */
int containerd_parse(const char *text, bool *ret_user, bool *ret_system, struct err *err);
/* "lima:NAME": NAME; "vzNAT": NULL. */
int network_parse(const char *text, const char **ret_name, struct err *err);

/* ---- values of the YAML (flags_value.c) ------------------------------------------------------- */

/* The YAML text as a value; one without content is an empty mapping. */
struct json *value_of_text(const struct inst_flags_input *in, struct err *err);
/* The text, changed to say what the value says. Caller frees. */
char *text_of_value(const struct inst_flags_input *in, const struct json *value, size_t *ret_len,
                    struct err *err);
/* One line of JSON, numbers as short as they can be. Caller frees. */
char *value_to_json(const struct json *value);
/* Numbers of `before` that went through floating point and are the same in `after` get their old,
 * exact form. Takes after over. */
struct json *value_restore_numbers(const struct json *before, struct json *after);
/* Sets a key of nested mappings, which are made where there is none ("hostResolver", "enabled").
 * path ends with NULL. Takes value over. ERR_CONFIG when something else is in the way. */
int value_set(struct json *root, const char *const *path, struct json *value, struct err *err);
/* The list under a key, *ret_had false when there was none (then it is empty and not set). A
 * reference of the caller. ERR_CONFIG when it is something else. */
struct json *value_list(const struct json *root, const char *key, struct err *err);

/* Applies one flag to the value. */
struct flag_job {
    const struct host_facts *host;
    const struct inst_report *report;
    struct json *root;
};
int flag_apply(struct flag_job *job, enum inst_flag flag, const struct strv *values,
               struct err *err);

#endif
