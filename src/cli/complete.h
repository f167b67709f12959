/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand at the end of a command line that is being typed: the shells' completion scripts
 * ask for it (`cima __complete WORD...`). */
#ifndef CIMA_CLI_COMPLETE_H
#define CIMA_CLI_COMPLETE_H

#include "base/strv.h"
#include "cli/cli.h"

enum completion_files { COMPLETE_NO_FILES, COMPLETE_FILES, COMPLETE_DIRS };

struct completion {
    struct strv words;           /* "WORD" or "WORD\tWHAT IT IS" */
    enum completion_files files; /* and these, which a shell finds by itself */
};

#define COMPLETION_INIT                                                                            \
    {                                                                                              \
        STRV_INIT, COMPLETE_NO_FILES                                                               \
    }
#define _cleanup_completion_ _cleanup_(completion_release)
void completion_release(struct completion *c);

/* words: those behind "cima", the last one (maybe empty) is being typed. Names of instances and
 * templates are looked up; where that fails there are none. */
void complete(struct cli *cli, const struct strv *words, struct completion *ret);

#endif
