/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a template as the instance that it would become. */
#ifndef CIMA_CLI_VALIDATE_H
#define CIMA_CLI_VALIDATE_H

#include "cli/cli.h"

struct template_env cli_template_env(struct cli *cli);
/* The template with all that it names in its text, as an instance is made from it. Needs cli_env. */
int cli_read_template(struct cli *cli, const char *locator, struct template *ret, struct err *err);
/* The filled configuration; warnings are shown, problems are in err. */
int cli_load_template(struct cli *cli, const struct template *t, struct config *ret,
                      struct err *err);
/* Filled but not checked, for showing what it becomes. */
int cli_fill_template(struct cli *cli, const struct template *t, struct config *ret,
                      struct err *err);

/* `validate` and `template validate`. */
extern const struct cli_positional cli_validate_positional[];
extern const struct cli_option cli_validate_options[];
int cli_validate_run(struct cli *cli, const struct args *args, struct err *err);

#endif
