#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Bad input: one clear error with the next step, exit code 1, nothing left behind. No machine is
# started here.
# shellcheck disable=SC2016,SC2317 # backquotes are text; functions are called by name
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$scratch" || exit 99

# What a failed command may leave: an empty home with its _config.
nothing_left() {
    left=$(find "$CIMA_HOME" -mindepth 1 ! -path "$CIMA_HOME/_config*" 2>/dev/null)
    here=$(find . -mindepth 1 -maxdepth 1 ! -name home ! -name out ! -name err ! -name '*.yaml' ! -name '*.img' ! -name bin ! -name cache)
    [ -z "$left$here" ]
}
one_error() { [ "$(printf '%s\n' "$err" | grep -c 'level=fatal')" -eq 1 ]; }
has_hint() { says 'hint: ' || says ', run `cima '; }
silent() { [ -z "$out" ]; }

# bad NAME TEXT COMMAND...: fails with code 1, one error that holds TEXT, a hint, nothing on standard
# output, nothing left behind.
bad() {
    what=$1 text=$2
    shift 2
    fails "$what" 1 "$@"
    check "… says: $text" says "$text"
    check '… once' one_error
    check '… with the next step' has_hint
    check '… not on standard output' silent
    check '… and leaves nothing' nothing_left
}

# ---- the command line -------------------------------------------------------------------------------
bad 'unknown command' 'unknown command' "$cima" strat mini
check '… nearest' says 'did you mean `cima start`?'
bad 'unknown option' 'unknown flag: --forc' "$cima" stop --forc mini
check '… nearest' says 'did you mean `--force`?'
bad 'unknown letter' "unknown shorthand flag: 'z' in -z" "$cima" list -z
bad 'option without its value' 'flag needs an argument: --name' "$cima" start mini --name
bad 'bad value' 'invalid argument' "$cima" --log-level loud list
bad 'bad duration' 'must be a duration' "$cima" start --timeout soon mini
bad 'too many words' 'accepts at most 1 arg(s), received 2' "$cima" start one two
bad 'too few words' 'requires at least 1 arg(s), only received 0' "$cima" delete
bad 'a full line of nonsense' 'unknown' "$cima" --what -x 'a b' '{}' --- start=1
bad 'options that exclude each other' 'option --json conflicts with option --format' "$cima" list --json --format yaml
bad 'quiet with a format' "option --quiet can only be used with '--format table'" "$cima" list -q --format json
bad 'tty and yes' 'cannot use both --tty and --yes flags at the same time' "$cima" --tty --yes list
# Values of flags are looked at before anything else.
bad 'a flag misspelt' 'unknown flag: --cpu' "$cima" start --cpu 4 mini
bad 'no number' 'invalid argument \"four\" for \"--cpus\" flag' "$cima" create --cpus four none.yaml
bad 'a negative number' 'must be >= 0' "$cima" edit --cpus -2 mini
bad 'no size' 'invalid argument \"4GiB\" for \"--memory\" flag' "$cima" create --memory 4GiB none.yaml
bad 'no port' 'invalid argument \"70000\" for \"--ssh-port\" flag' "$cima" start --ssh-port 70000 mini
bad 'no address' 'invalid argument \"one.one\" for \"--dns\" flag' "$cima" restart --dns one.one mini
bad 'flags that exclude each other' 'conflicts with `--mount-only`' "$cima" create --mount /a --mount-only /b none.yaml
bad 'no forward' 'expected HOST:GUEST or HOST:GUEST,static=true' "$cima" create --port-forward 80 none.yaml
bad 'no expression' 'column 9: unexpected `=`' "$cima" create --set '.cpus = = 4' none.yaml
bad 'the environment' 'env operations have been disabled' "$cima" edit --set '.message = env(HOME)' mini
bad 'a file' 'file operations have been disabled' "$cima" edit --set '.message = load_str("/etc/hostname")' mini
bad 'a flag for creation' 'unknown flag: --arch' "$cima" edit --arch aarch64 mini
bad 'the hint is for the command' 'hint: see `cima edit --help`' "$cima" edit --cpus four mini
bad 'a helper program that is missing' "(looked for $scratch/bin/cima-query)" \
    env CIMA_LIBEXEC="$scratch/bin" "$cima" info --yq .version

# ---- names ------------------------------------------------------------------------------------------
bad 'start of an unknown name' 'instance `mini` does not exist' "$cima" start mini
check '… tells how to create' says 'cima create'
for c in stop restart; do
    bad "$c of an unknown name" 'instance `mini` does not exist' "$cima" "$c" mini
done
bad 'shell in an unknown instance' 'instance `mini` does not exist' "$cima" shell mini true
bad 'a name that is none' 'invalid instance name' "$cima" start 'in valid'
bad 'a name that goes elsewhere' 'invalid instance name' "$cima" stop ../x
succeeds 'delete of an unknown name is fine' "$cima" delete mini
check '… with a warning' says 'Ignoring non-existent instance `mini`'
check '… and leaves nothing' nothing_left
bad 'start without anything and without template:default' 'template `default` not found' \
    env LIMA_TEMPLATES_PATH=/nonexistent "$cima" start
bad 'create without anything and without template:default' 'template `default` not found' \
    env LIMA_TEMPLATES_PATH=/nonexistent "$cima" create
bad 'a template that is not there' 'template `debain` not found' "$cima" start template:debain
bad 'a URL where nobody listens' 'cannot download the template' "$cima" create http://127.0.0.1:1/x.yaml
fails 'list of an unknown name' 1 "$cima" list mini
check '… says so' says 'No instance matching mini found.'

# ---- files ------------------------------------------------------------------------------------------
bad 'a missing file' "cannot read 'nowhere.yaml'" "$cima" start nowhere.yaml
bad 'a missing file in a directory' "cannot read './dir/x'" "$cima" create ./dir/x
mkdir directory.yaml
bad 'a directory' 'it is a directory' "$cima" create directory.yaml
rmdir directory.yaml
bad 'standard input without a name' 'must pass instance name with --name' "$cima" create -
bad 'standard input, and a terminal is asked for' 'cannot use --tty=true when reading template from stdin' \
    "$cima" --tty=true create --name x -

printf 'images: [\n' >syntax.yaml
bad 'no YAML at all' 'syntax.yaml:' "$cima" create syntax.yaml
: >empty.yaml
bad 'an empty file' 'empty.yaml' "$cima" create empty.yaml
printf '\000\001\002' >binary.yaml
bad 'a binary file' 'binary.yaml' "$cima" start binary.yaml

cat >wrong.yaml <<'YAML'
# three mistakes and a slip
images:
- location: disk.img
cpu: 4
memory: lots
mounts:
- location: not/absolute
provision:
- mode: sytem
  script: "true"
YAML
bad 'a wrong YAML' 'wrong.yaml:5:9' "$cima" create wrong.yaml
check '… every problem: mounts' says 'wrong.yaml:7:13'
check '… every problem: provision' says 'wrong.yaml:9:9'
check '… the line' says 'memory: lots'
check '… a caret' says '        ^'
check '… a slip is a warning' says 'wrong.yaml:4:1'
check '… with the likely field' says 'did you mean `cpus`?'
printf 'cpus: [\n' >broken.yaml
printf -- '- cpus\n' >list.yaml
bad 'flags for no YAML' 'broken.yaml:2:1' "$cima" create --cpus 2 broken.yaml
bad 'the same for edit' 'broken.yaml` checks it' "$cima" edit --cpus 2 ./broken.yaml
bad 'flags for a list' 'it is a list, expected a mapping' "$cima" create --cpus 2 list.yaml
bad 'validate of it' 'failed to validate YAML file `wrong.yaml`' "$cima" validate wrong.yaml
run sh -c "'$cima' create --name x - <wrong.yaml"
check 'from standard input: the same' says '<stdin>:5:9'
check '… exit code 1' is "$code" 1
check '… and leaves nothing' nothing_left

printf 'images:\n- location: disk.img\n' >missing.yaml
bad 'a missing image' 'disk.img' "$cima" start missing.yaml
check '… by its full path' says "$scratch/disk.img"
bad 'start of the name of a file' 'instance `missing` does not exist' "$cima" start missing
check '… offers the file' says 'cima start missing.yaml'
bad 'the same for create' 'there is no such file' "$cima" create missing
check '… too' says 'cima create missing.yaml'

# Two good ones and a bad one: every file is looked at.
printf 'images:\n- location: /x.img\n' >good.yaml
fails 'validate of several' 1 "$cima" validate good.yaml wrong.yaml missing.yaml
check '… tells the good' says '`missing.yaml`: OK'
check '… and the bad' says 'wrong.yaml:5:9'

# ---- the host ---------------------------------------------------------------------------------------
truncate -s 1M disk.img
bad 'no QEMU' 'qemu' env PATH=/nonexistent "$cima" start missing.yaml
bad 'a home that is a file' 'is not a directory' env CIMA_HOME="$scratch/good.yaml" "$cima" list
mkdir open.img && chmod 777 open.img
bad 'a home that others may write to' 'can' env CIMA_HOME="$scratch/open.img" "$cima" list
rmdir open.img
bad 'a path that is too long for sockets' 'too long' env CIMA_HOME="$scratch/$(printf '%0100d' 0)" "$cima" create missing.yaml

# ---- F47: no terminal, closed descriptors -----------------------------------------------------------
succeeds 'F47 list with standard input closed' sh -c "'$cima' list <&-"
fails 'F47 help with standard output closed' 1 sh -c "'$cima' help >&-"
check 'F47 … says so' says 'cannot write to standard output'
run sh -c "'$cima' start nowhere.yaml 2>&-"
check 'F47 standard error closed' is "$code" 1
succeeds 'F47 a reader that goes away' sh -c "'$cima' help | head -c 1"
# gone COMMAND...: its code, where nobody reads its output any more.
gone() {
    {
        until [ -e closed ]; do sleep 0.1; done
        "$@"
        echo "$?" >code_of
    } 2>err_of | {
        exec <&-
        : >closed
    }
    # The pipeline is over when its last part is, or all parts: that depends on the shell.
    until [ -s code_of ]; do sleep 0.1; done
    is "$(cat code_of err_of)" 0
    rm -f closed code_of err_of
}
mkdir -p "$CIMA_HOME/fine" && chmod 700 "$CIMA_HOME"
printf 'images:\n- location: /x.img\n' >"$CIMA_HOME/fine/lima.yaml"
for c in help info list 'list --json'; do
    # shellcheck disable=SC2086 # words
    check "F47 $c for a reader that has gone" gone "$cima" $c
done
rm -r "$CIMA_HOME/fine"
succeeds 'F47 without TERM' env -u TERM "$cima" list
fails 'a full disk behind standard output' 1 sh -c "'$cima' help >/dev/full"

# ---- problems as JSON, for editors --------------------------------------------------------------------
mkdir -p "$CIMA_HOME/_config"
printf 'disk: 10\ncpus: -1\n' >"$CIMA_HOME/_config/default.yaml"
printf 'images: [{location: small.img}]\nmemroy: 2GiB\nssh:\n  localPort: 22\n' >json.yaml
printf 'images: [{location: small.img}]\nenv: [\n' >syntax.yaml
json_has() { # LEVEL FILE LINE COLUMN PATH KIND: an object with exactly these, a message, and a hint
    printf '%s\n' "$err" | python3 -c '
import json, sys
level, file, line, column, path, kind = sys.argv[1:]
want = dict(level=level, file=file, line=int(line), column=int(column), kind=kind)
if path:
    want["path"] = path
found = [json.loads(l) for l in sys.stdin]
sys.exit(not any(all(o.get(k) == v for k, v in want.items()) and o["message"] and o["hint"]
                 and ("path" in o) == bool(path) for o in found))' "$@"
}
last_is_fatal() {
    printf '%s\n' "$err" | tail -n 1 | python3 -c '
import json, sys
o = json.load(sys.stdin)
sys.exit(o["level"] != "fatal" or "json.yaml" not in o["msg"] or "^" in o["msg"])'
}
fails 'problems as JSON' 1 "$cima" --log-format json validate json.yaml syntax.yaml
check '… an error' json_has error json.yaml 4 14 ssh.localPort ssh-port
check '… a warning' json_has warning json.yaml 2 1 memroy unknown-field
check '… one of another layer' json_has error "$CIMA_HOME/_config/default.yaml" 2 7 cpus cpus
check '… one of the second file' json_has error syntax.yaml 3 1 '' syntax
check '… and what it means for the command' last_is_fatal
fails 'create says them the same way' 1 "$cima" --log-format json create json.yaml
check '… an error' json_has error json.yaml 4 14 ssh.localPort ssh-port
rm -r "$CIMA_HOME/_config"

# ---- broken instances (F10) -------------------------------------------------------------------------
mkdir -p "$CIMA_HOME/none" "$CIMA_HOME/empty" "$CIMA_HOME/broken" "$CIMA_HOME/fine"
chmod 700 "$CIMA_HOME"
: >"$CIMA_HOME/empty/lima.yaml"
cp wrong.yaml "$CIMA_HOME/broken/lima.yaml"
cp good.yaml "$CIMA_HOME/fine/lima.yaml"
succeeds 'F10 list goes on' "$cima" list
check 'F10 … all four' is "$(printf '%s\n' "$out" | wc -l)" 5
check 'F10 … three are broken' is "$(printf '%s\n' "$out" | grep -c Broken)" 3
check 'F10 … with their reasons' says 'broken/lima.yaml:'
check 'F10 … one is fine' has_status fine Stopped
for n in none empty broken; do
    fails "F10 delete of $n needs -f" 1 "$cima" delete "$n"
    check 'F10 … and says so' says "cima delete -f $n"
    succeeds "F10 delete -f $n" "$cima" delete -f "$n"
    check 'F10 … is gone' absent "$CIMA_HOME/$n"
done
fails 'stop of a stopped one' 1 "$cima" stop fine
check '… says how it is' says 'expected status `Running`, got `Stopped`'
fails 'shell of a stopped one' 1 "$cima" shell fine true
check '… says what to do' says 'instance `fine` is stopped, run `cima start fine` to start the instance'
fails 'shell with an option behind the name' 1 "$cima" shell fine --workdir / pwd
check '… says where it belongs' says '`--workdir` is taken as the command'
fails 'start without an ssh program' 1 env PATH=/nonexistent SSH= "$cima" start fine
check '… says what to install' says 'install the OpenSSH client'
check '… before anything runs' has_status fine Stopped
fails 'an existing name' 1 "$cima" create --name fine good.yaml
check '… says so' says 'instance `fine` already exists'
fails 'start of a file whose name is taken' 1 "$cima" start --name fine good.yaml
check '… tells both ways on' says 'cima start --name NAME good.yaml'

# ---- an image that its name does not fit -----------------------------------------------------------
head -c 4096 /etc/services >text.qcow2
succeeds 'create of a text that is called a qcow2' "$cima" create --plain text.qcow2
check '… warns' says 'is no qcow2 image, as its name says'
succeeds '… delete' "$cima" delete text
rm text.qcow2

# ---- what the QEMU of this host does not have -------------------------------------------------------
# It may have it on the day of the start: creating warns, whatever it is that lacks.
truncate -s 1M small.img
for lacks in "cpuType: {$(uname -m): zx81}" 'minimumVersion: 99.0.0'; do
    printf 'images: [{location: small.img}]\nvmOpts: {qemu: {%s}}\n' "$lacks" >lacks.yaml
    succeeds "create with $lacks" "$cima" create --plain lacks.yaml
    check '… warns' says 'instance `lacks` cannot start as it is: '
    fails '… start refuses' 1 "$cima" start lacks
    check '… with the same reason' says "${lacks%%:*}"
    check '… and the instance is as it was' has_status lacks Stopped
    succeeds '… until it is deleted' "$cima" delete lacks
done

# ---- no room at all -----------------------------------------------------------------------------------
# The host agent can write neither events nor a log: who started it finds out why.
printf 'images: [{location: small.img}]\n' >small.yaml
if unshare -rm true 2>/dev/null; then
    fails 'start in a file system that is full' 1 unshare -rm sh -c '
        mount -t tmpfs -o size=4m,mode=700 none "$2" && "$1" create --plain --name full small.yaml || exit 90
        dd if=/dev/zero of="$2/fill" 2>/dev/null
        "$1" start --timeout 60s full' sh "$cima" "$CIMA_HOME"
    check '… says so' says 'no space left on device; hint: the file system is full'
else
    echo 'note: no user namespaces here: a full file system is not tried'
fi
finish
