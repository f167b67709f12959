/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ask.h"
#include "base/mem.h"
#include <strings.h>

enum { TRIES = 3, ANSWER_MAX = 64 };

/* As other programs read it: set to anything but an explicit no. */
static bool is_ci(void)
{
    const char *ci = getenv("CI");

    return !str_empty(ci) && !streq(ci, "0") && strcasecmp(ci, "false") != 0;
}

bool cli_can_ask(const struct cli *cli)
{
    return cli->tty && !is_ci() && isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
}

bool cli_ask(const char *question, bool preset)
{
    for (int i = 0; i < TRIES; i++) {
        char line[ANSWER_MAX];

        fprintf(stderr, "%s [%s] ", question, preset ? "Y/n" : "y/N");
        fflush(stderr);
        if (!fgets(line, sizeof(line), stdin)) {
            fputc('\n', stderr);
            return false;
        }
        char *word = line + strspn(line, " \t");
        word[strcspn(word, " \t\r\n")] = '\0';
        if (!*word)
            return preset;
        if (strcasecmp(word, "y") == 0 || strcasecmp(word, "yes") == 0)
            return true;
        if (strcasecmp(word, "n") == 0 || strcasecmp(word, "no") == 0)
            return false;
    }
    return false;
}
