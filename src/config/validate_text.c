/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that become part of a line somewhere (a command, a file of the guest, an ssh option, a log)
 * are one line themselves (S11). The rule is for every text of every row; those that may have more
 * lines are named here. */
#include "config/validate.h"
#include "base/mem.h"
#include <ctype.h>

static const char *const long_texts[] = {
    "script", "content", "expression", "playbook", "description", "hint",
    "certs",  "message", "cmdline", /* a folded block ends with a line break */
    "env", /* checked by whoever writes it into the seed */
};

static bool has_control(const char *text)
{
    for (const char *p = text; p && *p; p++)
        if (iscntrl((unsigned char)*p) && *p != '\t')
            return true;
    return false;
}

static bool is_known(const struct check *k, const char *path)
{
    for (size_t i = 0; i < k->d->n; i++)
        if (streq0(k->d->v[i].path, path))
            return true;
    return false;
}

static void check_text(const struct check *k, const char *path, const char *text)
{
    /* Where another rule has spoken of the field already, nothing is added. */
    if (has_control(text) && !is_known(k, path))
        problem(k, path, "field `%s` must not contain a line break or another control character",
                path);
}

static void check_map(const struct check *k, const char *path, const struct config_kv *kv,
                      unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        _cleanup_free_ char *p = xasprintf("%s.%s", path, kv[i].key);

        if (has_control(kv[i].key))
            problem(k, path, "field `%s`: a name must not contain a control character", path);
        else
            check_text(k, p, kv[i].value);
    }
}

static void check_mapping(const struct check *k, const char *path, const struct config_mapping *m,
                          const void *p);

static void check_entries(const struct check *k, const char *path, const struct config_field *f,
                          const void *p)
{
    const char *const *texts = (const char *const *)*(char **const *)cfg_member_c(p, f);

    for (unsigned i = 0; i < cfg_count_c(p, f); i++) {
        _cleanup_free_ char *entry = xasprintf("%s[%u]", path, i);

        if (f->kind == KIND_LIST)
            check_mapping(k, entry, f->sub,
                          *(const char *const *)cfg_member_c(p, f) + i * f->sub->size);
        else
            check_text(k, entry, texts[i]);
    }
}

static void check_field(const struct check *k, const char *path, const struct config_field *f,
                        const void *p)
{
    const void *member = cfg_member_c(p, f);

    if (is_word(f->key, long_texts, ARRAY_SIZE(long_texts)))
        return;
    if (f->kind == KIND_STR)
        check_text(k, path, *(char *const *)member);
    else if (f->kind == KIND_SUB)
        check_mapping(k, path, f->sub, member);
    else if (f->kind == KIND_STRS || f->kind == KIND_LIST)
        check_entries(k, path, f, p);
    else if (f->kind == KIND_MAP)
        check_map(k, path, *(struct config_kv *const *)member, cfg_count_c(p, f));
}

static void check_mapping(const struct check *k, const char *path, const struct config_mapping *m,
                          const void *p)
{
    for (size_t i = 0; i < m->n_fields; i++) {
        const struct config_field *f = &m->fields[i];
        _cleanup_free_ char *child = xasprintf("%s%s%s", path, *path ? "." : "", f->key);

        check_field(k, child, f, p);
    }
}

static void one_line(const struct check *k)
{
    check_mapping(k, "", &config_instance_mapping, k->v);
}

static const struct rule rules[] = {{"S11_one_line", one_line}};
const struct rules rules_text = {rules, ARRAY_SIZE(rules)};
