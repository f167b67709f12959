/* SPDX-License-Identifier: Apache-2.0 */
/* A home of its own for one test: `_fixture_ struct fixture f = fixture_new();`. */
#ifndef CIMA_TEST_STORE_FIXTURE_H
#define CIMA_TEST_STORE_FIXTURE_H

#include "store/store.h"
#include "tmpdir.h"
#include "base/fs.h"
#include "base/mem.h"
#include <criterion/criterion.h>

struct fixture {
    char *dir; /* everything is below */
    struct store store;
    struct host_facts host;
};

#define _fixture_ _cleanup_(fixture_release)

static inline void set_env(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

static inline struct fixture fixture_new(void)
{
    struct fixture f = {.dir = tmpdir_new()};
    _cleanup_free_ char *home = path_join(f.dir, "h"), *cache = path_join(f.dir, "cache");
    cr_assert_eq(mkdir(home, 0700), 0);
    set_env("CIMA_HOME", home);
    set_env("LIMA_HOME", NULL);
    set_env("XDG_CACHE_HOME", cache);
    f.host = (struct host_facts){.arch = ARCH_X86_64,
                                 .arch_known = true,
                                 .cpus = 4,
                                 .memory_bytes = UINT64_C(16) << 30,
                                 .uid = 1000,
                                 .gid = 1000,
                                 .user = (char *)"tester",
                                 .gecos = (char *)"A Tester",
                                 .home = xstrdup(f.dir),
                                 .hostname = (char *)"host",
                                 .machine_id = (char *)"0123456789abcdef0123456789abcdef",
                                 .timezone = (char *)"Europe/Berlin",
                                 .temp_dir = (char *)"/tmp"};
    cr_assert_eq(store_open(&f.store, &f.host, NULL), 0);
    return f;
}

static inline void fixture_release(struct fixture *f)
{
    store_release(&f->store);
    free(f->host.home);
    tmpdir_remove(&f->dir);
}

static inline void put_bytes(const char *path, const void *data, size_t len)
{
    cr_assert_eq(file_write_atomic(path, data, len, 0600, NULL), 0, "writing %s", path);
}

static inline void put_file(const char *path, const char *text)
{
    put_bytes(path, text, strlen(text));
}

static inline void put_in(const struct instance *i, enum inst_file f, const char *text)
{
    _cleanup_free_ char *path = instance_path(i, f);
    put_file(path, text);
}

/* A committed instance with a lima.yaml. */
static inline struct instance make_instance(struct fixture *f, const char *name)
{
    struct instance_draft d;
    struct instance in = INSTANCE_INIT;
    struct err e = ERR_INIT;
    cr_assert_eq(store_create_begin(&f->store, name, &d, &e), 0, "%s", e.msg);
    put_in(&d.inst, INST_LIMA_YAML, "cpus: 1\n");
    cr_assert_eq(store_create_commit(&d, &in, &e), 0, "%s", e.msg);
    return in;
}

static inline void add_instance(struct fixture *f, const char *name)
{
    struct instance in = make_instance(f, name);
    instance_release(&in);
}

/* The error, with its context, detail and hint, has this text. */
static inline void expect_message(const struct err *e, const char *text)
{
    cr_assert(err_is_set(e));
    _cleanup_free_ char *all = err_text(e);
    cr_expect_not_null(strstr(all, text), "'%s' is not in: %s", text, all);
}

#endif
