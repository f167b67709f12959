/* SPDX-License-Identifier: Apache-2.0 */
/* The driver's tools: one snapshot at most, kept in the test's memory; the monitor answers with the
 * way on which it was reached. */
#include "fakes.h"
#include "driver/tools.h"
#include "hostagent/client.h"

static char tag_there[128];

static void note(const char *fmt, ...) PRINTF_FORMAT(1, 2);
static void note(const char *fmt, ...)
{
    size_t len = strlen(fakes.tools_asked);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(fakes.tools_asked + len, sizeof(fakes.tools_asked) - len, fmt, ap);
    va_end(ap);
}

/* ---- monitors -------------------------------------------------------------------------------- */

static struct json *answer(const char *way, const char *command)
{
    _cleanup_free_ char *text = xasprintf("%s %s", way, command);

    return json_string_new(text);
}

int agent_monitor(const struct instance *i, const char *command, const struct json *args,
                  int timeout_ms, struct json **ret, struct err *err)
{
    (void)i;
    (void)args;
    (void)timeout_ms;
    (void)err;
    if (ret)
        *ret = answer("agent", command);
    return 0;
}

static int direct_execute(void *arg, const char *command, struct json *args, int timeout_ms,
                          struct json **ret, struct err *err)
{
    (void)arg;
    (void)timeout_ms;
    (void)err;
    json_free(args);
    if (ret)
        *ret = answer("direct", command);
    return 0;
}

static int open_direct(const struct instance *inst, struct driver_monitor *ret, struct err *err)
{
    (void)inst;
    (void)err;
    *ret = (struct driver_monitor){.execute = direct_execute};
    return 0;
}

static const char *way_of(const struct driver_monitor *m)
{
    return !m ? "files" : (m->execute == direct_execute ? "direct" : "agent");
}

/* ---- snapshots ------------------------------------------------------------------------------- */

static int list(const struct driver_ctx *ctx, const struct driver_monitor *m,
                struct driver_snapshots *ret, struct err *err)
{
    (void)ctx;
    (void)m;
    (void)err;
    *ret = (struct driver_snapshots)DRIVER_SNAPSHOTS_INIT;
    if (*tag_there) {
        ret->v = xcalloc(1, sizeof(*ret->v));
        ret->v[ret->n++] = (struct driver_snapshot){.tag = xstrdup(tag_there), .id = xstrdup("1")};
    }
    return 0;
}

static int create(const struct driver_ctx *ctx, const struct driver_monitor *m, const char *tag,
                  struct err *err)
{
    (void)ctx;
    (void)err;
    note("create %s %s\n", way_of(m), tag);
    snprintf(tag_there, sizeof(tag_there), "%s", tag);
    return 0;
}

static int apply(const struct driver_ctx *ctx, const struct driver_monitor *m, const char *tag,
                 struct err *err)
{
    (void)ctx;
    (void)err;
    note("apply %s %s\n", way_of(m), tag);
    return 0;
}

static int delete(const struct driver_ctx *ctx, const struct driver_monitor *m, const char *tag,
                  struct err *err)
{
    (void)ctx;
    (void)err;
    note("delete %s %s\n", way_of(m), tag);
    *tag_there = '\0';
    return 0;
}

/* ---- screen, console ------------------------------------------------------------------------- */

static int shot_begin(const struct instance *inst, struct driver_shot *s, struct json **ret_args,
                      struct err *err)
{
    (void)inst;
    (void)err;
    note("shot%s\n", s->plain ? " plain" : "");
    s->command = "shot";
    *ret_args = NULL;
    return 0;
}

static int shot_end(struct driver_shot *s, const struct err *failure, struct sbuf *ret,
                    struct err *err)
{
    (void)failure;
    (void)err;
    if (!s->plain) {
        s->plain = true;
        return 1;
    }
    sbuf_addstr(ret, "picture");
    return 0;
}

static bool console_taken(const struct driver_monitor *m, enum inst_file sock)
{
    (void)m;
    (void)sock;
    return fakes.console_taken;
}

const struct driver_tools fake_tools = {
    .open = open_direct,
    .snapshot_list = list,
    .snapshot_create = create,
    .snapshot_apply = apply,
    .snapshot_delete = delete,
    .shot_begin = shot_begin,
    .shot_end = shot_end,
    .console_taken = console_taken,
};
