/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/sshfs.h"
#include "base/fs.h"
#include "base/mem.h"
#include "mount/remote.h"
#include <errno.h>

int sshfs_prepare(const char *local, struct err *err)
{
    struct stat st;

    if (stat(local, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return 0;
        return err_set(err, ERR_CONFIG, "'%s' is no directory", local);
    }
    if (errno != ENOENT)
        return err_set_errno(err, ERR_IO, "cannot use the directory '%s' of the host", local);
    return dir_make(local, 0755, err);
}

char *sshfs_options(const struct config_mount *m, bool nonempty)
{
    struct sbuf s = SBUF_INIT;

    sbuf_addstr(&s, "slave");
    if (m->writable != TRI_TRUE)
        sbuf_addstr(&s, ",ro");
    sbuf_addstr(&s, ",allow_other");
    if (m->sshfs.cache == TRI_FALSE)
        sbuf_addstr(&s, ",cache=no");
    if (m->sshfs.follow_symlinks == TRI_TRUE)
        sbuf_addstr(&s, ",follow_symlinks");
    if (nonempty)
        sbuf_addstr(&s, ",nonempty");
    return sbuf_detach(&s);
}

int sshfs_ssh_argv(const struct ssh_target *t, const struct config_mount *m, const char *local,
                   bool nonempty, struct strv *ret, struct err *err)
{
    _cleanup_free_ char *options = sshfs_options(m, nonempty);
    _cleanup_free_ char *command = remote_sshfs_command(local, m->mount_point, options);

    if (ssh_base_argv(t, SSH_MASTER_USE, ret, err))
        return -1;
    /* The protocol is binary: no terminal. */
    strv_pushl(ret, "-T", t->host, command, NULL);
    return 0;
}

void sshfs_server_argv(const char *server, const struct config_mount *m, struct strv *ret)
{
    strv_pushl(ret, server, "-e", NULL); /* -e: errors on stderr instead of syslog */
    if (m->writable != TRI_TRUE)
        strv_push(ret, "-R"); /* sshfs is told, too, but the guest is not to be trusted with it */
}
