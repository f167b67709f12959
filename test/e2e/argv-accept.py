#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Starts every planned command line in the real QEMU of its architecture, with -S, and asks over QMP.

usage: argv-accept.py [-v] [NAME...]     NAME: set/case, e.g. lima/x86-tpm; without one: all

The lines are those of test/golden/argv/*.argv, what argv-case makes of each case of
test/golden/argv-cases, and what the govmm cases expect. What a case supposes of its host is provided
or replaced first; this is the whole list:

- kvm becomes tcg, cpu host becomes max, gic-version host becomes max;
- placeholders such as @DIR@ and paths outside /dev that are no files move below a scratch
  directory; disks, firmware, kernels and files that are read are made there, in the format and the size
  that the line says;
- descriptors are what the line wants them for: listening or connected sockets, tap queues;
- where the line connects to a socket, somebody is there: swtpm behind a tpmdev, a small vhost-user
  back end elsewhere; a monitor that waits for a client gets one;
- ports on the host become 0; a display on a screen, which is QEMU's default, becomes none; huge pages
  become a plain directory.

test/golden/argv-exceptions lists the lines that cannot start, with the message of QEMU and the reason.
An exception whose line starts after all, or fails with another message, is a failure, too.
"""
import array
import fcntl
import glob
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

SRC = os.path.abspath(os.environ.get("srcdir", os.path.join(os.path.dirname(__file__), "../..")))
BUILD = os.path.abspath(os.environ.get("builddir", "."))
GOLDEN = os.path.join(SRC, "test/golden")
ARGV_CASE = os.path.join(BUILD, "argv-case")
LIMIT = 900  # seconds for one start; a quiet machine needs a tenth of one
AT_ONCE = 2
MIB = 1 << 20


# ---- option lists ----------------------------------------------------------------------------------


def split(text):
    """The parts between single commas; ",," is a comma of the value."""
    return [p.replace("\0", ",") for p in text.replace(",,", "\0").split(",")]


def join(parts):
    return ",".join(p.replace(",", ",,") for p in parts)


def fields(text):
    """key=value parts as a dictionary; the first without a key is "". JSON is flattened."""
    if text.startswith("{"):
        result = {}

        def walk(prefix, value):
            for key, v in value.items():
                if isinstance(v, dict):
                    walk(prefix + key + ".", v)
                else:
                    result[prefix + key] = {True: "on", False: "off"}.get(v, str(v)) if isinstance(v, bool) else str(v)
        walk("", json.loads(text))
        result.setdefault("", result.get("driver", result.get("qom-type", "")))
        return result
    result = {}
    for i, part in enumerate(split(text)):
        key, eq, value = part.partition("=")
        if eq:
            result[key] = value
        elif i == 0:
            result[""] = part
        else:
            result[key] = "on"
    return result


def pairs(argv):
    """(index of the option, option without dashes, value or None)"""
    i = 1
    while i < len(argv):
        word = argv[i]
        if word.startswith("-"):
            value = argv[i + 1] if i + 1 < len(argv) and not argv[i + 1].startswith("-") else None
            yield i, word.lstrip("-"), value
            i += 1 if value is None else 2
        else:
            yield i, "", word
            i += 1


# ---- what the host of the case has -----------------------------------------------------------------


def bzimage():
    """The least that QEMU's loader takes for a Linux kernel for x86 (boot protocol 2.12)."""
    image = bytearray(4096)
    image[0x1F1] = 1  # one sector of setup
    image[0x1FE:0x200] = b"\x55\xaa"
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", image, 0x206, 0x020C)
    image[0x211] = 1  # loaded high
    struct.pack_into("<I", image, 0x22C, 0x37FFFFFF)
    return bytes(image)


def vhost_user(conn):
    """Answers what QEMU asks while it makes a vhost-user device; enough for every kind of it."""
    with conn:
        while True:
            try:
                head, ancillary, _, _ = conn.recvmsg(12, socket.CMSG_SPACE(64))
            except OSError:
                return
            for level, kind, data in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds = array.array("i")
                    fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
                    for fd in fds:
                        os.close(fd)
            if len(head) < 12:
                return
            request, flags, size = struct.unpack("=III", head)
            body = b""
            while len(body) < size:
                more = conn.recv(size - len(body))
                if not more:
                    return
                body += more
            answer = {
                1: struct.pack("=Q", 1 << 30 | 1 << 32),   # features: protocol features, version 1
                15: struct.pack("=Q", 1 << 0 | 1 << 9),    # protocol features: many queues, config
                17: struct.pack("=Q", 128),                # queues
                11: body,                                  # vring base
                24: body,                                  # config space
            }.get(request)
            if answer is None and flags & 8:
                answer = struct.pack("=Q", 0)
            if answer is not None:
                try:
                    conn.sendall(struct.pack("=III", request, 5, len(answer)) + answer)
                except OSError:
                    return


class Host:
    """Provides files, sockets and processes below one directory; all of it ends with `close`."""

    def __init__(self, directory, arch):
        self.dir = directory
        self.arch = arch
        self.sockets = []
        self.processes = []
        self.fds = {}
        for name in ("h/c1", "user", "cwd", "bin", "work", "fix"):
            os.makedirs(os.path.join(directory, name))

    def close(self):
        for s in self.sockets:
            s.close()
        for fd in self.fds.values():
            os.close(fd)
        for p in self.processes:
            p.kill()
            p.wait()

    # -- files

    def put(self, path, content):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(content)

    def image(self, path, fmt, size=8 * MIB):
        path = os.path.join(self.dir, "cwd", path)
        if os.path.exists(path):
            return
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if fmt in ("qcow2", "vmdk", "vhdx"):
            subprocess.run(["qemu-img", "create", "-q", "-f", fmt, path, str(size)], check=True,
                           stdin=subprocess.DEVNULL)
        else:
            with open(path, "wb") as f:
                f.truncate(size)

    def flash_size(self, unit):
        if self.arch == "x86_64":
            return 528 * 1024 if unit == "1" else 4 * MIB - 528 * 1024
        return 32 * MIB if self.arch == "riscv64" else 64 * MIB

    def content(self, path, data):
        path = os.path.join(self.dir, "cwd", path)
        if not os.path.exists(path):
            self.put(path, data)

    # -- descriptors

    def keep(self, number, fd):
        """fd, which stays the caller's, is number in QEMU."""
        self.fds[number] = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 200)

    def listening(self, number):
        s = socket.socket(socket.AF_UNIX)
        s.bind(os.path.join(self.dir, f"fd{number}.sock"))
        s.listen()
        self.keep(number, s.fileno())
        s.close()

    def connected(self, number):
        ours, theirs = socket.socketpair()
        self.sockets.append(ours)
        self.keep(number, theirs.fileno())
        theirs.close()

    def tap(self, number):
        """A queue of a tap device; without the right to make one /dev/null, which QEMU refuses."""
        try:
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            fd = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        else:
            # struct ifreq; IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE
            request = struct.pack("16sH22x", b"cimatest%d", 0x0002 | 0x1000 | 0x4000 | 0x0100)
            try:
                fcntl.ioctl(fd, 0x400454CA, request)
            except OSError:
                pass
        self.keep(number, fd)
        os.close(fd)

    def opened(self, number, path="/dev/null"):
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            fd = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        self.keep(number, fd)
        os.close(fd)

    # -- who is at the other end of a socket

    def serve(self, path):
        path = os.path.join(self.dir, "cwd", path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.exists(path):
            return
        s = socket.socket(socket.AF_UNIX)
        s.bind(path)
        s.listen()
        self.sockets.append(s)

        def loop():
            while True:
                try:
                    conn, _ = s.accept()
                except OSError:
                    return
                threading.Thread(target=vhost_user, args=(conn,), daemon=True).start()
        threading.Thread(target=loop, daemon=True).start()

    def swtpm(self, path):
        state = os.path.join(self.dir, "tpm")
        os.makedirs(state)
        with open(os.path.join(self.dir, "swtpm.log"), "wb") as log:
            p = subprocess.Popen(["swtpm", "socket", "--tpmstate", "dir=" + state, "--ctrl",
                                  "type=unixio,path=" + path, "--tpm2", "--terminate"],
                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(p)
        end = time.monotonic() + LIMIT
        while not os.path.exists(path) and time.monotonic() < end and p.poll() is None:
            time.sleep(0.01)


# ---- the substitutions -----------------------------------------------------------------------------

SCREENS = ("gtk", "sdl", "cocoa", "spice-app", "dbus", "curses", "default")


def arch_of(program):
    name = os.path.basename(program)
    return name[len("qemu-system-"):] if name.startswith("qemu-system-") else "x86_64"


def placeholders(text, host):
    n = 0
    places = {"@DIR@": "h/c1", "@HOME@": "h", "@USERHOME@": "user", "@CWD@": "cwd", "@BINDIR@": "bin",
              "@PREFIX@": "", "@WORK@": "work", "@QCOW2@": "fix/a.qcow2", "@RAW@": "fix/a.raw", "@ISO@": "fix/a.iso",
              "@KERNEL@": "fix/kernel", "@INITRD@": "fix/initrd", "@FIRMWARE@": "fix/firmware.fd"}
    for symbol, place in places.items():
        text = text.replace(symbol, os.path.join(host.dir, place).rstrip("/"))
    text = text.replace("@PORT@", "0").replace("@UUID@", "8d3c2b1a-0f0e-4d0d-8c0c-0b0a09080706")
    while True:
        changed = re.sub(r"@MAC(-NET\d)?@", f"02:aa:00:00:00:{n:02x}", text, count=1)
        if changed == text:
            return text
        text, n = changed, n + 1


def moved(word, host):
    """Absolute paths that are not there go below the scratch directory."""
    def place(m):
        path = re.split(r"(?<!,),(?!,)", m.group(2), maxsplit=1)[0].replace(",,", ",")
        if path.startswith((host.dir, "/dev/")) or os.path.isfile(path):
            return m.group(0)
        return m.group(1) + host.dir + "/moved" + m.group(2)
    if word.startswith("{"):
        return re.sub(r'(")(/[^"]*)', place, word)
    return re.sub(r"(^|(?:path|file|filename|dir|source|socket|script|dump)=|^unix:|^exec:)(/[^\0]*)", place, word)


def replaced(option, value, host):
    """The value of an option without what this host does not have."""
    if option in ("append", "uuid", "name"):
        return value
    if option in ("accel", "machine", "M"):
        value = re.sub(r"kvm(:tcg)?", "tcg", value)
        value = re.sub(r"gic[-_]version=host", "gic-version=max", value)
    elif option == "cpu":
        value = re.sub(r"^host\b", "max", value)
    elif option in ("netdev", "nic"):
        value = re.sub(r"(hostfwd=[a-z]*:[^:,]*:)\d+-", r"\g<1>0-", value)
    elif option == "display" and fields(value).get("", "") in SCREENS:
        value = "none"
    elif option == "object" and "/dev/hugepages" in value:
        value = value.replace("/dev/hugepages", os.path.join(host.dir, "hugepages"))
        value = value.replace("prealloc=on", "prealloc=off")
        os.makedirs(os.path.join(host.dir, "hugepages"), exist_ok=True)
    return moved(value, host)


def pflash_nodes(argv):
    nodes = {}
    for _, option, value in pairs(argv):
        if option in ("machine", "M") and value:
            for key, v in fields(value).items():
                if key in ("pflash0", "pflash1"):
                    nodes[v] = key[-1]
    return nodes


def provide_block(option, f, host, flash):
    path = f.get("file") or f.get("filename") or f.get("file.filename")
    fmt = f.get("format") or f.get("driver") or f.get("") or "raw"
    if not path or path.startswith("/dev/") or f.get("driver") == "host_device":
        return
    if "format" not in f and option == "drive":
        fmt = "qcow2" if path.endswith((".qcow2", "/disk")) else "raw"
    unit = f.get("unit", "0") if f.get("if") == "pflash" else flash.get(f.get("node-name"))
    host.image(path, fmt, host.flash_size(unit) if unit is not None else 8 * MIB)


def provide_netdev(f, host):
    kind = f.get("type", f.get("", ""))
    if kind in ("socket", "stream") and f.get("fd", "").isdigit():
        host.connected(int(f["fd"]))
    if f.get("addr.type") == "fd" and f.get("addr.str", "").isdigit():
        host.connected(int(f["addr.str"]))
    for script in (f.get("script", "no"), f.get("downscript", "no")):
        if script.startswith("/"):
            host.content(script, b"#!/bin/sh\n")
            os.chmod(script, 0o755)
    if kind == "tap":
        for number in (f.get("fds", "") or f.get("fd", "")).split(":"):
            if number:
                host.tap(int(number))
        for number in (f.get("vhostfds", "") or f.get("vhostfd", "")).split(":"):
            if number:
                host.opened(int(number), "/dev/vhost-net")


def provide_chardev(f, host, tpms, awaited):
    if f.get("") == "pipe" or f.get("backend") == "pipe":
        path = os.path.join(host.dir, "cwd", f["path"])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        for end in (".in", ".out"):
            os.mkfifo(path + end)
    for key in ("logfile", "path"):
        if key in f:
            os.makedirs(os.path.dirname(os.path.join(host.dir, "cwd", f[key])), exist_ok=True)
    if f.get("") != "socket" and f.get("backend") != "socket":
        return
    server = f.get("server") in ("on", "yes", "true")
    if f.get("fd", "").isdigit():
        (host.listening if server else host.connected)(int(f["fd"]))
    elif "path" in f and server:
        if f.get("wait") not in ("off", "no", "false"):
            awaited.append(f["path"])
    elif "path" in f:
        if f.get("id") in tpms:
            host.swtpm(f["path"])
        else:
            host.serve(f["path"])


def provide(argv, host):
    """Makes what the line needs; returns the sockets at which QEMU waits for somebody."""
    flash = pflash_nodes(argv)
    tpms = {fields(v).get("chardev") for _, o, v in pairs(argv) if o == "tpmdev" and v}
    awaited = []
    for _, option, value in pairs(argv):
        f = fields(value) if value and option not in ("append", "smp", "name") else {}
        if option in ("drive", "blockdev"):
            provide_block(option, f, host, flash)
        elif option in ("cdrom", "hda", "hdb", "pflash"):
            host.image(value, "raw", host.flash_size("0") if option == "pflash" else 8 * MIB)
        elif option == "kernel":
            host.content(value, bzimage())
        elif option == "initrd":
            host.content(value, b"initrd\n")
        elif option == "bios":
            host.content(value, bytes(128 * 1024))
        elif option in ("fsdev", "virtfs"):
            if f.get("") == "proxy":
                continue
            os.makedirs(os.path.join(host.dir, "cwd", f.get("path", "")), exist_ok=True)
        elif option == "fw_cfg" and "file" in f:
            host.content(f["file"], b"x")
        elif option == "device" and f.get("") == "loader" and "file" in f:
            host.content(f["file"], b"x")
        elif option == "object" and f.get("", f.get("qom-type", "")) == "secret" and "file" in f:
            host.content(f["file"], b"secret")
        elif option == "object" and "mem-path" in f and not f["mem-path"].startswith("/dev/"):
            os.makedirs(os.path.dirname(f["mem-path"]), exist_ok=True)
        elif option == "netdev":
            provide_netdev(f, host)
        elif option == "chardev":
            provide_chardev(f, host, tpms, awaited)
        elif option in ("pidfile", "D"):
            os.makedirs(os.path.dirname(os.path.join(host.dir, "cwd", value)), exist_ok=True)
        elif option in ("qmp", "monitor", "serial") and value.startswith("unix:"):
            path = f[""][len("unix:"):]
            os.makedirs(os.path.dirname(os.path.join(host.dir, "cwd", path)), exist_ok=True)
            if f.get("server") != "on":
                host.serve(path)
            elif f.get("wait") != "off":
                awaited.append(path)
        elif option in ("add-fd",) and f.get("fd", "").isdigit():
            host.opened(int(f["fd"]))
    return awaited


# ---- one start -------------------------------------------------------------------------------------


class Refused(Exception):
    pass


def attend(path, stop):
    """Is the client that QEMU waits for."""
    while not stop.is_set():
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path)
                stop.wait()
                return
        except OSError:
            time.sleep(0.02)


def talk(path, alive):
    """Connects, looks whether the machine is there, and ends it."""
    end = time.monotonic() + LIMIT
    while True:
        try:
            s = socket.socket(socket.AF_UNIX)
            s.connect(path)
            break
        except OSError:
            s.close()
            if not alive() or time.monotonic() > end:
                raise Refused("no monitor") from None
            time.sleep(0.02)
    s.settimeout(LIMIT)
    with s, s.makefile("rw", encoding="utf-8") as f:
        def answer():
            while True:
                line = f.readline()
                if not line:
                    raise Refused("the monitor was closed")
                j = json.loads(line)
                if "event" not in j:
                    return j

        def command(name):
            f.write(json.dumps({"execute": name}) + "\n")
            f.flush()
            j = answer()
            if "return" not in j:
                raise Refused(f"{name}: {j}")
            return j["return"]
        if "QMP" not in answer():
            raise Refused("no greeting")
        command("qmp_capabilities")
        status = command("query-status")["status"]
        if status not in ("prelaunch", "inmigrate"):
            raise Refused(f"the machine is {status}")
        try:
            command("quit")
            while f.readline():
                pass
        except (OSError, Refused):
            pass  # it was quicker; its exit code tells


def start(argv, scratch, number):
    """None, or why QEMU did not start."""
    directory = os.path.join(scratch, str(number))
    os.makedirs(directory)
    arch = arch_of(argv[0])
    host = Host(directory, arch)
    argv = [placeholders(w, host) for w in argv]
    for i, option, value in list(pairs(argv)):
        if value is not None:
            at = i + 1 if option else i
            argv[at] = replaced(option, value, host)
    monitor = os.path.join(directory, "accept.sock")
    stop = threading.Event()
    log = os.path.join(directory, "log")
    try:
        awaited = provide(argv, host)
        argv[0] = "qemu-system-" + arch
        if not {"-display", "-nographic", "-vnc"} & set(argv):
            argv += ["-display", "none"]
        line = ["env", "-C", os.path.join(directory, "cwd")] + argv + ["-S", "-qmp", f"unix:{monitor},server=on,wait=off"]
        for path in awaited:
            threading.Thread(target=attend, args=(path, stop), daemon=True).start()
        actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                   (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
                   (os.POSIX_SPAWN_DUP2, 1, 2)]
        actions += [(os.POSIX_SPAWN_DUP2, fd, n) for n, fd in host.fds.items()]
        pid = os.posix_spawnp("env", line, {**os.environ, "LC_ALL": "C"}, file_actions=actions)
        return watch(pid, monitor, log, "-daemonize" in argv)
    finally:
        stop.set()
        host.close()
        shutil.rmtree(directory, ignore_errors=True)


def watch(pid, monitor, log, daemon):
    ended = []

    def alive():
        if not ended:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                ended.append(status)
        return not ended or (daemon and os.path.exists(monitor))
    why = None
    try:
        talk(monitor, alive)
    except (Refused, OSError, ValueError) as e:
        why = str(e) or type(e).__name__
    end = time.monotonic() + (LIMIT if why is None else 30)
    while alive() and not ended and time.monotonic() < end:
        time.sleep(0.01)
    if not ended:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        why = why or "did not end"
    elif why is None and ended[0]:
        why = f"ended with {ended[0]}"
    if why is None:
        return None
    with open(log, encoding="utf-8", errors="replace") as f:
        said = [x for x in f.read().splitlines() if not re.search(r"warning:|info:|^ALSA|^qemu: module ui-", x)]
    return " / ".join(said) or why


# ---- all of them -----------------------------------------------------------------------------------


def golden_argv(path):
    with open(path, encoding="utf-8") as f:
        lines = f.read().splitlines()
    return [x[4:] if x.startswith("    ") else x for x in lines if not x.startswith("#")]


def case_argv(path, case):
    """What argv-case prints: (argv or None when it is refused, error or None)."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as t:
        json.dump({k: case.get(k) for k in ("id", "input", "facts", "peer")}, t)
        t.flush()
        r = subprocess.run([ARGV_CASE, t.name], capture_output=True, text=True, timeout=LIMIT, check=False,
                           stdin=subprocess.DEVNULL, env={**os.environ, "srcdir": SRC})
    try:
        return json.loads(r.stdout).get("argv"), None
    except ValueError:
        return None, r.stderr.strip().replace(t.name, "it") or f"exit code {r.returncode}"


def collect():
    """name → argv; None where there is no line because the plan refuses."""
    lines, errors = {}, []
    for path in sorted(glob.glob(os.path.join(GOLDEN, "argv/*.argv"))):
        argv = golden_argv(path)
        runs = argv and "qemu-system-" in argv[0]
        lines["golden/" + os.path.basename(path)[:-5]] = argv if runs else None
    for path in sorted(glob.glob(os.path.join(GOLDEN, "argv-cases/*/*.json"))):
        with open(path, encoding="utf-8") as f:
            case = json.load(f)
        folder = os.path.basename(os.path.dirname(path))
        name = f"{folder}/{os.path.basename(path)[:-5]}"
        lines[name], error = case_argv(path, case)
        if error:
            errors.append(f"{name}: argv-case says nothing usable: {error}")
        if folder == "govmm" and case["expect"].get("argv"):
            lines[name + ":expected"] = case["expect"]["argv"]
    return lines, errors


def exceptions():
    """name → (pattern, reason, whether the line may start on another host)"""
    result = {}
    with open(os.path.join(GOLDEN, "argv-exceptions"), encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            parts = [p.strip() for p in line.split(" | ")]
            if len(parts) != 3 or not all(parts):
                raise SystemExit(f"argv-exceptions:{number}: not 'case | message | reason'")
            name, pattern, reason = parts
            result[name.lstrip("?")] = (re.compile(pattern), reason, name.startswith("?"))
    return result


def judge(name, why, excepted):
    """None when it is as it should be."""
    name = name.split(":")[0]
    if name not in excepted:
        return why and f"QEMU refused it: {why}"
    pattern, reason, sometimes = excepted[name]
    if why is None:
        return None if sometimes else f"starts, but is listed as an exception ({reason})"
    return None if pattern.search(why) else f"excepted for '{pattern.pattern}' ({reason}), but: {why}"


def main():
    args = sys.argv[1:]
    verbose = "-v" in args
    names = [a for a in args if a != "-v"]
    lines, errors = collect()
    excepted = exceptions()
    for name in excepted:
        if name not in lines:
            errors.append(f"argv-exceptions: there is no case '{name}'")
    chosen = {n: a for n, a in lines.items() if a and (not names or n in names)}
    scratch = tempfile.mkdtemp(prefix="cima-acc.", dir="/tmp")
    one_tap = threading.Lock()
    failed = 0

    def one(item):
        number, (name, argv) = item
        began = time.monotonic()
        try:
            if any("tap" in w for w in argv):
                with one_tap:
                    why = start(argv, scratch, number)
            else:
                why = start(argv, scratch, number)
            wrong = judge(name, why, excepted)
        except Exception as e:  # pylint: disable=broad-except
            wrong = f"{type(e).__name__}: {e}"
        return name, wrong, time.monotonic() - began
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for name, wrong, seconds in pool.map(one, enumerate(chosen.items())):
                failed += wrong is not None
                if wrong or verbose:
                    print(f"{'FAIL' if wrong else 'ok  '} {name} ({seconds:.2f} s){': ' if wrong else ''}{wrong or ''}", flush=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if not names:
        for e in errors:
            failed += 1
            print(f"FAIL {e}")
    refused = sum(1 for a in lines.values() if a is None)
    print(f"{len(chosen) - failed} of {len(chosen)} lines as they should be ({len(excepted)} exceptions); "
          f"{refused} cases have no line; {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
