/* SPDX-License-Identifier: Apache-2.0 */
/* The main program of a fuzz target without a fuzzer: gives it every file of its corpus, and cheap
 * variations of each (cut at every length, each of its first bytes changed), so that `make check` runs them.
 *   fuzz_x [FILE...]     the files alone; without any: $srcdir/test/fuzz/corpus/FUZZ_NAME/ */
#include "base/fs.h"
#include "base/macro.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The sanitizers are who see something in a variation; without them a few show that all is well. */
enum { INPUT_MAX = 1 << 20, VARY_MAX = WITH_ASAN ? 4096 : 64 };

static unsigned long runs;

static void run(const char *data, size_t len)
{
    /* A block of the very size, so that a sanitizer sees a read behind it. */
    char *copy = xmalloc(len ? len : 1);

    memcpy(copy, data, len);
    LLVMFuzzerTestOneInput((const uint8_t *)copy, len);
    free(copy);
    runs++;
}

static void run_variations(char *data, size_t len)
{
    static const char changes[] = {'\0', '\n', ' ', '=', '-', '"', (char)0xff};

    for (size_t i = 0; i < len && i < VARY_MAX; i++) {
        char kept = data[i];

        run(data, i);
        for (size_t k = 0; k < sizeof(changes); k++) {
            data[i] = changes[k];
            run(data, len);
        }
        data[i] = kept;
    }
}

static int run_file(const char *path, bool vary)
{
    _cleanup_err_ struct err err = ERR_INIT;
    size_t len = 0;
    _cleanup_free_ char *data = file_read(path, INPUT_MAX, &len, &err);

    if (!data) {
        _cleanup_free_ char *line = err_line(&err);

        fprintf(stderr, "%s\n", line);
        return -1;
    }
    run(data, len);
    if (vary)
        run_variations(data, len);
    return 0;
}

static int run_corpus(void)
{
    const char *srcdir = getenv("srcdir");
    _cleanup_free_ char *dir =
        xasprintf("%s/test/fuzz/corpus/%s", srcdir ? srcdir : ".", FUZZ_NAME);
    _cleanup_strv_ struct strv names = STRV_INIT;
    size_t failed = 0;

    if (dir_list(dir, &names, NULL) < 0 || names.n == 0) {
        fprintf(stderr, "no corpus in %s\n", dir);
        return -1;
    }
    for (size_t i = 0; i < names.n; i++) {
        _cleanup_free_ char *path = path_join(dir, names.v[i]);

        if (run_file(path, true) < 0)
            failed++;
    }
    printf("%lu inputs\n%s: %zu passed, %zu failed\n", runs, FUZZ_NAME, names.n - failed, failed);
    return failed ? -1 : 0;
}

int main(int argc, char **argv)
{
    int r = 0;

    if (argc == 1)
        return run_corpus() < 0;
    for (int i = 1; i < argc; i++)
        r |= run_file(argv[i], false);
    return r < 0;
}
