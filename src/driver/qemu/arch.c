/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/qemu/arch.h"

/* The 4 MiB builds first: newer distributions have dropped the 2 MiB ones (B-FIRMWARE). */
static const char *const files_x86_64[] = {
    "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd",
    "/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd",
    "/usr/share/edk2-ovmf/x64/OVMF_CODE.4m.fd", "/usr/share/edk2-ovmf/x64/OVMF_VARS.4m.fd",
    "/usr/share/OVMF/OVMF_CODE.4m.fd", "/usr/share/OVMF/OVMF_VARS.4m.fd",
    "/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd",
    "/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd",
    "/usr/share/edk2-ovmf/x64/OVMF_CODE.fd", "/usr/share/edk2-ovmf/x64/OVMF_VARS.fd",
    "/usr/share/edk2-ovmf/OVMF_CODE.fd", "/usr/share/edk2-ovmf/OVMF_VARS.fd",
    "/usr/share/qemu/ovmf-x86_64-4m-code.bin", "/usr/share/qemu/ovmf-x86_64-4m-vars.bin",
    "/usr/share/qemu/ovmf-x86_64-code.bin", "/usr/share/qemu/ovmf-x86_64-vars.bin",
    "/usr/share/qemu/ovmf-x86_64.bin", "",
    NULL,
};
static const char *const files_aarch64[] = {
    "/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd",
    "/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw", "/usr/share/edk2/aarch64/vars-template-pflash.raw",
    "/usr/share/edk2/aarch64/QEMU_CODE.fd", "/usr/share/edk2/aarch64/QEMU_VARS.fd",
    "/usr/share/edk2-armvirt/aarch64/QEMU_CODE.fd", "/usr/share/edk2-armvirt/aarch64/QEMU_VARS.fd",
    "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd", "",
    NULL,
};
static const char *const files_armv7l[] = {
    "/usr/share/AAVMF/AAVMF32_CODE.fd", "/usr/share/AAVMF/AAVMF32_VARS.fd",
    "/usr/share/edk2/arm/QEMU_EFI-pflash.raw", "/usr/share/edk2/arm/vars-template-pflash.raw",
    "/usr/share/edk2-armvirt/arm/QEMU_CODE.fd", "/usr/share/edk2-armvirt/arm/QEMU_VARS.fd",
    NULL,
};
static const char *const files_riscv64[] = {
    "/usr/share/qemu-efi-riscv64/RISCV_VIRT_CODE.fd", "/usr/share/qemu-efi-riscv64/RISCV_VIRT_VARS.fd",
    "/usr/share/edk2/riscv/RISCV_VIRT_CODE.fd", "/usr/share/edk2/riscv/RISCV_VIRT_VARS.fd",
    NULL,
};

static const struct qemu_arch archs[ARCH_COUNT] = {
    [ARCH_X86_64] = {
        .exe = "x86_64", .package = "qemu-system-x86", .machine = "q35",
        .cpu_suffix = "-x86_64-cpu", .transport = QEMU_TRANSPORT_PCI, .cd_bus = QEMU_CD_IDE,
        .uefi = true, .legacy_bios = true, .usb = true, .serial_ports = 1, .gpu = "virtio-vga",
        .tpm = "tpm-crb", .firmware_name = "x86_64", .firmware_vars = "edk2-i386-vars.fd",
        .firmware_package = "ovmf", .firmware_files = files_x86_64,
    },
    [ARCH_AARCH64] = {
        .exe = "aarch64", .package = "qemu-system-arm", .machine = "virt",
        .cpu_suffix = "-arm-cpu", .transport = QEMU_TRANSPORT_PCI, .cd_bus = QEMU_CD_VIRTIO,
        .uefi = true, .usb = true, .pci_serial = true, .serial_ports = 1, .gpu = "virtio-gpu-pci",
        .tpm = "tpm-tis-device", .firmware_name = "aarch64", .firmware_vars = "edk2-arm-vars.fd",
        .firmware_package = "qemu-efi-aarch64", .firmware_files = files_aarch64,
    },
    [ARCH_ARMV7L] = {
        .exe = "arm", .package = "qemu-system-arm", .machine = "virt",
        .cpu_suffix = "-arm-cpu", .transport = QEMU_TRANSPORT_PCI, .cd_bus = QEMU_CD_VIRTIO,
        .uefi = true, .legacy_bios = true, .usb = true, .pci_serial = true, .serial_ports = 1,
        .gpu = "virtio-gpu-pci", .tpm = "tpm-tis-device", .firmware_name = "arm",
        .firmware_vars = "edk2-arm-vars.fd", .firmware_package = "qemu-efi-arm",
        .firmware_files = files_armv7l,
    },
    [ARCH_PPC64LE] = {
        .exe = "ppc64", .package = "qemu-system-ppc", .machine = "pseries",
        .cpu_suffix = "-powerpc64-cpu", .transport = QEMU_TRANSPORT_PCI, .cd_bus = QEMU_CD_SCSI,
        .usb = true, .serial_ports = 1, .gpu = "virtio-gpu-pci",
    },
    [ARCH_RISCV64] = {
        .exe = "riscv64", .package = "qemu-system-misc", .machine = "virt",
        .cpu_suffix = "-riscv-cpu", .transport = QEMU_TRANSPORT_PCI, .cd_bus = QEMU_CD_VIRTIO,
        .uefi = true, .usb = true, .serial_ports = 1, .gpu = "virtio-vga",
        .tpm = "tpm-tis-device", .firmware_name = "riscv",
        .firmware_vars = "edk2-riscv-vars.fd", .firmware_package = "qemu-efi-riscv64",
        .firmware_files = files_riscv64,
    },
    [ARCH_S390X] = {
        .exe = "s390x", .package = "qemu-system-misc", .machine = "s390-ccw-virtio",
        .cpu_suffix = "-s390x-cpu", .transport = QEMU_TRANSPORT_CCW, .cd_bus = QEMU_CD_VIRTIO,
        .serial_ports = 2, .gpu = "virtio-gpu-ccw",
    },
};

const struct qemu_arch *qemu_arch(enum arch a)
{
    return &archs[a];
}
