/* SPDX-License-Identifier: Apache-2.0 */
/* How far an image has come, at any width. */
#include "cli/columns.h"
#include "cli/progress.h"
#include <criterion/criterion.h>

#define NAME "debian-12-generic-amd64.qcow2"

static const struct transfer_view typical = {
    .phase = IMAGE_DOWNLOADING,
    .name = NAME,
    .done = 99000000,
    .total = 220000000,
    .rate = 12300000,
};

static void expect_line(const struct transfer_view *v, unsigned columns, const char *want)
{
    const struct progress_view p = {
        .subject = "deb", .text = "", .transfer = v, .elapsed_ms = 8000};
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;

    progress_render(&p, columns, &s);
    cr_expect_str_eq(sbuf_str(&s), want);
    cr_expect_lt(columns_of(sbuf_str(&s)), columns);
}

Test(transfer, at_80_columns)
{
    expect_line(&typical, 80, "deb: downloading " NAME " 45% 99/220 MB 12.3 MB/s 8s");
}

Test(transfer, at_40_columns)
{
    expect_line(&typical, 40, "downloading debi...ow2 45% 99/220 MB 8s");
    struct transfer_view v = typical;
    v.name = "x.qcow2";
    expect_line(&v, 40, "downloading x.qcow2 45% 99/220 MB 8s");
}

/* Never wider than it may be, and the percentage stays as long as it can. */
Test(transfer, at_every_width)
{
    static const char *const names[] = {"x", NAME, "日本語のとても長い名前.qcow2",
                                        "ünïcödé-ünïcödé-ünïcödé.img", ""};
    struct transfer_view v = typical;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        for (unsigned columns = 1; columns < 140; columns++)
            for (enum image_phase p = 0; p < IMAGE_PHASE_COUNT; p++) {
                const struct progress_view view = {
                    .subject = "deb", .text = "", .transfer = &v, .elapsed_ms = 3600000};
                _cleanup_sbuf_ struct sbuf s = SBUF_INIT;

                v.name = names[i];
                v.phase = p;
                progress_render(&view, columns, &s);
                cr_expect(columns_of(sbuf_str(&s)) < columns || columns <= 2, "%u: '%s'", columns,
                          sbuf_str(&s));
                if (columns >= 20 && p == IMAGE_DOWNLOADING)
                    cr_expect_not_null(strstr(sbuf_str(&s), "45%"), "%u: '%s'", columns,
                                       sbuf_str(&s));
            }
}

static void expect_text(struct transfer_view v, const char *want)
{
    _cleanup_sbuf_ struct sbuf s = SBUF_INIT;

    v.name = "f";
    transfer_render(&v, 80, &s);
    cr_expect_str_eq(sbuf_str(&s), want);
}

Test(transfer, numbers)
{
    const enum image_phase p = IMAGE_DOWNLOADING;

    expect_text((struct transfer_view){.phase = p}, "downloading f");
    expect_text((struct transfer_view){.phase = p, .done = 999}, "downloading f 999 B");
    expect_text((struct transfer_view){.phase = p, .done = 1500000, .rate = 999},
                "downloading f 1.5 MB 999 B/s");
    expect_text((struct transfer_view){.phase = p, .done = 0, .total = 9900}, "downloading f 0% 0.0/9.9 kB");
    expect_text((struct transfer_view){.phase = p, .done = 5, .total = 5}, "downloading f 100% 5/5 B");
    /* More than was promised: the total means nothing. */
    expect_text((struct transfer_view){.phase = p, .done = 6000, .total = 5}, "downloading f 6.0 kB");
    expect_text((struct transfer_view){.phase = p, .done = UINT64_MAX / 2, .total = UINT64_MAX,
                                       .rate = UINT64_MAX},
                "downloading f 50% 9.2/18 EB 18.4 EB/s");
    expect_text((struct transfer_view){.phase = p, .done = 999949, .total = 1000000},
                "downloading f 99% 1.0/1.0 MB");
    expect_text((struct transfer_view){.phase = IMAGE_CONNECTING, .total = 5}, "connecting for f");
    expect_text((struct transfer_view){.phase = IMAGE_WAITING}, "waiting for another download of f");
    expect_text((struct transfer_view){.phase = IMAGE_CHECKING, .done = 1, .total = 2},
                "checking f 50% 1/2 B");
}

Test(transfer, names)
{
    static const struct { const char *location, *want; } cases[] = {
        {"https://x.org/a/b.qcow2?sig=1#f", "b.qcow2"},
        {"/var/a?b.img", "a?b.img"},
        {"file:///x/y.iso", "y.iso"},
        {"https://x.org/", "x.org"},
        {"plain", "plain"},
        {"", ""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *got = transfer_name(cases[i].location);

        cr_expect_str_eq(got, cases[i].want);
    }
    /* S21: a name of a server's choice. */
    _cleanup_free_ char *evil = transfer_name("https://x/\x1b[31m\r\n.img");
    cr_expect_null(strpbrk(evil, "\x1b\r\n"), "%s", evil);
}

Test(transfer, speed)
{
    struct speed s = {.n = 0};

    speed_add(&s, 0, 0);
    speed_add(&s, 500, 500000);
    cr_expect_eq(speed_rate(&s), 0, "half a second says little");
    speed_add(&s, 1000, 1000000);
    cr_expect_eq(speed_rate(&s), 1000000);
    speed_add(&s, 1100, 9000000); /* too close to the last one */
    cr_expect_eq(speed_rate(&s), 1000000);
    /* The last seconds count, not the first ones. */
    for (int i = 0; i < 100; i++)
        speed_add(&s, 2000 + i * 250, 1000000);
    cr_expect_eq(speed_rate(&s), 0);
    speed_add(&s, 40000, 10);
    cr_expect_eq(speed_rate(&s), 0, "another file");
}

Test(columns, middle)
{
    static const struct { const char *text; size_t room; const char *want; } cases[] = {
        {"abcdefghij", 10, "abcdefghij"}, {"abcdefghijk", 10, "abcd...ijk"},
        {"abcdefghijk", 7, "ab...jk"},    {"abcdefghijk", 6, "abc..."},
        {"abcdefghijk", 2, ".."},         {"日本語日本語日", 11, "日本...語日"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_sbuf_ struct sbuf s = SBUF_INIT;

        columns_cut_middle(&s, cases[i].text, cases[i].room);
        cr_expect_str_eq(sbuf_str(&s), cases[i].want);
        cr_expect_leq(columns_of(sbuf_str(&s)), cases[i].room);
    }
}
