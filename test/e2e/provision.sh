#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Provision modes, parameters, probes, and failures that must be heard (GS-07, F25, wins 6).
# shellcheck disable=SC2016,SC2317 # the guest's shell expands them; functions are called by name
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_guest

mini_yaml "$scratch/prov.yaml" </dev/null
cat >>"$scratch/prov.yaml" <<'YAML'
param:
  greeting: hello there
env:
  EDITION: "first one"
message: |
  Instance {{.Name}} says {{.Param.greeting}}
provision:
- mode: boot
  script: |
    #!/bin/sh
    echo "boot $PARAM_greeting" > /run/prov-boot
- mode: system
  script: |
    #!/bin/sh
    echo "$(id -un) $PARAM_greeting" > /run/prov-system
- mode: user
  script: |
    #!/bin/bash
    echo "$(id -un) $HOME $PARAM_greeting" > "$HOME/prov-user"
- mode: dependency
  script: |
    #!/bin/sh
    echo dependency > /run/prov-dependency
- mode: data
  path: /etc/prov/data.txt
  permissions: "600"
  content: |
    two lines
    {{.Param.greeting}} for {{.User}}
probes:
- description: the system script has run
  script: |
    #!/bin/sh
    test -f /run/prov-system
YAML
succeeds 'start with all five modes' "$cima" start "$scratch/prov.yaml"
check 'the message is printed' sh -c "grep -qF 'Instance prov says hello there' '$scratch/out' '$scratch/err'"
user=$("$cima" shell prov id -un 2>/dev/null)
# shellcheck disable=SC2016
succeeds 'results can be read' "$cima" shell prov sh -c 'sudo cat /run/prov-boot /run/prov-system "$HOME/prov-user" /run/prov-dependency; sudo stat -c %a /etc/prov/data.txt; sudo cat /etc/prov/data.txt'
home=$("$cima" shell prov sh -c 'printf %s "$HOME"' 2>/dev/null)
check 'GS-07 each mode ran as it should' is "$out" "boot hello there
root hello there
$user $home hello there
dependency
600
two lines
hello there for $user"
succeeds 'environment of the guest' "$cima" shell prov sh -c 'grep EDITION /etc/environment'
check '… is set' prints 'first one'
succeeds 'delete' "$cima" delete -f prov

mini_yaml "$scratch/bad.yaml" </dev/null
cat >>"$scratch/bad.yaml" <<'YAML'
provision:
- mode: system
  script: |
    #!/bin/sh
    echo fine
- mode: system
  script: |
    #!/bin/sh
    i=0
    while [ $i -lt 50 ]; do i=$((i + 1)); echo "line $i of the failing script"; done
    exit 7
- mode: user
  script: |
    #!/bin/sh
    touch "$HOME/later-scripts-still-run"
YAML
fails 'F25 a failing provision script is the exit status of start' 1 "$cima" start "$scratch/bad.yaml"
check 'F25 … it names the script' says 'provision[1] (mode system)'
check 'F25 … its exit status' sh -c "grep -q '7' '$scratch/err'"
check 'F25 … its last 20 lines' says 'line 50 of the failing script'
check 'F25 … and no more' sh -c "! grep -q 'line 30 of the failing script' '$scratch/err'"
check 'F25 the machine is left running' has_status bad Running
succeeds 'F25 later scripts still ran' "$cima" shell bad sh -c 'test -e "$HOME/later-scripts-still-run"'
succeeds 'stop' "$cima" stop bad
succeeds 'delete' "$cima" delete bad
finish
