/* SPDX-License-Identifier: Apache-2.0 */
/* Flags that change the YAML. flags.def has a row for each; commands take their options from it. */
#ifndef CIMA_INSTANCE_FLAGS_H
#define CIMA_INSTANCE_FLAGS_H

#include "instance/instance.h"

enum inst_flag {
#define FLAG(id, ...) INST_FLAG_##id,
#include "instance/flags.def"
#undef FLAG
    INST_FLAG_COUNT,
};

enum inst_flag_kind {
    FLAG_BOOL,  /* "true", "false" */
    FLAG_INT,   /* as Go writes integers: 4, 0x4, 0b100, 1_0 */
    FLAG_PORT,  /* 0 to 65535, written as an integer */
    FLAG_SIZE,  /* GiB: 2.5, 1e1 */
    FLAG_TEXT,  /* the last use counts, as for those above */
    FLAG_LIST,  /* every use adds; commas separate, "a,b" in double quotes is one */
    FLAG_IPS,   /* the same with addresses */
    FLAG_TEXTS, /* every use adds one, commas are part of it */
};

struct inst_flag_info {
    const char *name, *metavar, *help;
    enum inst_flag_kind kind;
    bool create_only;  /* of no use for an instance that exists: a warning there */
    bool experimental; /* a warning */
};
extern const struct inst_flag_info inst_flag_table[INST_FLAG_COUNT];

/* What the command line said: by flag, the values as they were written. */
struct inst_flags {
    struct strv values[INST_FLAG_COUNT];
};

#define _cleanup_inst_flags_ _cleanup_(inst_flags_release)
void inst_flags_release(struct inst_flags *f);
bool inst_flags_any(const struct inst_flags *f);
/* What can be seen without a YAML: values, conflicts, expressions of --set. ERR_USAGE, with a hint
 * where there is more to say than what the help says. */
int inst_flags_check(const struct inst_flags *f, struct err *err);

struct inst_flags_input {
    const char *name; /* of the text, for messages */
    const char *text;
    size_t len;
    bool existing; /* of an instance that exists */
};

/* The text with the flags applied: only the bytes of what changes differ. Flags that do not apply
 * or are experimental are noted as warnings. ERR_USAGE for a flag that can't be used, ERR_CONFIG
 * for a text that is no YAML mapping. The result is not checked as a configuration. Caller frees
 * *ret. */
int inst_flags_apply(const struct inst_flags *f, const struct inst_flags_input *in,
                     const struct host_facts *host, const struct inst_report *r, char **ret,
                     size_t *ret_len, struct err *err);

#endif
