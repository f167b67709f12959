/* SPDX-License-Identifier: Apache-2.0 */
/* Values that follow from a filled configuration. */
#include "config/internal.h"
#include "base/mem.h"
#include "base/parse.h"
#include <sha2.h>
#include <strings.h>

enum { INSTANCE_NAME_MAX = 76 };

static uint64_t size_or_zero(const char *s)
{
    uint64_t v = 0;

    return s && parse_size(s, &v) == 0 ? v : 0;
}

uint64_t config_memory_bytes(const struct config_instance *c)
{
    return size_or_zero(c->memory);
}

uint64_t config_disk_bytes(const struct config_instance *c)
{
    return size_or_zero(c->disk);
}

enum arch config_arch(const struct config_instance *c)
{
    enum arch a = ARCH_X86_64;

    if (c->arch)
        arch_from_string(c->arch, &a);
    return a;
}

static const char *model_for(const struct config_kv *kv, unsigned n, const char *arch)
{
    for (unsigned i = 0; i < n; i++)
        if (streq(kv[i].key, arch) && *kv[i].value)
            return kv[i].value;
    return NULL;
}

const char *config_cpu_type(const struct config_instance *c, enum arch arch)
{
    const char *name = arch_to_string(arch);
    const struct config_qemu_opts *q = &c->vm_opts.qemu;
    const char *model = model_for(q->cpu_type, q->cpu_type_count, name);

    return model ? model : model_for(c->cpu_type, c->cpu_type_count, name);
}

static void sha256(const char *a, const char *b, const char *c, uint8_t ret[SHA256_DIGEST_LENGTH])
{
    SHA2_CTX ctx;

    SHA256Init(&ctx);
    SHA256Update(&ctx, (const uint8_t *)a, strlen(a));
    SHA256Update(&ctx, (const uint8_t *)b, strlen(b));
    SHA256Update(&ctx, (const uint8_t *)c, strlen(c));
    SHA256Final(ret, &ctx);
}

char *config_mac_address(const struct host_facts *host, const char *unique_id)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    uint8_t mac[6] = {0x52, 0x55, 0x55};

    sha256(host->machine_id ? host->machine_id : "", unique_id, "", digest);
    memcpy(mac + 3, digest, 3);
    return format_mac(mac);
}

int config_parse_mac(const char *text, uint8_t ret[6])
{
    size_t len = strlen(text), group = len == 17 ? 2 : len == 14 ? 4 : 12, digits = 0;
    uint8_t mac[6] = {0};
    char separator = len == 14 ? '.' : len == 17 ? text[2] : '\0';

    if (len != 12 && len != 14 && (len != 17 || (separator != ':' && separator != '-')))
        return -1;
    for (const char *p = text; *p; p++) {
        static const char hex[] = "0123456789abcdefABCDEF";
        const char *h = strchr(hex, *p);

        if ((size_t)(p - text) % (group + 1) == group) {
            if (*p != separator)
                return -1;
            continue;
        }
        if (!h)
            return -1;
        size_t v = (size_t)(h - hex);

        mac[digits / 2] = (uint8_t)((unsigned)mac[digits / 2] << 4 | (v < 16 ? v : v - 6));
        digits++;
    }
    memcpy(ret, mac, sizeof(mac));
    return 0;
}

char *config_network_mac(const struct config_network *n)
{
    uint8_t mac[6];

    return config_parse_mac(n->mac_address, mac) == 0 ? format_mac(mac) : xstrdup(n->mac_address);
}

int config_eth0_network(const struct config_instance *c)
{
    for (unsigned i = 0; i < c->networks_count; i++)
        if (!str_empty(c->networks[i].lima))
            return (int)i;
    return -1;
}

/* A filled address that is the network's own default was not in the YAML. */
char *config_eth0_mac(const struct config_instance *c, const struct host_facts *host,
                      const char *instance_dir)
{
    int i = config_eth0_network(c);

    if (i >= 0 && !str_empty(c->networks[i].mac_address)) {
        _cleanup_free_ char *id = xasprintf("%s/lima.yaml#%d", instance_dir, i);
        _cleanup_free_ char *filled = config_mac_address(host, id);
        _cleanup_free_ char *mac = config_network_mac(&c->networks[i]);

        if (!streq(mac, filled))
            return TAKE_PTR(mac);
    }
    return config_mac_address(host, instance_dir);
}

char *config_mount_tag(const struct config_mount *m)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    struct sbuf tag = SBUF_INIT;

    sha256(m->location, ":", m->mount_point, digest);
    sbuf_addstr(&tag, "lima-");
    for (size_t i = 0; i < 8; i++)
        sbuf_addf(&tag, "%02x", digest[i]);
    return sbuf_detach(&tag);
}

char *config_hostname(const char *instance_name)
{
    char *s = xasprintf("lima-%s", instance_name);

    for (char *p = s; *p; p++)
        if (*p == '.' || *p == '_')
            *p = '-';
    return s;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool ends_nocase(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);

    return n >= m && strcasecmp(s + n - m, suffix) == 0;
}

const char *config_instance_name_problem(const char *name)
{
    size_t len = strlen(name);

    if (!len)
        return "it is empty";
    if (len > INSTANCE_NAME_MAX)
        return "it is longer than 76 characters";
    for (size_t i = 0; i < len; i++) {
        if (is_alnum(name[i]))
            continue;
        if (!strchr("._-", name[i]))
            return "only letters, digits, '.', '_' and '-' are allowed";
        if (i == 0 || i == len - 1)
            return "it must start and end with a letter or a digit";
        if (!is_alnum(name[i - 1]))
            return "'.', '_' and '-' must stand alone between letters or digits";
    }
    if (ends_nocase(name, ".yaml") || ends_nocase(name, ".yml"))
        return "it must not end with .yaml or .yml";
    return NULL;
}
