/* SPDX-License-Identifier: Apache-2.0 */
/* probe-features ARCH BINARY: what the driver's probe finds out about a QEMU, as JSON: how the
 * tables in test/golden/features are made. */
#include "base/mem.h"
#include "driver/qemu/features.h"

int main(int argc, char **argv)
{
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_qemu_features_ struct qemu_features f = QEMU_FEATURES_INIT;
    _cleanup_json_ struct json *j = NULL;
    _cleanup_free_ char *text = NULL;
    enum arch arch;

    if (argc != 3 || arch_from_string(argv[1], &arch) < 0) {
        fprintf(stderr, "usage: probe-features ARCH BINARY\n");
        return 2;
    }
    if (qemu_probe(argv[2], arch, /* cache_dir= */ NULL, &f, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    j = qemu_features_to_json(&f);
    text = json_dump(j);
    puts(text);
    return 0;
}
