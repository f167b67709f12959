/* SPDX-License-Identifier: Apache-2.0 */
#include "qemu/making.h"
#include "base/parse.h"
#include <ctype.h>
#include <inttypes.h>
#include <limits.h>

void making_begin(struct making *m, struct cima_cmdline *dst, const char *where,
                  struct cima_problems *problems)
{
    *m = (struct making){
        .dst = dst,
        .parts = cima_cmdline_new_behind(dst),
        .problems = problems ? problems : cima_problems_new(),
        .where = where,
        .what = "device",
    };
}

void making_name(struct making *m, const char *what, const char *id)
{
    m->what = what;
    m->id = str_empty(id) ? NULL : id;
}

/* ---- what is wrong --------------------------------------------------------------------------- */

/* For a message: whole and on one line, whatever it holds. Caller frees. */
static char *shown(const char *text)
{
    struct sbuf out = SBUF_INIT;
    size_t len = strlen(text);

    sbuf_add_printable(&out, text, len < 100 ? len : 100);
    if (len >= 100)
        sbuf_addstr(&out, "…");
    return sbuf_detach(&out);
}

static void note(struct making *m, const char *field, enum cima_effect effect, const char *fmt,
                 va_list ap) PRINTF_FORMAT(4, 0);
static void note(struct making *m, const char *field, enum cima_effect effect, const char *fmt,
                 va_list ap)
{
    _cleanup_free_ char *why = xvasprintf(fmt, ap), *id = m->id ? shown(m->id) : NULL;

    problems_add(m->problems, m->where, m->is_field ? "" : field, effect, "%s%s%s%s: `%s` %s",
                 m->what, id ? " '" : "", id ? id : "", id ? "'" : "", field, why);
    if (effect == CIMA_EFFECT_LEFT_OUT)
        m->failed = true;
}

void fault(struct making *m, const char *field, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    note(m, field, CIMA_EFFECT_LEFT_OUT, fmt, ap);
    va_end(ap);
}

void dropped(struct making *m, const char *field, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    note(m, field, CIMA_EFFECT_FIELD_LEFT_OUT, fmt, ap);
    va_end(ap);
}

void doubtful(struct making *m, const char *field, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    note(m, field, CIMA_EFFECT_REFUSED, fmt, ap);
    va_end(ap);
}

/* ---- checks ---------------------------------------------------------------------------------- */

bool id_valid(const char *id)
{
    if (!isalpha((unsigned char)*id))
        return false;
    for (const char *c = id; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-._", *c))
            return false;
    return true;
}

bool has_id(struct making *m, const char *field, const char *id)
{
    _cleanup_free_ char *text = NULL;

    if (!id)
        return false;
    if (id_valid(id))
        return true;
    text = shown(id);
    fault(m, field,
          "must begin with a letter and go on with letters, digits, '-', '.' and '_', "
          "got '%s'",
          text);
    return false;
}

bool need_id(struct making *m, const char *field, const char *id)
{
    if (str_empty(id)) {
        fault(m, field, "is missing");
        return false;
    }
    return has_id(m, field, id);
}

/* NULL: it can be handed to QEMU. */
static const char *text_fault(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return *text == '\n' ? "has a line break" : "has a control character";
    return NULL;
}

bool has_text(struct making *m, const char *field, const char *text)
{
    const char *why = text ? text_fault(text) : NULL;

    if (!text)
        return false;
    if (!*text)
        why = "is empty";
    if (why)
        fault(m, field, "%s", why);
    return !why;
}

bool need_text(struct making *m, const char *field, const char *text)
{
    if (str_empty(text)) {
        fault(m, field, "is missing");
        return false;
    }
    return has_text(m, field, text);
}

/* "a, b or c" out of "a|b|c". */
static char *choices(const char *words)
{
    struct sbuf out = SBUF_INIT;

    for (const char *c = words; *c; c++)
        if (*c != '|')
            sbuf_addch(&out, *c);
        else
            sbuf_addstr(&out, strchr(c + 1, '|') ? ", " : " or ");
    return sbuf_detach(&out);
}

static bool among(const char *text, const char *words)
{
    size_t len = strlen(text);

    for (const char *w = words; w; w = strchr(w, '|') ? strchr(w, '|') + 1 : NULL)
        if (strcspn(w, "|") == len && !strncmp(w, text, len))
            return true;
    return false;
}

bool has_word(struct making *m, const char *field, const char *text, const char *words)
{
    _cleanup_free_ char *list = NULL, *got = NULL;

    if (!text)
        return false;
    if (*text && among(text, words))
        return true;
    list = choices(words);
    got = shown(text);
    fault(m, field, "must be %s, got '%s'", list, got);
    return false;
}

bool need_number(struct making *m, const char *field, uint64_t n, uint64_t min, uint64_t max)
{
    if (n >= min && n <= max)
        return true;
    if (!n)
        fault(m, field, "is missing");
    else
        fault(m, field, "must be from %" PRIu64 " to %" PRIu64 ", got %" PRIu64, min, max, n);
    return false;
}

bool has_number(struct making *m, const char *field, uint64_t n, uint64_t min, uint64_t max)
{
    return n && need_number(m, field, n, min, max);
}

bool has_mac(struct making *m, const char *field, const char *mac)
{
    _cleanup_free_ char *got = NULL;
    uint8_t octets[6];

    if (!mac)
        return false;
    /* QEMU takes a group address, too. */
    if (strlen(mac) == 17 && mac[2] != '.' && mac[4] != '.' && parse_mac(mac, octets) == 0)
        return true;
    got = shown(mac);
    fault(m, field, "must be six octets such as 52:55:00:00:00:01, got '%s'", got);
    return false;
}

bool need_enum(struct making *m, const char *field, unsigned value, unsigned count,
               const char *(*name)(unsigned value))
{
    _cleanup_sbuf_ struct sbuf words = SBUF_INIT;
    _cleanup_free_ char *list = NULL;

    if (value < count)
        return true;
    for (unsigned i = 0; i < count; i++)
        sbuf_addf(&words, "%s%s", i ? "|" : "", name(i));
    list = choices(sbuf_str(&words));
    fault(m, field, "must be %s", list);
    return false;
}

void unwanted(struct making *m, bool said, const char *field, const char *why)
{
    if (said)
        dropped(m, field, "%s", why);
}

/* ---- setters --------------------------------------------------------------------------------- */

void set_text(struct making *m, struct cima_opts *o, const char *key, const char *field,
              const char *text)
{
    if (has_text(m, field, text))
        cima_opts_str(o, key, text);
}

void set_number(struct making *m, struct cima_opts *o, const char *key, const char *field,
                uint64_t n, uint64_t max)
{
    if (has_number(m, field, n, 1, max))
        cima_opts_int(o, key, (int64_t)n);
}

void set_flag(struct cima_opts *o, const char *key, bool on)
{
    if (on)
        cima_opts_bool(o, key, true);
}

static bool good_switch(struct making *m, const char *field, enum cima_switch s)
{
    if ((unsigned)s >= CIMA_SWITCH_COUNT)
        fault(m, field, "must be on or off");
    return s == CIMA_ON || s == CIMA_OFF;
}

void set_switch(struct making *m, struct cima_opts *o, const char *key, const char *field,
                enum cima_switch s)
{
    if (good_switch(m, field, s))
        cima_opts_bool(o, key, s == CIMA_ON);
}

void set_switch_text(struct making *m, struct cima_opts *o, const char *key, const char *field,
                     enum cima_switch s)
{
    if (good_switch(m, field, s))
        cima_opts_str(o, key, s == CIMA_ON ? "on" : "off");
}

void set_fds(struct making *m, struct cima_opts *o, const char *key, const char *field,
             const int *fds, size_t n)
{
    _cleanup_free_ int *numbers = xcalloc(n ? n : 1, sizeof(*numbers));

    for (size_t i = 0; i < n; i++) {
        if (fds[i] <= 0) {
            fault(m, field, "must be open descriptors from 1 on, got %d", fds[i]);
            return;
        }
        numbers[i] = cima_cmdline_inherit(m->parts, fds[i]);
    }
    cima_opts_fds(o, key, numbers, n);
}

void set_fd(struct making *m, struct cima_opts *o, const char *key, const char *field, int fd)
{
    set_fds(m, o, key, field, &fd, 1);
}

void part(struct making *m, const char *name, struct cima_opts *o)
{
    /* Whatever the checks have not seen is not written all the same. */
    if (!m->failed && cima_opts_problem(o))
        fault(m, name, "can't be written: %s", cima_opts_problem(o));
    cima_cmdline_opts(m->parts, name, o);
}

/* ---- places ---------------------------------------------------------------------------------- */

bool good_transport(struct making *m, const struct cima_place *p)
{
    if ((unsigned)p->transport < CIMA_TRANSPORT_COUNT)
        return true;
    fault(m, "transport", "must be pci, ccw or mmio");
    return false;
}

/* lspci's form: "00:1f.2". The bus is said elsewhere; here it is 0. */
static bool lspci_addr(const char *text, unsigned *ret_slot, unsigned *ret_function)
{
    char *end;

    if (!str_starts(text, "00:") || !isxdigit((unsigned char)text[3]))
        return false;
    *ret_slot = (unsigned)strtoul(text + 3, &end, 16);
    *ret_function = end[0] == '.' && end[1] >= '0' && end[1] <= '7' && !end[2]
                        ? (unsigned)(end[1] - '0')
                        : UINT_MAX;
    return end == text + 5 && *ret_slot <= PCI_SLOT_MAX && *ret_function != UINT_MAX;
}

bool pci_addr(const char *text, unsigned *ret_slot, unsigned *ret_function)
{
    const char *c = text;

    if (lspci_addr(text, ret_slot, ret_function))
        return true;
    *ret_slot = *ret_function = 0;
    for (; isdigit((unsigned char)*c) && *ret_slot < 1000; c++)
        *ret_slot = *ret_slot * 10 + (unsigned)(*c - '0');
    if (c != text && *c == '.' && c[1] >= '0' && c[1] <= '7' && !c[2]) {
        *ret_function = (unsigned)(c[1] - '0');
        c += 2;
    }
    return c != text && !*c;
}

void set_pci_addr(struct cima_opts *o, unsigned slot, unsigned function)
{
    if (function)
        cima_opts_strf(o, "addr", "%x.%x", slot, function);
    else
        cima_opts_strf(o, "addr", "%x", slot);
}

/* "10" is slot a, "10.2" is a.2: QEMU reads hex (S2-14). */
static void set_addr(struct making *m, struct cima_opts *o, const struct cima_place *p)
{
    _cleanup_free_ char *got = shown(p->addr);
    unsigned slot, function;

    if (!pci_addr(p->addr, &slot, &function)) {
        dropped(m, "addr", PCI_ADDR_RULE ", got '%s'", got);
        return;
    }
    if (slot > PCI_SLOT_MAX)
        doubtful(m, "addr", PCI_ADDR_RULE ", got '%s'", got);
    if (!slot && !function && p->bus && (streq(p->bus, "pcie.0") || streq(p->bus, "pci.0")))
        doubtful(m, "addr", "must not be 0 on '%s': the host bridge is there", p->bus);
    set_pci_addr(o, slot, function);
}

/* "fe.0.0001": channel subsystem, set, device. */
static bool good_devno(const char *text)
{
    static const size_t longest[] = {2, 1, 4};

    for (size_t i = 0; i < ARRAY_SIZE(longest); i++) {
        size_t n = strspn(text, "0123456789abcdefABCDEF");

        if (n < 1 || n > longest[i] || text[n] != (i + 1 < ARRAY_SIZE(longest) ? '.' : '\0'))
            return false;
        text += n + 1;
    }
    return true;
}

static void set_devno(struct making *m, struct cima_opts *o, const char *devno)
{
    _cleanup_free_ char *got = shown(devno);

    if (good_devno(devno))
        cima_opts_str(o, "devno", devno);
    else
        fault(m, "devno", "must be such as fe.0.0001, got '%s'", got);
}

static void set_romfile(struct making *m, struct cima_opts *o, const char *romfile)
{
    if (romfile && streq(romfile, CIMA_NO_ROM))
        cima_opts_empty(o, "romfile");
    else
        set_text(m, o, "romfile", "romfile", romfile);
}

void set_place(struct making *m, struct cima_opts *o, const struct cima_place *p, unsigned has)
{
    bool virtio = has & PLACE_VIRTIO;
    bool pci = (has & PLACE_PCI) && (!virtio || p->transport == CIMA_TRANSPORT_PCI);
    bool ccw = (has & PLACE_CCW) || (virtio && p->transport == CIMA_TRANSPORT_CCW);

    if (has_id(m, "id", p->id))
        cima_opts_str(o, "id", p->id);
    set_text(m, o, "bus", "bus", p->bus);
    if (p->addr && pci)
        set_addr(m, o, p);
    unwanted(m, p->addr && !pci, "addr", "is for PCI devices only");
    if (p->devno && ccw)
        set_devno(m, o, p->devno);
    unwanted(m, p->devno && !ccw, "devno", "is for ccw devices only");
    if (p->disable_modern && virtio && pci && !(has & PLACE_NO_MODERN))
        cima_opts_bool(o, "disable-modern", true);
    else
        unwanted(m, p->disable_modern, "disable_modern", "is for virtio PCI devices only");
    set_flag(o, "iommu_platform", p->iommu_platform && virtio);
    unwanted(m, p->iommu_platform && !virtio, "iommu_platform", "is for virtio only");
    if (pci)
        set_romfile(m, o, p->romfile);
    unwanted(m, p->romfile && !pci, "romfile", "is for PCI devices only");
    if (p->boot_index < 0)
        dropped(m, "boot_index", "must not be negative, got %d", p->boot_index);
    else if (p->boot_index && has & PLACE_BOOT)
        cima_opts_int(o, "bootindex", p->boot_index);
    else
        unwanted(m, p->boot_index > 0, "boot_index", "is for devices that a machine boots from");
}

/* ---- the end --------------------------------------------------------------------------------- */

static bool taken(const struct cima_cmdline *c, size_t n, const char *class, const char *id)
{
    const char *other_class, *other;

    for (size_t i = 0; i < n; i++) {
        other = part_id(c, i, &other_class);
        if (other && class == other_class && streq(other, id))
            return true;
    }
    return false;
}

/* Ids are one for each kind of thing. */
static void check_ids(struct making *m)
{
    const char *class, *id;

    for (size_t i = 0; i < cima_cmdline_len(m->parts); i++) {
        id = part_id(m->parts, i, &class);
        if (id &&
            (taken(m->dst, cima_cmdline_len(m->dst), class, id) || taken(m->parts, i, class, id)))
            fault(m, "id", "must be new: '%s' is the id of another %s", id, class);
    }
}

void making_end(struct making *m)
{
    if (!m->failed)
        check_ids(m);
    if (!m->failed)
        cima_cmdline_move(m->dst, m->parts);
    cima_cmdline_free(m->parts);
}

int making_end_strict(struct making *m, struct err *err)
{
    _cleanup_problems_ struct cima_problems *problems = m->problems;
    size_t n;

    if (!m->failed)
        check_ids(m);
    n = cima_problems_len(problems);
    if (!n)
        cima_cmdline_move(m->dst, m->parts);
    cima_cmdline_free(m->parts);
    if (!n)
        return 0;
    return err_set(err, ERR_CONFIG, "%s", cima_problems_at(problems, 0)->message);
}
