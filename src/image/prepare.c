/* SPDX-License-Identifier: Apache-2.0 */
/* From the configuration's list of images to files in the instance directory (DL-05). */
#include "image/image.h"
#include "image/internal.h"
#include "base/fs.h"
#include "base/mem.h"
#include <ctype.h>
#include <pwd.h>
#include <strings.h>

struct job {
    const struct store *store;
    const struct config_instance *cfg;
    const char *base_dir;
    const struct instance *inst;
    const struct image_report *report;
    struct sbuf attempts; /* one line per image that was not used */
    unsigned tried;
    struct err last; /* of the last one that was tried */
};

/* "scheme" when the location is scheme:…, else NULL. Caller frees. */
static char *url_scheme(const char *location)
{
    size_t n =
        strspn(location, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
    if (n < 2 || location[n] != ':' || !isalpha((unsigned char)location[0]))
        return NULL;
    /* A file called "a:b" is a path; a scheme that we know, or "//" behind it, makes it a URL. */
    static const char *const known[] = {"http", "https", "file", "oci", "template", "github"};
    _cleanup_free_ char *scheme = xstrndup(location, n);
    if (str_starts(location + n, "://"))
        return TAKE_PTR(scheme);
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (streq(known[i], scheme))
            return TAKE_PTR(scheme);
    return NULL;
}

static char *home_path(const char *rest)
{
    const char *home = getenv("HOME");
    if (str_empty(home)) {
        const struct passwd *pw = getpwuid(getuid());
        home = pw ? pw->pw_dir : "/";
    }
    return path_join(home, *rest ? rest : ".");
}

bool image_is_url(const char *location)
{
    return strncasecmp(location, "http://", 7) == 0 || strncasecmp(location, "https://", 8) == 0;
}

char *image_local_path(const char *location, const char *base_dir, struct err *err)
{
    if (str_starts(location, "file:///"))
        return path_normalise("/", location + strlen("file://"));
    _cleanup_free_ char *scheme = url_scheme(location);
    if (scheme) {
        err_set(err, ERR_UNSUPPORTED, "'%s': locations with '%s:' are not supported", location,
                scheme);
        err_hint(err, "use https://…, a path (absolute, or starting with ~/) or file:///PATH");
        return NULL;
    }
    if (location[0] == '~' && (!location[1] || location[1] == '/'))
        return home_path(location[1] ? location + 2 : "");
    return path_normalise(base_dir ? base_dir : ".", location);
}

static int check_location(const char *location, struct err *err)
{
    if (str_empty(location))
        return err_set(err, ERR_CONFIG, "`location` is empty");
    if (!image_is_url(location))
        return 0;
    for (const char *p = location; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f) {
            err_set(err, ERR_CONFIG, "'%s': a URL has no blanks and no control characters",
                    location);
            return err_hint(err, "write a blank as %%20");
        }
    return 0;
}

static int fetch(struct fetcher *f, const char *base_dir, const char *digest, struct want *w,
                 struct image_file *ret, struct err *err)
{
    struct digest d;
    if (check_location(w->location, err) < 0)
        return -1;
    if (!str_empty(digest)) {
        if (digest_parse(digest, &d, err) < 0)
            return -1;
        w->digest = &d;
    }
    if (image_is_url(w->location))
        return image_cache_url(f, w->location, w, ret, err);
    _cleanup_free_ char *path = image_local_path(w->location, base_dir, err);
    return path ? image_cache_local(f, path, w, ret, err) : -1;
}

/* One of the three files of an entry; none when it has no location. */
static int fetch_file(struct fetcher *f, const struct job *j, const char *arch,
                      enum image_purpose purpose, const char *location, const char *digest,
                      struct image_file *ret, struct err *err)
{
    struct want w = {location, NULL, purpose, arch ? arch : "?"};
    if (purpose != IMAGE_FOR_DISK && str_empty(location))
        return 0;
    if (fetch(f, j->base_dir, digest, &w, ret, err) == 0)
        return 0;
    return purpose == IMAGE_FOR_DISK ? -1 : err_wrap(err, "%s", image_purpose_to_string(purpose));
}

static int place(const struct job *j, const struct image_file *file, enum inst_file f,
                 struct err *err)
{
    if (file->fd < 0)
        return 0;
    _cleanup_free_ char *to = instance_path(j->inst, f);
    return image_place(file, to, err);
}

static void remove_file(const struct job *j, enum inst_file f)
{
    _cleanup_free_ char *path = instance_path(j->inst, f);
    (void)unlink(path);
}

static int write_cmdline(const struct job *j, const char *cmdline, struct err *err)
{
    if (!cmdline)
        return 0;
    _cleanup_free_ char *path = instance_path(j->inst, INST_KERNEL_CMDLINE);
    return file_write_atomic(path, cmdline, strlen(cmdline), 0600, err);
}

/* A raw disk can have any content; but bytes of that name are more often a download gone wrong. The
 * other way round is usual: many a file.img is a qcow2. */
static void warn_of_name(const struct job *j, const char *location, const struct image_info *info)
{
    static const char ending[] = ".qcow2";
    const char *at = strstr(path_basename(location), ending);

    if (info->format == IMAGE_RAW && at && strchr(".?#", at[strlen(ending)]))
        image_note(j->report, LOG_WARN,
                   "'%s' is no qcow2 image, as its name says: it is used as a raw disk; if it does "
                   "not boot, fetch or build it again",
                   location);
}

/* Everything of one entry is fetched before anything is placed: a missing kernel must not leave its
 * image behind for the next entry's. */
static int use_image(const struct job *j, const struct config_image *im, const char *arch,
                     struct image_result *ret, struct err *err)
{
    _cleanup_(fetcher_release) struct fetcher f = {.store = j->store, .report = j->report};
    _cleanup_image_file_ struct image_file disk = IMAGE_FILE_INIT, kernel = IMAGE_FILE_INIT,
                                           initrd = IMAGE_FILE_INIT;
    if (fetch_file(&f, j, arch, IMAGE_FOR_DISK, im->location, im->digest, &disk, err) < 0 ||
        fetch_file(&f, j, arch, IMAGE_FOR_KERNEL, im->kernel.location, im->kernel.digest, &kernel,
                   err) < 0 ||
        fetch_file(&f, j, arch, IMAGE_FOR_INITRD, im->initrd.location, im->initrd.digest, &initrd,
                   err) < 0)
        return -1;
    remove_file(j, INST_KERNEL);
    remove_file(j, INST_KERNEL_CMDLINE);
    remove_file(j, INST_INITRD);
    if (place(j, &kernel, INST_KERNEL, err) < 0 ||
        (kernel.fd >= 0 && write_cmdline(j, im->kernel.cmdline, err) < 0) ||
        place(j, &initrd, INST_INITRD, err) < 0 || place(j, &disk, INST_IMAGE, err) < 0)
        return -1;
    warn_of_name(j, im->location, &disk.info);
    *ret = (struct image_result){disk.info, kernel.fd >= 0, initrd.fd >= 0};
    return 0;
}

/* ---- choice --------------------------------------------------------------------------------- */

static const char *image_arch(const struct config_instance *cfg, const struct config_image *im)
{
    return str_empty(im->arch) ? cfg->arch : im->arch;
}

static bool same_text(const char *a, const char *b)
{
    return streq(a ? a : "", b ? b : "");
}

static void note(struct job *j, unsigned index, const char *fmt, ...) PRINTF_FORMAT(3, 4);
static void note(struct job *j, unsigned index, const char *fmt, ...)
{
    const struct config_image *im = &j->cfg->images[index];
    va_list ap;
    va_start(ap, fmt);
    if (j->attempts.len)
        sbuf_addch(&j->attempts, '\n');
    sbuf_addf(&j->attempts, "images[%u] %s: ", index, im->location ? im->location : "");
    sbuf_vaddf(&j->attempts, fmt, ap);
    va_end(ap);
}

/* NULL when the image is a candidate; else why not. *first is the first image of the architecture.
 */
static char *skip_reason(const struct config_instance *cfg, const struct config_image *im,
                         const struct config_image **first)
{
    const char *arch = image_arch(cfg, im);
    if (!same_text(arch, cfg->arch))
        return xasprintf("skipped: it is for %s, the instance is %s", arch, cfg->arch);
    if (!*first)
        *first = im;
    if (!same_text(im->variant, (*first)->variant))
        return xasprintf("skipped: its variant is `%s`, the first choice is `%s`",
                         im->variant ? im->variant : "",
                         (*first)->variant ? (*first)->variant : "");
    if (!same_text(im->arch_variant, (*first)->arch_variant))
        return xasprintf("skipped: its archVariant is `%s`, the first choice is `%s`",
                         im->arch_variant ? im->arch_variant : "",
                         (*first)->arch_variant ? (*first)->arch_variant : "");
    return NULL;
}

/* 0 when an image was used. */
static int try_all(struct job *j, struct image_result *ret)
{
    const struct config_image *first = NULL;
    for (unsigned i = 0; i < j->cfg->images_count; i++) {
        const struct config_image *im = &j->cfg->images[i];
        _cleanup_free_ char *skip = skip_reason(j->cfg, im, &first);
        if (skip) {
            note(j, i, "%s", skip);
            continue;
        }
        _cleanup_err_ struct err e = ERR_INIT;
        if (use_image(j, im, image_arch(j->cfg, im), ret, &e) == 0)
            return 0;
        _cleanup_free_ char *line = err_line(&e);
        note(j, i, "%s", line);
        j->tried++;
        err_clear(&j->last);
        err_move(&j->last, &e);
        if (j->last.kind == ERR_INTERRUPTED)
            return -1;
        if (i + 1 < j->cfg->images_count)
            image_note(j->report, LOG_WARN, "%s", line);
    }
    return -1;
}

static int report(struct job *j, struct err *err)
{
    if (j->cfg->images_count == 0) {
        err_set(err, ERR_CONFIG,
                "no images are configured (did you set --image-variant or "
                "--arch-variant to a value not present in the template?)");
        return err_hint(err, "give the YAML an `images` list with a `location`");
    }
    if (j->last.kind == ERR_INTERRUPTED)
        return err_move(err, &j->last);
    if (j->tried == 1 && j->cfg->images_count == 1) {
        err_move(err, &j->last);
        return err_wrap(err, "images[0]");
    }
    if (j->tried == 0)
        err_set(err, ERR_CONFIG, "no image for the architecture `%s`",
                j->cfg->arch ? j->cfg->arch : "");
    else
        err_set(err, j->last.kind, "none of the %u images for `%s` can be used", j->tried,
                j->cfg->arch ? j->cfg->arch : "");
    return err_detail(err, sbuf_str(&j->attempts));
}

int image_prepare(const struct store *s, const struct config_instance *cfg, const char *base_dir,
                  const struct instance *inst, const struct image_report *r,
                  struct image_result *ret, struct err *err)
{
    static const struct image_report silent;
    struct job j = {s, cfg, base_dir, inst, r ? r : &silent, SBUF_INIT, 0, ERR_INIT};
    int used = try_all(&j, ret);
    if (used < 0)
        report(&j, err);
    sbuf_release(&j.attempts);
    err_clear(&j.last);
    return used;
}

int image_fetch_firmware(const struct store *s, const char *location, const char *digest,
                         const char *arch, const char *base_dir, const struct image_report *r,
                         const char *to, struct err *err)
{
    static const struct image_report silent;
    _cleanup_(fetcher_release) struct fetcher f = {.store = s, .report = r ? r : &silent};
    _cleanup_image_file_ struct image_file file = IMAGE_FILE_INIT;
    struct want w = {location, NULL, IMAGE_FOR_FIRMWARE, arch};

    return fetch(&f, base_dir, digest, &w, &file, err) < 0 ? -1 : image_place(&file, to, err);
}
