/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_tools.h"
#include "base/mem.h"

struct loop *fake_tools_loop;
void (*fake_tools_end)(struct vm *vm);

struct question {
    struct vm *vm;
    uint64_t number;
    char *command;
    struct json *args;
    driver_reply_fn *done;
    void *arg;
    struct loop_source *source;
};

static uint64_t last_number;
static int64_t hanging, cancelled;

static void on_time(void *arg)
{
    struct question *q = arg;
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_json_ struct json *ret = NULL;

    q->source = loop_source_free(q->source);
    if (streq(q->command, "fail") || streq(q->command, "screen gone"))
        err_set(&err, ERR_QEMU, "the fake monitor refuses");
    else if (streq(q->command, "cancelled"))
        ret = json_int_new(cancelled);
    else if (streq(q->command, "hanging"))
        ret = json_int_new(hanging);
    else
        ret = q->args ? json_ref(q->args) : json_object_new();
    q->done(q->arg, ret, err_is_set(&err) ? &err : NULL);
    if (streq(q->command, "quit"))
        fake_tools_end(q->vm);
    free(q->command);
    json_free(q->args);
    free(q);
}

static uint64_t ask(struct vm *vm, const char *command, struct json *args, driver_reply_fn *done,
                    void *arg)
{
    if (streq(command, "lost"))
        return 0;
    if (streq(command, "hang")) {
        json_free(args);
        hanging++;
        return ++last_number;
    }
    struct question *q = xcalloc(1, sizeof(*q));
    *q = (struct question){.vm = vm,
                           .number = ++last_number,
                           .command = xstrdup(command),
                           .args = args,
                           .done = done,
                           .arg = arg};
    q->source = loop_defer(fake_tools_loop, on_time, q);
    return q->number;
}

static void cancel(struct vm *vm, uint64_t number)
{
    (void)vm;
    (void)number;
    cancelled++;
}

static int shot_begin(const struct instance *inst, struct driver_shot *s, struct json **ret_args,
                      struct err *err)
{
    static unsigned shots;

    (void)inst;
    (void)err;
    /* The first time it says that the picture must be asked for in another way. */
    s->command = shots++ < 2 ? "echo" : "screen gone";
    *ret_args = NULL;
    return 0;
}

static int shot_end(struct driver_shot *s, const struct err *failure, struct sbuf *ret,
                    struct err *err)
{
    if (failure)
        return err_set(err, ERR_STATE, "the machine has no screen");
    if (!s->plain) {
        s->plain = true;
        return 1;
    }
    sbuf_addstr(ret, "a picture");
    return 0;
}

const struct driver_tools fake_driver_tools = {
    .send = ask, .cancel = cancel, .shot_begin = shot_begin, .shot_end = shot_end};
