#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The everyday commands beside start and shell: edit, list, info, show-ssh, protect, factory-reset.
# The machines are stubs.
# shellcheck disable=SC2016,SC2317 # backquotes are text; functions are called by name
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=stub.sh
. "$(dirname "$0")/stub.sh"
cd "$scratch" || exit 99
home=$CIMA_HOME
unset VISUAL EDITOR

same() { cmp -s "$1" "$2"; }
mode_of() { stat -c %a "$1"; }
lines_of() { printf '%s\n' "$out" | wc -l; }
# No file of an edit is left behind.
no_copies() { ! find "$TMPDIR" -name 'cima-edit-*' | grep -q .; }
mkdir "$scratch/tmp"
export TMPDIR="$scratch/tmp"
# script NAME <body: a program that stands for the editor; the file is $1.
script() {
    { echo '#!/bin/sh' && cat; } >"$scratch/$1"
    chmod +x "$scratch/$1"
}

# ---- edit -------------------------------------------------------------------------------------------
stub_yaml one.yaml </dev/null
cat >>one.yaml <<'YAML'
# a comment of mine
env:   {A: "1"}   # and its layout
YAML
succeeds 'create' "$cima" create one.yaml
yaml=$home/one/lima.yaml
cp "$yaml" before.yaml

# An editor that tells what it was given.
script look <<'SH'
for last; do :; done
printf '%s\n' "$@" >args
stat -c '%a' "$last" "$(dirname "$last")" >modes
cp "$last" given
SH
succeeds 'edit: arguments of the editor' env EDITOR="$scratch/look --wait 'a b'" "$cima" edit one
check '… says that nothing changed' says 'Aborting, no changes made to the instance'
check '… the file is as it was' same "$yaml" before.yaml
check '… the words are split as by a shell' is "$(sed -n 1,2p args | tr '\n' '|')" '--wait|a b|'
check '… the file is the last, and a .yaml' grep -q '/one.yaml$' args
check 'S04 … of nobody else' is "$(tr '\n' ' ' <modes)" '600 700 '
check '… hints are in front' grep -q '^#> .*instance `one`' given
check '… the text is behind' sh -c 'grep -v "^#> " given | cmp -s - before.yaml'
succeeds 'edit: VISUAL comes first' env VISUAL=true EDITOR=false "$cima" edit one

run env EDITOR="sed -i 's/^cpus: 1/cpus: 2/'" "$cima" edit one
check 'edit: a change' is "$code" 0
check '… is told' says 'Instance `one` configuration edited'
sed 's/^cpus: 1/cpus: 2/' before.yaml >want.yaml
check '… and nothing else changed, hints are gone' same "$yaml" want.yaml
check '… it counts' is "$(field_of one cpus)" 2
check '… mode' is "$(mode_of "$yaml")" 644

printf 'cpus: 1\r\nimages:\r\n- location: %s/stub.img # x\r\narch: x86_64\r\nfirmware: {legacyBIOS: true}\r\ndisk: 16MiB' "$scratch" >crlf.yaml
cp crlf.yaml "$yaml"
succeeds 'edit: CRLF, no line end at the end' env EDITOR="sed -i 's/^cpus: 1/cpus: 3/'" "$cima" edit one
sed 's/^cpus: 1/cpus: 3/' crlf.yaml >want.yaml
check '… every byte stays' same "$yaml" want.yaml
script addeol <<'SH'
printf '\r\n' >>"$1"
SH
succeeds 'edit: an editor that adds a line end' env EDITOR="$scratch/addeol" "$cima" edit one
check '… has changed nothing' says 'no changes made'
cp before.yaml "$yaml"

for e in 'truncate -s 0' rm; do
    succeeds "edit: $e gives up" env EDITOR="$e" "$cima" edit one
    check '… says so' says 'Aborting, as requested by saving the file with empty content'
    check '… the file is as it was' same "$yaml" before.yaml
done
script fails <<'SH'
echo 'cpus: 4' >"$1"
exit 3
SH
fails 'edit: an editor that fails' 1 env EDITOR="$scratch/fails" "$cima" edit one
check '… says so' says 'exited with status 3: nothing was changed'
check '… the file is as it was' same "$yaml" before.yaml
fails 'edit: no such editor' 1 env EDITOR=/nonexistent/vi "$cima" edit one
check '… says where the name is from' says 'hint: the name comes from $EDITOR'
fails 'edit: quotes' 1 env EDITOR="vi 'x" "$cima" edit one
check '… says so' says 'cannot understand the environment variable EDITOR'
mkdir bin
fails 'edit: no editor at all' 1 env PATH="$scratch/bin" "$cima" edit one
check '… says what to do' says 'set EDITOR'
printf '#!/bin/sh\n/bin/cp "$1" %s/given\n' "$scratch" >bin/nano && chmod +x bin/nano
rm -f given
succeeds 'edit: the usual ones by default' env PATH="$scratch/bin" "$cima" edit one
check '… nano' test -s given

# F36: a disk can't shrink, and both sizes are named.
fails 'F36 edit: a smaller disk' 1 env EDITOR="sed -i 's/^disk:.*/disk: 9MiB/'" "$cima" edit one
check 'F36 … is refused' says 'field `disk` says 9MiB, the disk has 16MiB: disk shrinking is not supported'
check 'F36 … with its place' says 'lima.REJECTED.yaml:6:7'
check 'F36 … the text is kept' grep -q '^disk: 9MiB' lima.REJECTED.yaml
check 'F36 … which is said' says "The rejected YAML was saved as \`$scratch/lima.REJECTED.yaml\`"
check 'F36 … the file is as it was' same "$yaml" before.yaml
check 'S04 … for nobody else' is "$(mode_of lima.REJECTED.yaml)" 600
rm lima.REJECTED.yaml
succeeds 'F36 edit: a larger disk' env EDITOR="sed -i 's/^disk:.*/disk: 20MiB/'" "$cima" edit one
qemu-img resize -q "$home/one/disk" 40M
succeeds 'F36 a disk that was enlarged by hand' "$cima" start one
check 'F36 … is adopted, with a note' says 'the disk was enlarged to 40MiB'
fails 'edit: a running instance' 1 env EDITOR=true "$cima" edit one
check '… is refused' says 'cannot edit a running instance'
check '… with the next step' says 'cima stop one'
succeeds 'stop' "$cima" stop one
cp before.yaml "$yaml"
fails 'F36 the size that was asked for reduced' 1 "$cima" start one
check 'F36 … is refused' says 'field `disk` says 16MiB, the disk has 40MiB: disk shrinking is not supported'
succeeds 'a fresh disk' "$cima" factory-reset one
succeeds 'start' "$cima" start one
succeeds 'stop' "$cima" stop one

cat >bad.sed <<'SED'
s/^cpus: 1/cpus: many/
s/^memory:.*/memory: lots/
SED
fails 'edit: a bad YAML' 1 env EDITOR="sed -i -f $scratch/bad.sed" "$cima" edit one
check '… every problem: cpus' says 'lima.REJECTED.yaml:4:7'
check '… every problem: memory' says 'lima.REJECTED.yaml:5:9'
check '… the places fit' is "$(sed -n 4p lima.REJECTED.yaml)" 'cpus: many'
check '… no question without a terminal' absent "$scratch/asked"
check '… the file is as it was' same "$yaml" before.yaml
rm lima.REJECTED.yaml

script sneak <<SH
sed -i 's/^cpus: 1/cpus: 2/' "\$1"
echo '# somebody else' >>'$yaml'
SH
fails 'edit: changed by somebody else meanwhile' 1 env EDITOR="$scratch/sneak" "$cima" edit one
check '… is refused' says 'was changed by somebody else in the meantime'
check '… their text stays' grep -q 'somebody else' "$yaml"
check '… ours too' grep -q '^cpus: 2' lima.REJECTED.yaml
rm lima.REJECTED.yaml
cp before.yaml "$yaml"
script starts <<SH
sed -i 's/^cpus: 1/cpus: 2/' "\$1"
'$cima' start one >/dev/null 2>&1
SH
fails 'edit: started meanwhile' 1 env EDITOR="$scratch/starts" "$cima" edit one
check '… is refused' says 'cannot edit a running instance'
check '… the file is as it was' same "$yaml" before.yaml
check '… our text stays' grep -q '^cpus: 2' lima.REJECTED.yaml
rm lima.REJECTED.yaml
succeeds 'stop' "$cima" stop one

succeeds 'edit: what has no effect is a warning' env EDITOR="sed -i 's/^user:.*/user: {name: other}/'" "$cima" edit one
check '… with its reason' says 'the guest'"'"'s disk has the user `lima` already'
check '… its place' says 'lima.yaml:8:7'
cp before.yaml "$yaml"
: >"$yaml"
succeeds 'edit: an empty YAML can be mended' env EDITOR="cp $scratch/before.yaml" "$cima" edit one
check '… is' same "$yaml" before.yaml
run env EDITOR="sed -i 's/^cpus: 1/cpus: 2/'" "$cima" edit --start one
check 'edit --start' is "$code" 0
check '… runs' has_status one Running
succeeds 'stop' "$cima" stop one

ln -s one.yaml link.yaml
succeeds 'edit FILE' env EDITOR="sed -i 's/^cpus: 1/cpus: 2/'" "$cima" edit ./link.yaml
check '… through a symbolic link' grep -q '^cpus: 2' one.yaml
check '… which stays' test -L link.yaml
fails 'edit FILE: bad' 1 env EDITOR="sed -i -f $scratch/bad.sed" "$cima" edit crlf.yaml
check '… says where' says 'lima.REJECTED.yaml:1:7'
rm -f lima.REJECTED.yaml
fails 'edit FILE --start' 1 env EDITOR=true "$cima" edit --start one.yaml
check '… makes no sense' says '--start needs an instance'
fails 'edit of nothing' 1 env EDITOR=true "$cima" edit nix
check '… says so' says 'instance `nix` does not exist'
fails 'edit of a missing file' 1 env EDITOR=true "$cima" edit nix.yaml
check '… says so' says "cannot read 'nix.yaml'"
succeeds 'edit: by a flag' "$cima" edit --cpus 4 one
sed 's/^cpus: 1/cpus: 4/' before.yaml >want.yaml
check '… changes its value and nothing else' same "$yaml" want.yaml
succeeds 'edit: by a flag that says what is there' "$cima" edit --cpus 4 one
check '… says so' says 'No changes made to the instance'
fails 'edit: by a flag that makes it bad' 1 "$cima" edit --set '.memory = "lots"' one
check '… says where' says 'lima.REJECTED.yaml:5:9'
check '… the file is as it was' same "$yaml" want.yaml
rm -f lima.REJECTED.yaml
check 'S04 edit: no copies are left' no_copies

# Ctrl-C reaches the whole process group; the editor decides what it means.
script interrupt <<'SH'
trap '' INT QUIT
kill -INT 0
kill -QUIT 0
sed -i 's/^cpus: 1/cpus: 2/' "$1"
SH
cp before.yaml "$yaml"
succeeds 'edit: Ctrl-C in the editor' setsid -w env EDITOR="$scratch/interrupt" "$cima" edit one
check '… is none of ours' grep -q '^cpus: 2' "$yaml"
cp before.yaml "$yaml"
# S09: names are words, never a shell's.
cp one.yaml './-x $(touch pwned) `touch pwned` ;touch pwned.yaml'
succeeds 'S09 edit: a file name that a shell would run' env EDITOR="sed -i 's/^cpus: [12]/cpus: 4/'" "$cima" edit './-x $(touch pwned) `touch pwned` ;touch pwned.yaml'
check 'S09 … is a name' grep -q '^cpus: 4' './-x $(touch pwned) `touch pwned` ;touch pwned.yaml'
check 'S09 … and nothing else' absent pwned
rm -- './-x $(touch pwned) `touch pwned` ;touch pwned.yaml'

# On a terminal one may go on.
script twice <<SH
n=\$(cat '$scratch/n' 2>/dev/null || echo 0)
echo \$((n + 1)) >'$scratch/n'
case \$n in
0) sed -i 's/^cpus: 1/cpus: many/' "\$1" ;;
*) sed -i 's/^cpus: many/cpus: 3/' "\$1" ;;
esac
SH
cp before.yaml "$yaml"
rm -f n
run answering y env EDITOR="$scratch/twice" "$cima" edit one
check 'edit on a terminal: the editor again' is "$(cat n)" 2
check '… after a question' prints 'Open the editor again?'
check '… on what it had left' grep -q '^cpus: 3' "$yaml"
check '… the rejected text is no more' absent lima.REJECTED.yaml
cp before.yaml "$yaml"
rm -f n
run answering n env EDITOR="$scratch/twice" "$cima" edit one
check 'edit on a terminal: no' is "$(cat n)" 1
check '… the file is as it was' same "$yaml" before.yaml
check '… the rejected text is kept' grep -q '^cpus: many' lima.REJECTED.yaml
rm -f lima.REJECTED.yaml

# ---- protect ----------------------------------------------------------------------------------------
succeeds 'protect' "$cima" protect one
check '… says so' says 'Protected `one`'
check '… by an empty file' is "$(stat -c '%s %a' "$home/one/protected")" '0 600'
succeeds 'protect again' "$cima" protect one
check '… is a warning' says 'Instance `one` is already protected. Skipping.'
for c in 'delete' 'delete -f'; do
    # shellcheck disable=SC2086 # words
    fails "$c of a protected one" 1 "$cima" $c one
    check '… is refused' says 'protected to prohibit accidental removal'
    check '… with the next step' says 'cima unprotect one'
done
fails 'factory-reset of a protected one' 1 "$cima" factory-reset one
check '… is refused' says 'protected to prohibit accidental factory-reset'
check '… the disk is there' test -s "$home/one/disk"
check '… list knows' sh -c "'$cima' list --json one | grep -q '\"protected\":true'"
fails 'unprotect of several' 1 "$cima" unprotect nix one
check '… names the missing' says 'instance `nix` does not exist'
check '… does the others' says 'Unprotected `one`'
succeeds 'unprotect again' "$cima" unprotect one
check '… is a warning' says "Instance \`one\` isn't protected. Skipping."

# ---- factory-reset ----------------------------------------------------------------------------------
succeeds 'start' "$cima" start one
driver=$(driver_pid one)
echo mine >"$home/one/notes.yml"
mkdir -p "$home/one/swtpm/deep" && : >"$home/one/swtpm/deep/state" && : >"$home/one/other"
succeeds 'factory-reset of a running one' "$cima" factory-reset one
check '… says what comes' says 'Run `cima start one` to start it with a fresh disk'
check '… it has ended' gone "$driver"
left=$(find "$home/one" -mindepth 1 ! -name '*.lock' -printf '%P ' | tr ' ' '\n' | LC_ALL=C sort | tr '\n' ' ')
check '… what stays' is "$left" "cima-version cloud-config.yaml lima-version lima.yaml notes.yml "
check '… the YAML is as it was' same "$yaml" before.yaml
check '… list: stopped' has_status one Stopped
succeeds 'start after it' "$cima" start one
check '… makes a disk' says 'has no disk yet; making one from the image'
check '… of its image' test -s "$home/one/disk" -a -s "$home/one/image"
check '… and its facts' grep -q diskFormat "$home/one/cima.json"
succeeds 'stop' "$cima" stop one
rm "$home/one/disk"
succeeds 'start without a disk, which was removed' "$cima" start one
check '… warns' says 'The disk of `one` is gone; making a new one from the image'
succeeds 'stop' "$cima" stop one
mv "$home/one/disk" away && ln -s "$PWD/drive/disk" "$home/one/disk"
fails 'start with a disk that is a link to nowhere' 1 "$cima" start one
check '… asks for its drive' says 'is its drive mounted?'
check '… the link stays' test -L "$home/one/disk"
rm "$home/one/disk" && mv away "$home/one/disk"
rm "$home/one/disk" "$home/one/image"
mv stub.img stub.away && rm -rf "$XDG_CACHE_HOME"
fails 'start without disk and image' 1 "$cima" start one
check '… names what is missing' says 'stub.img'
check '… which instance' says 'cannot make the disk of instance `one`'
mv stub.away stub.img
succeeds 'start with the image again' "$cima" start one
succeeds 'stop' "$cima" stop one
: >"$home/one/diffdisk" && rm "$home/one/disk"
fails 'the disk of an older Lima' 1 "$cima" start one
check '… is looked at' says 'diffdisk'
check '… and not replaced' absent "$home/one/disk"
rm "$home/one/diffdisk"
# Killed in the middle: the mark is there, half of the files too.
: >"$home/one/cima-reset" && rm -f "$home/one/image"
succeeds 'start after a reset that was killed' "$cima" start one
check '… finishes it' says 'Finishing the factory reset of `one`'
check '… and forgets it' absent "$home/one/cima-reset"
succeeds 'stop' "$cima" stop one
: >"$home/one/cima-reset" && rm -f "$home/one/image"
succeeds 'factory-reset after a reset that was killed' "$cima" factory-reset one
check '… the YAML is as it was' same "$yaml" before.yaml
succeeds 'factory-reset of nothing' "$cima" factory-reset nix
check '… says so' says 'Instance `nix` does not exist'
succeeds 'start' "$cima" start one

# ---- show-ssh ---------------------------------------------------------------------------------------
succeeds 'show-ssh' "$cima" show-ssh one
check '… warns' says '`cima show-ssh` is deprecated'
check '… says what instead' says "ssh -F $home/one/ssh.config lima-one"
port=$(field_of one sshLocalPort)
check '… a command' sh -c "printf '%s\n' '$(printf '%s' "$out" | sed "s/'/'\\\\''/g")' | grep -q \"^$SSH -o .* -o Port=$port lima-one\$\""
succeeds 'show-ssh: options' "$cima" show-ssh --format options one
check '… one per line' prints "Port=$port"
check '… the key' prints "IdentityFile=\"$home/_config/user\""
succeeds 'show-ssh: config' "$cima" show-ssh -f config one
sed '/^#/d' "$home/one/ssh.config" >config
printf '%s\n' "$out" >shown
check '… as ssh.config' same shown config
run "$cima" show-ssh -f args one
printf '#!/bin/sh\nfor w; do printf "%%s\\n" "$w"; done\n' >words && chmod +x words
eval "./words $out" >given
check 'show-ssh: args survive a shell' grep -qxF "IdentityFile=\"$home/_config/user\"" given
fails 'show-ssh: a bad format' 1 "$cima" show-ssh -f xml one
check '… names the good' says 'config'
succeeds 'stop' "$cima" stop one
fails 'show-ssh of a stopped one' 1 "$cima" show-ssh one
check '… says why' says 'instance `one` is stopped: its ssh port is chosen when it starts'
cp before.yaml "$yaml" && printf 'ssh: {localPort: 60999}\n' >>"$yaml"
succeeds 'show-ssh with a fixed port' "$cima" show-ssh -f options one
check '… knows it' prints 'Port=60999'
cp before.yaml "$yaml"

# ---- info -------------------------------------------------------------------------------------------
succeeds 'info' "$cima" info
keys=$(printf '%s\n' "$out" | sed -n 's/^    "\([A-Za-z]*\)":.*/\1/p' | tr '\n' ' ')
check '… its keys' is "$keys" 'version templates defaultTemplate limaHome vmTypes vmTypesEx guestAgents shellEnvBlock hostOS hostArch identityFile plugins libexecPaths sharePaths '
check '… the home' prints "\"limaHome\": \"$home\""
if command -v python3 >/dev/null; then
    check '… is JSON' sh -c "'$cima' info | python3 -c 'import json,sys; json.load(sys.stdin)'"
fi

# ---- configuration warnings -------------------------------------------------------------------------
stub_yaml slip.yaml </dev/null
echo 'cpuz: 2' >>slip.yaml
succeeds 'start FILE' "$cima" start slip.yaml
check '… warns once' is "$(printf '%s\n' "$err" | grep -c cpuz)" 1
succeeds 'stop' "$cima" stop slip
succeeds 'start NAME' "$cima" start slip
check '… warns again' is "$(printf '%s\n' "$err" | grep -c cpuz)" 1
succeeds 'stop' "$cima" stop slip
cp slip.yaml slop.yaml
"$cima" start --foreground slop.yaml >out 2>err </dev/null &
front=$!
check 'start --foreground FILE' within 30 has_status slop Running
"$cima" stop slop >/dev/null 2>&1
wait "$front"
check '… warns once' is "$(grep -c cpuz err)" 1
"$cima" delete slop >/dev/null 2>&1
stub_yaml docs.yaml </dev/null
printf -- '---\ncpus: 4\n' >>docs.yaml
succeeds 'validate of two documents' "$cima" validate docs.yaml
check '… warns with the place' says 'docs.yaml:11:1: only the first document of the file counts'

# ---- list -------------------------------------------------------------------------------------------
succeeds 'list' "$cima" list
check '… a row each' is "$(lines_of)" 3
succeeds 'list -q' "$cima" list -q
check '… names' is "$(printf '%s' "$out" | tr '\n' ' ')" 'one slip'
succeeds 'list --list-fields' "$cima" list --list-fields
check '… has names' is "$(printf '%s\n' "$out" | sed -n 1,3p | tr '\n' ' ')" \
    'AdditionalDisks Arch AutoStartedIdentifier '
for c in '--list-fields --format json' '--list-fields --json'; do
    # shellcheck disable=SC2086 # words
    fails "list $c" 1 "$cima" list $c
    check '… conflicts' says 'option --list-fields conflicts with option --format'
done
fails 'list --json --format yaml' 1 "$cima" list --json --format yaml
check '… conflicts' says 'option --json conflicts with option --format'
fails 'list -q --json' 1 "$cima" list -q --json
check '… conflicts' says "option --quiet can only be used with '--format table'"
fails 'list of some that are not there' 1 "$cima" list one nix
check '… warns' says 'No instance matching nix found.'
check '… shows the others' prints one
fails 'list -q of one that is not there' 1 "$cima" list -q nix
check '… too' says 'No instance matching nix found.'
succeeds 'list of an empty home' env CIMA_HOME="$scratch/none" "$cima" list
check '… warns' says 'No instance found. Run `cima create` to create an instance.'
succeeds 'list --json of an empty home' env CIMA_HOME="$scratch/none" "$cima" list --json
check '… prints nothing' is "$out" ''
check '… warns' says 'No instance found.'
keys=$("$cima" list --json one | sed 's/"config":{.*},"sshAddress"/"config":0,"sshAddress"/' | grep -o '"[A-Za-z]*":' | tr -d '":' | tr '\n' ' ')
check 'list --json: order' is "$keys" 'name hostname status dir vmType arch cpus memory disk sshConfigFile config sshAddress protected limaVersion HostOS HostArch LimaHome IdentityFile '

succeeds 'list --filter' "$cima" list -q --filter '.status == "Stopped" # all of them' --filter ' '
check '… may have a comment' is "$(printf '%s' "$out" | tr '\n' ' ')" 'one slip'
fails 'list --filter as in a shell' 1 "$cima" list --filter 'status=Stopped'
check '… tells how a key is written' says 'did you mean the key `.status` or'

# at COLUMNS WORDS: the head of the table in a terminal of that width.
at() {
    out=$(answering '' sh -c "stty cols $1; '$cima' list" 2>/dev/null | tr -d '\r')
    check "list in $1 columns" is "$(printf '%s\n' "$out" | sed -n 1p | tr -s ' ')" "$2"
}
at 40 'NAME STATUS SSH CPUS MEMORY DISK'
at 80 'NAME STATUS SSH CPUS MEMORY DISK DIR'
at 200 'NAME STATUS SSH VMTYPE ARCH CPUS MEMORY DISK DIR'
succeeds 'list: a template' "$cima" list --format '{{.Name}} {{.Status}}' one
check '… is filled in' is "$out" 'one Stopped'
fails 'list: a template with a field that is not there' 1 "$cima" list --format '{{.Config.Colour}}' one
check '… says so' says '1:3: can'"'"'t evaluate field `.Config.Colour`'
check '… and where to look' says 'hint: `cima list --list-fields`'

# ---- F10: a row for everything ----------------------------------------------------------------------
# broken NAME REASON: the row is there, with its reason; delete -f works, delete does not.
broken() {
    succeeds "F10 $1: list goes on" "$cima" list
    check 'F10 … the row is Broken' sh -c "'$cima' list 2>/dev/null | grep -q '^$1  *Broken'"
    check 'F10 … the others are there' prints one
    check 'F10 … the reason is told' says "$2"
    succeeds 'F10 … as JSON' "$cima" list --json "$1"
    check 'F10 … with the reason' prints "$2"
    fails 'F10 … delete wants -f' 1 "$cima" delete "$1"
    check 'F10 … says so' says "cima delete -f $1"
    succeeds 'F10 … delete -f works' "$cima" delete -f "$1"
    check 'F10 … it is gone' absent "$home/$1"
}
mkdir "$home/none" && broken none 'lima.yaml'\'' is missing'
mkdir "$home/empty" && : >"$home/empty/lima.yaml" && broken empty 'lima.yaml'\'' is empty'
mkdir "$home/odd" && printf 'images: [\n' >"$home/odd/lima.yaml" && broken odd 'odd/lima.yaml:'
mkdir "$home/dir" "$home/dir/lima.yaml" && broken dir 'is not a regular file'
mkdir "$home/text" && printf '\200\377\033\001[: {\n' >"$home/text/lima.yaml" && broken text 'text/lima.yaml'
mkdir "$home/secret" && cp before.yaml "$home/secret/lima.yaml" && chmod 0 "$home/secret/lima.yaml"
if ! [ -r "$home/secret/lima.yaml" ]; then
    broken secret 'Permission denied'
else
    # Root can read everything: somebody else shall look, in a home of their own.
    rm -rf "$home/secret"
    nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups env HOME="$other" CIMA_HOME="$other/home" "$@"; }
    other=$(mktemp -d /tmp/cima-e2e.XXXXXX) || exit 99
    mkdir -p "$other/home/secret" "$other/home/one" && cp before.yaml "$other/home/one/lima.yaml"
    cp before.yaml "$other/home/secret/lima.yaml" && chmod 0 "$other/home/secret/lima.yaml"
    chown -R 65534:65534 "$other" && chmod -R go-w "$other"
    if nobody "$cima" --version >/dev/null 2>&1; then
        succeeds 'F10 unreadable: list goes on' nobody "$cima" list
        check 'F10 … the row is Broken' sh -c "printf '%s' '$out' | grep -q '^secret  *Broken'"
        check 'F10 … the others are there' sh -c "printf '%s' '$out' | grep -q '^one  *Stopped'"
        check 'F10 … the reason is told' says 'Permission denied'
        fails 'F10 … delete wants -f' 1 nobody "$cima" delete secret
        check 'F10 … says so' says 'cima delete -f secret'
        succeeds 'F10 … delete -f works' nobody "$cima" delete -f secret
        check 'F10 … it is gone' absent "$other/home/secret"
    else
        printf 'skipped: F10 unreadable lima.yaml: root can read it, and nobody else can run cima here\n'
    fi
    rm -rf "$other"
fi

# ---- Ctrl-C in stop: the guest goes on shutting down, and may be waited for again --------------------
qemu_mode deaf
for n in ka kb; do
    succeeds "F20 start $n" "$cima" start -y --name "$n" one.yaml
done
"$cima" stop ka kb >out 2>err &
stop=$!
check 'F20 stop waits' within 60 grep -q 'Shutting down the instance ka' err
kill -INT "$stop"
wait "$stop"
check 'F20 … Ctrl-C ends it' is "$?" 1
err=$(cat err)
check 'F20 … it says what goes on' says 'interrupted: instance `ka` goes on shutting down'
check 'F20 … and what to do' says '`cima stop ka` waits for it again'
check 'F20 … Ctrl-C was meant for all of them' sh -c '! grep -q "Shutting down the instance kb" err'
succeeds 'F20 stop, once more' "$cima" stop --timeout 2s ka
check 'F20 … waits, and ends nothing at once' says 'The instance ka did not shut down within 2 s'
succeeds 'F20 the rest' "$cima" delete -f ka kb
qemu_mode run

# ---- S04: whatever the umask ------------------------------------------------------------------------
open_files() { find "$scratch/wide" -perm /022 ! -type l; }
mkdir -m 700 "$scratch/wide"
(
    umask 000
    CIMA_HOME=$scratch/wide/home
    export CIMA_HOME
    "$cima" create --name w one.yaml && "$cima" protect w && "$cima" unprotect w &&
        EDITOR="sed -i 's/^cpus: .*/cpus: 3/'" "$cima" edit w && "$cima" start w && "$cima" stop w &&
        "$cima" protect w && open_files >"$scratch/open" &&
        "$cima" unprotect w && "$cima" factory-reset w
) >out 2>err
check 'S04 with umask 000 everything works' is "$?" 0
check 'S04 … and nothing is writable for others' is "$(cat open)$(open_files)" ''
finish
