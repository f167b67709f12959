/* SPDX-License-Identifier: Apache-2.0 */
/* The reference of the instance YAML: what cima.yaml(5) and docs/fields.md say, made from the rows
 * of config.def. */
#ifndef CIMA_CONFIG_REFERENCE_H
#define CIMA_CONFIG_REFERENCE_H

#include "base/page.h"

/* The whole page. Caller frees. */
char *config_reference(enum page_format format, const char *version);
/* Who uses the field at a path as the reference writes it ("mounts[].9p.cache"); NULL when nobody
 * is known, which a test does not let pass. */
const char *config_field_users(const char *path);

#endif
