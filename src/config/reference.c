/* SPDX-License-Identifier: Apache-2.0 */
#include "config/reference.h"
#include "config/internal.h"
#include "base/mem.h"
#include "config/shape.h"

/* ---- what no row says ------------------------------------------------------------------------ */

static const char about[] =
    "A virtual machine is one YAML file. `cima create` and `cima start` make an instance from it, "
    "a template: they check it, put in it what its base templates say, and keep the result as "
    "`lima.yaml` in the instance's directory. The smallest one names an image:\n\n"
    "    images:\n"
    "    - location: https://example.com/disk.qcow2\n\n"
    "Every field may be left out, and `null` is the same as leaving it out; only `images` has to "
    "come from somewhere. `cima template copy --fill FILE` shows a file with every default, "
    "`cima validate FILE` what is wrong with it. A field that is not known is a warning.\n\n"
    "The language is YAML 1.2: `yes`, `no`, `on` and `off` are texts, and only `true` and `false` "
    "are truth values. Anchors, aliases and merge keys (`<<`) may be used; a key that stands twice "
    "is an error. The format is that of Lima 2.2.";

static const char layers[] =
    "Each time an instance is loaded, up to three files are put over each other. The highest comes "
    "first:\n\n"
    "    _config/override.yaml    of the home directory: what always counts\n"
    "    lima.yaml                of the instance\n"
    "    _config/default.yaml     of the home directory: for where the others are silent\n\n"
    "Then what is still missing gets its default. Under each field, `Layers` says how its values "
    "come together, and `Bases` what a base template adds. Base templates (field `base`) are put "
    "into the file once, when the instance is made; `_config/base.yaml` of the home directory is "
    "one of every template. A template may have several bases, and these bases of their own. "
    "Within a file, entries of `additionalDisks`, `mounts` and `networks` with the same key (name, "
    "mountPoint, interface) become one: a later one fills what the first does not say; the key `*` "
    "fills all that stand before it.";

static const char locators[] =
    "A template, on the command line or in `base`, and a file of a script is named by a locator: a "
    "path, `file:///PATH`, an http or https URL, `template:NAME` (the files in `_templates` of the "
    "home directory, and those that come with cima), `github:ORG/REPO/PATH@BRANCH`, or `-` for "
    "standard input. A program `cima-url-SCHEME` in the search path makes a locator of "
    "`SCHEME:REST`. In a template a relative path starts where that template is. Instead of a "
    "template a disk image can be named: a file or URL that ends in .img, .qcow2, .raw or .iso, "
    "also compressed.";

static const char sizes[] =
    "A size is a number and a unit: `4GiB`, `4G` and `4g` are the same, 4 times 1024 to the power "
    "of 3. Units are B, K, M, G, T and P; a number alone is bytes.";

static const char guest_names[] =
    "`{{.Name}}`, `{{.Hostname}}`, `{{.UID}}`, `{{.User}}`, `{{.Home}}` (all of the guest) and "
    "`{{.Param.NAME}}`";
static const char host_names[] =
    "`{{.Dir}}` (of the instance), `{{.Name}}`, `{{.UID}}`, `{{.User}}`, `{{.Home}}` (all of the "
    "host), `{{.Param.NAME}}`, `{{.GlobalTempDir}}`, `{{.TempDir}}`; deprecated: `{{.Instance}}`, "
    "`{{.LimaHome}}`";

static const char templates[] =
    "Texts between `{{` and `}}` are expanded in the fields that say so, in the manner of Go's "
    "text/template: names, `if`, `with`, `range`, pipelines, comparisons. What can't be expanded "
    "stays as it is, with a warning. There are two sets of names.";

/* Who uses a field: the longest prefix of its path counts. */
static const struct {
    const char *path, *users;
} users[] = {
    {"additionalDisks", "QEMU, boot scripts"},
    {"arch", "everything"},
    {"audio", "QEMU"},
    {"base", "templates"},
    {"caCerts", "boot scripts"},
    {"containerd", "boot scripts, downloads, host agent"},
    {"copyToHost", "host agent"},
    {"cpuType", "QEMU"},
    {"cpus", "QEMU"},
    {"disk", "QEMU"},
    {"dns", "boot scripts"},
    {"env", "boot scripts"},
    {"firmware", "QEMU"},
    {"firmware.images", "QEMU, downloads"},
    {"guestInstallPrefix", "boot scripts"},
    {"hostResolver", "host agent"},
    {"images", "downloads"},
    {"images[].initrd", "downloads, QEMU"},
    {"images[].kernel", "downloads, QEMU"},
    {"memory", "QEMU"},
    {"message", "commands"},
    {"minimumLimaVersion", "templates"},
    {"mountInotify", "host agent"},
    {"mountType", "QEMU, boot scripts, host agent"},
    {"mountTypesUnsupported", "QEMU"},
    {"mounts", "QEMU, boot scripts, host agent"},
    {"mounts[].9p", "QEMU, boot scripts"},
    {"mounts[].location", "QEMU, host agent"},
    {"mounts[].mountPoint", "boot scripts, host agent"},
    {"mounts[].sshfs", "host agent"},
    {"mounts[].virtiofs", "QEMU"},
    {"nestedVirtualization", "nobody: with QEMU the CPU model decides"},
    {"networks", "QEMU"},
    {"networks[].interface", "QEMU, boot scripts"},
    {"networks[].macAddress", "QEMU, boot scripts"},
    {"networks[].metric", "boot scripts"},
    {"networks[].vzNAT", "nobody"},
    {"os", "everything"},
    {"osOpts", "nobody yet"},
    {"param", "boot scripts, host agent, templates"},
    {"plain", "everything"},
    {"portForwards", "host agent"},
    {"probes", "host agent"},
    {"probes[].file", "templates"},
    {"propagateProxyEnv", "boot scripts"},
    {"provision", "boot scripts"},
    {"provision[].file", "templates"},
    {"rosetta", "nobody"},
    {"ssh", "ssh"},
    {"ssh.loadDotSSHPubKeys", "boot scripts"},
    {"ssh.localPort", "host agent, QEMU"},
    {"ssh.overVsock", "host agent"},
    {"timezone", "boot scripts"},
    {"tpm", "QEMU"},
    {"upgradePackages", "boot scripts"},
    {"user", "boot scripts, ssh"},
    {"video", "QEMU, host agent"},
    {"vmOpts", "QEMU"},
    {"vmOpts.*", "nobody"},
    {"vmType", "everything"},
};

const char *config_field_users(const char *path)
{
    const char *found = NULL;
    size_t longest = 0;

    for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
        size_t n = strlen(users[i].path);
        bool is_prefix = str_starts(path, users[i].path) && strchr(".[", path[n]);

        if (is_prefix && n >= longest) {
            found = users[i].users;
            longest = n;
        }
    }
    return found;
}

/* ---- how values come together ---------------------------------------------------------------- */

/* What a field is part of decides more than its own column. */
struct within {
    const char *whole; /* layers bring this as a whole ("images[]"); NULL: no such thing */
    bool list;         /* it is an entry of a list, which bases bring as a whole, too */
    bool by_key;       /* … where layers combine entries with the same key */
};

static const char *layers_text(const struct config_field *f)
{
    switch (f->merge) {
    case MERGE_S:
        return "the highest that has it";
    case MERGE_L:
        return "all entries, those of the highest first";
    case MERGE_K:
        return "all keys; of the same key, the highest";
    case MERGE_H:
        return "the highest that has entries";
    case MERGE_KEY:
        return f->kind == KIND_LIST
                   ? "all entries; those with the same key become one, the highest wins in each "
                     "field"
                   : "the key that entries are combined by";
    case MERGE_SUBM:
        return "field by field";
    case MERGE_U:
        return "all entries once, those of the lowest first";
    case MERGE_NONE:
        return "only that of the instance counts";
    }
    return "";
}

static const char *bases_text(const struct config_field *f)
{
    switch (f->base) {
    case BASE_FRONT:
        return "their entries come first";
    case BASE_UNIQUE:
        return "their entries are appended, each once";
    case BASE_HIGHER:
        return "the higher version counts";
    case BASE_DROP:
        return "only where there are no entries";
    case BASE_FILL:
        break;
    }
    if (f->kind == KIND_SUB)
        return "field by field";
    if (f->kind == KIND_LIST || config_kind_is_texts(f->kind))
        return "their entries are appended";
    return f->kind == KIND_MAP || f->kind == KIND_ANY ? "further keys" : "where it is missing";
}

static void add_merge(struct sbuf *out, const struct config_field *f, const struct within *in)
{
    const char *layers_of = in->whole && !in->by_key ? NULL : layers_text(f);
    const char *bases_of = in->list ? NULL : bases_text(f);

    if (f->sub == &config_base_ref_mapping && f->kind == KIND_LIST)
        sbuf_addstr(out, "\nLayers, bases: put in when the instance is made, and gone then.");
    else if (!layers_of && !bases_of)
        sbuf_addf(out, "\nLayers, bases: as part of `%s`.", in->whole);
    else if (!layers_of)
        sbuf_addf(out, "\nLayers: as part of `%s`. Bases: %s.", in->whole, bases_of);
    else if (!bases_of)
        sbuf_addf(out, "\nLayers: %s. Bases: as part of `%s`.", layers_of, in->whole);
    else
        sbuf_addf(out, "\nLayers: %s. Bases: %s.", layers_of, bases_of);
}

/* ---- fields ---------------------------------------------------------------------------------- */

static void add_modes(struct sbuf *out, const struct config_mapping *m, size_t row)
{
    for (size_t i = 0; m == &config_provision_mapping && i < config_provision_only_count; i++) {
        const char *before = " Only with mode ";

        if (config_provision_only[i].row != row)
            continue;
        for (int mode = 1; mode < PROVISION_MODE_COUNT; mode++)
            if (config_provision_only[i].modes >> mode & 1) {
                sbuf_addf(out, "%s`%s`", before,
                          provision_mode_to_string((enum provision_mode)mode));
                before = " or ";
            }
        sbuf_addch(out, '.');
    }
}

/* The summary as a sentence. */
static void add_summary(struct sbuf *out, const char *summary)
{
    size_t at = out->len;

    sbuf_addf(out, "%s.", summary);
    if (out->buf[at] >= 'a' && out->buf[at] <= 'z')
        out->buf[at] = (char)(out->buf[at] - 'a' + 'A');
}

static void put_field(struct page *p, const struct config_mapping *m, size_t row, const char *path,
                      const struct within *in)
{
    const struct config_field *f = &m->fields[row];
    _cleanup_sbuf_ struct sbuf text = SBUF_INIT, type = SBUF_INIT;
    _cleanup_free_ char *fallback = config_field_default_text(f);
    const char *who = config_field_users(path);

    config_field_type_text(f, &type);
    add_summary(&text, f->summary);
    add_modes(&text, m, row);
    if (fallback)
        sbuf_addf(&text, " Default: %s.", fallback);
    add_merge(&text, f, in);
    if (who)
        sbuf_addf(&text, " Used by: %s.", who);
    page_item(p, path, sbuf_str(&type), sbuf_str(&text));
}

static void put_mapping(struct page *p, const struct config_mapping *m, const char *path,
                        const struct within *in)
{
    for (size_t i = 0; i < m->n_fields; i++) {
        const struct config_field *f = &m->fields[i];
        _cleanup_free_ char *name =
            xasprintf("%s%s%s%s", path, *path ? "." : "", f->key, f->kind == KIND_LIST ? "[]" : "");
        struct within inside = *in;

        if (!*path)
            page_subheading(p, f->key);
        put_field(p, m, i, name, in);
        if (!f->sub)
            continue;
        if (!in->whole && f->kind == KIND_LIST)
            inside = (struct within){name, true, f->merge == MERGE_KEY};
        else if (!in->whole && f->merge == MERGE_S)
            inside = (struct within){name, false, false};
        put_mapping(p, f->sub, name, &inside);
    }
}

/* ---- the page -------------------------------------------------------------------------------- */

static void put_names(struct page *p)
{
    page_text(p, templates);
    page_item(p, "guest templates", NULL, guest_names);
    page_item(p, "host templates", NULL, host_names);
}

char *config_reference(enum page_format format, const char *version)
{
    const struct within nothing = {NULL, false, false};
    struct page p;

    page_open(&p, format, "cima.yaml", 5, version, "virtual machines of cima");
    page_heading(&p, "Description");
    page_text(&p, about);
    page_heading(&p, "Layers");
    page_text(&p, layers);
    page_heading(&p, "Locators");
    page_text(&p, locators);
    page_heading(&p, "Sizes");
    page_text(&p, sizes);
    page_heading(&p, "Templates in texts");
    put_names(&p);
    page_heading(&p, "Fields");
    put_mapping(&p, &config_instance_mapping, "", &nothing);
    page_heading(&p, "See also");
    page_text(&p, "`cima`(1), `cima-validate`(1), `cima-template-copy`(1). The same fields as a "
                  "JSON Schema for editors: `schemas/cima.schema.json`.");
    return page_close(&p);
}
