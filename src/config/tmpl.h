/* SPDX-License-Identifier: Apache-2.0 */
/* The small part of Go's text/template that instance files use: {{.User}}, {{.Param.port}}, text
 * and `raw text`, comments, trim markers, pipes into printf, print and println. */
#ifndef CIMA_CONFIG_TMPL_H
#define CIMA_CONFIG_TMPL_H

#include "config/config.h"

struct tmpl_var {
    const char *name, *value; /* a NULL value: the name does not exist here */
};

struct tmpl_vars {
    const struct tmpl_var *v;
    size_t n;
    const struct config_kv *param; /* {{.Param.K}} */
    size_t n_param;
};

/* The expanded text. An action that names something unknown stays as it is written, so that the
 * templates of other tools survive in scripts; then *ret_problem says which. NULL with *ret_problem
 * when the text is no template that can be read: it is to be kept as a whole. Caller frees both. */
char *tmpl_expand(const char *text, const struct tmpl_vars *vars, char **ret_problem);
/* `text` uses the parameter, as {{.Param.K}} or as $PARAM_K. */
bool tmpl_uses_param(const char *text, const char *key);

#endif
