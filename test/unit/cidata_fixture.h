/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration that was loaded from text, and the seed's input around it. */
#ifndef CIMA_TEST_CIDATA_FIXTURE_H
#define CIMA_TEST_CIDATA_FIXTURE_H

#include "cidata/cidata.h"
#include "cidata/internal.h"
#include "base/fs.h"
#include "base/mem.h"
#include <criterion/criterion.h>

#define IMAGES "images: [{location: /images/disk.qcow2, arch: x86_64}]\n"

static const char *const test_keys[] = {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKey lima"};

struct seed {
    struct config config;
    struct host_facts host;
    struct cidata_input in;
};

#define _seed_ _cleanup_(seed_freep)
static inline void seed_freep(struct seed **s)
{
    config_release(&(*s)->config);
    free(*s);
}

static inline char *source_path(const char *name)
{
    const char *dir = getenv("srcdir");
    return path_join(str_empty(dir) ? "." : dir, name);
}

/* On the heap: the input points into it. */
static inline struct seed *seed_new(const char *yaml)
{
    struct seed *s = xcalloc(1, sizeof(*s));
    _cleanup_err_ struct err e = ERR_INIT;
    _cleanup_diags_ struct diags warnings = DIAGS_INIT;
    s->host = (struct host_facts){.arch = ARCH_X86_64,
                                  .arch_known = true,
                                  .cpus = 4,
                                  .memory_bytes = UINT64_C(16) << 30,
                                  .uid = 1000,
                                  .gid = 1000,
                                  .user = (char *)"tester",
                                  .gecos = (char *)"A Tester",
                                  .home = (char *)"/home/tester",
                                  .hostname = (char *)"host",
                                  .machine_id = (char *)"0123456789abcdef0123456789abcdef",
                                  .timezone = (char *)"",
                                  .temp_dir = (char *)"/tmp"};
    struct config_input input = {
        .instance = {.name = "lima.yaml", .text = yaml, .len = strlen(yaml)}};
    struct config_context ctx = {.host = &s->host,
                                 .instance_name = "vm",
                                 .instance_dir = "/home/tester/.cima/vm",
                                 .home_dir = "/home/tester/.cima",
                                 .networks_yaml = "networks: {user-v2: {mode: user-v2, gateway: "
                                                  "192.168.104.1, netmask: 255.255.255.0}}\n"};
    if (config_load(&input, &ctx, &s->config, &warnings, &e) < 0) {
        _cleanup_free_ char *text = err_text(&e);
        cr_assert_fail("%s", text);
    }
    s->in = (struct cidata_input){.cfg = &s->config.v,
                                  .instance_name = "vm",
                                  .instance_dir = "/home/tester/.cima/vm",
                                  .host = &s->host,
                                  .ssh_keys = test_keys,
                                  .n_ssh_keys = 1,
                                  .boot_id = "iid-test"};
    return s;
}

static inline void expect_error(const struct err *e, const char *text)
{
    cr_assert(err_is_set(e));
    _cleanup_free_ char *all = err_text(e);
    cr_expect_not_null(strstr(all, text), "'%s' is not in: %s", text, all);
}

#endif
