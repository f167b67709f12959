/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/remote.h"
#include "base/sbuf.h"

/* has POINT MAGIC: a file system of that kind (statfs(2), f_type) is mounted right there. Unlike a
 * look into /proc/mounts that needs no unescaping and follows links of the path; and a mount that
 * does not answer is none. */
#define HAS_FUNCTION                                                          \
    "has() {\n"                                                               \
    "    [ \"$(stat -f -c %t \"$1\" 2>/dev/null)\" = \"$2\" ] &&\n"           \
    "        [ \"$(stat -c %d \"$1\" 2>/dev/null)\" != "                      \
    "\"$(stat -c %d \"$1/..\" 2>/dev/null)\" ]\n"                             \
    "}\n"
#define FUSE_MAGIC "65735546"
#define V9FS_MAGIC "1021997"

/* $1 LOCAL, $2 POINT, $3 OPTIONS. A mount that is there is of an agent that was killed. The mount
 * point must be the user's for fusermount. sshfs takes the place of this shell: a signal and the
 * end of the connection reach it. */
static const char sshfs_script[] = HAS_FUNCTION
    "p=$2\n"
    "drop() { fusermount3 -uz \"$p\" || fusermount -uz \"$p\" || sudo -n umount -l \"$p\"; } "
    "</dev/null >/dev/null 2>&1\n"
    "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin\n"
    "if ! command -v sshfs >/dev/null 2>&1; then echo " REMOTE_NO_SSHFS " >&2; exit 127; fi\n"
    "if has \"$p\" " FUSE_MAGIC "; then drop; fi\n"
    "if [ ! -d \"$p\" ] && ! mkdir -p \"$p\" 2>/dev/null; then\n"
    "    drop\n"
    "    [ -d \"$p\" ] || sudo -n mkdir -p \"$p\" </dev/null >&2 || exit 1\n"
    "fi\n"
    "[ -w \"$p\" ] || sudo -n chown \"$(id -u):$(id -g)\" \"$p\" </dev/null >&2\n"
    "(\n"
    "    n=0\n"
    "    while [ $n -lt 150 ] && kill -0 $$ 2>/dev/null; do\n"
    "        if has \"$p\" " FUSE_MAGIC "; then echo " REMOTE_MOUNTED "; exit; fi\n"
    "        sleep 0.2 2>/dev/null || sleep 1\n"
    "        n=$((n + 1))\n"
    "    done\n"
    ") </dev/null >&2 &\n"
    "exec sshfs \":$1\" \"$p\" -o \"$3\"\n";

char *remote_sshfs_command(const char *local, const char *point, const char *options)
{
    struct sbuf s = SBUF_INIT;
    const char *const words[] = {sshfs_script, "sshfs", local, point, options};

    sbuf_addstr(&s, "sh -c");
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        sbuf_addch(&s, ' ');
        sbuf_add_shell_quoted(&s, words[i]);
    }
    return sbuf_detach(&s);
}

static void add_calls(struct sbuf *s, const char *function, const struct strv *points, bool backwards)
{
    for (size_t k = 0; k < points->n; k++) {
        size_t i = backwards ? points->n - 1 - k : k;

        sbuf_addf(s, "%s %zu ", function, i);
        sbuf_add_shell_quoted(s, points->v[i]);
        sbuf_addch(s, '\n');
    }
}

char *remote_check_9p_script(const struct strv *points)
{
    struct sbuf s = SBUF_INIT;

    /* The mount at boot has loaded the module, if there is one. */
    sbuf_addstr(&s, HAS_FUNCTION
                "kernel() {\n"
                "    while read -r a b; do\n"
                "        [ \"$a\" != 9p ] && [ \"$b\" != 9p ] || return 0\n"
                "    done </proc/filesystems\n"
                "    sudo -n modprobe 9p </dev/null >/dev/null 2>&1\n"
                "}\n"
                "check() { has \"$2\" " V9FS_MAGIC " || echo \"" REMOTE_MISSING "$1\"; }\n"
                "if kernel; then echo " REMOTE_HAS_9P "; else echo " REMOTE_NO_9P "; fi\n");
    add_calls(&s, "check", points, /* backwards= */ false);
    sbuf_addstr(&s, "echo " REMOTE_CHECKED "\nexit 0\n");
    return sbuf_detach(&s);
}

char *remote_unmount_script(const struct strv *points)
{
    struct sbuf s = SBUF_INIT;

    sbuf_addstr(&s, "drop() { fusermount3 -u \"$2\" || fusermount -u \"$2\" || "
                    "sudo -n umount \"$2\"; } </dev/null >/dev/null 2>&1\n");
    add_calls(&s, "drop", points, /* backwards= */ true);
    sbuf_addstr(&s, "exit 0\n");
    return sbuf_detach(&s);
}
