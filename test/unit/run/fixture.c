/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"
#include "base/mem.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    f->request = (struct run_request)RUN_REQUEST_INIT;
    f->request.image = xstrdup("disk.raw");
    f->facts.arch = ARCH_X86_64;
    f->facts.arch_known = true;
    f->facts.qemu = xstrdup("/bin/qemu-system-x86_64");
    f->facts.qemu_img = xstrdup("/bin/qemu-img");
    f->facts.uuid = xstrdup("00000000-0000-4000-8000-000000000000");
    f->facts.mac = xstrdup("02:00:00:00:00:01");
    fixture_file(f, "disk.raw", "x\n");
}

void fixture_release(struct fixture *f)
{
    run_request_release(&f->request);
    run_facts_release(&f->facts);
    run_plan_free(f->plan);
    diags_release(&f->notes);
    err_clear(&f->err);
}

void fixture_file(struct fixture *f, const char *path, const char *content)
{
    int fd = content ? memfd_create("file", MFD_CLOEXEC) : open("/", O_PATH | O_CLOEXEC);

    cr_assert(fd >= 0);
    if (content)
        cr_assert(write(fd, content, strlen(content)) == (ssize_t)strlen(content));
    run_facts_add_file(&f->facts, path, 0, fd);
    close(fd);
}

void fixture_error(struct fixture *f, const char *path, int error)
{
    run_facts_add_file(&f->facts, path, error, -1);
}

/* What was not said to be there is not. */
static void fill_missing(struct fixture *f)
{
    _cleanup_strv_ struct strv paths = STRV_INIT;

    run_request_paths(&f->request, &paths);
    for (size_t i = 0; i < paths.n; i++)
        if (!run_facts_file(&f->facts, paths.v[i]))
            fixture_error(f, paths.v[i], ENOENT);
}

void fixture_plan(struct fixture *f)
{
    fill_missing(f);
    int r = run_plan_build(&f->request, &f->facts, &f->plan, &f->notes, &f->err);
    _cleanup_free_ char *line = err_line(&f->err);
    cr_assert(r == 0, "refused: %s", line);
}

void fixture_refused(struct fixture *f, const char *words, const char *more)
{
    fill_missing(f);
    cr_assert(run_plan_build(&f->request, &f->facts, &f->plan, &f->notes, &f->err) == -1,
              "not refused");
    _cleanup_free_ char *line = err_line(&f->err);
    cr_assert(strstr(line, words), "'%s' is not in: %s", words, line);
    cr_assert(strstr(line, more), "'%s' is not in: %s", more, line);
}

const char *fixture_line(struct fixture *f)
{
    static char *line;

    free(line);
    line = strv_join(&f->plan->argv, " ");
    return line;
}

const char *fixture_option(struct fixture *f, const char *name, size_t nth)
{
    const struct strv *v = &f->plan->argv;

    for (size_t i = 1; i < v->n; i++)
        if (streq(v->v[i], name) && nth-- == 0)
            return i + 1 < v->n ? v->v[i + 1] : NULL;
    return NULL;
}

size_t fixture_count(struct fixture *f, const char *name)
{
    size_t n = 0;

    for (size_t i = 1; i < f->plan->argv.n; i++)
        n += streq(f->plan->argv.v[i], name);
    return n;
}

char *fixture_said(struct fixture *f)
{
    struct sbuf s = SBUF_INIT;

    for (size_t i = 0; i < f->plan->n_steps; i++)
        if (f->plan->steps[i].kind == RUN_STEP_SAY)
            sbuf_addf(&s, "%s\n", f->plan->steps[i].text);
    return sbuf_detach(&s);
}

const struct run_step *fixture_step(struct fixture *f, enum run_step_kind kind)
{
    for (size_t i = 0; i < f->plan->n_steps; i++)
        if (f->plan->steps[i].kind == kind)
            return &f->plan->steps[i];
    return NULL;
}
