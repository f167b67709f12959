/* SPDX-License-Identifier: Apache-2.0 */
/* A topic of the help rather than a command. */
#include "cli/cli.h"
#include "cli/help.h"

extern const struct command cmd_yq_restrictions;

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

    (void)cli;
    (void)args;
    (void)err;
    help_command(&cmd_yq_restrictions, &out);
    fputs(sbuf_str(&out), stdout);
    return 0;
}

const struct command cmd_yq_restrictions = {
    .name = "yq-restrictions",
    .group = GROUP_ADVANCED,
    .summary = "What expressions of --set, --yq and --filter may do",
    .description =
        "Expressions of --set, --yq, --filter and `cima template yq` are written in the language of "
        "jq (version 1.6). They see one value and give values: operators for the environment (env, "
        "strenv, envsubst, $ENV), for files and modules (load, load_str, filename, import, include), "
        "for programs (system), for texts as expressions (eval), for further input and for output "
        "beside the result are refused before anything is run. So is what works on comments, styles, "
        "tags and anchors of YAML, which a value has not: --set leaves them as they are in the file. "
        "Time, memory and size of the results are limited.\n\n"
        "The forms of yq (version 4) that changes are mostly written in work as well: keys with "
        "dashes (.a-b), .list.0 and .list.[0], `.a = .b // 4` for .a = (.b // 4), texts with * and ? "
        "on the right of == as patterns, `.list += {…}` for one more entry, merges of maps with *, "
        "*+, *d, *? and *n, with(path; changes), `… as $x ireduce (0; …)`, sub(\"re\", \"text\") for "
        "all matches, pick, omit, filter, sort_keys, any_c, all_c, upcase, downcase, trim, to_number. "
        "unique keeps the order of the list.\n\n"
        "What is decided as in jq: the keys of `keys` are sorted, "
        "`,` binds tighter than `|`, and a text is never equal to a number.",
    .examples = "cima yq-restrictions\n",
    .run = run,
};
