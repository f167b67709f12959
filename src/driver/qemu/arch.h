/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between the machines of the architectures: one row each. */
#ifndef CIMA_DRIVER_QEMU_ARCH_H
#define CIMA_DRIVER_QEMU_ARCH_H

#include "cima/qemu/machine.h"
#include "sys/host.h"

/* Where a CD-ROM drive for an installation ISO goes. */
enum qemu_cd_bus { QEMU_CD_IDE, QEMU_CD_SCSI, QEMU_CD_VIRTIO };

struct qemu_arch {
    const char *exe;        /* behind "qemu-system-" (SD-01) */
    const char *package;    /* Debian package of the emulator */
    const char *machine;    /* unversioned name (SD-10, 11) */
    const char *cpu_suffix; /* of the CPU models' type names */
    const char *cpu;        /* model where the binary has no "max"; NULL: every one has it */
    enum cima_transport transport;
    enum qemu_cd_bus cd_bus;
    bool uefi;                 /* boots by UEFI firmware in flash */
    bool legacy_bios;          /* can do without it (SD-13) */
    bool starts_kernels;       /* QEMU brings what starts a kernel without firmware in flash */
    bool usb;                  /* has a USB controller (B-S390X-USB) */
    bool pci_serial;           /* a second serial port on PCI (SD-32) */
    int serial_ports;          /* of the virtio-serial bus (SD-33) */
    const char *gpu;           /* display device (SD-29) */
    const char *tpm;           /* TPM device (SD-23); NULL: none */
    const char *firmware_name; /* edk2-NAME-code.fd, as QEMU ships it */
    const char *firmware_vars; /* file with the empty variables beside it */
    const char *firmware_package;
    /* Well-known places: code, variables (NULL: none), code, variables, …, NULL. Best first. */
    const char *const *firmware_files;
};

const struct qemu_arch *qemu_arch(enum arch a);

#endif
