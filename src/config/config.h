/* SPDX-License-Identifier: Apache-2.0 */
/* The instance YAML as a typed value. `struct config_instance` and its parts are made from the
 * rows of config.def; nothing but memory is in them: no file, no position, no host.
 *
 * Each struct starts with two bit sets over its rows (CFG_BIT): `set`, the key is there with a
 * value, and `null`, it is there and null. A filled configuration has every scalar set that has a
 * default; consumers then read the members plainly and need no bits. What the driver decides
 * (vmType, mountType, video.vnc.display, mounts[].virtiofs.queueSize) has its value but no bit when
 * the YAML does not say it: then it is not written out. `src` is the place in the YAML (origin.c),
 * 0 when there is none. */
#ifndef CIMA_CONFIG_CONFIG_H
#define CIMA_CONFIG_CONFIG_H

#include "base/diag.h"
#include "base/enum.h"
#include "base/err.h"
#include "sys/host.h"

/* 0 is unset, so that a zeroed struct is an empty configuration. */
enum tristate { TRI_UNSET, TRI_FALSE, TRI_TRUE };

enum provision_mode {
    PROVISION_UNSET, PROVISION_SYSTEM, PROVISION_USER, PROVISION_BOOT, PROVISION_DEPENDENCY,
    PROVISION_DATA, PROVISION_YQ, PROVISION_ANSIBLE,
    PROVISION_MODE_COUNT,
};
ENUM_STRINGS_DECLARE(provision_mode);

struct config_kv {
    char *key, *value;
};

#define CFG_MEMBER_STR(m, t)  char *m;
#define CFG_MEMBER_SIZE(m, t) char *m;
#define CFG_MEMBER_ANY(m, t)  char *m;
#define CFG_MEMBER_BOOL(m, t) enum tristate m;
#define CFG_MEMBER_INT(m, t)  int64_t m;
#define CFG_MEMBER_ENUM(m, t) enum t m;
#define CFG_MEMBER_UINT(m, t) int64_t m;
#define CFG_MEMBER_IP(m, t)   char *m;
#define CFG_MEMBER_STRS(m, t) char **m; unsigned m##_count;
#define CFG_MEMBER_IPS(m, t)  char **m; unsigned m##_count;
#define CFG_MEMBER_PORTS(m, t) char **m; unsigned m##_count;
#define CFG_MEMBER_MAP(m, t)  struct config_kv *m; unsigned m##_count;
#define CFG_MEMBER_SUB(m, t)  struct config_##t m;
#define CFG_MEMBER_LIST(m, t) struct config_##t *m; unsigned m##_count;

#define MAPPING_BEGIN(st) struct config_##st { uint64_t set, null; unsigned src;
#define FIELD(st, m, key, kind, t, merge, def, sum) CFG_MEMBER_##kind(m, t)
#define MAPPING_END(st) };
#include "config/config.def"
#undef MAPPING_BEGIN
#undef FIELD
#undef MAPPING_END

/* Index of each row within its mapping: CFG_BIT(instance, cpus). */
#define MAPPING_BEGIN(st) enum {
#define FIELD(st, m, key, kind, t, merge, def, sum) CFG_ROW_##st##_##m,
#define MAPPING_END(st) CFG_ROWS_##st };
#include "config/config.def"
#undef MAPPING_BEGIN
#undef FIELD
#undef MAPPING_END

#define CFG_BIT(st, m) (UINT64_C(1) << CFG_ROW_##st##_##m)

/* A loaded configuration with the memory it lives in. */
struct config {
    struct config_instance v;
    struct config_arena *arena;
    struct config_origin *origin; /* layers and positions, for diagnostics (internal.h) */
    const bool *param_used;       /* per entry of v.param, known once it is filled; or NULL */
};

#define CONFIG_INIT {{0}, NULL, NULL, NULL}
#define _cleanup_config_ _cleanup_(config_release)
void config_release(struct config *c);

enum config_path_kind {
    PATH_MISSING, PATH_DIR, PATH_FILE, PATH_SOCKET, PATH_UNREADABLE /* errno says why */
};

/* What the defaults depend on besides the YAML. All of it is handed in. */
struct config_context {
    const struct host_facts *host;
    const char *instance_name;  /* for {{.Name}}, {{.Hostname}}, the MAC addresses */
    const char *instance_dir;   /* where it is or will be; for {{.Dir}} and relative sockets */
    const char *home_dir;       /* the cima home, for {{.LimaHome}} */
    /* Version whose formats an existing instance was made with; NULL for a new one, "" when the
     * directory exists without a lima-version (older than any release). S1-23. */
    const char *existing_version;
    const char *networks_yaml;  /* text of _config/networks.yaml, NULL when there is none */
    /* What a path of the host is, for the checks of mounts and sockets; NULL: looks at the host
     * itself (stat). The only look that this room takes. */
    enum config_path_kind (*path_kind)(const char *path);
    /* Where the YAML is, for the MAC addresses of networks[]; NULL: instance_dir/lima.yaml. */
    const char *yaml_path;
    /* For showing many instances: what only a driver settles (the mount type that is taken when the
     * YAML names none) is not checked. */
    bool only_listed;
    const char *ssh_over_vsock; /* LIMA_SSH_OVER_VSOCK of the environment, NULL when unset */
};

struct yaml_places;
struct config_layer {
    const char *name; /* for messages: the file's path, or "<stdin>" */
    const char *text;
    size_t len;
    struct yaml_places *places; /* of a text that was put together (yaml/places.h); or NULL */
};

struct config_input {
    struct config_layer instance;       /* the instance or template YAML */
    struct config_layer default_, override; /* _config/default.yaml, …; text NULL: none */
};

/* YAML → layers merged → defaults filled → validated. Every problem of every stage is added to
 * diags with its position; warnings too. Returns -1 with ERR_CONFIG (diags inside err) when there
 * is any error; *ret is then untouched. One `struct config` in, nothing else touched. */
int config_load(const struct config_input *in, const struct config_context *ctx, struct config *ret,
                struct diags *ret_warnings, struct err *err);
/* The same without the last step, for showing what a template becomes, right or wrong: errors are
 * only what can't be read (syntax and types) and parameters that nothing uses. What the driver
 * decides stays open: vmType has no bit unless the YAML says it. */
int config_load_filled(const struct config_input *in, const struct config_context *ctx,
                       struct config *ret, struct diags *ret_warnings, struct err *err);

/* The stages, each by itself (tests, and commands that need only one). */
int config_parse(const struct config_layer *layer, struct config *ret, struct diags *d,
                 struct err *err);
int config_merge(struct config *base_owner, const struct config *override,
                 const struct config *default_, struct diags *d);
void config_fill(struct config *c, const struct config_context *ctx, struct diags *d);
void config_validate(const struct config *c, const struct config_context *ctx, struct diags *d);

/* The filled configuration as YAML (sorted as the rows are) and as JSON text. Unset fields are left
 * out. Caller frees. */
char *config_to_yaml(const struct config_instance *c);
char *config_to_json(const struct config_instance *c);

/* JSON Schema of the instance YAML (draft 2020-12), for editors: made from the rows. Caller frees. */
char *config_json_schema(void);

/* Derived values of a filled and valid configuration. */
uint64_t config_memory_bytes(const struct config_instance *c);
uint64_t config_disk_bytes(const struct config_instance *c);
/* CPU model the YAML asks for: vmOpts.qemu.cpuType, else the deprecated top-level cpuType (S1-16 to
 * S1-19); NULL when it does not. */
const char *config_cpu_type(const struct config_instance *c, enum arch arch);
enum arch config_arch(const struct config_instance *c);
/* MAC address of an interface (NW-07): unique_id is the instance directory for eth0,
 * "<dir>/lima.yaml#<i>" for networks[i]. Caller frees. */
char *config_mac_address(const struct host_facts *host, const char *unique_id);
/* A MAC address as the YAML may write it: six octets with `:` or `-`, three groups with `.`, or
 * twelve digits. */
int config_parse_mac(const char *text, uint8_t ret[6]);
/* The address of a filled network as everybody else writes it, "52:55:55:12:34:56". Caller frees. */
char *config_network_mac(const struct config_network *n);
/* Index of the user-v2 network that takes the place of the user network at eth0 (SD-24); -1: none. */
int config_eth0_network(const struct config_instance *c);
/* The address of eth0: that of its user-v2 network when the YAML gives it one, else that of the
 * instance directory. Caller frees. */
char *config_eth0_mac(const struct config_instance *c, const struct host_facts *host,
                      const char *instance_dir);
/* Tag of a 9p or virtiofs mount (SD-34). Caller frees. */
char *config_mount_tag(const struct config_mount *m);
/* "lima-" and the name with '.' and '_' as '-'. Caller frees. */
char *config_hostname(const char *instance_name);
/* NULL when the name may be an instance's, else the reason. */
const char *config_instance_name_problem(const char *name);

/* One row of config.def, for everything that walks the fields. */
enum config_kind {
    KIND_STR, KIND_BOOL, KIND_INT, KIND_SIZE, KIND_ENUM, KIND_STRS, KIND_MAP, KIND_SUB, KIND_LIST,
    KIND_ANY, KIND_UINT, KIND_IP, KIND_IPS, KIND_PORTS,
};
enum config_merge {
    MERGE_S, MERGE_L, MERGE_K, MERGE_H, MERGE_KEY, MERGE_SUBM, MERGE_U, MERGE_NONE,
};
/* The other half of the MERGE column: what happens to the value of a base template. */
enum config_base {
    BASE_FILL,   /* it is taken where there is none; lists are joined */
    BASE_FRONT,  /* items stand in front */
    BASE_UNIQUE, /* items that are there already are left out */
    BASE_HIGHER, /* the higher version is kept */
    BASE_DROP,   /* taken only where there is none, also of a list */
};
struct config_field {
    const char *key;
    enum config_kind kind;
    enum config_merge merge;
    enum config_base base;
    const char *default_;
    const char *summary;
    size_t offset, count_offset; /* of the member; of its _count */
    const struct config_mapping *sub; /* KIND_SUB, KIND_LIST */
    const struct config_enum *words;  /* KIND_ENUM */
    const struct config_shape *shape; /* other kinds: what the value looks like (shape.h) */
};
/* The words of an enum: see base/enum.h; values are those of the enum. */
struct config_enum {
    const char *(*to_string)(int value);
    int (*from_string)(const char *s, int *ret);
    int count;
};
struct config_mapping {
    const char *name;
    size_t size; /* of the struct */
    const struct config_field *fields;
    size_t n_fields;
};
extern const struct config_mapping config_instance_mapping;

/* The Lima release whose formats we keep. */
#define LIMA_VERSION "2.2.0"

#endif
