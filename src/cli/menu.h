/* SPDX-License-Identifier: Apache-2.0 */
/* Making an instance, after a person has had a look. */
#ifndef CIMA_CLI_MENU_H
#define CIMA_CLI_MENU_H

#include "cli/edit_flags.h"

/* --list-templates and --list-drivers, for the tables of create and start. */
#define CLI_OPTION_LIST_TEMPLATES                                                                  \
    {                                                                                              \
        .name = "list-templates", .kind = VALUE_BOOL, .help = "List the templates, and do no more" \
    }
#define CLI_OPTION_LIST_DRIVERS                                                                    \
    {                                                                                              \
        .name = "list-drivers", .kind = VALUE_BOOL,                                                \
        .help = "List the drivers of machines, and do no more"                                     \
    }
/* Prints what they ask for; false when neither is given. */
bool cli_listed(struct cli *cli, const struct args *args);

/* Makes an instance of the target, the flags applied. On a terminal it asks first: go on, open an
 * editor, choose another template, or leave it (*ret_made is false then). A text out of the editor
 * that is not valid is kept as CLI_REJECTED, and the editor can be opened again. */
int cli_make(struct cli *cli, const struct args *args, struct cli_target *t, struct instance *ret,
             bool *ret_made, struct err *err);

#endif
