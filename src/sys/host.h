/* SPDX-License-Identifier: Apache-2.0 */
/* Facts about the host, gathered once, handed down as a value: everything above this room that
 * plans (config fill, driver plan) reads only this struct, never the machine. */
#ifndef CIMA_SYS_HOST_H
#define CIMA_SYS_HOST_H

#include "base/err.h"
#include "base/enum.h"

enum arch {
    ARCH_X86_64, ARCH_AARCH64, ARCH_ARMV7L, ARCH_PPC64LE, ARCH_RISCV64, ARCH_S390X,
    ARCH_COUNT,
};
ENUM_STRINGS_DECLARE(arch);

struct host_facts {
    enum arch arch;
    bool arch_known;
    unsigned cpus;          /* online, by sched_getaffinity */
    uint64_t memory_bytes;  /* of the machine */
    unsigned uid, gid;
    char *user;             /* as in passwd, else $USER, else the uid */
    char *gecos;            /* full name, first field */
    char *home;             /* $HOME, else passwd, else "/" */
    char *hostname;
    char *machine_id;       /* /etc/machine-id, /var/lib/dbus/machine-id, else hostname (NW-07) */
    char *timezone;         /* "Europe/Berlin"; "" unknown. TZ, /etc/timezone, /etc/localtime */
    char *temp_dir;
};

/* Never fails: what can't be found out gets the value the comments name. */
void host_facts_gather(struct host_facts *ret);
void host_facts_release(struct host_facts *h);

/* Does KVM work here: /dev/kvm opens, the API version is 12, KVM_CREATE_VM works, and on x86 the
 * CPU has vmx or svm. When not, *ret_reason says why in one clause ("/dev/kvm: permission denied
 * (add yourself to the group kvm)"). Caller frees. Costs < 1 ms. */
bool host_kvm_usable(char **ret_reason);
/* The same for another device and another list of CPUs (the tests'). NULL when it works. */
char *host_kvm_problem(const char *device, const char *cpuinfo);
/* AES instructions (for the choice of ssh ciphers, GS-13). */
bool host_cpu_has_aes(void);

#endif
