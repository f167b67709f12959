/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "instance/tools.h"
#include <errno.h>
#include <fcntl.h>
#include <time.h>

/* "mini-20260131-235959.png" */
static char *default_name(const struct instance *inst, enum picture_format format)
{
    char when[32] = "";
    time_t now = time(NULL);
    struct tm tm;

    if (localtime_r(&now, &tm))
        strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &tm);
    return xasprintf("%s-%s.%s", inst->name, when, picture_format_to_string(format));
}

/* By --format, else by the ending of the name. */
static int choose_format(const struct args *args, const char *path, enum picture_format *ret,
                         struct err *err)
{
    const char *format = args_str(args, "format"), *dot = path ? strrchr(path, '.') : NULL;

    *ret = PICTURE_PNG;
    if (format)
        return picture_format_from_string(format, ret);
    if (!path || streq(path, "-"))
        return 0;
    if (dot && !strchr(dot, '/') && picture_format_from_string(dot + 1, ret) == 0)
        return 0;
    err_set(err, ERR_USAGE, "the name '%s' does not say which format is wanted", path);
    return err_hint(err, "end it with .png or .bmp, or give --format");
}

static int refuse_existing(const char *path, struct err *err)
{
    err_set(err, ERR_EXISTS, "the file '%s' exists", path);
    return err_hint(err, "--force replaces it");
}

static int write_new(const char *path, const struct sbuf *picture, struct err *err)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    if (fd < 0)
        return errno == EEXIST ? refuse_existing(path, err)
                               : err_set_errno(err, ERR_IO, "could not make '%s'", path);
    if (fd_write_all(fd, picture->buf, picture->len) == 0)
        return 0;
    err_set_errno(err, ERR_IO, "could not write '%s'", path);
    unlink(path);
    return -1;
}

static int save(const char *path, bool force, const struct sbuf *picture, struct err *err)
{
    if (streq(path, "-") || force)
        return output_text(path, picture->buf, picture->len, err);
    return write_new(path, picture, err);
}

static int run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_sbuf_ struct sbuf picture = SBUF_INIT;
    const char *path = args_str(args, "output");
    _cleanup_free_ char *chosen = NULL;
    bool force = args_flag(args, "force");
    enum picture_format format;

    if (choose_format(args, path, &format, err) < 0)
        return -1;
    if (streq0(path, "-") && isatty(STDOUT_FILENO) == 1)
        return err_set(err, ERR_USAGE, "a picture is not written to a terminal");
    if (cli_find(cli, args_pos(args, 0), &inst, err) < 0)
        return -1;
    if (!path)
        path = chosen = default_name(&inst, format);
    if (!force && !streq(path, "-") && path_exists(path))
        return refuse_existing(path, err);
    if (inst_screenshot(&cli->env, &inst, format, &picture, err) < 0 ||
        save(path, force, &picture, err) < 0)
        return -1;
    if (!streq(path, "-"))
        puts(path);
    return 0;
}

static const struct cli_positional positional[] = {
    {"INST", VALUE_INSTANCE, 0, 1},
    {NULL, VALUE_TEXT, 0, 0},
};

static const char *const formats[] = {"png", "bmp", NULL};

static const struct cli_option options[] = {
    {.name = "force", .kind = VALUE_BOOL, .help = "Replace a file that exists"},
    {.name = "format",
     .kind = VALUE_ENUM,
     .metavar = "FORMAT",
     .choices = formats,
     .default_text = "by the file's name, else png",
     .help = "Form of the picture"},
    {.name = "output",
     .short_name = 'o',
     .kind = VALUE_FILE,
     .metavar = "FILE",
     .default_text = "INST-DATE-TIME.png",
     .help = "Where to write it; - is standard output"},
    {.name = NULL},
};

const struct command cmd_screenshot = {
    .name = "screenshot",
    .group = GROUP_ADVANCED,
    .summary = "Save a picture of an instance's screen",
    .description =
        "Save a picture of the screen of a running instance (`default` when none is named), and "
        "print the name of the file. The instance must have a screen: `video.display` must be set, "
        "to `vnc` for one without a window. A file that exists is not replaced without --force.",
    .examples = "cima screenshot desktop\n"
                "cima screenshot -o screen.bmp desktop\n",
    .positional = positional,
    .options = options,
    .run = run,
};
