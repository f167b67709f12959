/* SPDX-License-Identifier: Apache-2.0 */
/* Words of QEMU's command line that people write: vmOpts.qemu.extraArgs, checked, and what they and
 * those of $QEMU_SYSTEM_… mean for the sandbox. */
#include "driver/qemu/plan_internal.h"
#include "base/mem.h"
#include <ctype.h>

/* What cima decides itself, or what would break the way it runs a machine. */
static const struct {
    const char *option, *why;
} refused[] = {
    {"-daemonize", "cima watches the process that it has started"},
    {"-pidfile", "cima finds the machine by its own pid file"},
    {"-S", "nobody would let the machine go on"},
    {"-preconfig", "nobody would let the machine go on"},
    {"-incoming", "the machine would wait for another one"},
    {"-snapshot", "it does not hold for all disks; use `cima snapshot`"},
    {"-no-shutdown", "the machine could not be stopped"},
    {"-qmp", "the monitor is cima's; use `cima qmp`"},
    {"-qmp-pretty", "the monitor is cima's; use `cima qmp`"},
    {"-readconfig", "what is in the file could not be checked"},
    {"-writeconfig", "it is no part of a machine"},
    {"-add-fd", "the machine inherits no descriptor of yours"},
    {"-sandbox", "cima chooses what is denied"},
    {"-runas", "the machine runs as you"},
    {"-user", "the machine runs as you"},
    {"-chroot", "the paths of the machine would be others"},
    {"-run-with", "cima decides how the process runs"},
    {"-nographic", "the machine has no terminal; see `video.display` and `cima console`"},
    {"-curses", "the machine has no terminal; see `video.display`"},
    {"-display", "use `video.display`"},
    {"-vnc", "use `video.display: vnc` and `video.vnc.display`"},
    {"-spice", "use `video.display`"},
    {"-audiodev", "use `audio.device`"},
    {"-name", "the name of the instance is taken"},
    {"-m", "use `memory`"},
    {"-smp", "use `cpus`"},
    {"-cpu", "use `vmOpts.qemu.cpuType`"},
    {"-accel", "use `vmOpts.qemu.accel`"},
    {"-enable-kvm", "use `vmOpts.qemu.accel`"},
    {"-kernel", "use `images[].kernel`"},
    {"-append", "use `images[].kernel.cmdline`"},
    {"-initrd", "use `images[].initrd`"},
    {"-bios", "use `firmware`"},
    {"-pflash", "use `firmware.images`"},
    {"-tpmdev", "use `tpm`"},
    {"-h", "it is no part of a machine"},
    {"-help", "it is no part of a machine"},
    {"-version", "it is no part of a machine"},
};

/* "--name" is "-name" to QEMU. */
static const char *option_name(const char *word)
{
    return str_starts(word, "--") ? word + 1 : word;
}

static int bad_word(struct builder *b, unsigned i, const char *fmt, ...) PRINTF_FORMAT(3, 4);
static int bad_word(struct builder *b, unsigned i, const char *fmt, ...)
{
    _cleanup_free_ char *why = NULL;
    va_list ap;

    va_start(ap, fmt);
    why = xvasprintf(fmt, ap);
    va_end(ap);
    return err_set(b->err, ERR_CONFIG, "field `vmOpts.qemu.extraArgs[%u]`: %s", i, why);
}

static int check_option(struct builder *b, unsigned i, const char *word)
{
    for (size_t k = 0; k < ARRAY_SIZE(refused); k++)
        if (streq(option_name(word), refused[k].option))
            return bad_word(b, i, "'%s' is not for people to set: %s", word, refused[k].why);
    return 0;
}

/* The type of a machine is frozen, its accelerator and its RAM have fields; what else it can be told
 * is as good as any option. */
static int check_machine(struct builder *b, unsigned i, const char *value)
{
    static const char *const ours[] = {"type", "accel", "memory-backend", "pflash0", "pflash1"};
    _cleanup_opts_ struct cima_opts *o = NULL;
    _cleanup_err_ struct err e = ERR_INIT;

    o = cima_opts_parse(value, "type", &e);
    if (!o)
        return bad_word(b, i, "%s", e.msg);
    for (size_t k = 0; k < ARRAY_SIZE(ours); k++)
        if (cima_opts_get(o, ours[k]))
            return bad_word(b, i, "'%s' of the machine is cima's to choose", ours[k]);
    return 0;
}

static int check_value(struct builder *b, unsigned i, const char *option, const char *value)
{
    _cleanup_free_ char *own = xasprintf("%s/", b->in->inst->dir);

    if (streq(value, "help") || streq(value, "?") || str_ends(value, ",help"))
        return bad_word(b, i, "'%s %s' prints a list and starts no machine", option, value);
    if (strstr(value, own))
        return bad_word(b, i, "'%s' speaks of a file in the instance's directory, which is cima's",
                        value);
    if (streq(option_name(option), "-machine") || streq(option_name(option), "-M"))
        return check_machine(b, i, value);
    return 0;
}

static int check_text(struct builder *b, unsigned i, const char *word)
{
    if (!*word)
        return bad_word(b, i, "it is empty");
    for (const char *c = word; *c; c++)
        if (iscntrl((unsigned char)*c))
            return bad_word(b, i, "it has a control character");
    return 0;
}

int plan_extra(struct builder *b)
{
    const struct config_qemu_opts *q = &b->in->cfg->vm_opts.qemu;
    const char *option = NULL;

    for (unsigned i = 0; i < q->extra_args_count; i++) {
        const char *word = q->extra_args[i];

        if (check_text(b, i, word) < 0)
            return -1;
        if (*word == '-') {
            if (check_option(b, i, word) < 0)
                return -1;
            option = word;
            continue;
        }
        if (!option)
            return bad_word(b, i, "'%s' is no option: QEMU would take it for a disk", word);
        if (check_value(b, i, option, word) < 0)
            return -1;
        option = NULL;
    }
    return 0;
}

/* ---- the sandbox ----------------------------------------------------------------------------- */

static bool forks(const char *option, const char *value)
{
    if (!streq(option, "-netdev") && !streq(option, "-nic") && !streq(option, "-net"))
        return false;
    if (str_starts(value, "bridge"))
        return true;
    if (str_starts(value, "user")) /* smbd, and programs behind an address */
        return strstr(value, "smb=") || (strstr(value, "guestfwd=") && strstr(value, "-cmd:"));
    /* With its scripts, or with the helper for bridges. */
    return str_starts(value, "tap") && !strstr(value, "fd=") && !strstr(value, "fds=") &&
           !(strstr(value, "script=no") && strstr(value, "downscript=no"));
}

/* Do these words make QEMU start other programs? */
static bool words_fork(char *const *words, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++)
        if (forks(option_name(words[i]), words[i + 1]))
            return true;
    return false;
}

static bool has_word(const struct strv *words, const char *name)
{
    for (size_t i = 0; words && i < words->n; i++)
        if (streq(option_name(words->v[i]), name))
            return true;
    return false;
}

int plan_sandbox(struct builder *b)
{
    const struct config_qemu_opts *q = &b->in->cfg->vm_opts.qemu;
    const struct strv *env = b->in->env_args;
    /* User networking, files and sockets need none of these. */
    const struct cima_sandbox s = {
        .on = true,
        .deny_obsolete = true,
        .deny_elevate_privileges = true,
        .deny_spawn = !words_fork(q->extra_args, q->extra_args_count) &&
                      !(env && words_fork(env->v, env->n)),
        /* Sound servers want their threads to have a priority. */
        .deny_resource_control = !b->plan->desktop,
    };

    if (!b->in->features->sandbox || has_word(env, "-sandbox"))
        return 0;
    return cima_add_sandbox(b->plan->cmdline, &s, b->err);
}
