/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that become part of a line somewhere (a command, a file of the guest, an ssh option, a log)
 * are one line themselves (S11). The rule is for every text of every row; those that may have more
 * lines are named here. */
#include "config/validate.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include <ctype.h>

static const char *const long_texts[] = {
    "script", "content", "expression", "playbook", "description",
    "hint",   "certs",   "message",    "cmdline", /* a folded block ends with a line break */
    "env",                                        /* checked by whoever writes it into the seed */
};

static bool has_control(const char *text)
{
    for (const char *p = text; p && *p; p++)
        if (iscntrl((unsigned char)*p) && *p != '\t')
            return true;
    return false;
}

/* Where a text stands, as a chain up to the root: it is written out only when there is a problem,
 * for this rule looks at every text of every instance that is listed. */
struct place {
    const struct place *up;
    const char *key; /* NULL: an entry of a list */
    unsigned index;
};

static void place_write(const struct place *at, struct sbuf *out)
{
    if (at->up)
        place_write(at->up, out);
    if (!at->key)
        sbuf_addf(out, "[%u]", at->index);
    else
        sbuf_addf(out, "%s%s", out->len ? "." : "", at->key);
}

static bool is_known(const struct check *k, const char *path)
{
    for (size_t i = 0; i < k->d->n; i++)
        if (streq0(k->d->v[i].path, path))
            return true;
    return false;
}

static void check_text(const struct check *k, const struct place *at, const char *text)
{
    if (!has_control(text))
        return;
    _cleanup_sbuf_ struct sbuf b = SBUF_INIT;
    place_write(at, &b);
    const char *path = sbuf_str(&b);
    /* Where another rule has spoken of the field already, nothing is added. */
    if (!is_known(k, path))
        problem(k, RULE_ONE_LINE, path,
                "field `%s` must not contain a line break or another control character", path);
}

static void check_map(const struct check *k, const struct place *at, const struct config_kv *kv,
                      unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct place value = {at, kv[i].key, 0};

        if (has_control(kv[i].key)) {
            _cleanup_sbuf_ struct sbuf path = SBUF_INIT;

            place_write(at, &path);
            problem(k, RULE_ONE_LINE, sbuf_str(&path),
                    "field `%s`: a name must not contain a control character", sbuf_str(&path));
        } else {
            check_text(k, &value, kv[i].value);
        }
    }
}

static void check_mapping(const struct check *k, const struct place *at,
                          const struct config_mapping *m, const void *p);

static void check_entries(const struct check *k, const struct place *at,
                          const struct config_field *f, const void *p)
{
    const char *const *texts = (const char *const *)*(char **const *)cfg_member_c(p, f);

    for (unsigned i = 0; i < cfg_count_c(p, f); i++) {
        const struct place entry = {at, NULL, i};

        if (f->kind == KIND_LIST)
            check_mapping(k, &entry, f->sub,
                          *(const char *const *)cfg_member_c(p, f) + i * f->sub->size);
        else
            check_text(k, &entry, texts[i]);
    }
}

static void check_field(const struct check *k, const struct place *at, const struct config_field *f,
                        const void *p)
{
    const void *member = cfg_member_c(p, f);

    /* Most have no text or a fine one: only then the list of exceptions is looked at. */
    if (f->kind == KIND_STR ? !has_control(*(char *const *)member)
        : f->kind == KIND_STRS || f->kind == KIND_LIST || f->kind == KIND_MAP
            ? cfg_count_c(p, f) == 0
            : f->kind != KIND_SUB)
        return;
    if (is_word(f->key, long_texts, ARRAY_SIZE(long_texts)))
        return;
    if (f->kind == KIND_STR)
        check_text(k, at, *(char *const *)member);
    else if (f->kind == KIND_SUB)
        check_mapping(k, at, f->sub, member);
    else if (f->kind == KIND_STRS || f->kind == KIND_LIST)
        check_entries(k, at, f, p);
    else if (f->kind == KIND_MAP)
        check_map(k, at, *(struct config_kv *const *)member, cfg_count_c(p, f));
}

/* at: NULL for the root. */
static void check_mapping(const struct check *k, const struct place *at,
                          const struct config_mapping *m, const void *p)
{
    for (size_t i = 0; i < m->n_fields; i++) {
        const struct place field = {at, m->fields[i].key, 0};

        check_field(k, &field, &m->fields[i], p);
    }
}

static void one_line(const struct check *k)
{
    check_mapping(k, NULL, &config_instance_mapping, k->v);
}

static const struct rule rules[] = {{"S11_one_line", one_line}};
const struct rules rules_text = {rules, ARRAY_SIZE(rules)};
