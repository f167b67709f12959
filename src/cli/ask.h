/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to a person. */
#ifndef CIMA_CLI_ASK_H
#define CIMA_CLI_ASK_H

#include "cli/cli.h"

/* May we ask? Not with --tty=false or --yes, not where CI is set, and only when a person can answer
 * and see the question: standard input and standard error are terminals (F47). */
bool cli_can_ask(const struct cli *cli);
/* Asks on standard error and waits for the line: y, yes, n, no, or nothing for `preset`. The end of
 * the input is a no. The caller has checked cli_can_ask(). */
bool cli_ask(const char *question, bool preset);

#endif
