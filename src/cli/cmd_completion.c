/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "cli/complete.h"

/* ---- what the scripts ask -------------------------------------------------------------------- */

static int run_complete(struct cli *cli, const struct args *args, struct err *err)
{
    static const char *const files[] = {
        [COMPLETE_NO_FILES] = "words", [COMPLETE_FILES] = "files", [COMPLETE_DIRS] = "dirs"};
    _cleanup_completion_ struct completion found = COMPLETION_INIT;
    _cleanup_strv_ struct strv words = STRV_INIT;

    (void)err;
    for (size_t i = 1; i < args->positional.n; i++)
        strv_push(&words, args->positional.v[i]);
    complete(cli, &words, &found);
    puts(files[found.files]);
    for (size_t i = 0; i < found.words.n; i++)
        puts(found.words.v[i]);
    return 0;
}

static const struct cli_positional complete_positional[] = {
    {"SHELL", VALUE_TEXT, 1, 1},
    {"WORD", VALUE_TEXT, 0, 0},
    {NULL, VALUE_TEXT, 0, 0},
};

const struct command cmd_complete = {
    .name = "complete",
    .group = GROUP_ADVANCED,
    .summary = "Print what may stand at the end of a command line",
    .description = "Print what may stand at the end of a command line, for the scripts of "
                   "`cima completion`: first `words`, `files` or `dirs`, whether files or "
                   "directories may stand there too; then each word, and behind a tab what it is.",
    .examples = "cima complete bash -- start --na\n",
    .positional = complete_positional,
    .flags = COMMAND_HIDDEN | COMMAND_OPTIONS_FIRST,
    .run = run_complete,
};

/* ---- the scripts ----------------------------------------------------------------------------- */

static const char bash_script[] =
    "# bash completion of cima. To load it: source <(cima completion bash)\n"
    "# shellcheck shell=bash\n"
    "_cima() {\n"
    "    local rest=${COMP_LINE:0:COMP_POINT} trimmed word cur before='' i\n"
    "    local -a typed=() lines=()\n"
    "    # bash takes a:b and a=b for three words: those without a blank between them are one.\n"
    "    for ((i = 0; i <= COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        trimmed=${rest#\"${rest%%[![:space:]]*}\"}\n"
    "        if ((i == 0)) || [[ $trimmed != \"$rest\" ]]; then\n"
    "            typed+=('')\n"
    "        fi\n"
    "        [[ $trimmed == \"$word\"* ]] || word=$trimmed\n"
    "        rest=${trimmed#\"$word\"}\n"
    "        typed[${#typed[@]} - 1]+=$word\n"
    "    done\n"
    "    cur=${typed[${#typed[@]} - 1]}\n"
    "    [[ $cur == *[:=]* ]] && before=${cur%\"${cur##*[:=]}\"}\n"
    "    mapfile -t lines < <(\"${COMP_WORDS[0]/#\\~/$HOME}\" complete bash -- \"${typed[@]:1}\" "
    "2>/dev/null)\n"
    "    COMPREPLY=()\n"
    "    for ((i = 1; i < ${#lines[@]}; i++)); do\n"
    "        word=${lines[i]%%$'\\t'*}\n"
    "        COMPREPLY+=(\"${word#\"$before\"}\")\n"
    "    done\n"
    "    case ${lines[0]-} in\n"
    "    files) mapfile -t lines < <(compgen -f -- \"${cur#\"$before\"}\") ;;\n"
    "    dirs) mapfile -t lines < <(compgen -d -- \"${cur#\"$before\"}\") ;;\n"
    "    *) return ;;\n"
    "    esac\n"
    "    # Quoting, and a slash behind directories; not with a template among them.\n"
    "    ((${#COMPREPLY[@]})) || compopt -o filenames 2>/dev/null\n"
    "    COMPREPLY+=(\"${lines[@]}\")\n"
    "}\n"
    "complete -F _cima cima\n";

static const char zsh_script[] =
    "#compdef cima\n"
    "# zsh completion of cima. To load it: source <(cima completion zsh)\n"
    "_cima() {\n"
    "    local -a lines found\n"
    "    local line word\n"
    "    lines=(\"${(@f)$(${words[1]} complete zsh -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
    "    for line in \"${(@)lines[2,-1]}\"; do\n"
    "        word=${line%%$'\\t'*}\n"
    "        word=${word//:/\\\\:}\n"
    "        if [[ $line == *$'\\t'* ]]; then\n"
    "            word+=:${line#*$'\\t'}\n"
    "        fi\n"
    "        found+=(\"$word\")\n"
    "    done\n"
    "    (( $#found )) && _describe -t words cima found\n"
    "    case $lines[1] in\n"
    "    files) _files ;;\n"
    "    dirs) _files -/ ;;\n"
    "    esac\n"
    "}\n"
    "if [[ $funcstack[1] == _cima ]]; then\n"
    "    _cima \"$@\"\n"
    "else\n"
    "    compdef _cima cima\n"
    "fi\n";

static const char fish_script[] =
    "# fish completion of cima. To load it: cima completion fish | source\n"
    "function __cima_complete\n"
    "    set -l words (commandline -opc) (commandline -ct)\n"
    "    set -l lines (command $words[1] complete fish -- $words[2..-1] 2>/dev/null)\n"
    "    switch \"$lines[1]\"\n"
    "        case files\n"
    "            __fish_complete_path (commandline -ct)\n"
    "        case dirs\n"
    "            __fish_complete_directories (commandline -ct)\n"
    "    end\n"
    "    if test (count $lines) -gt 1\n"
    "        printf '%s\\n' $lines[2..-1]\n"
    "    end\n"
    "end\n"
    "complete -c cima -f -a '(__cima_complete)'\n";

static const struct {
    const char *shell, *script;
} scripts[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    const char *shell = args_pos(args, 0);

    (void)cli;
    for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
        if (streq(scripts[i].shell, shell)) {
            fputs(scripts[i].script, stdout);
            return 0;
        }
    err_set(err, ERR_USAGE, "there is no completion for the shell '%s'", shell);
    return err_hint(err, "bash, zsh or fish");
}

static const struct cli_positional positional[] = {
    {"SHELL", VALUE_TEXT, 1, 1},
    {NULL, VALUE_TEXT, 0, 0},
};

const struct command cmd_completion = {
    .name = "completion",
    .group = GROUP_ADVANCED,
    .summary = "Print a completion script for a shell",
    .description =
        "Print a script that completes command lines, for bash, zsh or fish: commands, options and "
        "their values, instances, templates.\n\n"
        "An installed cima has the scripts where the shells look for them. To load one by hand: "
        "`source <(cima completion bash)`, the same with zsh, `cima completion fish | source`.",
    .examples = "cima completion bash\n",
    .positional = positional,
    .run = run,
};
