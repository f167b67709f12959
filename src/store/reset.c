/* SPDX-License-Identifier: Apache-2.0 */
/* Factory reset of an instance directory. */
#include "store/store.h"
#include "base/fs.h"
#include "base/mem.h"
#include <errno.h>

/* Lock files stay: op.lock is held by who resets, and of the others a new file of the same name
 * would tell nothing about a process that still holds the old one. */
static bool stays(const char *name)
{
    static const enum inst_file files[] = {INST_LIMA_VERSION, INST_CIMA_VERSION, INST_PROTECTED,
                                           INST_RESET};
    static const char *const endings[] = {".yaml", ".yml", ".lock"};

    for (size_t k = 0; k < ARRAY_SIZE(files); k++)
        if (streq(name, inst_file_name(files[k])))
            return true;
    for (size_t k = 0; k < ARRAY_SIZE(endings); k++)
        if (str_ends(name, endings[k]))
            return true;
    return false;
}

static int remove_entry(const char *path, struct err *err)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : err_set_errno(err, ERR_IO, "cannot look at '%s'", path);
    if (S_ISDIR(st.st_mode))
        return dir_remove(path, err);
    if (unlink(path) < 0 && errno != ENOENT)
        return err_set_errno(err, ERR_IO, "cannot remove '%s'", path);
    return 0;
}

bool instance_reset_pending(const struct instance *i)
{
    _cleanup_free_ char *mark = instance_path(i, INST_RESET);

    return path_exists(mark);
}

int instance_reset(const struct instance *i, struct err *err)
{
    _cleanup_free_ char *mark = instance_path(i, INST_RESET);
    _cleanup_strv_ struct strv names = STRV_INIT;

    if (file_write_atomic(mark, "", 0, 0600, err) < 0 || dir_list(i->dir, &names, err) < 0)
        return -1;
    for (size_t k = 0; k < names.n; k++) {
        _cleanup_free_ char *path = path_join(i->dir, names.v[k]);

        if (!stays(names.v[k]) && remove_entry(path, err) < 0)
            return -1;
    }
    if (dir_sync(i->dir, err) < 0)
        return -1;
    if (unlink(mark) < 0 && errno != ENOENT)
        return err_set_errno(err, ERR_IO, "cannot remove '%s'", mark);
    return 0;
}
