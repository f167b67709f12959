/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CIMA_CONFIG_TMPL_H
#define CIMA_CONFIG_TMPL_H

#include "base/macro.h"

/* `text` uses the parameter, as {{.Param.K}} or as $PARAM_K. */
bool tmpl_uses_param(const char *text, const char *key);

#endif
