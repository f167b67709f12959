/* SPDX-License-Identifier: Apache-2.0 */
#include "ssh/report.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/sbuf.h"
#include <limits.h>

#define NAME_MAX_BYTES 200

void report_release(struct report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        free(r->v[i].name);
        strv_release(&r->v[i].output);
    }
    free(r->v);
    free(r->cloud_init);
    strv_release(&r->cloud_init_output);
    *r = (struct report)REPORT_INIT;
}

static int parse_status(const char *word, int *ret)
{
    uint64_t v;

    if (parse_uint(word, 255, &v))
        return -1;
    *ret = (int)v;
    return 0;
}

static char *printable(const char *text, size_t len)
{
    struct sbuf s = SBUF_INIT;

    sbuf_add_printable(&s, text, len);
    return sbuf_detach(&s);
}

static void add_script(struct report *r, const struct strv *words)
{
    struct report_script s = {.seconds = 0};
    char *end = NULL;

    r->output = NULL;
    if (words->n < 3 || parse_status(words->v[2], &s.status) || r->n >= REPORT_SCRIPTS_MAX)
        return;
    if (words->n > 3) {
        s.seconds = strtod(words->v[3], &end);
        if (*end || !(s.seconds >= 0 && s.seconds < 1e7))
            s.seconds = 0;
    }
    s.name = printable(words->v[1], strnlen(words->v[1], NAME_MAX_BYTES));
    GROW_ARRAY(r->v, r->n, r->cap);
    r->v[r->n++] = s;
    if (s.status)
        r->output = &r->v[r->n - 1].output;
}

static void add_cloud_init(struct report *r, const struct strv *words)
{
    r->output = NULL;
    if (words->n != 2 || r->cloud_init)
        return;
    r->cloud_init = printable(words->v[1], strnlen(words->v[1], NAME_MAX_BYTES));
    r->output = &r->cloud_init_output;
}

static void add_output(struct report *r, const char *text, size_t len)
{
    /* The guest has sent the last ones; more is not in the format. */
    if (r->output && r->output->n < REPORT_OUTPUT_LINES)
        strv_push_consume(r->output, printable(text, len));
}

void report_line(struct report *r, const char *line, size_t len)
{
    if (r->ended || r->bytes + len > REPORT_BYTES_MAX)
        return;
    r->bytes += len + 1;
    if (len && line[0] == '|') {
        size_t skip = len > 1 && line[1] == ' ' ? 2 : 1;

        add_output(r, line + skip, len - skip);
        return;
    }
    if (memchr(line, '\0', len))
        return;
    _cleanup_free_ char *text = xstrndup(line, len);
    _cleanup_strv_ struct strv words = STRV_INIT;
    strv_split(&words, text, ' ');
    if (streq(words.v[0], "script"))
        add_script(r, &words);
    else if (streq(words.v[0], "cloud-init"))
        add_cloud_init(r, &words);
    else if (streq(words.v[0], "end") && words.n == 2)
        r->ended = parse_status(words.v[1], &r->end_status) == 0;
}

static size_t count_failures(const struct report *r)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n; i++)
        n += r->v[i].status != 0;
    return n;
}

/* The entry of `provision` that a file of the seed comes from, -1 for other scripts, and for what
 * only looks like one. */
static int provision_index(const struct config_instance *cfg, const char *name)
{
    const char *slash = strchr(name, '/');
    uint64_t i;

    if (!cfg || !str_starts(name, "provision.") || !slash ||
        parse_uint(slash + 1, INT_MAX, &i) || i >= cfg->provision_count)
        return -1;
    enum provision_mode mode = cfg->provision[i].mode;
    const char *word = provision_mode_to_string(mode == PROVISION_UNSET ? PROVISION_SYSTEM : mode);
    const char *found = name + strlen("provision.");
    size_t len = (size_t)(slash - found);
    return strlen(word) == len && memcmp(word, found, len) == 0 ? (int)i : -1;
}

/* How the user knows it. Caller frees. */
static char *script_label(const struct config_instance *cfg, const char *name)
{
    int i = provision_index(cfg, name);

    if (i < 0)
        return xasprintf("'%s'", name);
    enum provision_mode mode = cfg->provision[i].mode;
    return xasprintf("provision[%d] (mode %s)", i,
                     provision_mode_to_string(mode == PROVISION_UNSET ? PROVISION_SYSTEM : mode));
}

static void add_lines(struct sbuf *text, const struct strv *lines)
{
    if (!lines->n)
        sbuf_addstr(text, "(no output)\n");
    for (size_t i = 0; i < lines->n; i++)
        sbuf_addf(text, "%s\n", lines->v[i]);
}

static void add_detail(const struct report *r, struct err *err)
{
    _cleanup_sbuf_ struct sbuf text = SBUF_INIT;
    _cleanup_free_ char *cloud_init = report_cloud_init(r);

    for (size_t i = 0; i < r->n; i++) {
        const struct report_script *s = &r->v[i];

        if (!s->status)
            continue;
        sbuf_addf(&text, "%s: exit status %d\n", s->name, s->status);
        add_lines(&text, &s->output);
    }
    if (cloud_init)
        sbuf_addf(&text, "%s\n", cloud_init);
    err_detail(err, sbuf_str(&text));
}

char *report_cloud_init(const struct report *r)
{
    struct sbuf text = SBUF_INIT;

    if (!r->cloud_init)
        return NULL;
    sbuf_addf(&text, "cloud-init: %s\n", r->cloud_init);
    add_lines(&text, &r->cloud_init_output);
    return sbuf_detach(&text);
}

/* The boot scripts went well, but cloud-init has not done all of what the seed asks for. What it
 * calls degraded are complaints about what it has done all the same. */
static int check_cloud_init(const struct report *r, struct err *err)
{
    if (!streq0(r->cloud_init, "error"))
        return 0;
    err_set(err, ERR_GUEST, "cloud-init reports errors in the guest");
    if (err)
        add_detail(r, err);
    return -1;
}

int report_check(const struct report *r, const struct config_instance *cfg, struct err *err)
{
    size_t failures = count_failures(r);

    for (size_t i = 0; i < r->n; i++) {
        const struct report_script *s = &r->v[i];

        if (!s->status)
            continue;
        _cleanup_free_ char *label = script_label(cfg, s->name);
        if (failures == 1)
            err_set(err, ERR_GUEST, "the script %s failed in the guest with exit status %d", label,
                    s->status);
        else
            err_set(err, ERR_GUEST,
                    "%zu scripts failed in the guest; the first is %s with exit status %d", failures,
                    label, s->status);
        if (err)
            add_detail(r, err);
        return -1;
    }
    if (r->ended && r->end_status)
        return err_set(err, ERR_GUEST, "the boot scripts failed in the guest with exit status %d",
                       r->end_status);
    return check_cloud_init(r, err);
}
