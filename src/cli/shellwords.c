/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/shellwords.h"
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

/* NAME=value with a name that a shell accepts: length of the name, else 0. */
static size_t assignment_name(const char *word)
{
    size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    return n && word[n] == '=' && (*word < '0' || *word > '9') ? n : 0;
}

static char *quote_words(const struct shell_request *r)
{
    struct sbuf s = SBUF_INIT;
    bool assignments = true;

    for (size_t i = 0; i < r->n_argv; i++) {
        size_t name = assignments ? assignment_name(r->argv[i]) : 0;

        if (i)
            sbuf_addch(&s, ' ');
        assignments = name > 0;
        if (name)
            sbuf_add(&s, r->argv[i], name + 1);
        sbuf_add_shell_quoted(&s, r->argv[i] + (name ? name + 1 : 0));
    }
    return sbuf_detach(&s);
}

char *shell_script(const struct shell_request *r)
{
    struct sbuf s = SBUF_INIT;
    const char *dir = r->workdir ? r->workdir : r->try_dir;

    if (dir) {
        sbuf_addstr(&s, "cd ");
        sbuf_add_shell_quoted(&s, dir);
        sbuf_addstr(&s, r->workdir ? " || exit 1; " : "; ");
    }
    sbuf_addstr(&s, "exec ");
    if (r->shell)
        sbuf_add_shell_quoted(&s, r->shell);
    else
        sbuf_addstr(&s, "\"$SHELL\"");
    sbuf_addstr(&s, " -l");
    if (r->n_argv) {
        _cleanup_free_ char *words = quote_words(r);

        /* A command that starts with "-" would be an option of the shell: a blank before it. */
        sbuf_addstr(&s, *words == '-' ? " -c ' '" : " -c ");
        sbuf_add_shell_quoted(&s, words);
    }
    return sbuf_detach(&s);
}
