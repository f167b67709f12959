/* SPDX-License-Identifier: Apache-2.0 */
/* plantime TIMES FILE.yaml: plans a machine TIMES times, with what a QEMU for x86_64 once answered, and
 * prints the nanoseconds of each: from filled configuration and facts to the command line. */
#include "base/fs.h"
#include "base/mem.h"
#include "golden/plan_case.h"
#include <inttypes.h>

static void print(uint64_t ns)
{
    printf("%" PRIu64 "\n", ns);
}

int main(int argc, char **argv)
{
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_plan_result_ struct plan_result r = PLAN_RESULT_INIT;
    static const char facts_text[] = "{\"host_arch\": \"x86_64\", \"kvm\": false, \"firmware_files\": "
                                     "[\"/usr/share/OVMF/OVMF_CODE_4M.fd\"]}";
    _cleanup_json_ struct json *facts =
        json_parse(facts_text, sizeof(facts_text) - 1, "facts", &err);
    struct plan_case c = {.instance = "bench", .facts = facts, .ssh_port = 60022, .timed = print};
    _cleanup_free_ char *yaml = NULL;
    size_t len;

    if (argc != 3) {
        fprintf(stderr, "usage: plantime TIMES FILE.yaml\n");
        return 2;
    }
    c.times = (unsigned)strtoul(argv[1], NULL, 10);
    c.yaml = yaml = facts ? file_read(argv[2], 1u << 20, &len, &err) : NULL;
    if (!yaml || plan_case_run(&c, &r) < 0) {
        fprintf(stderr, "plantime: %s\n", yaml ? r.err.msg : err.msg);
        return 1;
    }
    return 0;
}
