/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "instance/tools.h"
#include <inttypes.h>
#include <time.h>

extern const struct command cmd_snapshot;

/* ---- create, apply, delete ------------------------------------------------------------------- */

typedef int snapshot_fn(const struct inst_env *env, const struct instance *i, const char *tag,
                        const struct inst_report *r, struct err *err);

static void warn_experimental(void)
{
    log_warn("`cima snapshot` is experimental");
}

static int change(struct cli *cli, const struct args *args, snapshot_fn *fn, const char *done,
                  struct err *err)
{
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    const char *tag = args_str(args, "tag");

    warn_experimental();
    if (str_empty(tag)) {
        err_set(err, ERR_USAGE, "expected tag");
        return err_hint(err, "say which one with --tag NAME");
    }
    if (cli_find(cli, args_pos(args, 0), &inst, err) < 0 ||
        fn(&cli->env, &inst, tag, &cli_report, err) < 0)
        return -1;
    log_info("%s snapshot '%s' of instance `%s`", done, tag, inst.name);
    return 0;
}

static int create(struct cli *cli, const struct args *args, struct err *err)
{
    return change(cli, args, inst_snapshot_create, "Took", err);
}

static int apply(struct cli *cli, const struct args *args, struct err *err)
{
    return change(cli, args, inst_snapshot_apply, "Applied", err);
}

static int delete(struct cli *cli, const struct args *args, struct err *err)
{
    return change(cli, args, inst_snapshot_delete, "Deleted", err);
}

/* ---- list ------------------------------------------------------------------------------------ */

/* "151 MiB": three digits are enough to tell one from another. */
static char *rough_size(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double v = (double)bytes;
    size_t u = 0;

    while (v >= 1000 && u + 1 < ARRAY_SIZE(units)) {
        v /= 1024;
        u++;
    }
    return xasprintf("%.3g %s", v, units[u]);
}

static char *local_date(int64_t seconds)
{
    char text[40];
    time_t t = (time_t)seconds;
    struct tm tm;

    if (!localtime_r(&t, &tm) || !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm))
        return xstrdup("?");
    return xstrdup(text);
}

static char *utc_date(int64_t seconds)
{
    char text[40];
    time_t t = (time_t)seconds;
    struct tm tm;

    if (!gmtime_r(&t, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
        return xstrdup("?");
    return xstrdup(text);
}

static char *clock_text(int64_t ns)
{
    int64_t ms = ns / 1000000, s = ms / 1000;

    return xasprintf("%02" PRId64 ":%02d:%02d.%03d", s / 3600, (int)(s / 60 % 60), (int)(s % 60),
                     (int)(ms % 1000));
}

static void print_table(const struct driver_snapshots *all)
{
    _cleanup_table_ struct table t = TABLE_INIT;
    _cleanup_sbuf_ struct sbuf out = SBUF_INIT;

    strv_pushl(table_row(&t), "ID", "TAG", "VM SIZE", "DATE", "VM CLOCK", NULL);
    for (size_t i = 0; i < all->n; i++) {
        const struct driver_snapshot *s = &all->v[i];
        struct strv *row = table_row(&t);

        strv_push(row, s->id);
        strv_push(row, s->tag);
        strv_push_consume(row, rough_size(s->vm_size));
        strv_push_consume(row, local_date(s->date));
        strv_push_consume(row, clock_text(s->vm_clock));
    }
    table_format(&t, &out);
    fputs(sbuf_str(&out), stdout);
}

static void print_object(const struct driver_snapshot *s)
{
    _cleanup_json_ struct json *o = json_object_new();
    _cleanup_free_ char *date = utc_date(s->date), *text = NULL;

    json_set_str(o, "tag", s->tag);
    json_set_str(o, "id", s->id);
    json_set_str(o, "date", date);
    json_set_int(o, "vmStateSize", (int64_t)s->vm_size);
    json_set_int(o, "vmClockNanoseconds", s->vm_clock);
    json_set(o, "missingOnDisks", json_strings(&s->missing));
    text = json_dump(o);
    puts(text);
}

/* Others than ours may have given it any. */
static void print_tag(const struct driver_snapshot *s)
{
    _cleanup_sbuf_ struct sbuf shown = SBUF_INIT;

    sbuf_add_printable(&shown, s->tag, strlen(s->tag));
    puts(sbuf_str(&shown));
}

/* Those that can't be applied are in the list all the same: only so can they be deleted. */
static void tell_partial(const struct driver_snapshots *all)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->v[i].missing.n) {
            _cleanup_free_ char *disks = strv_join(&all->v[i].missing, "', '");

            log_warn("Snapshot '%s' can't be applied: the disk '%s' does not have it",
                     all->v[i].tag, disks);
        }
}

static int list(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_driver_snapshots_ struct driver_snapshots all = DRIVER_SNAPSHOTS_INIT;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    bool as_json = streq0(args_str(args, "format"), "json"), quiet = args_flag(args, "quiet");

    warn_experimental();
    if (as_json && quiet)
        return err_set(err, ERR_USAGE, "option --quiet can only be used with '--format table'");
    if (cli_find(cli, args_pos(args, 0), &inst, err) < 0 ||
        inst_snapshot_list(&cli->env, &inst, &all, err) < 0)
        return -1;
    if (!quiet && !as_json)
        print_table(&all);
    for (size_t i = 0; i < all.n; i++) {
        if (quiet)
            print_tag(&all.v[i]);
        else if (as_json)
            print_object(&all.v[i]);
    }
    fflush(stdout);
    tell_partial(&all);
    return 0;
}

/* ---- the tables ------------------------------------------------------------------------------ */

static const struct cli_positional positional[] = {
    {"INST", VALUE_INSTANCE, 1, 1},
    {NULL, VALUE_TEXT, 0, 0},
};

static const struct cli_option tag_options[] = {
    {.name = "tag", .kind = VALUE_TEXT, .metavar = "NAME", .help = "Name of the snapshot"},
    {.name = NULL},
};

static const char *const list_formats[] = {"table", "json", NULL};

static const struct cli_option list_options[] = {
    {.name = "format",
     .short_name = 'f',
     .kind = VALUE_ENUM,
     .metavar = "FORMAT",
     .choices = list_formats,
     .default_text = "table",
     .help = "Form of the output; JSON is one object per line"},
    {.name = "quiet", .short_name = 'q', .kind = VALUE_BOOL, .help = "Only tags"},
    {.name = NULL},
};

static const char *const create_aliases[] = {"save", NULL};
static const char *const apply_aliases[] = {"load", NULL};
static const char *const delete_aliases[] = {"del", NULL};
static const char *const list_aliases[] = {"ls", NULL};

static const struct command command_create = {
    .name = "create",
    .aliases = create_aliases,
    .summary = "Take a snapshot of an instance",
    .description = "Take a snapshot of an instance: of its disks, and while it runs of its memory, "
                   "too. A running machine stands still meanwhile.",
    .examples = "cima snapshot create mini --tag before-upgrade\n",
    .positional = positional,
    .options = tag_options,
    .run = create,
    .parent = &cmd_snapshot,
};

static const struct command command_apply = {
    .name = "apply",
    .aliases = apply_aliases,
    .summary = "Take an instance back to a snapshot",
    .description =
        "Take an instance back to a snapshot; what has changed since is lost.\n\n"
        "A running one goes on from there; its clock is then as late as the snapshot is old, until "
        "the guest sets it. Of a stopped one only the disks go back.",
    .examples = "cima snapshot apply mini --tag before-upgrade\n",
    .positional = positional,
    .options = tag_options,
    .run = apply,
    .parent = &cmd_snapshot,
};

static const struct command command_delete = {
    .name = "delete",
    .aliases = delete_aliases,
    .summary = "Delete a snapshot of an instance",
    .description = "Delete a snapshot of an instance. The instance stays as it is.",
    .examples = "cima snapshot delete mini --tag before-upgrade\n",
    .positional = positional,
    .options = tag_options,
    .run = delete,
    .parent = &cmd_snapshot,
};

static const struct command command_list = {
    .name = "list",
    .aliases = list_aliases,
    .summary = "List the snapshots of an instance",
    .description = "List the snapshots of an instance, oldest first. VM SIZE is what memory and "
                   "devices take: nothing, when the instance was stopped.",
    .examples = "cima snapshot list mini\n"
                "cima snapshot list -q mini\n",
    .positional = positional,
    .options = list_options,
    .run = list,
    .parent = &cmd_snapshot,
};

static const struct command *const sub[] = {&command_apply, &command_create, &command_delete,
                                            &command_list, NULL};

const struct command cmd_snapshot = {
    .name = "snapshot",
    .group = GROUP_ADVANCED,
    .summary = "Take, apply, delete and list snapshots of an instance",
    .description = "Snapshots of an instance: a state to which it can go back. They are inside the "
                   "files of its disks, and need room there only for what differs.",
    .sub = sub,
};
