#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# libcima-qemu for a stranger: installed, found by pkg-config, the examples built against the shared
# and the static library, run with the real QEMU, once more under valgrind.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_guest
unset MAKEFLAGS MAKELEVEL MFLAGS PKG_CONFIG_PATH
variable() { sed -n "s/^$1 = //p" "$builddir/Makefile" | head -n 1; }
cc=$(variable CC)
sanitizers=$(variable SAN_CFLAGS)
prefix=$(variable prefix)

dest=$scratch/dest
succeeds 'make install' make -s -C "$builddir" install DESTDIR="$dest"
libdir=$(dirname "$(find "$dest" -name libcima-qemu.so | head -n 1)")
root=$dest$prefix
check 'shared library, static library, headers' test -e "$libdir/libcima-qemu.so.0" -a -e \
    "$libdir/libcima-qemu.a" -a -e "$root/include/cima/qemu/qemu.h"
check 'pkg-config file, manual page' test -e "$libdir/pkgconfig/cima-qemu.pc" -a -e \
    "$root/share/man/man3/libcima-qemu.3"
examples=$(dirname "$(find "$dest" -name boot-kernel.c | head -n 1)")
check 'examples' test -e "$examples/hotplug-disk.c"
check 'the page says where they are' grep -q "${examples#"$dest"}" "$root/share/man/man3/libcima-qemu.3"

# ---- pkg-config -----------------------------------------------------------------------------------

pc() { PKG_CONFIG_LIBDIR=$libdir/pkgconfig:$(pkg-config --variable pc_path pkg-config) pkg-config --define-prefix "$@"; }
succeeds 'pkg-config knows it' pc --exists --print-errors cima-qemu
check 'its version is that of cima' [ "$(pc --modversion cima-qemu)" = "$(variable PACKAGE_VERSION)" ]
cflags=$(pc --cflags cima-qemu)
libs=$(pc --libs cima-qemu)
static_libs=$(pc --static --libs cima-qemu)
check 'the headers are found where they are installed' test "${cflags#*"$root/include"}" != "$cflags"
check 'who links the shared library does not link jansson' test "${libs#*jansson}" = "$libs"
check 'who links the static one does' test "${static_libs#*jansson}" != "$static_libs"
run sh -c "PKG_CONFIG_LIBDIR='$libdir/pkgconfig:$(pkg-config --variable pc_path pkg-config)' \
    PKG_CONFIG_SYSROOT_DIR='$dest' pkg-config --dont-define-prefix --cflags cima-qemu"
check 'with a system root as well' test "${out#*"$root/include"}" != "$out"

# ---- building the examples ------------------------------------------------------------------------

LD_LIBRARY_PATH=$libdir
export LD_LIBRARY_PATH
warnings='-std=c11 -Wall -Wextra -Wpedantic -Werror'
# The static library of a system that has both: by its file. Only there: sources have gone.
static_args=$(printf '%s' "$static_libs" | sed "s|-lcima-qemu|$libdir/libcima-qemu.a|")
for example in boot-kernel hotplug-disk; do
    # shellcheck disable=SC2086 # flags are words
    succeeds "$example with the shared library" $cc $sanitizers $warnings -g \
        "$examples/$example.c" -o "$scratch/$example" $cflags $libs
    # shellcheck disable=SC2086
    succeeds "$example with the static library" $cc $sanitizers $warnings -g \
        "$examples/$example.c" -o "$scratch/$example-static" $cflags $static_args
done
uses_library() { ldd "$1" | grep -q 'libcima-qemu\.so\.0 => /'; }
check 'the one uses the shared library' uses_library "$scratch/boot-kernel"
check 'the other does not' sh -c "! ldd '$scratch/boot-kernel-static' | grep -q libcima"
awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' "$srcdir/README.md" >"$scratch/readme.c"
# shellcheck disable=SC2086
succeeds 'the program of README.md' $cc $sanitizers $warnings "$scratch/readme.c" -o "$scratch/readme" $cflags $libs
{
    printf '#include <cima/qemu/qemu.h>\n#include <stdio.h>\n#include <stdlib.h>\nint main(void)\n{\n'
    sed -n '/^\.SH EXAMPLE/,/^\.SH SEE/{/^\.nf/,/^\.fi/p}' "$root/share/man/man3/libcima-qemu.3" |
        sed '/^\./d; s/\\-/-/g; s/\\e/\\/g'
    printf 'return 0;\n}\n'
} >"$scratch/page.c"
# shellcheck disable=SC2086
succeeds 'the program of libcima-qemu(3)' $cc $sanitizers $warnings "$scratch/page.c" -o "$scratch/page" $cflags $libs
if command -v clang >/dev/null 2>&1 && [ -z "$sanitizers" ]; then
    cat >"$scratch/plus.cc" <<'CC'
#include <cima/qemu/qemu.h>
int main()
{
    cima_cmdline *c = cima_cmdline_new();
    cima_error *error = cima_error_new();
    struct cima_launch l = {};
    char *text = nullptr;
    l.program = "/nonexistent/qemu";
    l.cmdline = c;
    int r = cima_launch_and_wait(&l, -1, &text, error);
    bool right = r == -1 && cima_error_is_set(error) && !*text;
    free(text);
    cima_cmdline_free(c);
    cima_error_free(error);
    return right ? 0 : 1;
}
CC
    sed -i '1i #include <stdlib.h>' "$scratch/plus.cc"
    # shellcheck disable=SC2086
    succeeds 'a C++ program' clang -x c++ -std=c++11 -Wall -Wextra -Werror "$scratch/plus.cc" \
        -o "$scratch/plus" $cflags $libs
    succeeds 'runs' "$scratch/plus"
fi

# ---- running them ---------------------------------------------------------------------------------

params='console=ttyS0 quiet cryptomgr.notests initcall_blacklist=init_kprobe_trace,load_system_certificate_list,crypto_kdf108_init'
# The initramfs of the mini guest finds no disk and says so: that is the first user process.
text='a shell follows'
boot() { # PROGRAM [WRAPPER...]
    program=$1
    shift
    "$@" "$program" "$guest/vmlinuz" "$guest/initrd.img" "$text" "$params"
}
check_hotplug() {
    check "$1: the machine has no disk before" prints 'before: 0 disk(s)'
    check "$1: then it has" prints 'disk0: node data, raw, 67108864 bytes'
    check "$1: then not any more" prints 'taken out: 0 disk(s)'
    check "$1: its parts as words" prints '-device scsi-hd,drive=data,id=disk0,bus=scsi0.0'
}

succeeds 'S2-34, S2-59: a machine with a monitor is managed after the launch' "$scratch/hotplug-disk"
check_hotplug 'shared'
succeeds 'hotplug-disk, static' "$scratch/hotplug-disk-static"
check_hotplug 'static'
succeeds 'S2-53, S2-55: boot-kernel' boot "$scratch/boot-kernel"
check 'the console is on standard output' prints "$text"
check 'S2-53: descriptors are told' says 'Adding extra file [3 4]'
check 'S2-55: so is the command line' says 'launching qemu with: [-name boot-kernel'
check 'the state is asked for' says 'state: running'

# A text that can't come: QEMU ends at a kernel that is none.
fails 'S2-58: a kernel that is none' 1 "$scratch/boot-kernel" "$examples/boot-kernel.c" \
    "$guest/initrd.img" "$text"
fails 'S2-58: a kernel that is not there' 1 "$scratch/boot-kernel" "$scratch/no-kernel" \
    "$guest/initrd.img" "$text"
check 'QEMU says why' says 'no-kernel'
# Its own $PATH without QEMU.
fails "S2-52: no QEMU in the path" 1 env PATH=/nonexistent "$scratch/hotplug-disk"
check 'that is said' says "hotplug-disk: not_found: starting 'qemu-system-x86_64': no such program in \$PATH"
check 'nothing is left' within 20 none_of_ours '-name hotplug-disk'
check 'nothing is left either' within 20 none_of_ours '-name boot-kernel'

if ! command -v valgrind >/dev/null 2>&1; then
    echo 'note: valgrind is not installed, the examples were not run under it'
elif [ -n "$sanitizers" ]; then
    echo 'note: not under valgrind: this build has the sanitizers'
else
    grind() {
        valgrind -q --leak-check=full --show-leak-kinds=all --errors-for-leak-kinds=all \
            --track-fds=no --child-silent-after-fork=yes --error-exitcode=9 "$@"
    }
    succeeds 'hotplug-disk under valgrind' grind "$scratch/hotplug-disk"
    check_hotplug 'valgrind'
    succeeds 'the static one under valgrind' grind "$scratch/hotplug-disk-static"
    succeeds 'boot-kernel under valgrind' boot "$scratch/boot-kernel-static" grind
    check 'it has booted' prints "$text"
    fails 'an error under valgrind' 1 grind "$scratch/boot-kernel" "$scratch/no-kernel" x y
fi

finish
