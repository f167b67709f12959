/* SPDX-License-Identifier: Apache-2.0 */
#include "ssh/report.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/sbuf.h"

#define NAME_MAX_BYTES 200

void report_release(struct report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        free(r->v[i].name);
        strv_release(&r->v[i].output);
    }
    free(r->v);
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

static void add_script(struct report *r, const struct strv *words)
{
    struct report_script s = {.seconds = 0};
    char *end = NULL;

    if (words->n < 3 || parse_status(words->v[2], &s.status) || r->n >= REPORT_SCRIPTS_MAX)
        return;
    if (words->n > 3) {
        s.seconds = strtod(words->v[3], &end);
        if (*end || !(s.seconds >= 0 && s.seconds < 1e7))
            s.seconds = 0;
    }
    s.name = xstrndup(words->v[1], NAME_MAX_BYTES);
    GROW_ARRAY(r->v, r->n, r->cap);
    r->v[r->n++] = s;
}

static void add_output(struct report *r, const char *text, size_t len)
{
    struct sbuf line = SBUF_INIT;

    if (!r->n || !r->v[r->n - 1].status)
        return;
    struct strv *out = &r->v[r->n - 1].output;
    if (out->n >= REPORT_OUTPUT_LINES)
        return; /* the guest has sent the last ones; more is not in the format */
    sbuf_add_printable(&line, text, len);
    strv_push_consume(out, sbuf_detach(&line));
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
    else if (streq(words.v[0], "end") && words.n == 2)
        r->ended = parse_status(words.v[1], &r->end_status) == 0;
}

size_t report_failures(const struct report *r)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n; i++)
        n += r->v[i].status != 0;
    return n;
}

static void add_detail(const struct report *r, struct err *err)
{
    size_t failures = report_failures(r);
    _cleanup_sbuf_ struct sbuf text = SBUF_INIT;

    for (size_t i = 0; i < r->n; i++) {
        const struct report_script *s = &r->v[i];

        if (!s->status)
            continue;
        if (failures > 1)
            sbuf_addf(&text, "%s: exit status %d\n", s->name, s->status);
        if (!s->output.n)
            sbuf_addstr(&text, "(no output)\n");
        for (size_t k = 0; k < s->output.n; k++)
            sbuf_addf(&text, "%s\n", s->output.v[k]);
    }
    err_detail(err, sbuf_str(&text));
}

int report_check(const struct report *r, struct err *err)
{
    size_t failures = report_failures(r);

    for (size_t i = 0; i < r->n; i++) {
        const struct report_script *s = &r->v[i];

        if (!s->status)
            continue;
        if (failures == 1)
            err_set(err, ERR_GUEST, "the script '%s' failed in the guest with exit status %d",
                    s->name, s->status);
        else
            err_set(err, ERR_GUEST,
                    "%zu scripts failed in the guest; the first is '%s' with exit status %d",
                    failures, s->name, s->status);
        if (err)
            add_detail(r, err);
        return -1;
    }
    if (r->ended && r->end_status)
        return err_set(err, ERR_GUEST, "the boot scripts failed in the guest with exit status %d",
                       r->end_status);
    return 0;
}
