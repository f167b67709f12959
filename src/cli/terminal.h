/* SPDX-License-Identifier: Apache-2.0 */
/* Standard input and output on a byte stream: a serial console. */
#ifndef CIMA_CLI_TERMINAL_H
#define CIMA_CLI_TERMINAL_H

#include "base/err.h"

enum terminal_end {
    TERMINAL_DETACHED, /* the key, or the end of standard input that is no terminal */
    TERMINAL_CLOSED,   /* by the other side */
    TERMINAL_SIGNAL,   /* *ret_signal: we were asked to end */
};

/* A key as people write it: "ctrl-]", "^]", "none" (-1 in *ret). ERR_USAGE. */
int terminal_parse_key(const char *text, int *ret, struct err *err);
/* "Ctrl-]". Caller frees. */
char *terminal_key_name(int key);

/* Copies between standard input and output and fd (non-blocking) until one of the ends. A terminal
 * is in raw mode meanwhile, and as it was afterwards, whatever happens; only there `key` (-1: none)
 * detaches. Input from elsewhere is copied to its end; then the output until nothing has come for
 * two seconds. */
int terminal_attach(int fd, int key, enum terminal_end *ret, int *ret_signal, struct err *err);

#endif
