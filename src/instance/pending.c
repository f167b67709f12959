/* SPDX-License-Identifier: Apache-2.0 */
/* What a valid YAML may ask for and this version does not do yet: said at every start, never
 * ignored in silence. A row goes when its feature comes. What the machine can't start without is
 * refused by the driver's plan instead. */
#include "instance/internal.h"
#include "forward/rules.h"

static bool asks_for_inotify(const struct config_instance *c)
{
    return c->mount_inotify == TRI_TRUE && c->mounts_count;
}

static bool asks_for_names(const struct config_instance *c)
{
    return c->host_resolver.hosts_count > 0;
}

static bool asks_for_ansible(const struct config_instance *c)
{
    for (unsigned i = 0; i < c->provision_count; i++)
        if (c->provision[i].mode == PROVISION_ANSIBLE)
            return true;
    return false;
}

static bool asks_for_containerd(const struct config_instance *c)
{
    return c->containerd.system == TRI_TRUE || c->containerd.user == TRI_TRUE;
}

static const struct {
    bool (*asked)(const struct config_instance *c);
    enum log_level level;
    const char *text;
} pending[] = {
    {asks_for_inotify, LOG_WARN, "field `mountInotify`: this version does not pass changes on yet"},
    {asks_for_names, LOG_WARN,
     "field `hostResolver.hosts`: this version does not serve names to the guest yet"},
    {asks_for_ansible, LOG_WARN,
     "provision mode `ansible`: this version does not run playbooks; run them from the host, with "
     "the ssh.config of the instance"},
    /* On by default, so a word of it and no warning. */
    {asks_for_containerd, LOG_INFO, "containerd: this version does not install it yet"},
};

/* Rules that wait for listeners of the guest, what else ssh does not forward, and rules that come
 * too late to count. */
static void pending_forwards(const struct config_instance *c, const struct inst_report *r)
{
    _cleanup_forward_plan_ struct forward_plan plan = FORWARD_PLAN_INIT;

    forward_plan(c, /* ssh_port= */ 0, &plan);
    for (unsigned i = 0; i < c->port_forwards_count; i++) {
        const char *missing = forward_rule_missing(&c->port_forwards[i]);

        if (missing)
            inst_note(r, LOG_INFO, "field `portForwards[%u]`: %s", i, missing);
        else if (c->port_forwards[i].ignore != TRI_TRUE && !forward_plan_has_rule(&plan, i))
            inst_note(r, LOG_WARN, "field `portForwards[%u]`: earlier rules decide about its ports", i);
    }
}

void inst_pending(const struct config_instance *c, const struct inst_report *r)
{
    pending_forwards(c, r);
    if (c->plain == TRI_TRUE)
        return; /* has none of these by definition */
    for (size_t i = 0; i < ARRAY_SIZE(pending); i++)
        if (pending[i].asked(c))
            inst_note(r, pending[i].level, "%s", pending[i].text);
}
