/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a machine without disks, plugs one in over QMP, shows what the machine has then, and takes
 * it out again. The disk is described once: the same value could have been on the command line, and
 * this program prints how.
 *
 *   cc hotplug-disk.c -o hotplug-disk $(pkg-config --cflags --libs cima-qemu)
 *   ./hotplug-disk
 *
 * The machine does not run (-S); a SCSI disk needs no help of the guest to be taken out. */
#define _POSIX_C_SOURCE 200809L
#include <cima/qemu/qemu.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DISK_BYTES = 64 << 20, CONNECT_MS = 200, CONNECT_TRIES = 300, READY_MS = 60000 };

/* ---- the machine ------------------------------------------------------------------------------- */

static struct cima_cmdline *describe(const char *socket, struct cima_error *error)
{
    static const char *const accelerations[] = {"tcg", NULL};
    const struct cima_scsi_controller controller = {.place = {.id = "scsi0"}};
    const struct cima_device devices[] = {
        {.kind = CIMA_DEVICE_SCSI_CONTROLLER, .is.as_scsi_controller = &controller},
    };
    const struct cima_qmp_socket qmp = {.path = socket, .server = true};
    const struct cima_config machine = {
        .identity = {.name = "hotplug-disk"},
        .machine = {.type = "q35", .accelerations = accelerations},
        .memory = {.size = 64U << 20},
        .devices = devices,
        .n_devices = 1,
        .qmp_sockets = &qmp,
        .n_qmp_sockets = 1,
        .knobs = {.no_user_config = true, .no_defaults = true, .no_graphic = true,
                  .stopped = true},
    };

    return cima_config_cmdline(&machine, NULL, error);
}

static struct cima_process *start(const char *socket, struct cima_error *error)
{
    struct cima_cmdline *c = describe(socket, error);
    struct cima_process *qemu = c ? cima_launch(&(struct cima_launch){.cmdline = c}, error) : NULL;

    cima_cmdline_free(c);
    return qemu;
}

/* QEMU makes its socket soon after the start. NULL also when QEMU has ended: then with its reason. */
static struct cima_qmp *connect_to(struct cima_process *qemu, const char *socket,
                                   struct cima_error *error)
{
    for (int i = 0; i < CONNECT_TRIES; i++) {
        struct cima_qmp *q = cima_qmp_connect(socket, NULL, NULL, READY_MS, NULL);

        if (q && cima_qmp_wait_ready(q, READY_MS, error) == 0)
            return q;
        if (q) {
            cima_qmp_free(q);
            return NULL;
        }
        if (cima_process_wait(qemu, CONNECT_MS, NULL) == 1) {
            cima_process_result(qemu, error);
            return NULL;
        }
    }
    fprintf(stderr, "nobody listens on %s\n", socket);
    return NULL;
}

/* ---- the disk ---------------------------------------------------------------------------------- */

static int make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    int r = fd >= 0 ? ftruncate(fd, DISK_BYTES) : -1;

    if (r < 0)
        perror(path);
    if (fd >= 0)
        close(fd);
    return r;
}

/* The one description: parts of a command line, or commands. */
static struct cima_cmdline *disk_parts(const char *file, struct cima_error *error)
{
    struct cima_cmdline *c = cima_cmdline_new();
    const struct cima_disk disk = {
        .id = "data",
        .driver = "scsi-hd",
        .place = {.id = "disk0", .bus = "scsi0.0"},
        .file = file,
        .format = "raw",
        .serial = "hotplugged",
    };

    if (cima_add_disk(c, &disk, error) == 0)
        return c;
    cima_cmdline_free(c);
    return NULL;
}

static int show_words(const struct cima_cmdline *c, struct cima_error *error)
{
    char **words = cima_cmdline_argv(c, error);

    if (!words)
        return -1;
    printf("on a command line:");
    for (size_t i = 0; words[i]; i++)
        printf(" %s", words[i]);
    printf("\n");
    cima_strings_free(words);
    return 0;
}

static int show_blocks(struct cima_qmp *q, const char *when, struct cima_error *error)
{
    struct cima_json *blocks = NULL;

    if (cima_qmp_execute(q, "query-block", NULL, 0, &blocks, error) < 0)
        return -1;
    printf("%s: %zu disk(s)\n", when, cima_json_len(blocks));
    for (size_t i = 0; i < cima_json_len(blocks); i++) {
        const struct cima_json *block = cima_json_at(blocks, i);
        const struct cima_json *medium = cima_json_get(block, "inserted");
        const char *device = cima_json_str(cima_json_get(block, "qdev"));
        const char *node = cima_json_str(cima_json_get(medium, "node-name"));
        const struct cima_json *image = cima_json_get(medium, "image");

        printf("  %s: node %s, %s, %lld bytes\n", device ? device : "?", node ? node : "none",
               cima_json_str(cima_json_get(medium, "drv")),
               (long long)cima_json_int(cima_json_get(image, "virtual-size"), -1));
    }
    cima_json_free(blocks);
    return 0;
}

static int plug_and_unplug(struct cima_qmp *q, const char *file, struct cima_error *error)
{
    struct cima_cmdline *parts = disk_parts(file, error);
    int r = -1;

    if (!parts)
        return -1;
    if (show_words(parts, error) == 0 && show_blocks(q, "before", error) == 0 &&
        cima_qmp_plug(q, parts, error) == 0 && show_blocks(q, "plugged in", error) == 0 &&
        cima_qmp_unplug(q, parts, 0, error) == 0 && show_blocks(q, "taken out", error) == 0)
        r = 0;
    cima_cmdline_free(parts);
    return r;
}

/* ---- all of it --------------------------------------------------------------------------------- */

static int run(const char *dir, struct cima_error *error)
{
    char socket[128], file[128];
    struct cima_process *qemu;
    struct cima_qmp *q;
    int r = -1;

    snprintf(socket, sizeof(socket), "%s/qmp.sock", dir);
    snprintf(file, sizeof(file), "%s/disk.raw", dir);
    if (make_file(file) < 0)
        return -1;
    qemu = start(socket, error);
    if (!qemu)
        return -1;
    q = connect_to(qemu, socket, error);
    if (q && plug_and_unplug(q, file, error) == 0)
        r = cima_qmp_run(q, cima_cmd_quit(), NULL, error);
    cima_qmp_free(q);
    if (r == 0 && cima_process_wait(qemu, READY_MS, error) == 1)
        r = cima_process_result(qemu, error);
    else
        cima_process_cancel(qemu, 1000, NULL);
    cima_process_free(qemu);
    unlink(file);
    unlink(socket);
    return r;
}

int main(void)
{
    struct cima_error *error = cima_error_new();
    char dir[] = "/tmp/hotplug-disk-XXXXXX";
    int r = -1;

    if (mkdtemp(dir)) {
        r = run(dir, error);
        rmdir(dir);
    } else {
        perror(dir);
    }
    if (cima_error_is_set(error)) {
        char *message = cima_error_message(error);

        fprintf(stderr, "hotplug-disk: %s: %s\n", cima_error_kind(error), message);
        if (cima_error_detail(error))
            fprintf(stderr, "%s\n", cima_error_detail(error));
        free(message);
    }
    cima_error_free(error);
    return r == 0 ? 0 : 1;
}
