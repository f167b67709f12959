/* SPDX-License-Identifier: Apache-2.0 */
/* Disk images in the place of a template: what the name of one tells. */
#include "base/fs.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "template/locator.h"
#include "yaml/emit.h"
#include <ctype.h>

static const char *const formats[] = {".img", ".qcow2", ".raw", ".iso", ".ipsw"};
static const char *const packings[] = {".gz", ".xz", ".bz2", ".zstd", ".zst"};

/* The words by which images name their architecture. */
static const struct {
    const char *word, *arch;
} arch_words[] = {
    {"aarch64", "aarch64"}, {"amd64", "x86_64"},    {"arm64", "aarch64"},   {"armhf", "armv7l"},
    {"armv7l", "armv7l"},   {"ppc64el", "ppc64le"}, {"ppc64le", "ppc64le"}, {"riscv64", "riscv64"},
    {"s390x", "s390x"},     {"x86_64", "x86_64"},
};

/* Words that say nothing about which system an image has. */
static const char *const common_words[] = {
    "base",    "basic",   "cloud",        "cloudimg", "cloudinit", "current", "daily",
    "default", "generic", "genericcloud", "kvm",      "latest",    "linux",   "minimal",
    "openstack", "release", "server",     "std",      "stream",    "uefi",    "vm",
};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static bool is_separator(char c)
{
    return c == '-' || c == '_' || c == '.';
}

/* Length of the text without its ending; the whole length when it has none of them. */
static size_t cut_one(const char *text, size_t len, const char *const *endings, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t e = strlen(endings[i]);

        if (len >= e && memcmp(text + len - e, endings[i], e) == 0)
            return len - e;
    }
    return len;
}

static size_t stem_length(const char *text)
{
    size_t len = strlen(text), plain = cut_one(text, len, packings, ARRAY_SIZE(packings));
    size_t stem = cut_one(text, plain, formats, ARRAY_SIZE(formats));

    return stem < plain ? stem : len;
}

bool locator_is_image(const char *text)
{
    enum locator_kind kind = locator_kind(text);

    return (kind == LOCATOR_PATH || kind == LOCATOR_HTTP || kind == LOCATOR_FILE_URL) &&
           stem_length(text) < strlen(text);
}

/* Restore images of macOS, and disks that are called so. */
static bool is_macos(const char *text)
{
    const char *name = path_basename(text);

    return strcasestr(name, ".ipsw") || strcasestr(name, "macos");
}

const char *locator_image_arch(const char *text)
{
    const char *arch = NULL, *last = text;

    for (size_t i = 0; i < ARRAY_SIZE(arch_words); i++) {
        size_t n = strlen(arch_words[i].word);

        for (const char *p = text; (p = strstr(p, arch_words[i].word)); p++)
            if ((p == text || !is_word(p[-1])) && !is_word(p[n]) && (!arch || p > last)) {
                arch = arch_words[i].arch; /* the last one: directories tell less */
                last = p;
            }
    }
    return arch || !is_macos(text) ? arch : "aarch64"; /* no guest of macOS has another */
}

const char *locator_image_os(const char *text)
{
    if (strcasestr(text, "freebsd"))
        return "FreeBSD";
    return is_macos(text) ? "Darwin" : "Linux";
}

static void remove_bytes(char *at, size_t n)
{
    memmove(at, at + n, strlen(at + n) + 1);
}

/* Each "-WORD" that ends where a word ends. */
static void remove_word(char *name, const char *word)
{
    size_t n = strlen(word);

    for (char *p = name; *p;)
        if (is_separator(*p) && strncmp(p + 1, word, n) == 0 && !is_word(p[1 + n]))
            remove_bytes(p, n + 1);
        else
            p++;
}

/* "-20250115" and "-20250115-1234", "_20250115.0". */
static void remove_dates(char *name)
{
    for (char *p = name; *p;) {
        size_t n = strspn(p + 1, "0123456789"), more;

        if (!is_separator(*p) || n != 8 || strncmp(p + 1, "20", 2) != 0) {
            p++;
            continue;
        }
        more = is_separator(p[9]) ? strspn(p + 10, "0123456789") : 0;
        if (more && !is_word(p[10 + more]))
            remove_bytes(p, 10 + more);
        else if (!is_word(p[9]))
            remove_bytes(p, 9);
        else
            p++;
    }
}

/* "x-arm64-aarch64" → "x-arm64". */
static void remove_second_arch(char *name, const char *arch)
{
    const char *first = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(arch_words); i++) {
        const char *word = arch_words[i].word, *p = streq(arch_words[i].arch, arch) ? name : NULL;

        for (size_t n = strlen(word); p && (p = strstr(p, word)); p++)
            if (p > name && is_separator(p[-1]) && !is_word(p[n]) && (!first || p < first))
                first = p;
    }
    for (size_t i = 0; first && i < ARRAY_SIZE(arch_words); i++) {
        char *behind = name + (first - name) + 1;

        if (streq(arch_words[i].arch, arch))
            remove_word(behind, arch_words[i].word);
    }
}

/* "universalmac_15.6.1_24g90_restore" → "macos-15.6.1". */
static void shorten_macos(char *name)
{
    static const char head[] = "universalmac_", in_short[] = "macos-";
    size_t n = sizeof(head) - 1, version = strspn(name + n, "0123456789.");

    if (!version || name[n + version] != '_')
        return;
    memcpy(name, in_short, sizeof(in_short) - 1);
    memmove(name + sizeof(in_short) - 1, name + n, version);
    name[sizeof(in_short) - 1 + version] = '\0';
}

/* "rocky-8-8.10" → "rocky-8.10". */
static void remove_repeated_major(char *name)
{
    for (char *p = strchr(name, '-'); p; p = strchr(p + 1, '-')) {
        size_t n = strspn(p + 1, "0123456789");

        if (n && p[1 + n] == '-' && strncmp(p + 1, p + 2 + n, n) == 0 && p[2 + 2 * n] == '.')
            remove_bytes(p, n + 1);
    }
}

char *locator_image_name(const char *text, const char *arch, const char *host_arch)
{
    char *name = xstrdup(path_basename(text));

    name[stem_length(name)] = '\0';
    for (char *p = name; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    if (str_starts(name, "nocloud_"))
        remove_bytes(name, strlen("nocloud_"));
    for (size_t i = 0; i < ARRAY_SIZE(common_words); i++)
        remove_word(name, common_words[i]);
    remove_second_arch(name, arch);
    if (streq0(arch, host_arch))
        remove_word(name, arch);
    if (str_starts(name, "universalmac_"))
        shorten_macos(name);
    remove_dates(name);
    if (str_starts(name, "arch") && !is_word(name[4])) {
        char *full = xasprintf("archlinux%s", name + 4);

        free(name);
        name = full;
    }
    remove_repeated_major(name);
    return name;
}

char *locator_image_yaml(const char *text, const char *arch)
{
    struct sbuf s = SBUF_INIT;

    sbuf_addf(&s, "arch: %s\nos: %s\nimages:\n- location: ", arch, locator_image_os(text));
    yaml_add_scalar(&s, text, false);
    sbuf_addf(&s, "\n  arch: %s\n", arch);
    return sbuf_detach(&s);
}
