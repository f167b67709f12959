#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Flags that change the YAML: of create, edit and start, on files as users write them. Only the bytes
# of the values change; what is refused leaves nothing behind. No machine is started here.
# shellcheck disable=SC2016,SC2317 # backquotes are text; functions are called by name
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
command -v qemu-img >/dev/null 2>&1 || skip 'qemu-img is not installed'
cd "$scratch" || exit 99
qemu-img create -q -f qcow2 disk.img 64M || exit 99

cat >mini.yaml <<'END'
# What we boot
images:
- location: disk.img   # beside this file
arch: x86_64
containerd: {user: false,  system: false}

cpus:   2    # few
memory: "1GiB"
disk: 1GiB
mountType: reverse-sshfs
mounts:
    # our sources
    - location:  /srv/src
      writable: false # for now
param: {Color: red}
provision:
- mode: system
  script: |
    #!/bin/sh
    echo "$PARAM_Color"
END
lima_yaml() { cat "$CIMA_HOME/$1/lima.yaml"; }
has_line() { lima_yaml "$1" | grep -qxF -- "$2"; }
# Lines of the template that the instance's file does not have.
lost() { lima_yaml "$1" | grep -vxF -f - mini.yaml; }

# ---- create -------------------------------------------------------------------------------------------
succeeds 'create with flags' "$cima" create --tty=false --cpus 3 --memory 0.5 --disk=1.5 --param Color=blue \
    --mount "$scratch:w" --set '.env.A = "b" | .cpus += 1' mini.yaml
check '… the number and its comment' has_line mini 'cpus:   4    # few'
check '… the quotes' has_line mini 'memory: "0.5GiB"'
check '… the parameter' has_line mini 'param: {Color: blue}'
check '… the mount in front' sh -c "grep -A2 '^mounts:' '$CIMA_HOME/mini/lima.yaml' | grep -q 'location: $scratch\$'"
check '… the old mount as it was' has_line mini '    - location:  /srv/src'
check '… with its comments' has_line mini '      writable: false # for now'
check '… the new key' has_line mini '  A: b'
run lost mini
check '… and nothing else has changed' [ "$out" = "- location: disk.img   # beside this file
cpus:   2    # few
memory: \"1GiB\"
disk: 1GiB
param: {Color: red}" ]

fails 'a result that is not valid' 1 "$cima" create --tty=false --name bad --set '.arch = "z80"' mini.yaml
check '… is named with its field' says 'field `arch`'
check '… is kept' says 'lima.REJECTED.yaml'
check '… as it became' grep -q '^arch: z80$' lima.REJECTED.yaml
check '… and no instance' [ ! -e "$CIMA_HOME/bad" ]
rm -f lima.REJECTED.yaml
fails 'an unknown parameter' 1 "$cima" create --tty=false --name bad --param Colour=x mini.yaml
check '… with the nearest' says '`--param Color=x`'
fails 'an expression that fails' 1 "$cima" create --tty=false --name bad --set '.cpus.x = 1' mini.yaml
check '… in words' says 'Cannot index number'
fails 'an expression that never ends' 1 "$cima" create --tty=false --name bad --set '.a = ([range(1e10)] | length)' mini.yaml
check '… ends' says 'too'
check '… and no instance' [ ! -e "$CIMA_HOME/bad" ]

# ---- edit ---------------------------------------------------------------------------------------------
before=$(lima_yaml mini)
succeeds 'edit to the same value' "$cima" edit --cpus 4 mini
check '… says so' says 'No changes made'
check '… and writes nothing' [ "$(lima_yaml mini)" = "$before" ]
succeeds 'edit by an expression' "$cima" edit --set 'del(.mounts[0]) | .mounts[0].writable = true' mini
check '… one value' has_line mini '      writable: true # for now'
check '… another item is gone' sh -c "! grep -q 'location: $scratch\$' '$CIMA_HOME/mini/lima.yaml'"
check '… its neighbour stays' has_line mini '    # our sources'
before=$(lima_yaml mini)
fails 'edit to a value that is none' 1 "$cima" edit --vm-type bochs mini
check '… leaves the file' [ "$(lima_yaml mini)" = "$before" ]
check '… and keeps the text' grep -q '^vmType: bochs$' lima.REJECTED.yaml
rm -f lima.REJECTED.yaml
fails 'a disk does not shrink' 1 "$cima" edit --disk 1 mini
check '… says so' says 'disk shrinking is not supported'
rm -f lima.REJECTED.yaml
succeeds 'a disk can grow' "$cima" edit --disk 3 mini
check '… as it says' has_line mini 'disk: 3GiB'
cp mini.yaml file.yaml
succeeds 'edit of a file' "$cima" edit --mount-none ./file.yaml
check '… too' grep -qx 'mounts: null' file.yaml

# ---- restart, start -----------------------------------------------------------------------------------
fails 'restart refuses what is not valid' 1 "$cima" restart --mount-type smb mini
check '… before it does anything' says 'mountType'
check '… to the file' [ "$(lima_yaml mini | grep -c smb)" -eq 0 ]
fails 'so does start' 1 "$cima" start --tty=false --mount-type smb --arch aarch64 mini
check '… with a warning for what is settled' says '`--arch` is not applicable to an existing instance'

# ---- template yq --------------------------------------------------------------------------------------
succeeds 'template yq' "$cima" template yq mini.yaml '.cpus, .mounts[].mountPoint, .ssh.localPort'
check '… of what is filled' [ "$out" = '2
/srv/src
0' ]
succeeds 'a topic of the help' "$cima" help yq-restrictions
check '… about expressions' prints 'with(p'

finish
