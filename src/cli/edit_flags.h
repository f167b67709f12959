/* SPDX-License-Identifier: Apache-2.0 */
/* The flags that change the YAML (instance/flags.def) as options of commands, and what commands do
 * with them. */
#ifndef CIMA_CLI_EDIT_FLAGS_H
#define CIMA_CLI_EDIT_FLAGS_H

#include "cli/cli.h"
#include "instance/flags.h"

/* For more_options of a command: those for an instance that exists, and all of them. */
extern const struct cli_option cli_edit_options[], cli_create_options[];

/* Name of a text that was rejected and kept in the working directory. */
#define CLI_REJECTED "lima.REJECTED.yaml"
/* Keeps it there, and says so; where that fails the text becomes detail of err. */
void cli_keep_rejected(const char *text, size_t len, struct err *err);

/* What the command line says of the flags. */
void cli_flags_read(const struct args *args, struct inst_flags *ret);
/* Is there any, and are they all right as far as can be seen without a YAML? */
int cli_flags_check(const struct args *args, bool *ret_any, struct err *err);
/* The text of a template with the flags applied: *ret NULL when there are none. Caller frees. */
int cli_flags_template(struct cli *cli, const struct args *args, const char *name, const char *text,
                       size_t len, char **ret, size_t *ret_len, struct err *err);
/* cli_create for what the command line means: the flags are applied to the template first. A text
 * that is not valid with them is kept as CLI_REJECTED. */
int cli_flags_create(struct cli *cli, const struct args *args, struct cli_target *t,
                     struct instance *ret, struct err *err);
/* Applies the flags to an edit that was begun and checks the result: *ret NULL when it is what the
 * text says already. A result that is not valid is kept as CLI_REJECTED. Caller frees. */
int cli_flags_edit(struct cli *cli, const struct args *args, const struct inst_edit *e, char **ret,
                   size_t *ret_len, struct err *err);
/* All of it for a stopped instance: *ret_changed tells whether its YAML was written. */
int cli_flags_instance(struct cli *cli, const struct args *args, const struct instance *i,
                       bool *ret_changed, struct err *err);

#endif
