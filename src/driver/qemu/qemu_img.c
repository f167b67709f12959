/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/qemu_img.h"
#include "base/mem.h"
#include <sys/resource.h>

#define OUTPUT_MAX (4U << 20)
/* A damaged or hostile image costs no more than this (F35). */
#define LIMIT_CPU_S  100
#define LIMIT_MEMORY (UINT64_C(2) << 30)

int qemu_img(const char *program, const struct strv *args, bool limited, int timeout_ms,
             struct run_result *ret, struct err *err)
{
    static const struct spawn_limit limits[] = {
        {RLIMIT_CPU, LIMIT_CPU_S, LIMIT_CPU_S},
        {RLIMIT_AS, LIMIT_MEMORY, LIMIT_MEMORY},
    };
    _cleanup_strv_ struct strv argv = STRV_INIT;
    _cleanup_run_result_ struct run_result r = {0};
    struct spawn s = SPAWN_INIT;

    strv_push(&argv, program);
    strv_extend(&argv, args);
    s.argv = (const char *const *)strv_argv(&argv);
    s.umask_ = 077;
    if (limited) {
        s.flags |= SPAWN_NO_CORE | SPAWN_DIE_WITH_PARENT;
        s.limits = limits;
        s.n_limits = ARRAY_SIZE(limits);
    }
    if (run_capture(&s, NULL, OUTPUT_MAX, timeout_ms, &r, err) < 0 ||
        run_result_check(&r, program, err) < 0)
        return -1;
    *ret = r;
    r = (struct run_result){0};
    return 0;
}
