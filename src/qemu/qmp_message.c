/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what QEMU's monitors say. */
#include "qemu/qmp_message.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/strv.h"

/* Not exact, and never too low for a line that is JSON: commas and opening brackets outside of
 * texts.
 */
static size_t count_values(const char *line, size_t len)
{
    bool in_text = false;
    size_t n = 1;

    for (const char *c = line, *end = line + len; c < end; c++)
        if (in_text && *c == '\\')
            c++;
        else if (*c == '"')
            in_text = !in_text;
        else if (!in_text && (*c == ',' || *c == '{' || *c == '['))
            n++;
    return n;
}

int qmp_parse_line(const char *line, size_t len, enum qmp_line *ret_kind, struct json **ret,
                   struct err *err)
{
    struct json *j;

    if (len > QMP_VALUES_LIMIT && count_values(line, len) > QMP_VALUES_LIMIT)
        return err_set(err, ERR_PROTOCOL, "message of QEMU: more than %d values", QMP_VALUES_LIMIT);
    j = json_parse(line, len, "message of QEMU", err);
    if (!j)
        return -1;
    if (!json_is_object(j)) {
        json_free(j);
        return err_set(err, ERR_PROTOCOL, "message of QEMU: not an object");
    }
    if (json_is_object(json_get(j, "QMP")))
        *ret_kind = QMP_LINE_GREETING;
    else if (json_get_str(j, "event"))
        *ret_kind = QMP_LINE_EVENT;
    else if (json_get(j, "return") || json_get(j, "error"))
        *ret_kind = QMP_LINE_REPLY;
    else
        *ret_kind = QMP_LINE_OTHER;
    *ret = j;
    return 0;
}

/* ---- for logs -------------------------------------------------------------------------------- */

static void hide(struct json *object, const char *key)
{
    if (json_get(object, key))
        json_set_str(object, key, "***");
}

/* The words of HMP behind the first one, when one of them speaks of a password. */
static void hide_in_hmp(struct json *args)
{
    const char *line = json_get_str(args, "command-line");
    _cleanup_free_ char *shown = NULL;

    if (!line || !strcasestr(line, "passw"))
        return;
    shown = xasprintf("%.*s ***", (int)strcspn(line, " "), line);
    json_set_str(args, "command-line", shown);
}

char *qmp_without_passwords(const char *line, const struct json *line_args)
{
    _cleanup_json_ struct json *shown = NULL;
    _cleanup_err_ struct err err = ERR_INIT;
    struct json *args;

    if (!json_is_object(line_args))
        return xstrdup(line);
    shown = json_parse(line, strlen(line), "line", &err);
    args = json_get(shown, "arguments");
    if (!args)
        return xstrdup("(a line that is not shown)"); /* deeper than our parser goes */
    hide(args, "password");
    hide_in_hmp(args);
    /* object-add of a secret; before QEMU 6.0 its properties stood in "props" (one level down). */
    if (str_starts(json_get_str(args, "qom-type") ? json_get_str(args, "qom-type") : "",
                   "secret")) {
        hide(args, "data");
        hide(json_get(args, "props"), "data");
    }
    if (json_get_str(args, "property") && strcasestr(json_get_str(args, "property"), "passw"))
        hide(args, "value");
    return json_dump(shown);
}

int qmp_version(const struct json *j, unsigned ret[3])
{
    static const char *const parts[] = {"major", "minor", "micro"};
    const struct json *v = json_get(j, "version") ? json_get(j, "version") : j;
    unsigned found[3];

    v = json_get(v, "qemu");
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        int64_t n = json_get_int(v, parts[i], -1);

        if (n < 0 || n > 10000)
            return -1;
        found[i] = (unsigned)n;
    }
    memcpy(ret, found, sizeof(found));
    return 0;
}

/* Lines of libslirp's connection table look like
 *   TCP[HOST_FORWARD]  12       127.0.0.1 40937       10.0.2.15    22     0     0
 * state, fd, source address and port, destination address and port, two queue lengths. */
uint16_t qmp_usernet_port(const char *text, uint16_t guest_port)
{
    _cleanup_strv_ struct strv lines = STRV_INIT;

    strv_split(&lines, text, '\n');
    for (size_t i = 0; i < lines.n; i++) {
        char *save = NULL, *words[6];
        uint16_t host, guest;
        size_t n = 0;

        for (char *w = strtok_r(lines.v[i], " \t\r", &save); w && n < ARRAY_SIZE(words);
             w = strtok_r(NULL, " \t\r", &save))
            words[n++] = w;
        if (n == ARRAY_SIZE(words) && streq(words[0], "TCP[HOST_FORWARD]") &&
            parse_port(words[3], &host) == 0 && parse_port(words[5], &guest) == 0 &&
            guest == guest_port)
            return host;
    }
    return 0;
}
