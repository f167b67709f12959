/* SPDX-License-Identifier: Apache-2.0 */
#include "template/template.h"
#include "base/fs.h"
#include "base/mem.h"
#include <errno.h>

void inst_template_release(struct inst_template *t)
{
    free(t->path);
    free(t->base_dir);
    free(t->name);
    free(t->text);
    *t = (struct inst_template)INST_TEMPLATE_INIT;
}

/* The file name without directory and without .yaml or .yml. */
static char *suggested_name(const char *path)
{
    const char *base = path_basename(path);
    size_t len = strlen(base);

    if (str_ends(base, ".yaml"))
        len -= strlen(".yaml");
    else if (str_ends(base, ".yml"))
        len -= strlen(".yml");
    return xstrndup(base, len);
}

static int working_directory(char **ret, struct err *err)
{
    char *cwd = getcwd(NULL, 0);

    if (!cwd)
        return err_set_errno(err, ERR_IO, "cannot find out the working directory");
    *ret = cwd;
    return 0;
}

static int read_file(const char *path, struct inst_template *t, struct err *err)
{
    struct stat st;
    _cleanup_free_ char *dir = path_dirname(path);

    if (stat(path, &st) < 0) {
        bool missing = errno == ENOENT || errno == ENOTDIR;

        err_set_errno(err, missing ? ERR_NOT_FOUND : ERR_IO, "cannot read '%s'", path);
        return missing ? err_hint(err, "look at the path; relative ones start in the working "
                                       "directory")
                       : -1;
    }
    if (S_ISDIR(st.st_mode)) {
        err_set(err, ERR_IO, "cannot read '%s': it is a directory", path);
        return err_hint(err, "name the YAML file in it");
    }
    t->base_dir = realpath(dir, NULL);
    if (!t->base_dir)
        return err_set_errno(err, ERR_IO, "cannot find the directory of '%s'", path);
    t->text = file_read(path, TEMPLATE_MAX, &t->len, err);
    return t->text ? 0 : -1;
}

int inst_template_read(const char *path, struct inst_template *ret, struct err *err)
{
    _cleanup_inst_template_ struct inst_template t = INST_TEMPLATE_INIT;

    if (streq(path, "-")) {
        t.path = xstrdup("<stdin>");
        if (working_directory(&t.base_dir, err) < 0)
            return -1;
        t.text = fd_read_all(STDIN_FILENO, "standard input", TEMPLATE_MAX, &t.len, err);
        if (!t.text)
            return -1;
    } else {
        t.path = xstrdup(path);
        t.name = suggested_name(path);
        if (read_file(path, &t, err) < 0)
            return -1;
    }
    *ret = t;
    t = (struct inst_template)INST_TEMPLATE_INIT;
    return 0;
}
