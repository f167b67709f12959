#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Hostile modes, names and values: S04, S09, S10, S11. The machines are stubs.
# shellcheck disable=SC2016,SC2317 # texts with dollars and backquotes; functions are called by name
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=stub.sh
. "$(dirname "$0")/stub.sh"
root=false
[ "$(id -u)" -ne 0 ] || root=true

# ---- S04: whatever the umask, nothing is open to others ---------------------------------------------
open_to_others() { find "$@" -perm /022 ! -type l 2>/dev/null; }
not_mode() { find "$1" ! -type l "$2" "$3" ! -perm "$4" 2>/dev/null; } # DIR -type T MODE
umask 000
stub_yaml "$scratch/a.yaml" </dev/null
succeeds 'S04 create with umask 000' "$cima" create "$scratch/a.yaml"
succeeds 'S04 start' "$cima" start a
succeeds 'S04 shell' "$cima" shell a true
check 'S04 nothing is writable for others' is "$(open_to_others "$CIMA_HOME" "$scratch/cache")" ''
check 'S04 directories are 0700' is "$(not_mode "$CIMA_HOME" -type d 0700)" ''
check 'S04 sockets are 0600' is "$(not_mode "$CIMA_HOME" -type s 0600)" ''
for f in _config/user a/disk a/image a/cidata.iso a/cloud-config.yaml a/ssh.config a/ha.stdout.log \
    a/ha.stderr.log a/qemu.pid a/qemu.log a/qemu.lock a/ha.lock a/op.lock a/cima.json; do
    check "S04 $f is 0600" is "$(stat -c %a "$CIMA_HOME/$f" 2>&1)" 600
done
succeeds 'S04 stop' "$cima" stop a
check 'S04 nothing is writable for others afterwards' is "$(open_to_others "$CIMA_HOME" "$scratch/cache")" ''
umask 022

refused() { # NAME TEXT
    fails "S04 a home $1 is refused" 1 "$cima" list
    check 'S04 … and says so' says "$2"
    fails 'S04 … for create too' 1 "$cima" create --name b "$scratch/a.yaml"
    check 'S04 … which makes nothing' absent "$CIMA_HOME/b"
}
chmod 777 "$CIMA_HOME"
refused 'that all may write to' "'$CIMA_HOME'"
chmod 770 "$CIMA_HOME"
refused 'that the group may write to' "'$CIMA_HOME'"
chmod 700 "$CIMA_HOME"
if $root; then
    chown 65534 "$CIMA_HOME"
    refused 'of another user' "'$CIMA_HOME'"
    chown 0 "$CIMA_HOME"
else
    printf 'skipped: S04 a home of another user needs root\n'
fi
succeeds 'S04 the home as it should be' "$cima" list
succeeds 'delete' "$cima" delete a

# ---- S09: names and values are never a shell's, nor options -----------------------------------------
mkdir "$scratch/cwd" && cd "$scratch/cwd" || exit 99
no_canary() { [ -z "$(find "$scratch" -name 'canary*')" ]; }
for name in '$(touch canary)' '`touch canary`' 'a;touch canary' "a'b" 'a"b' '%n%s' 'a b' '..' '.hidden' \
    'a
b' 'a,b' 'a=b' '*'; do
    for command in start stop delete shell; do
        fails "S09 $command '$(printf %s "$name" | tr '\n' '?')'" 1 "$cima" "$command" -- "$name"
        check 'S09 … is no name' says 'invalid instance name'
    done
done
fails 'S09 a name with a slash' 1 "$cima" stop -- a/b
check 'S09 … is no name' says 'invalid instance name'
fails 'S09 a name that looks like an option' 1 "$cima" stop -- --force
check 'S09 … is a name' says 'invalid instance name'
fails 'S09 create --name' 1 "$cima" create --name '-x' "$scratch/a.yaml"
check 'S09 … is no name' says 'invalid instance name'
check 'S09 nothing was run' no_canary

# A home, an image and a mount whose paths are as bad as paths can be.
evil='e v$(touch canary),`touch canary2`;touch canary3&"x'"'"'=%s,readonly=off'
export CIMA_HOME="$scratch/h,o=m e;\$(touch canary4)"
mkdir -p "$scratch/$evil" "$scratch/m,$evil"
cp "$scratch/stub.img" "$scratch/$evil/-disk.img"
python3 - "$scratch/e.yaml" "$scratch/$evil" "$scratch/m,$evil" <<'PY'
import json, sys
path, image, mount = sys.argv[1:]
text = open(path.replace("e.yaml", "a.yaml")).read().splitlines(True)
keep = [l for l in text if not l.startswith(("images:", "- location", "mounts:"))]
keep += ["mountType: 9p\n",
         "images: [{location: %s}]\n" % json.dumps(image + "/-disk.img"),
         "mounts: [{location: %s, mountPoint: %s, writable: false}]\n"
         % (json.dumps(mount), json.dumps("/mnt/a b,c=d"))]
open(path, "w").write("".join(keep))
PY
succeeds 'S09 S10 create with such paths' "$cima" create "$scratch/e.yaml"
# No guest is there to mount it: the machine runs, and goes on waiting.
"$cima" start --timeout 3s e >/dev/null 2>&1
runs() { [ "$(driver_pid e)" -gt 0 ]; }
check 'S09 S10 the machine runs' within 60 runs
# The words of QEMU's command line: a path is one value, whatever is in it.
python3 - "$(driver_pid e)" "$CIMA_HOME" "$scratch/m,$evil" <<'PY'
import sys
pid, home, mount = sys.argv[1:]
words = open("/proc/%s/cmdline" % pid, "rb").read().decode().split("\0")[:-1]


def options(word):  # QEMU's own rule: a comma ends a value, two are one
    parts, now, i = [], "", 0
    while i < len(word):
        if word[i] == ",":
            if word[i + 1:i + 2] == ",":
                now, i = now + ",", i + 2
                continue
            parts.append(now)
            now = ""
        else:
            now += word[i]
        i += 1
    return parts + [now]


def values(key):
    found = []
    for w in words:
        found += [o[len(key) + 1:] for o in options(w) if o.startswith(key + "=")]
    return found


assert words[words.index("-pidfile") + 1] == home + "/e/qemu.pid", words
assert home + "/e/disk" in values("file.filename") + values("filename"), words
assert home + "/e/cidata.iso" in values("file.filename") + values("filename"), words
assert mount in values("path"), words
assert "off" not in values("readonly"), words
PY
check 'S10 commas and equal signs in paths are doubled or quoted' is $? 0
check 'S09 nothing was run' no_canary

# ssh: words of the guest's command, the user, the paths. The program notes its words.
cat >"$scratch/ssh-notes" <<'SH'
#!/bin/sh
printf '%s\0' "$@" >"${0%/*}/ssh-words"
SH
chmod +x "$scratch/ssh-notes"
SSH=$scratch/ssh-notes "$cima" shell e -oProxyCommand=touch\ canary5 '$(touch canary6)' >/dev/null 2>&1
python3 - "$scratch/ssh-words" "$CIMA_HOME" <<'PY'
import sys
words = open(sys.argv[1], "rb").read().decode().split("\0")[:-1]
home = sys.argv[2]
end = words.index("--")
assert end == len(words) - 2, words  # the host before it, one script behind it
assert not any("ProxyCommand" in w for w in words[:end]), words
assert any("ProxyCommand" in w for w in words[end:]), words
assert any(w.startswith("ControlPath=") and home in w for w in words), words
PY
check 'S09 ssh: what is the guest'"'"'s stands behind --, as one word' is $? 0
check 'S09 nothing was run' no_canary
# A command in $SSH is words, not a script.
SSH='/nonexistent/ssh; touch canary7' "$cima" shell e true >/dev/null 2>&1
succeeds 'stop -f' "$cima" stop -f e
QEMU_SYSTEM_X86_64='/nonexistent/qemu; touch canary8' "$cima" start e >/dev/null 2>&1
check 'S09 environment variables are no scripts' no_canary
succeeds 'delete' "$cima" delete e
check 'S09 nothing was run at all' no_canary

# ---- S10, S11: values that would become something else ----------------------------------------------
bad_value() { # FIELD YAML
    grep -v "^${2%%:*}:" "$scratch/a.yaml" >"$scratch/v.yaml"
    printf '%s\n' "$2" >>"$scratch/v.yaml"
    fails "$id $2" 1 "$cima" validate "$scratch/v.yaml"
    check "$id … names the field" says "field \`$1"
}
id=S10
bad_value 'mounts[0].9p.securityModel' 'mounts: [{location: /srv, 9p: {securityModel: "none,readonly=off"}}]'
bad_value 'mounts[0].9p.cache' 'mounts: [{location: /srv, 9p: {cache: "mmap,version=x"}}]'
bad_value 'mounts[0].9p.protocolVersion' 'mounts: [{location: /srv, 9p: {protocolVersion: "9p2000.L,x"}}]'
bad_value 'networks[0].macAddress' 'networks: [{lima: "user-v2", macAddress: "52:54:00:12:34:56,x=y"}]'
bad_value 'networks[0].lima' 'networks: [{lima: "a,b"}]'
bad_value 'additionalDisks[0].name' 'additionalDisks: [{name: "a,b"}]'
bad_value 'additionalDisks[0].name' 'additionalDisks: [{name: "../x"}]'
id=S11
bad_value user.name 'user: {name: "a b"}'
bad_value user.name 'user: {name: "a\nb"}'
bad_value user.name 'user: {name: "-oProxyCommand=x"}'
bad_value user.home 'user: {home: "/home/x\ny"}'
bad_value user.shell 'user: {shell: "/bin/sh\nx"}'
bad_value user.comment 'user: {comment: "a\nb"}'
bad_value 'hostResolver.hosts' 'hostResolver: {hosts: {"a\nb": "1.2.3.4"}}'
bad_value 'hostResolver.hosts' 'hostResolver: {hosts: {"a": "1.2.3.4\nx"}}'
bad_value 'portForwards[0].guestSocket' 'portForwards: [{guestSocket: "/run/a\nb", hostSocket: "/tmp/x"}]'
bad_value 'portForwards[0].hostSocket' 'portForwards: [{guestSocket: "/run/a", hostSocket: "/tmp/x\ny"}]'
bad_value 'mounts[0].location' 'mounts: [{location: "/srv/a\nb"}]'
bad_value 'mounts[0].mountPoint' 'mounts: [{location: "/srv", mountPoint: "/mnt/c\nd"}]'
bad_value 'networks[0].interface' 'networks: [{lima: "user-v2", interface: "e\nx"}]'
bad_value 'dns[0]' 'dns: ["1.1.1.1\nx"]'
bad_value 'video.display' 'video: {display: "none\n-monitor stdio"}'
bad_value 'timezone' 'timezone: "a\nb"'
bad_value 'copyToHost[0].guest' 'copyToHost: [{guest: "/a\nb", host: "/tmp/x"}]'
bad_value 'provision[0].path' 'provision: [{mode: data, path: "/a\nb", content: x}]'
bad_value 'provision[0].owner' 'provision: [{mode: data, path: "/a", owner: "a\nb", content: x}]'
bad_value 'provision[0].permissions' 'provision: [{mode: data, path: "/a", permissions: "644; id", content: x}]'
bad_value 'caCerts.files[0]' 'caCerts: {files: ["/a\nb"]}'
bad_value 'guestInstallPrefix' 'guestInstallPrefix: "/usr\nx"'

# What goes into the seed's environment is checked when it is written.
seed_refuses() { # TEXT YAML
    { cat "$scratch/a.yaml"; printf '%s\n' "$2"; } >"$scratch/s.yaml"
    "$cima" create "$scratch/s.yaml" >/dev/null 2>&1
    fails "S11 $2" 1 "$cima" start s
    check 'S11 … says why' says "$1"
    check 'S11 … nothing runs' within 20 has_status s Stopped
    "$cima" delete -f s >/dev/null 2>&1
}
seed_refuses "can't be the name of a variable" 'env: {"A B": x}'
seed_refuses "can't be the name of a variable" 'env: {"A=B": x}'
seed_refuses 'line break' 'env: {A: "x\ny"}'
finish
