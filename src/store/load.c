/* SPDX-License-Identifier: Apache-2.0 */
/* What an instance is made of: its YAML with the files of _config around it, its frozen facts. */
#include "store/store.h"
#include "store/internal.h"
#include "base/fs.h"
#include "base/mem.h"
#include <errno.h>

#define YAML_MAX    (4u << 20)
#define FACTS_MAX   (1u << 20)
#define VERSION_MAX 4096

/* Reads a file that need not be there: *ret stays NULL then. */
static int read_optional(const char *path, size_t max, char **ret, size_t *ret_len, struct err *err)
{
    _cleanup_err_ struct err e = ERR_INIT;
    char *text = file_read(path, max, ret_len, &e);
    if (!text && e.kind != ERR_NOT_FOUND)
        return err_move(err, &e);
    *ret = text;
    return 0;
}

/* The texts around the instance's own YAML; all may be NULL. */
struct store_around {
    char *default_path, *default_text;
    char *override_path, *override_text;
    char *networks;
    size_t default_len, override_len;
};

static void around_release(struct store_around *r)
{
    free(r->default_path);
    free(r->default_text);
    free(r->override_path);
    free(r->override_text);
    free(r->networks);
}

static int around_read(const struct store *s, struct store_around *r, struct err *err)
{
    r->default_path = store_config_path(s, "default.yaml");
    r->override_path = store_config_path(s, "override.yaml");
    _cleanup_free_ char *networks = store_config_path(s, "networks.yaml");
    if (read_optional(r->default_path, YAML_MAX, &r->default_text, &r->default_len, err) < 0 ||
        read_optional(r->override_path, YAML_MAX, &r->override_text, &r->override_len, err) < 0 ||
        read_optional(networks, YAML_MAX, &r->networks, NULL, err) < 0)
        return -1;
    return 0;
}

struct store_around *store_around_read(const struct store *s, struct err *err)
{
    _cleanup_store_around_ struct store_around *a = xcalloc(1, sizeof(*a));
    return around_read(s, a, err) < 0 ? NULL : TAKE_PTR(a);
}

void store_around_free(struct store_around *a)
{
    if (a)
        around_release(a);
    free(a);
}

typedef int load_fn(const struct config_input *, const struct config_context *, struct config *,
                    struct diags *, struct err *);

static int load_in(const struct store *s, const struct store_around *around, load_fn *load_text,
                   const char *name, const struct config_layer *layer, const char *existing_version,
                   const char *yaml_path, bool only_listed, const struct host_facts *host,
                   struct config *ret, struct diags *ret_warnings, struct err *err)
{
    _cleanup_free_ char *dir = store_instance_dir(s, name);
    struct config_input in = {
        .instance = *layer,
        .default_ = {around->default_path, around->default_text, around->default_len, NULL},
        .override = {around->override_path, around->override_text, around->override_len,
                     NULL},
    };
    struct config_context ctx = {
        .host = host,
        .instance_name = name,
        .instance_dir = dir,
        .home_dir = s->home,
        .existing_version = existing_version,
        .networks_yaml = around->networks,
        .yaml_path = yaml_path,
        .only_listed = only_listed,
        .ssh_over_vsock = getenv("LIMA_SSH_OVER_VSOCK"),
    };
    return load_text(&in, &ctx, ret, ret_warnings, err);
}

static int load(const struct store *s, const char *name, const struct config_layer *layer,
                const char *existing_version, const struct host_facts *host, struct config *ret,
                struct diags *ret_warnings, struct err *err)
{
    _cleanup_(around_release) struct store_around around = {0};
    if (around_read(s, &around, err) < 0)
        return -1;
    return load_in(s, &around, config_load, name, layer, existing_version, NULL, false, host, ret,
                   ret_warnings, err);
}

/* "" when the directory has no lima-version. */
static int read_version(const struct instance *i, char **ret, struct err *err)
{
    _cleanup_free_ char *path = instance_path(i, INST_LIMA_VERSION);
    char *text = NULL;
    if (read_optional(path, VERSION_MAX, &text, NULL, err) < 0)
        return -1;
    if (!text)
        text = xstrdup("");
    text[strcspn(text, " \t\r\n")] = '\0';
    *ret = text;
    return 0;
}

static char *read_yaml(const struct instance *i, size_t *ret_len, struct err *err)
{
    _cleanup_free_ char *path = instance_path(i, INST_LIMA_YAML);
    char *text = file_read(path, YAML_MAX, ret_len, err);
    if (!text)
        err_wrap(err, "instance `%s` has no readable lima.yaml", i->name);
    return text;
}

int instance_load_config(const struct store *s, const struct instance *i,
                         const struct host_facts *host, struct config *ret,
                         struct diags *ret_warnings, struct err *err)
{
    _cleanup_free_ char *path = instance_path(i, INST_LIMA_YAML);
    size_t len = 0;
    _cleanup_free_ char *text = read_yaml(i, &len, err);
    if (!text)
        return -1;
    struct config_layer layer = {path, text, len, NULL};
    if (instance_load_text(s, i, &layer, host, ret, ret_warnings, err) < 0)
        return err_wrap(err, "loading instance `%s`", i->name);
    return 0;
}

int instance_load_config_in(const struct store *s, const struct store_around *around,
                            const struct instance *i, const struct host_facts *host,
                            struct config *ret, struct err *err)
{
    _cleanup_free_ char *path = instance_path(i, INST_LIMA_YAML), *version = NULL;
    size_t len = 0;
    _cleanup_free_ char *text = read_yaml(i, &len, err);
    if (!text || read_version(i, &version, err) < 0)
        return -1;
    struct config_layer layer = {path, text, len, NULL};
    if (load_in(s, around, config_load, i->name, &layer, version, NULL, true, host, ret, NULL,
                err) < 0)
        return err_wrap(err, "loading instance `%s`", i->name);
    return 0;
}

int instance_load_text(const struct store *s, const struct instance *i,
                       const struct config_layer *layer, const struct host_facts *host,
                       struct config *ret, struct diags *ret_warnings, struct err *err)
{
    _cleanup_free_ char *version = NULL;
    if (read_version(i, &version, err) < 0)
        return -1;
    return load(s, i->name, layer, version, host, ret, ret_warnings, err);
}

int store_load_template(const struct store *s, const char *name, const struct config_layer *layer,
                        const struct host_facts *host, struct config *ret,
                        struct diags *ret_warnings, struct err *err)
{
    return load(s, name, layer, NULL, host, ret, ret_warnings, err);
}

int store_fill_template(const struct store *s, const char *name, const struct config_layer *layer,
                        const struct host_facts *host, struct config *ret,
                        struct diags *ret_warnings, struct err *err)
{
    _cleanup_(around_release) struct store_around around = {0};
    _cleanup_free_ char *path = xasprintf("%s/%s.yaml", s->home, name);
    if (around_read(s, &around, err) < 0)
        return -1;
    return load_in(s, &around, config_load_filled, name, layer, NULL, path, false, host, ret,
                   ret_warnings, err);
}

struct json *instance_facts_read(const struct instance *i, struct err *err)
{
    _cleanup_free_ char *path = instance_path(i, INST_FACTS), *text = NULL;
    size_t len;
    if (read_optional(path, FACTS_MAX, &text, &len, err) < 0)
        return NULL;
    if (!text)
        return json_object_new();
    _cleanup_json_ struct json *facts = json_parse(text, len, path, err);
    if (facts && !json_is_object(facts)) {
        err_set(err, ERR_PROTOCOL, "'%s' is not a JSON object", path);
        return NULL;
    }
    return TAKE_PTR(facts);
}

int instance_facts_write(const struct instance *i, const struct json *facts, struct err *err)
{
    _cleanup_free_ char *path = instance_path(i, INST_FACTS), *text = json_dump_indent(facts, 2);
    _cleanup_free_ char *lines = xasprintf("%s\n", text);
    int (*write)(const char *, const void *, size_t, mode_t, struct err *) =
        i->draft ? file_write_unsynced : file_write_atomic;
    return write(path, lines, strlen(lines), 0600, err);
}
