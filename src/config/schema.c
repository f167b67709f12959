/* SPDX-License-Identifier: Apache-2.0 */
/* config.def as tables: libcyaml's schema and our own field rows. The only file that knows
 * libcyaml. It reads the normalised stream, never a user's text, so that its types can be the
 * plainest: truth values and enums are numbers there, sizes and addresses are texts. */
#include "config/internal.h"
#include "base/mem.h"
#include "config/shape.h"
#include <cyaml/cyaml.h>

static const char *const provision_mode_names[] = {
    [PROVISION_SYSTEM] = "system",         [PROVISION_USER] = "user",
    [PROVISION_BOOT] = "boot",             [PROVISION_DEPENDENCY] = "dependency",
    [PROVISION_DATA] = "data",             [PROVISION_YQ] = "yq",
    [PROVISION_ANSIBLE] = "ansible",
};
ENUM_STRINGS_DEFINE(provision_mode, PROVISION_MODE_COUNT)

#define CONFIG_ENUM(name, n)                                \
    static const char *name##_name(int value)               \
    {                                                       \
        return name##_to_string((enum name)value);          \
    }                                                       \
    static int name##_value(const char *s, int *ret)        \
    {                                                       \
        enum name value;                                    \
                                                            \
        if (name##_from_string(s, &value) < 0)              \
            return -1;                                      \
        *ret = (int)value;                                  \
        return 0;                                           \
    }                                                       \
    static const struct config_enum config_enum_##name = {name##_name, name##_value, n};
CONFIG_ENUM(provision_mode, PROVISION_MODE_COUNT)

/* ---- libcyaml's schema ----------------------------------------------------------------------- */

#define PTR (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define OPT CYAML_FLAG_OPTIONAL

static const cyaml_schema_field_t kv_fields[] = {
    CYAML_FIELD_STRING_PTR("k", CYAML_FLAG_POINTER, struct config_kv, key, 0, CYAML_UNLIMITED),
    CYAML_FIELD_STRING_PTR("v", CYAML_FLAG_POINTER, struct config_kv, value, 0, CYAML_UNLIMITED),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t kv_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_kv, kv_fields),
};
static const cyaml_schema_value_t text_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

#define CY_STR(st, m, key, t) \
    CYAML_FIELD_STRING_PTR(key, PTR, struct config_##st, m, 0, CYAML_UNLIMITED),
#define CY_SIZE      CY_STR
#define CY_IP        CY_STR
#define CY_ANY       CY_STR
#define CY_BOOL(st, m, key, t) CYAML_FIELD_UINT(key, OPT, struct config_##st, m),
#define CY_ENUM      CY_BOOL
#define CY_INT(st, m, key, t) CYAML_FIELD_INT(key, OPT, struct config_##st, m),
#define CY_UINT      CY_INT
#define CY_STRS(st, m, key, t) \
    CYAML_FIELD_SEQUENCE(key, PTR, struct config_##st, m, &text_schema, 0, CYAML_UNLIMITED),
#define CY_IPS       CY_STRS
#define CY_PORTS     CY_STRS
#define CY_MAP(st, m, key, t) \
    CYAML_FIELD_SEQUENCE(key, PTR, struct config_##st, m, &kv_schema, 0, CYAML_UNLIMITED),
#define CY_SUB(st, m, key, t) CYAML_FIELD_MAPPING(key, OPT, struct config_##st, m, t##_fields),
#define CY_LIST(st, m, key, t) \
    CYAML_FIELD_SEQUENCE(key, PTR, struct config_##st, m, &t##_schema, 0, CYAML_UNLIMITED),

#define MAPPING_BEGIN(st)                                                \
    static const cyaml_schema_field_t st##_fields[] = {                  \
        CYAML_FIELD_UINT(CONFIG_KEY_SET, OPT, struct config_##st, set),  \
        CYAML_FIELD_UINT(CONFIG_KEY_NULL, OPT, struct config_##st, null), \
        CYAML_FIELD_UINT(CONFIG_KEY_SRC, OPT, struct config_##st, src),
#define FIELD(st, m, key, kind, t, merge, def, sum) CY_##kind(st, m, key, t)
#define MAPPING_END(st)                                                               \
        CYAML_FIELD_END,                                                              \
    };                                                                                \
    __attribute__((unused)) static const cyaml_schema_value_t st##_schema = {         \
        CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_##st, st##_fields),     \
    };
#include "config/config.def"
#undef MAPPING_BEGIN
#undef FIELD
#undef MAPPING_END

static const cyaml_schema_value_t root_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct config_instance, instance_fields),
};

/* ---- our own rows ---------------------------------------------------------------------------- */

#define NO_COUNT(st, m)   0
#define HAS_COUNT(st, m)  offsetof(struct config_##st, m##_count)
#define COUNT_STR   NO_COUNT
#define COUNT_SIZE  NO_COUNT
#define COUNT_IP    NO_COUNT
#define COUNT_ANY   NO_COUNT
#define COUNT_BOOL  NO_COUNT
#define COUNT_ENUM  NO_COUNT
#define COUNT_INT   NO_COUNT
#define COUNT_UINT  NO_COUNT
#define COUNT_SUB   NO_COUNT
#define COUNT_STRS  HAS_COUNT
#define COUNT_IPS   HAS_COUNT
#define COUNT_PORTS HAS_COUNT
#define COUNT_MAP   HAS_COUNT
#define COUNT_LIST  HAS_COUNT

#define NO_SUB(t)    NULL
#define HAS_SUB(t)   &config_##t##_mapping
#define SUB_OF_STR   NO_SUB
#define SUB_OF_SIZE  NO_SUB
#define SUB_OF_IP    NO_SUB
#define SUB_OF_ANY   NO_SUB
#define SUB_OF_BOOL  NO_SUB
#define SUB_OF_ENUM  NO_SUB
#define SUB_OF_INT   NO_SUB
#define SUB_OF_UINT  NO_SUB
#define SUB_OF_STRS  NO_SUB
#define SUB_OF_IPS   NO_SUB
#define SUB_OF_PORTS NO_SUB
#define SUB_OF_MAP   NO_SUB
#define SUB_OF_SUB   HAS_SUB
#define SUB_OF_LIST  HAS_SUB

#define HAS_WORDS(t)   &config_enum_##t
#define WORDS_OF_ENUM  HAS_WORDS
#define WORDS_OF_STR   NO_SUB
#define WORDS_OF_SIZE  NO_SUB
#define WORDS_OF_IP    NO_SUB
#define WORDS_OF_ANY   NO_SUB
#define WORDS_OF_BOOL  NO_SUB
#define WORDS_OF_INT   NO_SUB
#define WORDS_OF_UINT  NO_SUB
#define WORDS_OF_STRS  NO_SUB
#define WORDS_OF_IPS   NO_SUB
#define WORDS_OF_PORTS NO_SUB
#define WORDS_OF_MAP   NO_SUB
#define WORDS_OF_SUB   NO_SUB
#define WORDS_OF_LIST  NO_SUB

#define HAS_SHAPE(t)   &config_shape_##t
#define NO_SHAPE(t)    &config_shape__
#define SHAPE_OF_STR   HAS_SHAPE
#define SHAPE_OF_SIZE  HAS_SHAPE
#define SHAPE_OF_IP    HAS_SHAPE
#define SHAPE_OF_ANY   HAS_SHAPE
#define SHAPE_OF_BOOL  HAS_SHAPE
#define SHAPE_OF_INT   HAS_SHAPE
#define SHAPE_OF_UINT  HAS_SHAPE
#define SHAPE_OF_STRS  HAS_SHAPE
#define SHAPE_OF_IPS   HAS_SHAPE
#define SHAPE_OF_PORTS HAS_SHAPE
#define SHAPE_OF_MAP   HAS_SHAPE
#define SHAPE_OF_ENUM  NO_SHAPE
#define SHAPE_OF_SUB   NO_SHAPE
#define SHAPE_OF_LIST  NO_SHAPE

/* Codes that are one thing at load and something else when a base template is embedded. */
#define MERGE_LF       MERGE_L
#define MERGE_LU       MERGE_L
#define MERGE_SH       MERGE_S
#define MERGE_NH       MERGE_NONE
#define BASE_OF_LF     BASE_FRONT
#define BASE_OF_LU     BASE_UNIQUE
#define BASE_OF_SH     BASE_HIGHER
#define BASE_OF_NH     BASE_HIGHER
#define BASE_OF_H      BASE_DROP
#define BASE_OF_S      BASE_FILL
#define BASE_OF_L      BASE_FILL
#define BASE_OF_K      BASE_FILL
#define BASE_OF_U      BASE_FILL
#define BASE_OF_KEY    BASE_FILL
#define BASE_OF_SUBM   BASE_FILL
#define BASE_OF_NONE   BASE_FILL

#define MAPPING_BEGIN(st) static const struct config_field st##_rows[] = {
#define FIELD(st, m, k, kd, t, mg, def, sum)               \
    {.key = k,                                             \
     .kind = KIND_##kd,                                    \
     .merge = MERGE_##mg,                                  \
     .base = BASE_OF_##mg,                                 \
     .default_ = def,                                      \
     .summary = sum,                                       \
     .offset = offsetof(struct config_##st, m),            \
     .count_offset = COUNT_##kd(st, m),                    \
     .sub = SUB_OF_##kd(t),                                \
     .words = WORDS_OF_##kd(t),                            \
     .shape = SHAPE_OF_##kd(t)},
#define MAPPING_END(st)                                                                  \
    };                                                                                   \
    _Static_assert(ARRAY_SIZE(st##_rows) <= 64, "the bit sets of " #st " have 64 bits"); \
    const struct config_mapping config_##st##_mapping = {                                \
        .name = #st,                                                                     \
        .size = sizeof(struct config_##st),                                              \
        .fields = st##_rows,                                                             \
        .n_fields = ARRAY_SIZE(st##_rows),                                               \
    };
#include "config/config.def"
#undef MAPPING_BEGIN
#undef FIELD
#undef MAPPING_END

const struct config_field *config_field_find(const struct config_mapping *m, const char *key)
{
    for (size_t i = 0; i < m->n_fields; i++)
        if (streq(m->fields[i].key, key))
            return &m->fields[i];
    return NULL;
}

int config_field_rest(const struct config_mapping *m)
{
    for (size_t i = 0; i < m->n_fields; i++)
        if (streq(m->fields[i].key, "*"))
            return (int)i;
    return -1;
}

bool config_kind_is_text(enum config_kind k)
{
    return k == KIND_STR || k == KIND_SIZE || k == KIND_IP || k == KIND_ANY;
}

bool config_kind_is_texts(enum config_kind k)
{
    return k == KIND_STRS || k == KIND_IPS || k == KIND_PORTS;
}

bool config_kind_is_int(enum config_kind k)
{
    return k == KIND_INT || k == KIND_UINT;
}

/* ---- loading --------------------------------------------------------------------------------- */

/* libcyaml tells errors as a backtrace of log lines; the first says what, those below where. */
static void keep_log(cyaml_log_t level, void *ctx, const char *fmt, va_list ap)
    PRINTF_FORMAT(3, 0);

static void keep_log(cyaml_log_t level, void *ctx, const char *fmt, va_list ap)
{
    struct sbuf *log = ctx;

    if (level >= CYAML_LOG_ERROR)
        sbuf_vaddf(log, fmt, ap);
}

int config_schema_load(const struct normalised *n, struct config_arena *arena,
                       struct config_instance *ret, size_t *ret_line, char **ret_text)
{
    _cleanup_sbuf_ struct sbuf log = SBUF_INIT;
    const cyaml_config_t cfg = {
        .log_fn = keep_log,
        .log_ctx = &log,
        .mem_fn = cfg_realloc,
        .mem_ctx = arena,
        .log_level = CYAML_LOG_ERROR,
        .flags = CYAML_CFG_NO_ALIAS,
    };
    struct config_instance *loaded = NULL;
    cyaml_err_t r = cyaml_load_data((const uint8_t *)n->stream.buf, n->stream.len, &cfg,
                                    &root_schema, (cyaml_data_t **)&loaded, NULL);

    if (r != CYAML_OK || !loaded) {
        const char *line = strstr(sbuf_str(&log), "line: ");

        *ret_line = line ? strtoul(line + strlen("line: "), NULL, 10) : 0;
        *ret_text = xasprintf("%s", cyaml_strerror(r));
        return -1;
    }
    *ret = *loaded;
    return 0;
}
