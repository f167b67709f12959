/* SPDX-License-Identifier: Apache-2.0 */
/* Which user-v2 network an instance is on, and what its names are there. */
#include "driver/qemu/usernet.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/parse.h"
#include "sys/sock.h"
#include "yaml/doc.h"
#include <arpa/inet.h>
#include <unistd.h>

/* Of the networks.yaml that is made when there is none (NW-01). */
#define USER_GATEWAY "192.168.104.1"
#define USER_NETMASK "255.255.255.0"
#define NETWORKS_MAX (1 << 20)
/* S1-41 */
#define PATIENCE_MINUTES 2
#define PATIENCE_MAX     (24 * 60)
#define PATIENCE_ENV     "LIMA_USERNET_RESOLVE_IP_ADDRESS_TIMEOUT"
#define CHECK_MS         1000
/* A chain of names that goes on longer is a loop. */
#define CHAIN_MAX 32

void usernet_target_free(struct usernet_target *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_hosts; i++) {
        free(t->hosts[i].name);
        free(t->hosts[i].address);
    }
    free(t->hosts);
    free(t->network);
    free(t->endpoint);
    free(t->gateway);
    free(t->hostname);
    strv_release(&t->macs);
    free(t);
}

/* ---- networks.yaml --------------------------------------------------------------------------- */

static const char *scalar(const struct yaml_node *map, const char *key)
{
    const struct yaml_node *n = yaml_map_get(map, key);

    return n && n->type == YAML_SCALAR && !str_empty(n->value) ? n->value : NULL;
}

/* The host is the second address of the subnet (NW-03). */
static char *gateway_of(const char *any, const char *mask)
{
    struct in_addr a, m;
    char text[INET_ADDRSTRLEN];

    if (inet_pton(AF_INET, any, &a) != 1 || inet_pton(AF_INET, mask, &m) != 1)
        return NULL;
    a.s_addr = htonl((ntohl(a.s_addr) & ntohl(m.s_addr)) + 2);
    return inet_ntop(AF_INET, &a, text, sizeof(text)) ? xstrdup(text) : NULL;
}

static char *find_gateway(const struct store *store, const char *network)
{
    _cleanup_free_ char *path = store_config_path(store, "networks.yaml"), *text = NULL;
    _cleanup_(diags_release) struct diags ignored = DIAGS_INIT;
    _cleanup_yaml_doc_ struct yaml_doc *doc = NULL;
    const struct yaml_node *net = NULL;
    const char *gateway = NULL, *mask = NULL;
    char *found = NULL;
    size_t len;

    text = file_read(path, NETWORKS_MAX, &len, NULL);
    if (text)
        doc = yaml_doc_parse("networks.yaml", text, len, &ignored);
    if (doc)
        net = yaml_map_get(yaml_map_get(yaml_doc_root(doc), "networks"), network);
    if (net) {
        gateway = scalar(net, "gateway");
        mask = scalar(net, "netmask");
    }
    if (gateway)
        found = gateway_of(gateway, mask ? mask : USER_NETMASK);
    return found ? found : gateway_of(USER_GATEWAY, USER_NETMASK);
}

/* ---- the target ------------------------------------------------------------------------------ */

static int patience(void)
{
    const char *text = getenv(PATIENCE_ENV);
    char *end = NULL;
    long minutes = text && *text ? strtol(text, &end, 10) : 0;

    if (!text || !end || *end || minutes <= 0 || minutes > PATIENCE_MAX)
        minutes = PATIENCE_MINUTES;
    return (int)minutes * 60 * 1000;
}

static void add_host(struct usernet_target *t, const char *name, const char *address)
{
    t->hosts = xreallocarray(t->hosts, t->n_hosts + 1, sizeof(*t->hosts));
    t->hosts[t->n_hosts++] =
        (struct usernet_zone_host){.name = xstrdup(name), .address = xstrdup(address)};
}

struct usernet_target *usernet_target_of(const struct driver_ctx *ctx, uint16_t ssh_port)
{
    const struct config_network *n = NULL;
    struct usernet_target *t;

    for (unsigned i = 0; !n && i < ctx->cfg->networks_count; i++)
        if (!str_empty(ctx->cfg->networks[i].lima)) /* others than user-v2 are not valid here */
            n = &ctx->cfg->networks[i];
    if (!n)
        return NULL;
    t = xcalloc(1, sizeof(*t));
    t->network = xstrdup(n->lima);
    t->endpoint = xasprintf("%s/_networks/%s/%s_ep.sock", ctx->store->home, n->lima, n->lima);
    t->gateway = find_gateway(ctx->store, n->lima);
    t->hostname = config_hostname(ctx->inst->name);
    t->ssh_port = ssh_port;
    t->patience_ms = patience();
    /* Its first card has the address of the directory, or the one that the YAML gives it
     * (B-USERV2-MAC). */
    strv_push_consume(&t->macs, config_mac_address(ctx->host, ctx->inst->dir));
    if (!str_empty(n->mac_address))
        strv_push_consume(&t->macs, config_network_mac(n));
    for (unsigned i = 0; i < ctx->cfg->host_resolver.hosts_count; i++)
        add_host(t, ctx->cfg->host_resolver.hosts[i].key, ctx->cfg->host_resolver.hosts[i].value);
    return t;
}

int usernet_target_check(const struct usernet_target *t, struct err *err)
{
    _cleanup_close_ int fd = unix_connect(t->endpoint, CHECK_MS, err);

    if (fd >= 0)
        return 0;
    err_wrap(err, "network '%s': its daemon does not answer", t->network);
    return err_hint(err,
                    "this version does not start the daemon itself: start an instance of Lima "
                    "that is on '%s' first, or take the network out of `networks` (the "
                    "instance has its own user network without it)",
                    t->network);
}

/* ---- DNS zones ------------------------------------------------------------------------------- */

static bool is_address(const char *text)
{
    struct in6_addr any;

    return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

static const char *find_host(const struct usernet_zone_host *hosts, size_t n, const char *name)
{
    for (size_t i = n; i > 0; i--) /* a later one wins */
        if (streq(hosts[i - 1].name, name))
            return hosts[i - 1].address;
    return NULL;
}

static const char *resolve(const struct usernet_zone_host *hosts, size_t n, const char *name)
{
    for (int i = 0; name && i < CHAIN_MAX; i++) {
        name = find_host(hosts, n, name);
        if (name && is_address(name))
            return name;
    }
    return NULL;
}

static struct json *zone_named(struct json *zones, const char *name)
{
    struct json *zone;

    for (size_t i = 0; i < json_len(zones); i++)
        if (streq(json_get_str(json_at(zones, i), "Name"), name))
            return json_at(zones, i);
    zone = json_object_new();
    json_set_str(zone, "Name", name);
    json_set(zone, "Records", json_array_new());
    json_append(zones, zone);
    return json_at(zones, json_len(zones) - 1);
}

struct json *usernet_zones(const struct usernet_zone_host *hosts, size_t n)
{
    struct json *zones = json_array_new();

    for (size_t i = 0; i < n; i++) {
        const char *name = hosts[i].name, *dot = strrchr(name, '.');
        const char *address = resolve(hosts, n, name);
        _cleanup_free_ char *zone_name = dot ? xasprintf("%s.", dot + 1) : xstrdup(name);
        struct json *zone, *record;

        if (!address || find_host(hosts, n, name) != hosts[i].address)
            continue;
        zone = zone_named(zones, zone_name);
        if (!dot) {
            json_set_str(zone, "DefaultIP", address);
            continue;
        }
        _cleanup_free_ char *label = xasprintf("%.*s", (int)(dot - name), name);
        record = json_object_new();
        json_set_str(record, "Name", label);
        json_set_str(record, "IP", address);
        json_append(json_get(zone, "Records"), record);
    }
    return zones;
}
