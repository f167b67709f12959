/* SPDX-License-Identifier: Apache-2.0 */
/* Sound and display. */
#include "driver/qemu/plan_internal.h"
#include "base/mem.h"

#define AUDIO_ID "snd0"

/* ---- sound ----------------------------------------------------------------------------------- */

/* `default` is the first server that this QEMU can talk to (B-AUDIO). NULL with err. */
static const char *audio_backend(struct builder *b)
{
    static const char *const servers[] = {"pipewire", "pa", "alsa"};
    const struct strv *known = &b->in->features->audiodevs;
    const char *device = b->in->cfg->audio.device;
    _cleanup_free_ char *list = strv_join(known, ", ");

    if (!known->n && !streq(device, "default"))
        return device;
    if (streq(device, "default")) {
        if (!known->n)
            return "pa";
        for (size_t i = 0; i < ARRAY_SIZE(servers); i++)
            if (strv_contains(known, servers[i]))
                return servers[i];
    } else if (strv_contains(known, device)) {
        return device;
    }
    err_set(b->err, ERR_UNSUPPORTED, "field `audio.device`: '%s' is not offered by '%s'", device,
            b->in->exe);
    err_hint(b->err, "it offers: %s", list);
    return NULL;
}

static int plan_audio(struct builder *b)
{
    const struct config_audio *a = &b->in->cfg->audio;
    bool virtio = streq0(a->interface, "virtio");
    const char *backend;

    if (str_empty(a->device) || streq(a->device, "none"))
        return 0;
    if (!str_empty(a->interface) && !virtio && !streq(a->interface, "hda")) {
        err_set(b->err, ERR_CONFIG, "field `audio.interface`: '%s' is not known", a->interface);
        return err_hint(b->err, "hda or virtio");
    }
    backend = audio_backend(b);
    if (!backend)
        return -1;
    cima_cmdline_opts(b->plan->cmdline, "-audiodev", cima_audiodev(backend, AUDIO_ID));
    if (virtio &&
        !(b->in->features->version_known && qemu_features_at_least(b->in->features, 8, 2))) {
        plan_note(b, "virtio-sound requires QEMU 8.2.0 or newer. Falling back to intel-hda.");
        virtio = false;
    }
    if (virtio)
        return plan_device(b, "audio.interface", cima_sound("virtio-sound-pci", AUDIO_ID));
    if (plan_device(b, "audio.interface", cima_opts_new("driver", "ich9-intel-hda")) < 0)
        return -1;
    return plan_device(b, "audio.interface", cima_sound("hda-output", AUDIO_ID));
}

/* ---- display --------------------------------------------------------------------------------- */

/* The display type to take for one of the YAML; NULL with err. QEMU itself would open a VNC server
 * without a password where no window can be had (B-DISPLAY). */
static const char *display_type(struct builder *b, const char *type)
{
    static const char *const windows[] = {"gtk", "sdl"};
    const struct strv *known = &b->in->features->displays;
    _cleanup_free_ char *list = strv_join(known, ", ");

    if (streq(type, "cocoa")) {
        err_set(b->err, ERR_UNSUPPORTED, "field `video.display`: 'cocoa' is for macOS");
        err_hint(b->err, "set `video.display: default`, or `vnc`");
        return NULL;
    }
    if (!known->n || (strv_contains(known, type) && !streq(type, "default")))
        return type;
    for (size_t i = 0; streq(type, "default") && i < ARRAY_SIZE(windows); i++)
        if (strv_contains(known, windows[i]))
            return windows[i];
    err_set(b->err, ERR_UNSUPPORTED, "field `video.display`: '%s' is not offered by '%s'", type,
            b->in->exe);
    err_hint(b->err, "set `video.display: vnc`, or install 'qemu-system-gui'; it offers: %s", list);
    return NULL;
}

/* QEMU refuses everybody until a password is set over the monitor. (A password-secret would be the
 * same protocol, and the password could not be changed.) */
static struct cima_opts *vnc_opts(struct builder *b)
{
    const char *where = b->in->cfg->video.vnc.display;
    _cleanup_free_ char *text = xasprintf("vnc=%s", str_empty(where) ? "127.0.0.1:0,to=9" : where);
    struct cima_opts *o = cima_opts_parse(text, NULL, b->err);

    if (o)
        cima_opts_bool(o, "password", true);
    else
        err_wrap(b->err, "field `video.vnc.display`");
    return o;
}

/* The display of the YAML is an option text of QEMU ("gtk,gl=on"): read, checked, written again. */
static struct cima_opts *window_opts(struct builder *b)
{
    const char *text = b->in->cfg->video.display, *type;
    _cleanup_opts_ struct cima_opts *o = cima_opts_parse(text, "type", b->err);

    if (!o || !cima_opts_get(o, "type")) {
        if (o)
            err_set(b->err, ERR_CONFIG, "'%s' does not begin with a display type", text);
        err_wrap(b->err, "field `video.display`");
        return NULL;
    }
    type = display_type(b, cima_opts_get(o, "type"));
    if (!type)
        return NULL;
    if (!streq(type, cima_opts_get(o, "type")))
        cima_opts_str(o, "type", type);
    return TAKE_PTR(o);
}

static int plan_display(struct builder *b)
{
    const char *display = b->in->cfg->video.display;
    bool vnc = streq0(display, "vnc");
    struct cima_opts *o;

    if (str_empty(display) || streq(display, "none")) {
        plan_opts(b, "-display", cima_opts_new("type", "none"));
        return 0;
    }
    o = vnc ? vnc_opts(b) : window_opts(b);
    if (!o)
        return -1;
    plan_opts(b, "-display", o);
    if (plan_device(b, "video.display", cima_opts_new("driver", b->arch->gpu)) < 0 ||
        plan_device(b, "video.display", cima_virtio(b->arch->transport, "keyboard")) < 0)
        return -1;
    return plan_device(b, "video.display",
                       cima_virtio(b->arch->transport, vnc ? "tablet" : "mouse"));
}

int plan_desktop(struct builder *b)
{
    return plan_audio(b) < 0 || plan_display(b) < 0 ? -1 : 0;
}
