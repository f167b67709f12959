/* SPDX-License-Identifier: Apache-2.0 */
/* cima-query: runs one program of jq over JSON values (protocol.h). A program of its own because
 * libjq costs start-up time, and because what it computes is told by somebody from outside: it has no
 * environment, opens no file, starts no process, and ends when it takes too much. */
#include "base/macro.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/sbuf.h"
#include "query/protocol.h"
#include "query/query.h"
#include <errno.h>
#include <jq.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* ---- output ----------------------------------------------------------------------------------- */

static size_t written;

static void put(const char *s, size_t len)
{
    if (fwrite(s, 1, len, stdout) != len)
        _exit(1);
    written += len;
}

/* The end. What is allocated stays: to free a value that is nested deeply may take all the stack. */
static void fail(const char *text) __attribute__((noreturn));
static void fail(const char *text)
{
    _cleanup_sbuf_ struct sbuf line = SBUF_INIT;

    sbuf_addstr(&line, "fail ");
    sbuf_add_printable(&line, text, strnlen(text, 2000));
    sbuf_addch(&line, '\n');
    put(line.buf, line.len);
    fflush(stdout);
    _exit(0);
}

static void on_no_memory(void *arg)
{
    static const char text[] = "fail it needs too much memory\n";

    (void)arg;
    fflush(stdout);
    (void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
    _exit(0);
}

/* ---- limits ----------------------------------------------------------------------------------- */

static void limit(int what, rlim_t soft, rlim_t hard)
{
    const struct rlimit l = {soft, hard};

    (void)setrlimit((__rlimit_resource_t)what, &l);
}

static void confine(void)
{
    (void)clearenv();
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    limit(RLIMIT_CORE, 0, 0);
    limit(RLIMIT_CPU, QUERY_CPU_SECONDS, QUERY_CPU_SECONDS + 1);
    limit(RLIMIT_NOFILE, 0, 0);
    limit(RLIMIT_FSIZE, 0, 0);
#if !WITH_ASAN /* whose shadow takes terabytes, and whose look for leaks a process */
    limit(RLIMIT_NPROC, 0, 0);
    limit(RLIMIT_AS, QUERY_MEMORY_MAX, QUERY_MEMORY_MAX);
#endif
}

/* ---- input ------------------------------------------------------------------------------------ */

/* "WORD LEN\n" and the bytes. NULL when another word comes. Caller frees. */
static char *take_block(const char *word, size_t *ret_len)
{
    char line[64];
    uint64_t len;
    size_t n = strlen(word);

    if (!fgets(line, sizeof(line), stdin))
        fail("its input has no end");
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, word, n) != 0 || line[n] != ' ')
        return NULL;
    if (parse_uint(line + n + 1, QUERY_INPUT_MAX, &len) < 0)
        fail("its input is nonsense");
    char *block = xmalloc(len + 1);
    if (fread(block, 1, len, stdin) != len)
        fail("its input has no end");
    block[len] = '\0';
    *ret_len = len;
    return block;
}

/* ---- values ----------------------------------------------------------------------------------- */

static bool too_deep(jv v, unsigned depth)
{
    bool deep = false;

    if (jv_get_kind(v) == JV_KIND_ARRAY) {
        deep = depth >= QUERY_DEPTH_MAX;
        for (int i = 0, n = jv_array_length(jv_copy(v)); !deep && i < n; i++) {
            jv item = jv_array_get(jv_copy(v), i);

            deep = too_deep(item, depth + 1);
            jv_free(item);
        }
    } else if (jv_get_kind(v) == JV_KIND_OBJECT) {
        deep = depth >= QUERY_DEPTH_MAX;
        for (int i = jv_object_iter(v); !deep && jv_object_iter_valid(v, i);
             i = jv_object_iter_next(v, i)) {
            jv item = jv_object_iter_value(v, i);

            deep = too_deep(item, depth + 1);
            jv_free(item);
        }
    }
    return deep;
}

static void put_value(jv v)
{
    char head[64];

    if (too_deep(v, 0))
        fail("a result is nested too deeply");
    jv text = jv_dump_string(v, 0);
    const char *s = jv_string_value(text);
    size_t len = strlen(s);
    if (len > QUERY_OUTPUT_MAX || written > QUERY_OUTPUT_MAX - len)
        fail("its results are too large");
    int n = snprintf(head, sizeof(head), "value %zu\n", len);
    put(head, (size_t)n);
    put(s, len);
    jv_free(text);
}

/* The error that a value stands for, as a line. */
static void fail_with(jv message)
{
    if (jv_get_kind(message) != JV_KIND_STRING)
        message = jv_dump_string(message, 0);
    fail(jv_string_value(message));
}

static void run(jq_state *jq, char *input, size_t len)
{
    jv value = jv_parse_sized(input, (int)len);

    free(input);
    if (!jv_is_valid(value))
        fail_with(jv_invalid_get_msg(value));
    put("next\n", 5);
    jq_start(jq, value, 0);
    for (;;) {
        jv result = jq_next(jq);

        if (!jv_is_valid(result)) {
            if (jv_invalid_has_msg(jv_copy(result)))
                fail_with(jv_invalid_get_msg(result));
            jv_free(result);
            return;
        }
        put_value(result);
    }
}

/* The first word about a program that jq refuses: what it sees in constants ("{(1): 2}"). Its places
 * are those of the translation, so they are cut off. */
static void on_message(void *arg, jv message)
{
    static const char prefix[] = "jq: error: ";
    char *text, *end;

    (void)arg;
    if (jv_get_kind(message) != JV_KIND_STRING)
        fail_with(message);
    text = xstrdup(jv_string_value(message));
    end = strstr(text, " at <");
    if (end)
        *end = '\0';
    fail(str_starts(text, prefix) ? text + strlen(prefix) : text);
}

int main(void)
{
    size_t len;
    char *block;

    confine();
    jv_nomem_handler(on_no_memory, NULL);
    jq_state *jq = jq_init();
    if (!jq)
        fail("jq cannot be set up");
    jq_set_error_cb(jq, on_message, NULL);
    block = take_block("program", &len);
    if (!block || !jq_compile(jq, block))
        fail("jq does not understand the program");
    free(block);
    while ((block = take_block("input", &len)))
        run(jq, block, len);
    put("done\n", 5);
    fflush(stdout);
    _exit(0);
}
