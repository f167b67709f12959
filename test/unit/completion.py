#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""completion.py PROGRAM: what the tab key does in a bash with the script of `cima completion bash`.

A real bash reads from a terminal of ours; a key of the test writes the line, as completion has left
it, to a file."""
import os
import pty
import select
import shlex
import subprocess
import sys
import tempfile
import time

LIMIT = 900  # seconds: for a machine that is busy


class Bash:
    def __init__(self, program, directory, env):
        self.out = os.path.join(directory, "lines")
        self.n = 0
        rc = os.path.join(directory, "rc")
        script = subprocess.run([program, "completion", "bash"], check=True,
                                stdout=subprocess.PIPE).stdout.decode()
        with open(rc, "w", encoding="utf-8") as f:
            f.write("PATH=%s:$PATH\n" % shlex.quote(os.path.dirname(program)))
            f.write(script)
            f.write("bind 'set bell-style none'\n")
            f.write("bind 'set enable-bracketed-paste off'\n")
            f.write("bind -x '\"\\C-xl\": printf \"%%s|\\n\" \"$READLINE_LINE\" >>%s; "
                    "READLINE_LINE= READLINE_POINT=0'\n" % shlex.quote(self.out))
            f.write("printf 'ready|\\n' >>%s\n" % shlex.quote(self.out))
        env = dict(env, TERM="dumb", INPUTRC="/dev/null", HISTFILE="/dev/null")
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.execvpe("bash", ["bash", "--noprofile", "--rcfile", rc, "-i"], env)
        self.wait_line()

    def wait_line(self):
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    os.read(self.fd, 65536)
                except OSError:
                    break
            if os.path.exists(self.out):
                with open(self.out, encoding="utf-8") as f:
                    lines = f.read().split("|\n")[:-1]
                if len(lines) > self.n:
                    self.n += 1
                    return lines[self.n - 1]
        sys.exit("bash did not answer")

    def complete(self, text):
        os.write(self.fd, text.encode() + b"\t\x18l")
        return self.wait_line()

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


CASES = [
    # typed, what the tab key makes of it
    ("cima protec", "cima protect "),
    ("cima templ", "cima template "),
    ("cima template cop", "cima template copy "),
    ("cima tmpl val", "cima tmpl validate "),
    ("cima --log-le", "cima --log-level "),
    ("cima --log-level=war", "cima --log-level=warn "),
    ("cima --log-level war", "cima --log-level warn "),
    ("cima --debug sta", "cima --debug start "),
    ("cima start --foregr", "cima start --foreground "),
    ("cima stop al", "cima stop alpha "),
    ("cima stop alpha b", "cima stop alpha beta.x "),
    ("cima stop -f b", "cima stop -f beta.x "),
    ("cima shell be", "cima shell beta.x "),
    ("cima start al", "cima start alpha "),
    ("cima start template:onl", "cima start template:only-mine "),
    ("cima validate template:onl", "cima validate template:only-mine "),
    ("cima validate some", "cima validate somewhere/"),
    ("cima validate somewhere/v", "cima validate somewhere/vm.yaml "),
    ("cima validate wi", "cima validate with\\ blank.yaml "),
    ("cima generate-jsonschema --schemafile=somewhere/v",
     "cima generate-jsonschema --schemafile=somewhere/vm.yaml "),
    ("cima help fac", "cima help factory-reset "),
    # Nothing to complete: the line stays.
    ("cima gener", "cima gener"),
    ("cima nosuchcommand", "cima nosuchcommand"),
    ("cima stop nosuch", "cima stop nosuch"),
    ("cima stop alpha alph", "cima stop alpha alph"),
    ("cima start -- --foregr", "cima start -- --foregr"),
    ("cima shell alpha --rec", "cima shell alpha --rec"),
    ("cima start --foreground --foregr", "cima start --foreground --foregr"),
    # In the middle of a line only what is before the cursor counts.
    ("cima protec alpha\x02\x02\x02\x02\x02\x02", "cima protect alpha"),
]


def words(program, env, *typed):
    run = subprocess.run([program, "complete", "bash", "--"] + list(typed), env=env, check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines = run.stdout.decode().splitlines()
    if run.stderr:
        sys.exit("complete says: %s" % run.stderr.decode())
    return lines[0], [line.split("\t")[0] for line in lines[1:]]


def main():
    program = os.path.abspath(sys.argv[1])
    failed = passed = 0

    def check(ok, what):
        nonlocal failed, passed
        passed += bool(ok)
        failed += not ok
        if not ok:
            print("FAIL:", what)

    with tempfile.TemporaryDirectory() as tmp:
        home = tmp + "/home"
        for name in ("alpha", "beta.x"):
            os.makedirs("%s/%s" % (home, name), mode=0o700)
            with open("%s/%s/lima.yaml" % (home, name), "w", encoding="utf-8") as f:
                f.write("images: [{location: /x}]\n")
        os.makedirs(home + "/_templates")
        os.chmod(home, 0o700)
        with open(home + "/_templates/only-mine.yaml", "w", encoding="utf-8") as f:
            f.write("# A template\nimages: [{location: /x}]\n")
        os.makedirs(tmp + "/somewhere")
        for name in ("somewhere/vm.yaml", "with blank.yaml"):
            with open("%s/%s" % (tmp, name), "w", encoding="utf-8") as f:
                f.write("images: [{location: /x}]\n")
        env = dict(os.environ, CIMA_HOME=home, LIMA_HOME=home)
        bash = Bash(program, tmp, env)
        for typed, wanted in CASES:
            got = bash.complete(typed)
            check(got == wanted, "%r gives %r, not %r" % (typed, got, wanted))
        bash.close()

        kind, found = words(program, env, "")
        check(kind == "words" and {"start", "stop", "template"} <= set(found),
              "commands: %s" % found)
        check("hostagent" not in found and "complete" not in found, "hidden commands: %s" % found)
        kind, found = words(program, env, "start", "--l")
        check("--log-level" in found, "global options of a command: %s" % found)
        check(all(w.startswith("--l") for w in found), "only what fits: %s" % found)
        kind, found = words(program, env, "start", "")
        check(kind == "files" and {"alpha", "beta.x", "template:only-mine"} <= set(found),
              "what can be started: %s %s" % (kind, found))
        kind, found = words(program, env, "stop", "")
        check(kind == "words" and found == ["alpha", "beta.x"], "what can be stopped: %s" % found)
        kind, found = words(program, env, "--log-format", "")
        check(kind == "words" and found == ["text", "json"], "values: %s" % found)
        kind, found = words(program, env, "edit", "")
        check(kind == "files" and found == ["alpha", "beta.x"],
              "what can be edited: %s %s" % (kind, found))
        for typed, wanted in ((["completion", ""], ["bash", "zsh", "fish"]),
                              (["create", "--arch", "a"], ["aarch64", "armv7l"]),
                              (["create", "--containerd", "u"], ["user", "user+system"]),
                              (["edit", "--mount-type=v"], ["--mount-type=virtiofs"]),
                              (["list", "-f", ""], ["table", "json", "yaml"])):
            kind, found = words(program, env, *typed)
            check(kind == "words" and found == wanted, "values of %s: %s" % (typed, found))
        kind, found = words(program, env, "generate-doc", "")
        check(kind == "dirs" and not found, "directories: %s %s" % (kind, found))
        env["CIMA_HOME"] = env["LIMA_HOME"] = tmp + "/nothing"
        kind, found = words(program, env, "stop", "")
        check(kind == "words" and not found, "without a home: %s" % found)
        check(not os.path.exists(tmp + "/nothing"), "completion makes no home")
    print("completion: %d passed, %d failed" % (passed, failed))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
