/* SPDX-License-Identifier: Apache-2.0 */
/* What the groups of rules share. A rule looks at the filled configuration and adds every problem
 * it finds, under the path that config_origin_place finds in the YAML. */
#ifndef CIMA_CONFIG_VALIDATE_H
#define CIMA_CONFIG_VALIDATE_H

#include "config/internal.h"
#include "config/shape.h"

struct check {
    const struct config *c;
    const struct config_instance *v;
    const struct config_context *ctx;
    struct diags *d;
    enum config_path_kind (*path_kind)(const char *path);
};

struct rule {
    const char *id; /* what its test is called */
    void (*check)(const struct check *k);
};

struct rules {
    const struct rule *v;
    size_t n;
};
extern const struct rules rules_instance, rules_lists, rules_forwards, rules_text;

/* One problem; `path` as in the YAML. The returned diagnostic is for a hint. */
#define problem(k, rule, path, ...) config_problem((k)->d, (rule), (path), __VA_ARGS__)

/* The words of a list joined: "`a`, `b`". Caller frees. */
char *words_joined(const char *const *words, size_t n);
bool is_word(const char *s, const char *const *words, size_t n);
/* A value that must be one of some words; hints at the nearest. */
void check_word(const struct check *k, enum config_rule rule, const char *path, const char *value,
                const struct config_shape *shape);
void check_arch(const struct check *k, const char *path, const char *value);
/* "must be …" unless the port is 1 to 65535 and not 22, then NULL. */
const char *port_problem(int64_t port);
/* "field `path` must be an absolute path, got …"; true when it is one. */
bool check_absolute(const struct check *k, enum config_rule rule, const char *path,
                    const char *value);
/* Each parameter of the instance's own YAML is used somewhere. */
void check_param_used(const struct check *k);
/* location, arch (filled) and digest of something to download; path is that of the entry. */
void check_file(const struct check *k, const char *path, const char *location, const char *arch,
                const char *digest);

#endif
