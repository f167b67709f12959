/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. */
#ifndef CIMA_STORE_INTERNAL_H
#define CIMA_STORE_INTERNAL_H

#include "store/store.h"

/* Directory of the instance `name`, whether or not it exists. Caller frees. */
char *store_instance_dir(const struct store *s, const char *name);

#endif
