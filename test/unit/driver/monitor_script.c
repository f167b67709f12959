/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/monitor_script.h"
#include "base/mem.h"
#include <criterion/criterion.h>

static const struct script_line *next_line(struct script *s, const char *command)
{
    const struct script_line *last = NULL;

    for (unsigned i = 0; s->lines[i].command; i++) {
        if (!streq(s->lines[i].command, command))
            continue;
        last = &s->lines[i];
        if (!(s->used & 1U << i)) {
            s->used |= 1U << i;
            return last;
        }
    }
    return last;
}

static int execute(void *arg, const char *command, struct json *args, int timeout_ms,
                   struct json **ret, struct err *err)
{
    struct script *s = arg;
    _cleanup_json_ struct json *given = args;
    _cleanup_free_ char *text = given ? json_dump(given) : xstrdup("-");
    const struct script_line *line = next_line(s, command);

    (void)timeout_ms;
    sbuf_addf(&s->asked, "%s %s\n", command, text);
    cr_assert_not_null(line, "nobody expected %s %s", command, text);
    if (*line->answer == '!')
        return err_set(err, ERR_QEMU, "QMP command failed: %s", line->answer + 1);
    struct json *answer = json_parse(line->answer, strlen(line->answer), "script", NULL);
    cr_assert_not_null(answer, "%s", line->answer);
    if (ret)
        *ret = answer;
    else
        json_free(answer);
    return 0;
}

void script_init(struct script *s, const struct script_line *lines)
{
    *s = (struct script){.lines = lines, .asked = SBUF_INIT};
    s->monitor = (struct driver_monitor){.execute = execute, .arg = s};
}

void script_release(struct script *s)
{
    sbuf_release(&s->asked);
}
