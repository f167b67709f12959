/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of the screen: what is asked for, what the answers mean, and the formats. */
#include "driver/qemu/picture.h"
#include "driver/qemu/tools.h"
#include "tmpdir.h"

#define PPM "P6\n# a comment\n2 2\n255\n\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c"

static void convert(enum picture_format format, struct sbuf *ret)
{
    _cleanup_err_ struct err err = ERR_INIT;

    cr_assert_eq(picture_convert(PPM, sizeof(PPM) - 1, format, ret, &err), 0, "%s", err.msg);
}

/* Every byte of it; the sums are those of zlib and of libpng. */
Test(picture, png_of_two_by_two)
{
    static const unsigned char want[] = {
        0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n',                                   /* */
        0, 0, 0, 13, 'I', 'H', 'D', 'R', 0, 0, 0, 2, 0, 0, 0, 2, 8, 2, 0, 0, 0,        /* */
        0xfd, 0xd4, 0x9a, 0x73,                                                        /* */
        0, 0, 0, 30, 'I', 'D', 'A', 'T', 0x78, 0x01,                                   /* */
        0, 7, 0, 0xf8, 0xff, 0, 1, 2, 3, 4, 5, 6,                                      /* */
        1, 7, 0, 0xf8, 0xff, 0, 7, 8, 9, 10, 11, 12,                                   /* */
        0x01, 0x8f, 0x00, 0x4f, 0xcf, 0x17, 0xca, 0xf8};
    _cleanup_sbuf_ struct sbuf png = SBUF_INIT;

    convert(PICTURE_PNG, &png);
    cr_assert_eq(png.len, 8 + 25 + 12 + 30 + 12);
    cr_assert_eq(memcmp(png.buf, want, sizeof(want)), 0);
    cr_assert_eq(memcmp(png.buf + png.len - 12, "\0\0\0\0IEND\xae\x42\x60\x82", 12), 0);
}

Test(picture, bmp_of_two_by_two)
{
    _cleanup_sbuf_ struct sbuf bmp = SBUF_INIT;

    convert(PICTURE_BMP, &bmp);
    cr_assert_eq(bmp.len, 54 + 16);
    cr_assert_eq(memcmp(bmp.buf, "BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\2\0\0\0\2\0\0\0", 26), 0);
    /* From the last row, blue first, rows of a multiple of four bytes. */
    cr_assert_eq(memcmp(bmp.buf + 54,
                        "\x09\x08\x07\x0c\x0b\x0a\0\0\x03\x02\x01\x06\x05\x04\0\0", 16), 0);
}

/* The longest row that there can be. */
Test(picture, png_of_many_points)
{
    _cleanup_sbuf_ struct sbuf ppm = SBUF_INIT, png = SBUF_INIT;
    size_t row = (size_t)16384 * 3;

    sbuf_addstr(&ppm, "P6\n16384 3\n255\n");
    for (size_t i = 0; i < row * 3; i++)
        sbuf_addch(&ppm, (char)i);
    cr_assert_eq(picture_convert(ppm.buf, ppm.len, PICTURE_PNG, &png, NULL), 0);
    cr_assert_eq(png.len, 8 + 25 + 12 + (2 + 3 * (5 + 1 + row) + 4) + 12);
    cr_assert_eq(memcmp(png.buf + 8 + 25 + 8 + 2, "\0\x01\xc0\xfe\x3f\0", 6), 0);
}

Test(picture, what_is_no_picture)
{
    static const char *const bad[] = {
        "",
        "P",
        "P6",
        "P5 2 2 255 xxxxxxxxxxxx",
        "P6 2 2 255",
        "P6 2 2 255 xxxxxxxxxxx",
        "P6 0 2 255 xxxxxxxxxxxx",
        "P6 2 2 65535 xxxxxxxxxxxxxxxxxxxxxxxx",
        "P6 99999 99999 255 x",
        "P6 4294967298 2 255 xxxxxxxxxxxx",
        "P6 -2 2 255 xxxxxxxxxxxx",
        "P6 2 2 255xxxxxxxxxxxxxx",
        "P6 # only a comment",
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_sbuf_ struct sbuf out = SBUF_INIT;
        _cleanup_err_ struct err err = ERR_INIT;

        cr_assert_eq(picture_convert(bad[i], strlen(bad[i]), PICTURE_PNG, &out, &err), -1, "%s",
                     bad[i]);
        cr_assert_eq(err.kind, ERR_PROTOCOL);
        cr_assert_eq(out.len, 0);
    }
}

/* ---- the way of one -------------------------------------------------------------------------- */

static struct err refusal(const char *text)
{
    struct err e = ERR_INIT;

    err_set(&e, ERR_QEMU, "QMP command failed: %s", text);
    return e;
}

Test(screenshot, HA_15_png_by_the_machine_or_by_us)
{
    _tmpdir_ char *dir = tmpdir_new();
    const struct instance inst = {.name = (char *)"vm", .dir = dir};
    struct driver_shot s = {.format = PICTURE_PNG};
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    struct json *args = NULL;

    cr_assert_eq(qemu_shot_begin(&inst, &s, &args, &err), 0);
    cr_assert_str_eq(s.command, "screendump");
    cr_assert_str_eq(json_get_str(args, "format"), "png");
    cr_assert_str_eq(json_get_str(args, "filename"), s.path);
    cr_assert(str_starts(s.path, dir) && strstr(s.path, ".tmp"));
    json_free(args);
    _cleanup_free_ char *first = xstrdup(s.path);
    _cleanup_err_ struct err old = refusal("Parameter 'format' is unexpected");
    cr_assert_eq(qemu_shot_end(&s, &old, &out, &err), 1);
    cr_assert_eq(qemu_shot_begin(&inst, &s, &args, &err), 0);
    cr_assert_str_neq(s.path, first, "nobody can guess it");
    cr_assert_null(json_get_str(args, "format"));
    json_free(args);
    cr_assert_eq(file_write_unsynced(s.path, PPM, sizeof(PPM) - 1, 0600, NULL), 0);
    cr_assert_eq(qemu_shot_end(&s, NULL, &out, &err), 0, "%s", err.msg);
    cr_assert_eq(memcmp(out.buf, "\x89PNG", 4), 0);
    _cleanup_free_ char *file = xstrdup(s.path);
    driver_shot_release(&s);
    cr_assert_not(path_exists(file));
}

Test(screenshot, a_machine_without_a_screen)
{
    _tmpdir_ char *dir = tmpdir_new();
    const struct instance inst = {.name = (char *)"vm", .dir = dir};
    _cleanup_(driver_shot_release) struct driver_shot s = {.format = PICTURE_PNG};
    _cleanup_err_ struct err none = refusal("There is no console to take a screendump from");
    _cleanup_err_ struct err err = ERR_INIT;
    struct json *args = NULL;

    cr_assert_eq(qemu_shot_begin(&inst, &s, &args, NULL), 0);
    json_free(args);
    cr_assert_eq(qemu_shot_end(&s, &none, NULL, &err), -1);
    cr_assert_eq(err.kind, ERR_STATE);
    cr_assert_str_eq(err.msg, "the machine has no screen: there is nothing to take a picture of");
    cr_assert_not_null(strstr(err.hint, "`cima restart vm --set '.video.display=\"vnc\"'`"));
}

Test(screenshot, a_file_that_is_not_what_was_expected)
{
    _tmpdir_ char *dir = tmpdir_new();
    const struct instance inst = {.name = (char *)"vm", .dir = dir};
    _cleanup_(driver_shot_release) struct driver_shot s = {.format = PICTURE_BMP};
    _cleanup_err_ struct err missing = ERR_INIT, link = ERR_INIT, empty = ERR_INIT;
    struct json *args = NULL;

    cr_assert_eq(qemu_shot_begin(&inst, &s, &args, NULL), 0);
    json_free(args);
    cr_assert_eq(qemu_shot_end(&s, NULL, NULL, &missing), -1);
    cr_assert_not_null(strstr(missing.msg, "QEMU has written no picture"), "%s", missing.msg);
    cr_assert_eq(symlink("/etc/passwd", s.path), 0);
    cr_assert_eq(qemu_shot_end(&s, NULL, NULL, &link), -1, "a link is not followed");
    cr_assert_eq(unlink(s.path), 0);
    cr_assert_eq(file_write_unsynced(s.path, "", 0, 0600, NULL), 0);
    cr_assert_eq(qemu_shot_end(&s, NULL, NULL, &empty), -1);
}
