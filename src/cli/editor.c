/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/editor.h"
#include "base/fs.h"
#include "base/mem.h"
#include "template/template.h"
#include "sys/spawn.h"
#include <errno.h>
#include <signal.h>

/* ---- text ------------------------------------------------------------------------------------ */

static const char bom[] = "\xef\xbb\xbf";

static size_t bom_length(const char *text, size_t len)
{
    return len >= 3 && memcmp(text, bom, 3) == 0 ? 3 : 0;
}

static bool is_utf16(const char *text, size_t len)
{
    return len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);
}

/* Length of the line at p with its line end. */
static size_t line_length(const char *p, size_t left)
{
    const char *end = memchr(p, '\n', left);

    return end ? (size_t)(end - p) + 1 : left;
}

void editor_add_hints(const char *text, size_t len, const char *hints, struct sbuf *out)
{
    size_t skip = bom_length(text, len), first = line_length(text, len);
    bool crlf = first >= 2 && memcmp(text + first - 2, "\r\n", 2) == 0;

    sbuf_add(out, text, skip);
    for (const char *p = is_utf16(text, len) ? "" : hints; *p;) {
        size_t n = strcspn(p, "\n");

        sbuf_add(out, p, n);
        sbuf_addstr(out, crlf ? "\r\n" : "\n");
        p += n + (p[n] == '\n');
    }
    sbuf_add(out, text + skip, len - skip);
}

/* Line without line end and blanks before it. */
static size_t trimmed(const char *line, size_t n)
{
    while (n && strchr(" \t\r\n", line[n - 1]))
        n--;
    return n;
}

void editor_remove_hints(const char *text, size_t len, const char *hints, struct sbuf *out)
{
    size_t skip = bom_length(text, len);
    _cleanup_strv_ struct strv left = STRV_INIT;

    strv_split(&left, hints, '\n');
    sbuf_add(out, text, skip);
    for (size_t at = skip, n; at < len; at += n) {
        bool hint = false;

        n = line_length(text + at, len - at);
        size_t word = trimmed(text + at, n);
        for (size_t k = 0; word && k < left.n && !hint; k++) {
            hint = strlen(left.v[k]) == word && memcmp(left.v[k], text + at, word) == 0;
            if (hint)
                left.v[k][0] = '\0';
        }
        if (!hint)
            sbuf_add(out, text + at, n);
    }
}

bool editor_is_blank(const char *text, size_t len)
{
    for (size_t i = bom_length(text, len); i < len; i++)
        if (!text[i] || !strchr(" \t\r\n", text[i]))
            return false;
    return true;
}

static size_t without_line_end(const char *text, size_t len)
{
    if (len && text[len - 1] == '\n')
        len--;
    if (len && text[len - 1] == '\r')
        len--;
    return len;
}

bool editor_is_same(const char *a, size_t a_len, const char *b, size_t b_len)
{
    a_len = without_line_end(a, a_len);
    b_len = without_line_end(b, b_len);
    return a_len == b_len && memcmp(a, b, a_len) == 0;
}

/* ---- program --------------------------------------------------------------------------------- */

static int from_environment(const char *variable, const char *value, struct strv *ret,
                            struct err *err)
{
    _cleanup_strv_ struct strv words = STRV_INIT;

    if (strv_split_shell(&words, value) < 0 || !words.n || !*words.v[0]) {
        err_set(err, ERR_USAGE, "cannot understand the environment variable %s: '%s'", variable,
                value);
        return err_hint(err, "write the command as in a shell, with its quotes closed");
    }
    _cleanup_free_ char *program = find_program(words.v[0]);
    if (!program) {
        err_set(err, ERR_NOT_FOUND, "the editor '%s' was not found or can't be executed",
                words.v[0]);
        return err_hint(err, "the name comes from $%s", variable);
    }
    strv_push(ret, program);
    for (size_t i = 1; i < words.n; i++)
        strv_push(ret, words.v[i]);
    return 0;
}

int editor_command(struct strv *ret, struct err *err)
{
    static const char *const variables[] = {"VISUAL", "EDITOR"};
    static const char *const usual[] = {"editor", "nano", "vim", "vi"};

    for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
        const char *value = getenv(variables[i]);

        if (!str_empty(value))
            return from_environment(variables[i], value, ret, err);
    }
    for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
        char *program = find_program(usual[i]);

        if (program) {
            strv_push_consume(ret, program);
            return 0;
        }
    }
    err_set(err, ERR_NOT_FOUND, "no editor was found");
    return err_hint(err, "set EDITOR to the one to use, or install nano");
}

/* In the foreground on our terminal. Ctrl-C and Ctrl-\ reach the whole process group: the editor
 * decides what they mean. */
static int run_program(const struct strv *argv, int *ret_status, struct err *err)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction interrupt, quit;
    struct spawn s = SPAWN_INIT;
    _cleanup_child_ struct child child = CHILD_INIT;

    s.argv = (const char *const *)argv->v;
    s.stdin_fd = STDIN_FILENO;
    s.stdout_fd = STDOUT_FILENO;
    s.stderr_fd = STDERR_FILENO;
    sigaction(SIGINT, &ignore, &interrupt);
    sigaction(SIGQUIT, &ignore, &quit);
    int r = spawn_child(&s, &child, err);
    if (r == 0 && child_wait(&child, -1, ret_status) < 0)
        r = err_set_errno(err, ERR_IO, "cannot wait for the editor");
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGQUIT, &quit, NULL);
    return r;
}

static int edit_file(const char *path, char **ret, size_t *ret_len, struct err *err)
{
    _cleanup_strv_ struct strv argv = STRV_INIT;
    _cleanup_err_ struct err why = ERR_INIT;
    int status = 0;

    if (editor_command(&argv, err) < 0)
        return -1;
    strv_push(&argv, path);
    fflush(NULL);
    if (run_program(&argv, &status, err) < 0)
        return -1;
    if (status != 0) {
        _cleanup_free_ char *how = wait_status_text(status);

        err_set(err, ERR_STATE, "the editor '%s' %s: nothing was changed", argv.v[0], how);
        return err_hint(err, "EDITOR or VISUAL names another one");
    }
    *ret = file_read(path, TEMPLATE_MAX, ret_len, &why);
    if (*ret)
        return 0;
    if (why.kind != ERR_NOT_FOUND)
        return err_move(err, &why);
    *ret = xstrdup("");
    *ret_len = 0;
    return 0;
}

int editor_run(const char *temp_dir, const char *name, const char *hints, const char *text,
               size_t len, char **ret, size_t *ret_len, struct err *err)
{
    /* A directory, because editors put copies beside the file. 0700 by mkdtemp. */
    _cleanup_free_ char *dir = xasprintf("%s/cima-edit-XXXXXX", temp_dir), *read = NULL;
    _cleanup_sbuf_ struct sbuf shown = SBUF_INIT, left = SBUF_INIT;
    size_t read_len = 0;

    if (!mkdtemp(dir))
        return err_set_errno(err, ERR_IO, "cannot make a directory in '%s'", temp_dir);
    _cleanup_free_ char *path = xasprintf("%s/%s.yaml", dir, name);
    editor_add_hints(text, len, hints, &shown);
    int r = file_write_atomic(path, sbuf_str(&shown), shown.len, 0600, err);
    if (r == 0)
        r = edit_file(path, &read, &read_len, err);
    (void)dir_remove(dir, NULL);
    if (r < 0)
        return -1;
    editor_remove_hints(read, read_len, hints, &left);
    *ret_len = left.len;
    *ret = sbuf_detach(&left);
    return 0;
}
