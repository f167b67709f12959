/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/shellwords.h"
#include "cli/shellenv.h"
#include "base/mem.h"
#include "base/sbuf.h"

/* Is dir the directory `top` or in it? Returns the rest ("" or "/sub"), or NULL. */
static const char *beneath(const char *top, const char *dir)
{
    size_t n = strlen(top);

    while (n > 1 && top[n - 1] == '/')
        n--;
    if (n == 1 && *top == '/')
        return *dir == '/' ? (dir[1] ? dir : "") : NULL;
    if (strncmp(top, dir, n) != 0 || (dir[n] && dir[n] != '/'))
        return NULL;
    return dir + n;
}

char *shell_guest_dir(const struct config_instance *cfg, const char *dir)
{
    const struct config_mount *best = NULL;
    const char *rest = NULL;

    for (unsigned i = 0; i < cfg->mounts_count; i++) {
        const struct config_mount *m = &cfg->mounts[i];
        const char *r = m->location ? beneath(m->location, dir) : NULL;

        if (r && (!best || strlen(m->location) >= strlen(best->location))) {
            best = m;
            rest = r;
        }
    }
    if (!best)
        return NULL;
    const char *point = best->mount_point ? best->mount_point : best->location;
    return xasprintf("%s%s", streq(point, "/") && *rest ? "" : point, rest);
}

/* Leading assignments stay what they are. zsh takes `=word` for the path of a program. */
static char *quote_words(const struct shell_request *r)
{
    struct sbuf s = SBUF_INIT;
    bool assignments = true;

    for (size_t i = 0; i < r->n_argv; i++) {
        size_t name = assignments ? shellenv_name(r->argv[i]) : 0;

        if (i)
            sbuf_addch(&s, ' ');
        assignments = name > 0;
        if (name)
            sbuf_add(&s, r->argv[i], name + 1);
        if (r->argv[i][0] == '=')
            sbuf_addstr(&s, "''");
        sbuf_add_shell_quoted(&s, r->argv[i] + (name ? name + 1 : 0));
    }
    return sbuf_detach(&s);
}

static void add_cd(const struct shell_request *r, struct sbuf *s)
{
    if (r->workdir) {
        sbuf_addstr(s, "cd ");
        sbuf_add_shell_quoted(s, r->workdir);
        sbuf_addstr(s, " || exit 1; ");
        return;
    }
    for (size_t i = 0; r->try_dirs && r->try_dirs[i]; i++) {
        sbuf_addstr(s, i ? " || cd " : "cd ");
        sbuf_add_shell_quoted(s, r->try_dirs[i]);
    }
    if (r->try_dirs && r->try_dirs[0])
        sbuf_addstr(s, "; ");
}

static void add_exec(const struct shell_request *r, const char *words, struct sbuf *s)
{
    sbuf_addstr(s, "exec ");
    if (r->env && r->env->n) {
        sbuf_addstr(s, "env ");
        for (size_t i = 0; i < r->env->n; i++) {
            sbuf_add_shell_quoted(s, r->env->v[i]);
            sbuf_addch(s, ' ');
        }
    }
    if (r->shell)
        sbuf_add_shell_quoted(s, r->shell);
    else
        sbuf_addstr(s, "\"$SHELL\"");
    sbuf_addstr(s, " -l");
    if (!words)
        return;
    /* A command that starts with "-" would be an option of the shell: a blank before it. */
    sbuf_addstr(s, *words == '-' ? " -c ' '" : " -c ");
    sbuf_add_shell_quoted(s, words);
}

/* What bash does at a login, INVOCATION of its manual. */
static const char bash_login[] =
    "if test -r /etc/profile; then . /etc/profile; fi; "
    "if test -r ~/.bash_profile; then . ~/.bash_profile; "
    "elif test -r ~/.bash_login; then . ~/.bash_login; "
    "elif test -r ~/.profile; then . ~/.profile; fi; ";

/* The words travel twice then, and there is a limit to the length of the line. */
#define SHORT_COMMAND 2048

static bool can_do_login_itself(const struct shell_request *r, const char *words)
{
    const char *name = r->user_shell ? strrchr(r->user_shell, '/') : NULL;

    return words && strlen(words) < SHORT_COMMAND && !r->shell && !(r->env && r->env->n) && name &&
           streq(name, "/bash");
}

char *shell_script(const struct shell_request *r)
{
    struct sbuf s = SBUF_INIT;
    _cleanup_free_ char *words = r->n_argv ? quote_words(r) : NULL;

    add_cd(r, &s);
    if (!can_do_login_itself(r, words)) {
        add_exec(r, words, &s);
        return sbuf_detach(&s);
    }
    _cleanup_free_ char *all = xasprintf("%s%s", bash_login, words);
    sbuf_addstr(&s, "test \"$SHELL\" = ");
    sbuf_add_shell_quoted(&s, r->user_shell);
    sbuf_addstr(&s, " || ");
    add_exec(r, words, &s);
    sbuf_addstr(&s, "; eval ");
    sbuf_add_shell_quoted(&s, all);
    return sbuf_detach(&s);
}
