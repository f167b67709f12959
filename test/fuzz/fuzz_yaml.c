/* SPDX-License-Identifier: Apache-2.0 */
/* Instance files: up to three layers (instance, default, override), a line of "=====" between them.
 * Whatever they hold, loading ends with a configuration or with problems that have a place; what
 * was loaded can be written, and what was written reads back the same. */
#include "base/mem.h"
#include "config/config.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char separator[] = "\n=====\n";

static enum config_path_kind path_kind(const char *path)
{
    return (enum config_path_kind)(strlen(path) % 4);
}

static void check_diags(const struct diags *d)
{
    for (size_t i = 0; i < d->n; i++) {
        _cleanup_sbuf_ struct sbuf text = SBUF_INIT;

        assert(!str_empty(d->v[i].msg) && !str_empty(d->v[i].file) && !str_empty(d->v[i].kind));
        assert(!d->v[i].col || d->v[i].line);
        diag_format(&d->v[i], &text);
    }
}

static void check_reads_back(const char *text, const char *yaml)
{
    const struct config_layer layer = {"again", text, strlen(text), NULL};
    _cleanup_config_ struct config c = CONFIG_INIT;
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    int r = config_parse(&layer, &c, &d, &err);

    assert(r == 0 && !diags_has_errors(&d));
    _cleanup_free_ char *again = config_to_yaml(&c.v);
    assert(streq(again, yaml));
}

/* What was filled is filled: doing it again changes nothing. (A text that holds templates may make
 * other templates.) */
static void check_filled(const char *yaml, const struct config_context *ctx)
{
    const struct config_layer layer = {"filled", yaml, strlen(yaml), NULL};
    _cleanup_config_ struct config c = CONFIG_INIT;
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    if (strstr(yaml, "{{"))
        return;
    assert(config_parse(&layer, &c, &d, &err) == 0);
    config_merge(&c, NULL, NULL, &d);
    config_fill(&c, ctx, &d);
    c.v.set |= UINT64_C(1) << CFG_ROW_instance_vm_type;
    _cleanup_free_ char *again = config_to_yaml(&c.v);
    assert(streq(again, yaml));
}

static void check_config(const struct config *c, const struct config_context *ctx)
{
    _cleanup_free_ char *yaml = config_to_yaml(&c->v), *json = config_to_json(&c->v);

    assert(c->v.images_count && c->v.cpus > 0 && config_memory_bytes(&c->v) > 0);
    assert(c->v.mount_type && c->v.vm_type && c->v.user.name && c->v.user.home[0] == '/');
    for (unsigned i = 0; i < c->v.mounts_count; i++) {
        _cleanup_free_ char *tag = config_mount_tag(&c->v.mounts[i]);

        assert(c->v.mounts[i].mount_point[0] == '/' && strlen(tag) == 21);
    }
    for (unsigned i = 0; i < c->v.port_forwards_count; i++)
        assert(c->v.port_forwards[i].guest_port_range_count == 2 &&
               c->v.port_forwards[i].host_port_range_count == 2);
    check_reads_back(yaml, yaml);
    check_reads_back(json, yaml);
    check_filled(yaml, ctx);
}

/* The part up to the next separator; moves *data behind it. NULL when nothing is left. */
static struct config_layer next_layer(const char **data, size_t *size, const char *name)
{
    struct config_layer layer = {name, *data, *size, NULL};
    const char *end = *data ? memmem(*data, *size, separator, sizeof(separator) - 1) : NULL;

    if (end) {
        layer.len = (size_t)(end - *data);
        *size -= layer.len + sizeof(separator) - 1;
        *data = end + sizeof(separator) - 1;
    } else {
        *data = NULL;
        *size = 0;
    }
    return layer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct host_facts host = {
        .arch = ARCH_X86_64, .arch_known = true, .cpus = 4, .memory_bytes = UINT64_C(8) << 30,
        .uid = 1000, .gid = 1000, .user = (char *)"kim", .gecos = (char *)"Kim",
        .home = (char *)"/home/kim", .hostname = (char *)"h", .machine_id = (char *)"m",
        .timezone = (char *)"UTC", .temp_dir = (char *)"/tmp",
    };
    const struct config_context ctx = {
        .host = &host, .instance_name = "x", .instance_dir = "/c/x", .home_dir = "/c",
        .path_kind = path_kind,
    };
    const char *rest = (const char *)data;
    struct config_input in;
    _cleanup_config_ struct config c = CONFIG_INIT;
    _cleanup_diags_ struct diags warnings = DIAGS_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    in.instance = next_layer(&rest, &size, "instance");
    in.default_ = next_layer(&rest, &size, "default");
    in.override = next_layer(&rest, &size, "override");
    if (config_load(&in, &ctx, &c, &warnings, &err) == 0) {
        assert(!diags_has_errors(&warnings));
        check_diags(&warnings);
        check_config(&c, &ctx);
    } else {
        assert(err.kind == ERR_CONFIG && diags_has_errors(&err.diags));
        check_diags(&err.diags);
    }
    return 0;
}
