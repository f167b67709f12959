/* SPDX-License-Identifier: Apache-2.0 */
/* The values of the flags: what they look like, what follows from them alone. */
#include "run/internal.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/parse.h"
#include <errno.h>
#include <strings.h>

void run_request_release(struct run_request *r)
{
    for (size_t i = 0; i < r->n_disks; i++) {
        free(r->disks[i].path);
        free(r->disks[i].format);
    }
    free(r->disks);
    free(r->image);
    free(r->data);
    free(r->data_file);
    free(r->fw);
    free(r->state);
    free(r->accel);
    free(r->arch);
    free(r->qemu);
    free(r->networking);
    free(r->virtiofsd);
    strv_release(&r->publish);
    strv_release(&r->devices);
    strv_release(&r->virtiofs);
    *r = (struct run_request)RUN_REQUEST_INIT;
}

/* So many MiB are more than there is anywhere, and still a number of bytes. */
#define MIB_MAX ((uint64_t)INT64_MAX >> 20)

/* Digits and nothing else, at most max. */
static int parse_digits(const char *s, size_t len, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;

    if (len == 0)
        return -1;
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned char)s[i] - (unsigned)'0';

        if (digit > 9 || v > (max - digit) / 10)
            return -1;
        v = v * 10 + digit;
    }
    *ret = v;
    return 0;
}

int run_parse_number(const char *text, uint64_t *ret)
{
    return strchr(text, '+') ? -1 : parse_uint(text, MIB_MAX, ret);
}

/* ---- disks ----------------------------------------------------------------------------------- */

/* A number with G, M or, as G, no unit, in MiB; nothing at all is 0 (S0-80). */
static int parse_disk_size(const char *text, uint64_t *ret)
{
    size_t len = strlen(text);
    uint64_t unit = 1024;

    if (len == 0) {
        *ret = 0;
        return 0;
    }
    if (text[len - 1] == 'M' || text[len - 1] == 'G')
        unit = text[--len] == 'M' ? 1 : 1024;
    if (parse_digits(text, len, MIB_MAX / unit, ret) < 0)
        return -1;
    *ret *= unit;
    return 0;
}

static int set_disk_key(struct run_disk *d, const char *key, const char *value, struct err *err)
{
    static const char *const keys[] = {"file", "size", "format"};

    if (streq(key, "file") || streq(key, "format")) {
        char **at = *key == 'f' && key[1] == 'i' ? &d->path : &d->format;

        free(*at);
        *at = *value ? xstrdup(value) : NULL;
        return 0;
    }
    if (streq(key, "size")) {
        if (parse_disk_size(value, &d->mib) == 0)
            return 0;
        err_set(err, ERR_USAGE, "disk size '%s' is not a number with G or M behind it", value);
        return err_hint(err, "for example size=10G or size=512M; without a unit it is G");
    }
    const char *near = str_nearest(key, keys, ARRAY_SIZE(keys));
    err_set(err, ERR_USAGE, "Unknown disk config: %s", key);
    if (near)
        return err_hint(err, "did you mean '%s='?", near);
    return err_hint(err, "the form is [file=]path[,size=1G][,format=qcow2]");
}

static int parse_disk(const char *text, struct run_disk *d, struct err *err)
{
    _cleanup_strv_ struct strv parts = STRV_INIT;

    strv_split(&parts, text, ',');
    for (size_t i = 0; i < parts.n; i++) {
        char *equals = strchr(parts.v[i], '=');

        if (equals)
            *equals = '\0';
        /* Without a key it is the path. */
        if (set_disk_key(d, equals ? parts.v[i] : "file", equals ? equals + 1 : parts.v[i], err) <
            0)
            return -1;
    }
    return 0;
}

int run_request_add_disk(struct run_request *r, const char *text, struct err *err)
{
    GROW_ARRAY(r->disks, r->n_disks, r->cap_disks);
    struct run_disk *d = &r->disks[r->n_disks++];
    *d = (struct run_disk){0};
    return parse_disk(text, d, err);
}

/* ---- ports ----------------------------------------------------------------------------------- */

static int bad_port(struct err *err, const char *text, const char *why)
{
    err_set(err, ERR_USAGE, "%s: got '%s'", why, text);
    return err_hint(err, "for example --publish 8080:80 or --publish 5353:53/udp");
}

/* One of the two numbers. */
static int parse_port_number(const char *text, const char *s, size_t len, const char *which,
                             uint16_t *ret, struct err *err)
{
    _cleanup_free_ char *why = NULL;
    uint64_t v;

    if (parse_digits(s, len, UINT16_MAX, &v) < 0)
        why = xasprintf("The provided %s can't be converted to uint16", which);
    else if (v == 0)
        why = xasprintf("Invalid %s: 0", which);
    if (why)
        return bad_port(err, text, why);
    *ret = (uint16_t)v;
    return 0;
}

/* "tcp" or "udp" in any case, with blanks around it. */
static int parse_protocol(const char *s, bool *ret_udp)
{
    size_t len;

    s += strspn(s, " \t");
    len = strcspn(s, " \t");
    if (s[len + strspn(s + len, " \t")] || len != 3)
        return -1;
    *ret_udp = strncasecmp(s, "udp", 3) == 0;
    return *ret_udp || strncasecmp(s, "tcp", 3) == 0 ? 0 : -1;
}

int run_parse_port(const char *text, struct run_port *ret, struct err *err)
{
    const char *colon = strchr(text, ':'), *slash = colon ? strchr(colon, '/') : NULL;
    struct run_port p = {0};

    if (!colon || strchr(colon + 1, ':'))
        return bad_port(err, text,
                        "Unable to parse the ports to be published, should be in format "
                        "<host>:<guest> or <host>:<guest>/<tcp|udp>");
    if (parse_port_number(text, text, (size_t)(colon - text), "hostPort", &p.host, err) < 0)
        return -1;
    if (slash && parse_protocol(slash + 1, &p.udp) < 0)
        return bad_port(err, text,
                        "Provided protocol is not valid, valid options are: udp and tcp");
    size_t len = slash ? (size_t)(slash - colon - 1) : strlen(colon + 1);
    if (parse_port_number(text, colon + 1, len, "guestPort", &p.guest, err) < 0)
        return -1;
    *ret = p;
    return 0;
}

/* ---- paths ----------------------------------------------------------------------------------- */

char *run_boot_path(const struct run_request *r, const char *suffix)
{
    return xasprintf("%s-%s", r->image, suffix);
}

char *run_state_path(const struct run_request *r)
{
    size_t len = strlen(r->image);

    if (r->state)
        return xstrdup(r->state);
    if (len > 4 && str_ends(r->image, ".iso"))
        len -= 4;
    return xasprintf("%.*s-state", (int)len, r->image);
}

char *run_disk_path(const struct run_request *r, size_t i)
{
    const struct run_disk *d = &r->disks[i];
    _cleanup_free_ char *name = NULL;

    if (d->path)
        return xstrdup(d->path);
    if (!d->mib)
        return NULL;
    name = i ? xasprintf("disk%zu.img", i) : xstrdup("disk.img");
    return r->state ? path_join(r->state, name) : TAKE_PTR(name);
}

void run_request_paths(const struct run_request *r, struct strv *ret)
{
    static const char *const boot[] = {"kernel", "initrd.img", "cmdline", "squashfs.img"};
    _cleanup_free_ char *state = run_state_path(r);

    strv_push(ret, r->image);
    for (size_t i = 0; i < ARRAY_SIZE(boot); i++)
        strv_push_consume(ret, run_boot_path(r, boot[i]));
    for (size_t i = 0; i < r->n_disks; i++) {
        char *path = run_disk_path(r, i);

        if (path)
            strv_push_consume(ret, path);
    }
    for (size_t i = 0; i < r->virtiofs.n; i++)
        strv_push(ret, r->virtiofs.v[i]);
    if (r->data_file)
        strv_push(ret, r->data_file);
    if (r->uefi)
        strv_push(ret, r->fw ? r->fw : RUN_FIRMWARE);
    strv_push_consume(ret, path_join(state, RUN_MAC_FILE));
}
