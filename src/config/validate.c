/* SPDX-License-Identifier: Apache-2.0 */
#include "config/internal.h"

void config_validate(const struct config *c, const struct config_context *ctx, struct diags *d)
{
    (void)ctx;
    if (!c->v.images_count)
        config_error(d, "images", "field `images` must be set");
}
