/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"
#include <errno.h>

const struct host_facts *test_host(void)
{
    static struct host_facts host = {
        .arch = ARCH_X86_64,
        .arch_known = true,
        .cpus = 8,
        .memory_bytes = UINT64_C(16) << 30,
        .uid = 1000,
        .gid = 1000,
        .user = (char *)"kim",
        .gecos = (char *)"Kim Example",
        .home = (char *)"/home/kim",
        .hostname = (char *)"workshop",
        .machine_id = (char *)"00112233445566778899aabbccddeeff",
        .timezone = (char *)"Europe/Lisbon",
        .temp_dir = (char *)"/var/tmp",
    };

    return &host;
}

enum config_path_kind test_path_kind(const char *path)
{
    if (str_starts(path, "/missing"))
        return PATH_MISSING;
    if (str_starts(path, "/locked")) {
        errno = EACCES;
        return PATH_UNREADABLE;
    }
    if (str_ends(path, ".sock"))
        return PATH_SOCKET;
    return str_ends(path, ".txt") ? PATH_FILE : PATH_DIR;
}

struct config_context test_context(void)
{
    return (struct config_context){
        .host = test_host(),
        .instance_name = "demo",
        .instance_dir = "/cima/demo",
        .home_dir = "/cima",
        .path_kind = test_path_kind,
    };
}

int test_load(const char *yaml, const struct config_context *ctx, struct config *ret,
              struct diags *d)
{
    const struct config_input in = {.instance = {"test.yaml", yaml, strlen(yaml), NULL}};
    _cleanup_err_ struct err err = ERR_INIT;

    if (config_load(&in, ctx, ret, d, &err) == 0)
        return 0;
    diags_release(d);
    *d = err.diags;
    err.diags = (struct diags)DIAGS_INIT;
    return -1;
}

void test_load_ok(const char *yaml, const struct config_context *ctx, struct config *ret)
{
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    int r = test_load(yaml, ctx, ret, &d);
    _cleanup_free_ char *text = test_diags_text(&d);

    cr_assert_eq(r, 0, "%s", text);
}

const char *test_message_at(const struct diags *d, const char *path)
{
    for (size_t i = 0; i < d->n; i++)
        if (streq0(d->v[i].path, path))
            return d->v[i].msg;
    return NULL;
}

char *test_diags_text(const struct diags *d)
{
    struct sbuf out = SBUF_INIT;

    for (size_t i = 0; i < d->n; i++) {
        diag_format(&d->v[i], &out);
        sbuf_addch(&out, '\n');
    }
    return sbuf_detach(&out);
}
