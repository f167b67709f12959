/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/gather_virtiofsd.h"
#include "base/fs.h"
#include "base/mem.h"
#include "json/json.h"
#include "sys/spawn.h"

#define DESCRIPTION_MAX 65536
#define ANSWER_MAX      65536
#define ANSWER_MS       30000

void qemu_virtiofsd_release(struct qemu_virtiofsd *v)
{
    free(v->path);
    free(v->problem);
    *v = (struct qemu_virtiofsd)QEMU_VIRTIOFSD_INIT;
}

/* ---- where ----------------------------------------------------------------------------------- */

static void add(struct strv *list, const char *path)
{
    if (!strv_contains(list, path))
        strv_push(list, path);
}

/* The program of a description of type "fs"; what can't be read is none. */
static void add_described(const char *root, const char *file, struct strv *ret)
{
    _cleanup_err_ struct err ignored = ERR_INIT;
    _cleanup_free_ char *text = NULL;
    _cleanup_json_ struct json *j = NULL;
    const char *binary;
    size_t len;

    text = file_read(file, DESCRIPTION_MAX, &len, &ignored);
    j = text ? json_parse(text, len, file, &ignored) : NULL;
    binary = json_get_str(j, "binary");
    if (binary && streq0(json_get_str(j, "type"), "fs")) {
        _cleanup_free_ char *full = xasprintf("%s%s", root, binary);

        add(ret, full);
    }
}

static void add_descriptions(const char *root, const char *share, struct strv *ret)
{
    _cleanup_free_ char *dir = xasprintf("%s%s/qemu/vhost-user", root, share);
    _cleanup_err_ struct err ignored = ERR_INIT;
    _cleanup_strv_ struct strv files = STRV_INIT;

    if (dir_list(dir, &files, &ignored) < 0)
        return;
    for (size_t i = 0; i < files.n; i++)
        if (str_ends(files.v[i], ".json")) {
            _cleanup_free_ char *file = path_join(dir, files.v[i]);

            add_described(root, file, ret);
        }
}

static void candidates(const char *root, const char *home, const char *exe, struct strv *ret)
{
    static const char *const usual[] = {"/usr/libexec/virtiofsd", "/usr/lib/virtiofsd",
                                        "/usr/local/libexec/virtiofsd"};
    _cleanup_free_ char *own = path_join(home ? home : "/", ".local/share");
    _cleanup_free_ char *bin = path_dirname(exe), *prefix = path_dirname(bin);
    _cleanup_free_ char *share = path_join(prefix, "share");
    _cleanup_free_ char *in_path = *root ? NULL : find_program("virtiofsd");

    add_descriptions(root, own, ret);
    add_descriptions(root, share, ret);
    add_descriptions(root, "/usr/share", ret);
    if (in_path)
        add(ret, in_path);
    for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
        _cleanup_free_ char *full = xasprintf("%s%s", root, usual[i]);

        if (path_exists(full))
            add(ret, full);
    }
}

/* ---- which ----------------------------------------------------------------------------------- */

/* What the program prints for an option, both streams; NULL when it does not end well. Caller frees.
 */
static char *answer(const char *program, const char *option)
{
    const char *argv[] = {program, option, NULL};
    _cleanup_run_result_ struct run_result r = {0};
    _cleanup_err_ struct err ignored = ERR_INIT;
    struct spawn s = SPAWN_INIT;

    s.argv = argv;
    if (run_capture(&s, NULL, ANSWER_MAX, ANSWER_MS, &r, &ignored) < 0 ||
        wait_status_exit_code(r.status) != 0)
        return NULL;
    return xasprintf("%s%s", sbuf_str(&r.out), sbuf_str(&r.err_out));
}

/* Does it work, and as the one in Rust does? */
static bool try_program(const char *program, struct qemu_virtiofsd *ret, struct sbuf *problems)
{
    _cleanup_free_ char *version = answer(program, "--version"), *help = NULL;

    if (!path_exists(program)) {
        sbuf_addf(problems, "%s'%s' does not exist", problems->len ? "\n" : "", program);
        return false;
    }
    help = version ? answer(program, "--help") : NULL;
    if (!version || !help || !strstr(help, "--shared-dir")) {
        sbuf_addf(problems, "%s'%s' is not the virtiofsd written in Rust: it does not know %s",
                  problems->len ? "\n" : "", program, version ? "--shared-dir" : "--version");
        return false;
    }
    ret->path = xstrdup(program);
    ret->read_only = strstr(help, "--readonly") != NULL;
    return true;
}

void qemu_find_virtiofsd(const char *root, const char *home, const char *exe,
                         struct qemu_virtiofsd *ret)
{
    _cleanup_strv_ struct strv list = STRV_INIT;
    struct sbuf problems = SBUF_INIT;

    *ret = (struct qemu_virtiofsd)QEMU_VIRTIOFSD_INIT;
    candidates(root, home, exe, &list);
    for (size_t i = 0; i < list.n; i++)
        if (try_program(list.v[i], ret, &problems)) {
            sbuf_release(&problems);
            return;
        }
    ret->problem = problems.len ? sbuf_detach(&problems) : NULL;
    sbuf_release(&problems);
}
