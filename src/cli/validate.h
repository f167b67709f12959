/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a template as the instance that it would become. */
#ifndef CIMA_CLI_VALIDATE_H
#define CIMA_CLI_VALIDATE_H

#include "cli/cli.h"

/* The filled configuration; warnings are shown, problems are in err. */
int cli_load_template(struct cli *cli, const struct inst_template *t, struct config *ret,
                      struct err *err);
/* Filled but not checked, for showing what it becomes. */
int cli_fill_template(struct cli *cli, const struct inst_template *t, struct config *ret,
                      struct err *err);

#endif
