/* SPDX-License-Identifier: Apache-2.0 */
#include "cidata/internal.h"
#include "base/mem.h"
#include "base/utf8.h"
#include <ctype.h>

/* Characters that a YAML reader would refuse or fold when they stand as they are: controls, the
 * line breaks of Unicode, the byte order mark. */
static bool yaml_needs_escape(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029 || c == 0xfeff ||
           c == 0xfffe || c == 0xffff;
}

int yaml_add_quoted(struct sbuf *out, const char *text, const char *what, struct err *err)
{
    size_t len = strlen(text);
    if (!utf8_valid(text, len))
        return err_set(err, ERR_CONFIG, "%s is not valid UTF-8", what);
    sbuf_addch(out, '"');
    for (size_t at = 0; at < len;) {
        uint32_t c;
        size_t n = utf8_decode(text + at, len - at, &c);
        if (c == '"' || c == '\\')
            sbuf_addf(out, "\\%c", (char)c);
        else if (c == '\n')
            sbuf_addstr(out, "\\n");
        else if (c == '\t')
            sbuf_addstr(out, "\\t");
        else if (yaml_needs_escape(c))
            sbuf_addf(out, c <= 0xff ? "\\x%02x" : "\\u%04x", c);
        else
            sbuf_add(out, text + at, n);
        at += n;
    }
    sbuf_addch(out, '"');
    return 0;
}

int yaml_add_item(struct sbuf *out, const char *indent, const char *text, const char *what,
                  struct err *err)
{
    sbuf_addf(out, "%s- ", indent);
    if (yaml_add_quoted(out, text, what, err) < 0)
        return -1;
    sbuf_addch(out, '\n');
    return 0;
}

int check_one_line(const char *what, const char *text, const char *also, struct err *err)
{
    for (const char *p = text; *p; p++)
        if (iscntrl((unsigned char)*p) || strchr(also, *p)) {
            _cleanup_sbuf_ struct sbuf shown = SBUF_INIT;
            sbuf_add_printable(&shown, text, strlen(text));
            err_set(err, ERR_CONFIG, "%s can't be handed to the guest: \"%s\" has a %s", what,
                    sbuf_str(&shown),
                    *p == '\n' || *p == '\r'     ? "line break"
                    : iscntrl((unsigned char)*p) ? "control character"
                                                 : "character that is not possible there");
            return err_hint(err, "change the value of %s", what);
        }
    return 0;
}

static bool is_env_name(const char *name)
{
    if (!isalpha((unsigned char)*name) && *name != '_')
        return false;
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '_')
            return false;
    return true;
}

int env_add(struct sbuf *out, const char *name, const char *value, struct err *err)
{
    if (!is_env_name(name)) {
        _cleanup_sbuf_ struct sbuf shown = SBUF_INIT;
        sbuf_add_printable(&shown, name, strlen(name));
        err_set(err, ERR_CONFIG, "\"%s\" can't be the name of a variable", sbuf_str(&shown));
        return err_hint(err, "use letters, digits and '_'");
    }
    /* A tab is harmless in a line; everything else that controls is not. */
    for (const char *p = value; *p; p++)
        if (*p != '\t' && check_one_line(name, (const char[]){*p, '\0'}, "", NULL) < 0)
            return check_one_line(name, value, "", err);
    sbuf_addf(out, "%s=%s\n", name, value);
    return 0;
}

int env_addf(struct sbuf *out, struct err *err, const char *name, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    _cleanup_free_ char *value = xvasprintf(fmt, ap);
    va_end(ap);
    return env_add(out, name, value, err);
}

char *fstab_escape(const char *text)
{
    struct sbuf out = SBUF_INIT;
    for (const char *p = text; *p; p++)
        if (strchr(" \t\n\\", *p))
            sbuf_addf(&out, "\\%03o", (unsigned)(unsigned char)*p);
        else
            sbuf_addch(&out, *p);
    return sbuf_detach(&out);
}
