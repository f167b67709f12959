/* SPDX-License-Identifier: Apache-2.0 */
/* `message` of the YAML: a template over what `list` shows of the instance. */
#include "base/mem.h"
#include "instance/instance.h"
#include "instance/internal.h"
#include "tmpl/tmpl.h"

/* The configuration is a large part of the object, and few messages look at it. */
static bool wants_config(const struct tmpl *t)
{
    return tmpl_asks_for(t, "Config") || tmpl_asks_for(t, "Networks") ||
           tmpl_asks_for(t, "Network") || tmpl_asks_for(t, "AdditionalDisks");
}

char *inst_message(const struct inst_env *env, const struct inst_info *info, struct err *err)
{
    const char *text = info->has_config ? info->config.v.message : NULL;
    _cleanup_tmpl_ struct tmpl *t = NULL;
    _cleanup_json_ struct json *object = NULL;

    if (str_empty(text))
        return xstrdup("");
    if (!strstr(text, "{{"))
        return xstrdup(text);
    t = tmpl_parse(text, err);
    if (t) {
        object = inst_object(info, env, wants_config(t));
        const struct tmpl_input in = {object, inst_shape(), TMPL_FOLD_CASE};
        char *out = tmpl_run(t, &in, NULL, err);

        if (out)
            return out;
    }
    err_wrap(err, "`message` can't be processed as a template");
    return NULL;
}
