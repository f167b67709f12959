/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's side of cima-seediso. Its input is a memfd and so is what it says on stderr: no pipe
 * that could fill up, nothing to poll. */
#include "cidata/cidata.h"
#include "cidata/seedstream.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "sys/helper.h"
#include "sys/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

#define HELPER_TIMEOUT_MS 60000

static void put_u32(struct sbuf *s, uint32_t v)
{
    const unsigned char bytes[4] = {(unsigned char)v, (unsigned char)(v >> 8),
                                    (unsigned char)(v >> 16), (unsigned char)(v >> 24)};
    sbuf_add(s, bytes, sizeof(bytes));
}

static int make_stream(const struct cidata *c, struct sbuf *out, struct err *err)
{
    if (c->n > SEED_FILES_MAX)
        return err_set(err, ERR_CONFIG, "the seed has too many files (%zu)", c->n);
    sbuf_add(out, SEED_MAGIC, SEED_MAGIC_LEN);
    put_u32(out, (uint32_t)c->n);
    for (size_t i = 0; i < c->n; i++) {
        const struct cidata_file *f = &c->v[i];
        size_t name_len = strlen(f->name);
        if (name_len > SEED_NAME_MAX || f->len > SEED_DATA_MAX ||
            out->len + f->len > SEED_TOTAL_MAX) {
            err_set(err, ERR_CONFIG, "'%s' does not fit on the seed: %zu bytes", f->name, f->len);
            return err_hint(err, "let a provision script fetch large data");
        }
        put_u32(out, f->mode);
        put_u32(out, (uint32_t)name_len);
        put_u32(out, (uint32_t)f->len);
        sbuf_add(out, f->name, name_len);
        sbuf_add(out, f->data, f->len);
    }
    return 0;
}

static int memory_file(const char *name, const struct sbuf *content, struct err *err)
{
    _cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0 || fd_write_all(fd, content->buf, content->len) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return err_set_errno(err, ERR_IO, "cannot hand data to a helper program");
    return TAKE_FD(fd);
}

static void add_stderr(int fd, struct err *err)
{
    if (lseek(fd, 0, SEEK_SET) < 0)
        return;
    _cleanup_free_ char *text = fd_read_all(fd, "stderr", 1u << 16, NULL, NULL);
    if (!str_empty(text))
        err_detail(err, text);
}

static int run_helper(int in, int out, const char *label, struct err *err)
{
    static const struct sbuf nothing = SBUF_INIT;
    _cleanup_free_ char *program = helper_path("cima-seediso", err);
    if (!program)
        return -1;
    _cleanup_close_ int messages = memory_file("messages", &nothing, err);
    if (messages < 0)
        return -1;
    const char *const argv[] = {program, label, NULL};
    struct spawn s = SPAWN_INIT;
    s.argv = argv;
    s.stdin_fd = in;
    s.stdout_fd = out;
    s.stderr_fd = messages;
    s.flags = SPAWN_DIE_WITH_PARENT | SPAWN_NO_CORE;
    _cleanup_child_ struct child child = CHILD_INIT;
    if (spawn_child(&s, &child, err) < 0)
        return -1;
    int status, ended = child_wait(&child, HELPER_TIMEOUT_MS, &status);
    if (ended == 0) {
        (void)child_kill(&child, SIGKILL);
        (void)child_wait(&child, -1, &status);
        return err_set(err, ERR_TIMEOUT, "'%s' did not end within %d seconds", program,
                       HELPER_TIMEOUT_MS / 1000);
    }
    if (ended < 0)
        return err_set_errno(err, ERR_IO, "cannot wait for '%s'", program);
    if (status == 0)
        return 0;
    _cleanup_free_ char *how = wait_status_text(status);
    err_set(err, ERR_IO, "'%s' %s", program, how);
    add_stderr(messages, err);
    return -1;
}

static int write_to(int stream, const char *tmp, const char *label, struct err *err)
{
    _cleanup_close_ int out = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (out < 0)
        return err_set_errno(err, ERR_IO, "cannot make '%s'", tmp);
    if (fchmod(out, 0600) < 0)
        return err_set_errno(err, ERR_IO, "cannot make '%s' private", tmp);
    if (run_helper(stream, out, label, err) < 0)
        return -1;
    /* No fsync: the seed is made anew at every start. */
    return 0;
}

int cidata_write_iso(const struct cidata *c, const char *path, struct err *err)
{
    _cleanup_sbuf_ struct sbuf bytes = SBUF_INIT;
    if (make_stream(c, &bytes, err) < 0)
        return -1;
    _cleanup_close_ int stream = memory_file("seed", &bytes, err);
    if (stream < 0)
        return -1;
    _cleanup_free_ char *tmp = xasprintf("%s.tmp", path);
    /* The operation lock of the instance is held: a file of that name was left by a crash. */
    (void)unlink(tmp);
    if (write_to(stream, tmp, c->label, err) < 0 ||
        (rename(tmp, path) < 0 &&
         err_set_errno(err, ERR_IO, "cannot rename '%s' to '%s'", tmp, path) < 0)) {
        (void)unlink(tmp);
        return err_wrap(err, "cannot write the seed '%s'", path);
    }
    return 0;
}
