/* SPDX-License-Identifier: Apache-2.0 */
/* Two documents, a line of "=====" between them: the first is patched to say what the second says.
 * The result does so (yaml_patch looks itself; that it never has to give up is looked at here), a
 * patch to what is there already changes no byte, and JSON says the same as what it was made
 * from. Inputs are shorter than the longest key that YAML allows without a `?` in front, as JSON
 * would write it (YAML 1.2, 7.4). */
#include "base/mem.h"
#include "yaml/patch.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEY_MAX 1000

static const char separator[] = "\n=====\n";

static struct yaml_doc *parse(const char *text, size_t len)
{
    _cleanup_diags_ struct diags d = DIAGS_INIT;
    struct yaml_doc *doc = yaml_doc_parse("f", text, len, &d);

    assert(doc || diags_has_errors(&d));
    for (size_t i = 0; i < d.n; i++)
        assert(!str_empty(d.v[i].msg) && (d.v[i].line || !d.v[i].col));
    return doc;
}

static void check_same(const struct yaml_doc *doc, const struct yaml_doc *wanted)
{
    _cleanup_err_ struct err err = ERR_INIT;
    size_t len, old_len;
    _cleanup_free_ char *text = yaml_patch(doc, wanted, &len, &err);
    const char *old = yaml_doc_text(doc, &old_len);

    assert(text && len == old_len && memcmp(text, old, len) == 0);
}

static struct yaml_doc *json_of(const struct yaml_doc *doc)
{
    _cleanup_free_ char *json = yaml_doc_to_json(doc);
    struct yaml_doc *again = parse(json, strlen(json));

    assert(again && yaml_equal(yaml_doc_root(doc), yaml_doc_root(again)));
    return again;
}

static void check_patch(const struct yaml_doc *doc, const struct yaml_doc *wanted)
{
    _cleanup_err_ struct err err = ERR_INIT;
    size_t len;
    _cleanup_free_ char *text = yaml_patch(doc, wanted, &len, &err);

    assert(text);
    _cleanup_yaml_doc_ struct yaml_doc *got = parse(text, len);
    assert(got && yaml_equal(yaml_doc_root(got), yaml_doc_root(wanted)));
    check_same(got, wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *end = size ? memmem(text, size, separator, sizeof(separator) - 1) : NULL;
    size_t len = end ? (size_t)(end - text) : size;
    const char *rest = end ? end + sizeof(separator) - 1 : "null";
    size_t rest_len = end ? size - len - (sizeof(separator) - 1) : 4;
    _cleanup_yaml_doc_ struct yaml_doc *doc = parse(text, len), *wanted = parse(rest, rest_len);

    if (!doc || size > KEY_MAX)
        return 0;
    _cleanup_yaml_doc_ struct yaml_doc *json = json_of(doc);
    if (!yaml_doc_is_editable(doc))
        return 0;
    check_same(doc, json);
    if (!wanted)
        return 0;
    check_patch(doc, wanted);
    _cleanup_yaml_doc_ struct yaml_doc *other = json_of(wanted);
    check_patch(doc, other);
    check_patch(other, doc);
    return 0;
}
