/* SPDX-License-Identifier: Apache-2.0 */
/* An empty file `protected` keeps an instance from being deleted or reset. */
#include "base/fs.h"
#include "base/mem.h"
#include "instance/internal.h"
#include <errno.h>
#include <fcntl.h>

int inst_protect(const struct instance *i, bool *ret_changed, struct err *err)
{
    _cleanup_free_ char *path = instance_path(i, INST_PROTECTED);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && errno != EEXIST)
        return err_set_errno(err, ERR_IO, "cannot protect instance `%s`: making '%s'", i->name,
                             path);
    *ret_changed = fd >= 0;
    return 0;
}

int inst_unprotect(const struct instance *i, bool *ret_changed, struct err *err)
{
    _cleanup_free_ char *path = instance_path(i, INST_PROTECTED);
    int r = unlink(path);

    if (r < 0 && errno != ENOENT)
        return err_set_errno(err, ERR_IO, "cannot unprotect instance `%s`: removing '%s'", i->name,
                             path);
    *ret_changed = r == 0;
    return 0;
}

int inst_check_protected(const struct instance *i, const char *verb, const char *from,
                         struct err *err)
{
    _cleanup_free_ char *path = instance_path(i, INST_PROTECTED);

    if (!path_exists(path))
        return 0;
    err_set(err, ERR_STATE, "instance is protected to prohibit accidental %s", from);
    err_wrap(err, "failed to %s instance `%s`", verb, i->name);
    return err_hint(err, "`cima unprotect %s` gives up the protection", i->name);
}
