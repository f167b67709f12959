/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cli/cli.h"

static void tell(const struct image_pruned *p)
{
    _cleanup_free_ char *size = format_size(p->freed);

    for (size_t i = 0; i < p->busy.n; i++)
        log_warn("`%s` is in use by another command and stays", p->busy.v[i]);
    if (p->kept)
        log_info("%u cached %s kept: instances refer to %s", p->kept,
                 p->kept == 1 ? "file is" : "files are", p->kept == 1 ? "it" : "them");
    log_info("Removed %u cached %s, freed %s", p->removed, p->removed == 1 ? "file" : "files",
             size);
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_image_pruned_ struct image_pruned pruned = {0};
    const struct inst_env *env = cli_env(cli, err);

    if (!env)
        return -1;
    int r = inst_prune(env, args_flag(args, "keep-referred"), &cli_report, &pruned, err);
    if (r == 0 || pruned.removed)
        tell(&pruned);
    return r;
}

static const struct cli_option options[] = {
    {.name = "keep-referred",
     .kind = VALUE_BOOL,
     .help = "Keep the files that instances refer to in their YAML"},
    {.name = NULL},
};

const struct command cmd_prune = {
    .name = "prune",
    .group = GROUP_ADVANCED,
    .summary = "Empty the cache of images",
    .description =
        "Empty the cache of images: downloads, copies of local images, and what interrupted "
        "downloads have left.\n\n"
        "Instances are not touched: they have their own link to their image, so the space of an "
        "image that an instance uses is freed when the instance is deleted. Files that another "
        "command uses right now stay. The cache of downloads is shared with limactl.",
    .examples = "cima prune\n"
                "cima prune --keep-referred\n",
    .options = options,
    .run = run,
};
