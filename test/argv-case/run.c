/* SPDX-License-Identifier: Apache-2.0 */
/* A case of `cima run`: arguments and files in, what would be run out. */
#include "argv-case/case.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cli/run.h"
#include <errno.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <fcntl.h>

static struct json *refused(struct err *err)
{
    struct json *out = json_object_new();
    _cleanup_free_ char *line = err_line(err);

    json_set_int(out, "exit", 1);
    json_set_str(out, "message", line);
    return out;
}

/* ---- facts ----------------------------------------------------------------------------------- */

static bool in_list(const struct json *list, const char *text)
{
    for (size_t i = 0; json_is_array(list) && i < json_len(list); i++)
        if (streq0(json_str(json_at(list, i)), text))
            return true;
    return false;
}

static bool is_directory(const struct json *files, const char *path)
{
    _cleanup_free_ char *prefix = xasprintf("%s/", path);

    for (void *it = json_iter(files); it; it = json_iter_next(files, it))
        if (str_starts(json_iter_key(it), prefix))
            return true;
    return false;
}

static void add_file(struct run_facts *f, const struct json *input, const struct json *facts,
                     const char *path)
{
    const struct json *files = json_get(input, "files");
    const char *content = json_get_str(files, path);
    _cleanup_close_ int fd = -1;

    if (!content && in_list(json_get(facts, "firmware_files"), path))
        content = "x\n";
    if (content) {
        fd = memfd_create("file", MFD_CLOEXEC);
        (void)!write(fd, content, strlen(content));
    } else if (is_directory(files, path) || in_list(json_get(facts, "host_dirs"), path)) {
        fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    run_facts_add_file(f, path, fd < 0 ? ENOENT : 0, fd);
}

static char *program(const struct json *facts, const char *name)
{
    bool there = strchr(name, '/') ? streq0(json_get_str(facts, "special_program"), name)
                                   : in_list(json_get(facts, "programs"), name);

    return there ? xstrdup(name) : NULL;
}

static ssize_t fresh(void *buf, size_t len)
{
    return getrandom(buf, len, 0);
}

static void read_facts(const struct run_request *r, const struct json *input,
                       const struct json *facts, struct run_facts *f)
{
    _cleanup_strv_ struct strv paths = STRV_INIT;

    f->arch_known =
        arch_from_string(json_get_str(facts, "host_arch") ? json_get_str(facts, "host_arch") : "",
                         &f->arch) == 0;
    f->kvm_there = f->kvm_usable = json_get_bool(facts, "kvm", false);
    f->accel_env = xstrdup0(json_get_str(json_get(facts, "env"), "LINUXKIT_QEMU_ACCEL"));
    _cleanup_free_ char *qemu = run_qemu_name(r, f);
    f->qemu = program(facts, qemu);
    f->qemu_img = program(facts, "qemu-img");
    f->virtiofsd = xstrdup0(r->virtiofsd ? r->virtiofsd : json_get_str(facts, "virtiofsd"));
    f->uuid = run_make_uuid(fresh, NULL);
    f->mac = run_make_mac(fresh, NULL);
    run_request_paths(r, &paths);
    for (size_t i = 0; i < paths.n; i++)
        if (!run_facts_file(f, paths.v[i]))
            add_file(f, input, facts, paths.v[i]);
}

/* ---- the answer ------------------------------------------------------------------------------ */

static struct json *planned(const struct run_plan *p)
{
    struct json *out = json_object_new(), *runs = json_array_new(), *helpers = json_array_new();

    for (size_t i = 0; i < p->n_steps; i++)
        if (p->steps[i].kind == RUN_STEP_DISK)
            json_append(runs, json_strings(&p->steps[i].argv));
    for (size_t i = 0; i < p->n_helpers; i++)
        json_append(helpers, json_strings(&p->helpers[i].argv));
    json_set(out, "argv", json_strings(&p->argv));
    json_set(out, "runs", runs);
    json_set(out, "helpers", helpers);
    return out;
}

static int parse(const struct json *list, struct args *ret, struct err *err)
{
    _cleanup_strv_ struct strv argv = STRV_INIT;

    strv_pushl(&argv, "cima", "run", NULL);
    for (size_t i = 0; i < json_len(list); i++)
        strv_push(&argv, json_str(json_at(list, i)));
    return args_parse((int)argv.n, strv_argv(&argv), ret, err);
}

struct json *case_run(const struct json *input, const struct json *facts)
{
    _cleanup_args_ struct args args = ARGS_INIT;
    _cleanup_run_request_ struct run_request request = RUN_REQUEST_INIT;
    _cleanup_run_facts_ struct run_facts f = {0};
    _cleanup_run_plan_ struct run_plan *plan = NULL;
    _cleanup_diags_ struct diags notes = DIAGS_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    if (parse(json_get(input, "args"), &args, &err) < 0 ||
        cli_run_request(&args, &request, &err) < 0)
        return refused(&err);
    read_facts(&request, input, facts, &f);
    if (run_plan_build(&request, &f, &plan, &notes, &err) < 0)
        return refused(&err);
    return planned(plan);
}
