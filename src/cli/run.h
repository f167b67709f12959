/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of `cima run` as a request: for the command, and for the test of its cases. */
#ifndef CIMA_CLI_RUN_H
#define CIMA_CLI_RUN_H

#include "cli/args.h"
#include "run/run.h"

/* ERR_USAGE for a value that can't be read. */
int cli_run_request(const struct args *args, struct run_request *ret, struct err *err);

#endif
