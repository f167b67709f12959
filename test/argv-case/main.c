/* SPDX-License-Identifier: Apache-2.0 */
/* Reads one case and prints what case.h says about its kind, which its input tells. */
#include "argv-case/case.h"
#include "base/fs.h"
#include "base/mem.h"

#define CASE_MAX (4u << 20)

/* One row per kind of case: the key of `input` that it is known by. */
static const struct {
    const char *key;
    struct json *(*make)(const struct json *input, const struct json *facts);
} kinds[] = {
    {"yaml", case_lima},
    {"config", case_govmm},
    {"args", case_run},
};

static struct json *make(const struct json *input, const struct json *facts)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (json_get(input, kinds[i].key))
            return kinds[i].make(input, facts);
    return NULL;
}

int main(int argc, char **argv)
{
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *text = NULL, *dump = NULL;
    _cleanup_json_ struct json *j = NULL, *out = NULL;
    size_t len;

    if (argc != 2) {
        fprintf(stderr, "usage: argv-case CASE.json\n");
        return 2;
    }
    text = file_read(argv[1], CASE_MAX, &len, &err);
    j = text ? json_parse(text, len, argv[1], &err) : NULL;
    if (!j) {
        fprintf(stderr, "argv-case: %s\n", err.msg);
        return 2;
    }
    out = make(json_get(j, "input"), json_get(j, "facts"));
    if (!out) {
        fprintf(stderr, "argv-case: '%s' is no kind of case that is known\n", argv[1]);
        return 2;
    }
    dump = json_dump(out);
    puts(dump);
    return 0;
}
