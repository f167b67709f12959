/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's network interfaces: network-config for cloud-init, and their names for bootcmd. */
#include "cidata/internal.h"
#include "base/mem.h"
#include "base/parse.h"

struct nic {
    char *name, *address; /* the MAC address as the kernel writes it */
    int64_t metric;
};

struct nics {
    struct nic *v;
    size_t n, cap;
};

static void nics_release(struct nics *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->v[i].name);
        free(l->v[i].address);
    }
    free(l->v);
}

static int add_nic(struct nics *l, const char *name, const char *address, int64_t metric,
                   struct err *err)
{
    uint8_t mac[6];

    if (check_one_line("the name of an interface", name, " /", err) < 0)
        return -1;
    if (parse_mac(address, mac) < 0)
        return err_set(err, ERR_CONFIG, "'%s' is no MAC address", address);
    GROW_ARRAY(l->v, l->n, l->cap);
    l->v[l->n++] = (struct nic){xstrdup(name), format_mac(mac), metric};
    return 0;
}

/* eth0 first. */
static int list_nics(const struct cidata_input *in, struct nics *ret, struct err *err)
{
    _cleanup_free_ char *mac0 = config_eth0_mac(in->cfg, in->host, in->instance_dir);

    if (add_nic(ret, "eth0", mac0, 200, err) < 0)
        return -1;
    for (unsigned i = 0; i < in->cfg->networks_count; i++) {
        const struct config_network *n = &in->cfg->networks[i];

        if ((int)i == config_eth0_network(in->cfg))
            continue; /* it is eth0 */
        _cleanup_free_ char *id = xasprintf("%s/lima.yaml#%u", in->instance_dir, i);
        _cleanup_free_ char *mac =
            str_empty(n->mac_address) ? config_mac_address(in->host, id) : config_network_mac(n);
        _cleanup_free_ char *name =
            str_empty(n->interface) ? xasprintf("lima%u", i) : xstrdup(n->interface);
        int64_t metric = n->set & CFG_BIT(network, metric) ? n->metric : 100;
        if (add_nic(ret, name, mac, metric, err) < 0)
            return err_wrap(err, "networks[%u]", i);
    }
    return 0;
}

/* Nothing waits for it at boot. Lima's template of Ubuntu 26.04 asks for that: there, the rename of
 * an interface that is up already fails until bootcmd does it (scripts/lima.nics.sh), and systemd
 * would wait two minutes for the new name before that. */
static bool is_optional(const struct config_instance *c)
{
    for (unsigned i = 0; i < c->param_count; i++)
        if (streq(c->param[i].key, "internal_netplanOptional"))
            return streq0(c->param[i].value, "true");
    return false;
}

static int add_interface(struct sbuf *out, const struct nic *n, bool optional, struct err *err)
{
    sbuf_addstr(out, "  ");
    if (yaml_add_quoted(out, n->name, "the name of an interface", err) < 0)
        return -1;
    sbuf_addf(out, ":\n    match:\n      macaddress: \"%s\"\n    set-name: ", n->address);
    if (yaml_add_quoted(out, n->name, "the name of an interface", err) < 0)
        return -1;
    sbuf_addf(out,
              "\n    dhcp4: true\n    dhcp-identifier: mac\n    dhcp4-overrides:\n"
              "      route-metric: %lld\n",
              (long long)n->metric);
    if (optional)
        sbuf_addstr(out, "    optional: true\n");
    return 0;
}

int cidata_network_config(const struct cidata_input *in, struct sbuf *out, struct err *err)
{
    _cleanup_(nics_release) struct nics nics = {0};
    bool optional = is_optional(in->cfg);

    if (list_nics(in, &nics, err) < 0)
        return -1;
    sbuf_addstr(out, "version: 2\nethernets:\n");
    for (size_t i = 0; i < nics.n; i++) {
        if (add_interface(out, &nics.v[i], optional, err) < 0)
            return -1;
        if (i > 0)
            continue;
        sbuf_addstr(out, "    nameservers:\n      addresses:\n");
        if (cidata_add_name_servers(in->cfg, "        ", out, err) < 0)
            return -1;
    }
    return 0;
}

static bool is_ascii(const char *s)
{
    while (*s && (unsigned char)*s < 0x80)
        s++;
    return !*s;
}

int cidata_nic_words(const struct cidata_input *in, struct sbuf *out, struct err *err)
{
    _cleanup_(nics_release) struct nics nics = {0};

    if (list_nics(in, &nics, err) < 0)
        return -1;
    for (size_t i = 0; i < nics.n; i++) {
        _cleanup_free_ char *word = xasprintf("%s=%s", nics.v[i].address, nics.v[i].name);

        if (!is_ascii(word))
            continue; /* the words stand in a literal of YAML, which can't have every character */
        sbuf_addch(out, ' ');
        sbuf_add_shell_quoted(out, word);
    }
    return 0;
}
