/* SPDX-License-Identifier: Apache-2.0 */
/* How whole devices are made: fields are checked one by one, what is wrong is noted with the
 * field's name, and parts go to a command line of their own until everything is known to be right.
 */
#ifndef CIMA_QEMU_MAKING_H
#define CIMA_QEMU_MAKING_H

#include "cima/qemu/machine.h"
#include "qemu/cmdline_internal.h"
#include "qemu/qemu.h"
#include "base/mem.h"

DEFINE_CLEANUP_PTR(cima_problems, cima_problems_free)
#define _cleanup_problems_ _cleanup_(cima_problems_freep)

/* where may be "", prefix NULL; both are joined by a dot. */
void problems_add(struct cima_problems *p, const char *prefix, const char *where,
                  enum cima_effect effect, const char *fmt, ...) PRINTF_FORMAT(5, 6);

struct making {
    struct cima_cmdline *dst, *parts;
    struct cima_problems *problems;
    const char *where; /* prefix of the places; NULL: none */
    bool is_field;     /* where is the place already: what is made is one field */
    const char *what;  /* "network device" */
    const char *id;    /* may be NULL */
    bool failed;       /* it has to be left out */
};

void making_begin(struct making *m, struct cima_cmdline *dst, const char *where,
                  struct cima_problems *problems);
/* What is made, for messages. */
void making_name(struct making *m, const char *what, const char *id);
/* Appends the parts to dst unless something has to be left out; ends m. */
void making_end(struct making *m);
/* The same where everything has to be right: appends only then. */
int making_end_strict(struct making *m, struct err *err);

/* Notes what is wrong with a field: "must be …". */
void fault(struct making *m, const char *field, const char *fmt, ...) PRINTF_FORMAT(3, 4);
/* The same where the thing can do without the field, and where it is written all the same. */
void dropped(struct making *m, const char *field, const char *fmt, ...) PRINTF_FORMAT(3, 4);
void doubtful(struct making *m, const char *field, const char *fmt, ...) PRINTF_FORMAT(3, 4);

/* All checks return whether the field has a good value; one that is not said (NULL, 0) is good only
 * for need_… not. A field that may be missing is dropped when it is wrong. */
bool need_id(struct making *m, const char *field, const char *id);
bool has_id(struct making *m, const char *field, const char *id); /* false when NULL */
bool need_text(struct making *m, const char *field, const char *text);
bool has_text(struct making *m, const char *field, const char *text); /* false when NULL */
/* words: separated by '|'. */
bool has_word(struct making *m, const char *field, const char *text, const char *words);
bool has_number(struct making *m, const char *field, uint64_t n, uint64_t min, uint64_t max);
bool need_number(struct making *m, const char *field, uint64_t n, uint64_t min, uint64_t max);
bool has_mac(struct making *m, const char *field, const char *mac);
/* An enum within its table; words for the message. */
bool need_enum(struct making *m, const char *field, unsigned value, unsigned count,
               const char *(*name)(unsigned value));
/* A field that something else forbids: complained about when said. */
void unwanted(struct making *m, bool said, const char *field, const char *why);

/* Setters for what may be missing. */
void set_text(struct making *m, struct cima_opts *o, const char *key, const char *field,
              const char *text);
void set_number(struct making *m, struct cima_opts *o, const char *key, const char *field,
                uint64_t n, uint64_t max);
void set_flag(struct cima_opts *o, const char *key, bool on); /* only when on */
void set_switch(struct making *m, struct cima_opts *o, const char *key, const char *field,
                enum cima_switch s);
/* As on, off in a text: QEMU's OnOffAuto. */
void set_switch_text(struct making *m, struct cima_opts *o, const char *key, const char *field,
                     enum cima_switch s);

/* A descriptor of the caller as its number in QEMU. */
void set_fd(struct making *m, struct cima_opts *o, const char *key, const char *field, int fd);
void set_fds(struct making *m, struct cima_opts *o, const char *key, const char *field,
             const int *fds, size_t n);

void part(struct making *m, const char *name, struct cima_opts *o); /* takes over o */

/* What a device may have of cima_place. */
enum {
    PLACE_PCI = 1,    /* addr, romfile */
    PLACE_VIRTIO = 2, /* a transport, disable_modern */
    PLACE_BOOT = 4,
    PLACE_NO_MODERN = 8, /* virtio, but without disable_modern */
    PLACE_CCW = 16       /* devno, without being virtio */
};
void set_place(struct making *m, struct cima_opts *o, const struct cima_place *p, unsigned has);
/* A place on a PCI bus as cima_place.addr has it; whether it can be read. The slot may be one that
 * no bus has. */
#define PCI_SLOT_MAX  31
#define PCI_ADDR_RULE "must be a slot from 0 to 31, with '.' and a function from 0 to 7 or without"
bool pci_addr(const char *text, unsigned *ret_slot, unsigned *ret_function);
/* It in QEMU's form, which is hex. */
void set_pci_addr(struct cima_opts *o, unsigned slot, unsigned function);
/* Whether the transport is one; complains otherwise. */
bool good_transport(struct making *m, const struct cima_place *p);

/* -chardev, and what is wrong with it. */
void make_chardev_part(struct making *m, const struct cima_chardev *x);
/* -object memory-backend-…, with the names of its fields. */
void make_memory_part(struct making *m, const struct cima_memory_backend *x);
/* A socket that QEMU is a client of: -chardev. */
void make_client_part(struct making *m, const char *id, const char *path, int fd);

#define DECLARE_MAKE(KIND, name) void make_##name(struct making *m, const struct cima_##name *x);
CIMA_DEVICES(DECLARE_MAKE)
#undef DECLARE_MAKE
void make_device(struct making *m, const struct cima_device *d);

#define MACHINE_SETTINGS(X)                                                                        \
    X(identity)                                                                                    \
    X(machine)                                                                                     \
    X(cpu) X(smp) X(memory) X(rtc) X(qmp_socket) X(kernel) X(fw_cfg) X(incoming) X(sandbox)        \
        X(knobs)
#define DECLARE_MAKE(name) void make_##name(struct making *m, const struct cima_##name *x);
MACHINE_SETTINGS(DECLARE_MAKE)
#undef DECLARE_MAKE
/* Plain texts: "-vga", … */
void make_global(struct making *m, const char *text);
void make_display(struct making *m, const char *text);
void make_text(struct making *m, const char *option, const char *field, const char *text);

/* A function that adds one thing that is made by make_NAME. */
#define DEFINE_ADD(name)                                                                           \
    int cima_add_##name(struct cima_cmdline *c, const struct cima_##name *x, struct err *error)    \
    {                                                                                              \
        struct making m;                                                                           \
                                                                                                   \
        making_begin(&m, c, NULL, NULL);                                                           \
        make_##name(&m, x);                                                                        \
        return making_end_strict(&m, error);                                                       \
    }

/* Whether QEMU accepts it as an id. */
bool id_valid(const char *id);

#endif
