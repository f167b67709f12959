/* SPDX-License-Identifier: Apache-2.0 */
/* Templates of anybody over a small value: an error has its place, and nothing takes long. With
 * TMPL_KEEP_UNKNOWN, what has no {{ comes out as it went in. */
#include "base/mem.h"
#include "tmpl/tmpl.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char DATA[] =
    "{\"name\":\"mini\",\"Name\":\"n\",\"User\":\"kim\",\"UID\":501,\"f\":1.5,\"yes\":true,\"nil\":null,"
    "\"Param\":{\"a\":\"1\",\"b\":\"two\"},\"list\":[1,\"x\",[2,3],{\"k\":\"v\"}],"
    "\"config\":{\"cpus\":4,\"mounts\":[{\"location\":\"/a\",\"9p\":{\"cache\":\"mmap\"}}]}}";
static const char SHAPE[] = "{\"message\":\"\",\"Param\":{},\"config\":{\"cpus\":null,\"mounts\":["
                            "{\"location\":\"\",\"writable\":null}],\"env\":{}},\"list\":[null]}";

static void run(const struct tmpl *t, const char *text, const struct tmpl_input *in)
{
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_free_ char *problem = NULL;
    _cleanup_free_ char *out = tmpl_run(t, in, &problem, &err);

    assert(!out == err_is_set(&err));
    assert(out || (!problem && err.msg[0] >= '1' && err.msg[0] <= '9'));
    assert((in->flags & TMPL_KEEP_UNKNOWN) || !problem);
    if (out && !strstr(text, "{{"))
        assert(streq(out, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json *value, *shape;
    _cleanup_free_ char *text = xstrndup((const char *)data, size);
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_tmpl_ struct tmpl *t = tmpl_parse(text, &err);

    if (!value) {
        value = json_parse(DATA, strlen(DATA), "data", NULL);
        shape = json_parse(SHAPE, strlen(SHAPE), "shape", NULL);
    }
    assert(!t == err_is_set(&err));
    if (!t) {
        assert(err.kind == ERR_CONFIG && err.msg[0] >= '1' && err.msg[0] <= '9');
        return 0;
    }
    for (unsigned flags = 0; flags < 4; flags++) {
        const struct tmpl_input plain = {value, NULL, flags}, shaped = {value, shape, flags};

        run(t, text, &plain);
        run(t, text, &shaped);
    }
    (void)tmpl_asks_for(t, "config");
    return 0;
}
