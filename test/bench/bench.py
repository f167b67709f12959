#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the figures of cima beside their goals; `make bench` runs it in the build directory.

usage: bench.py [ROW...]     without one: all of them

A figure is the median of many runs with the middle half of them behind it, and the least, which is
what a quiet moment gave. What is compared runs in turns with its reference, and the ratio is that of
neighbours: both see the same machine. Nothing is judged: a machine that is busy, or slow, is no
failure. The exit code is 1 when a row could not be run, which it says; a row whose guest is not
there is "not available".

Environment: BENCH_QUICK=1 (fewer runs, shorter idling), BENCH_DEBUG=1 (errors with their place),
srcdir, builddir, BENCH_PROGRAMS (what is installed; default: cima and its helpers).
"""
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from datetime import datetime

SRC = os.path.abspath(os.environ.get("srcdir", os.path.join(os.path.dirname(__file__), "../..")))
BUILD = os.path.abspath(os.environ.get("builddir", "."))
QUICK = os.environ.get("BENCH_QUICK", "") not in ("", "0")
CIMA = os.path.join(BUILD, "cima")
SPAWNTIME = os.path.join(BUILD, "spawntime")
QMPTIME = os.path.join(BUILD, "bench-qmp")
BARE = os.path.join(BUILD, "bench-bare")
PLANTIME = os.path.join(BUILD, "plantime")
MB = 1000 * 1000
START_LIMIT = 1200  # seconds, for anything that boots a guest


class NotAvailable(Exception):
    pass


# ---- numbers ---------------------------------------------------------------------------------------


def quartiles(values):
    values = sorted(values)
    if len(values) < 3:
        return values[0], values[-1]
    q = statistics.quantiles(values, n=4, method="inclusive")
    return q[0], q[2]


def show(values, unit, digits=2):
    middle = f"{statistics.median(values):.{digits}f} {unit}"
    if len(values) == 1:
        return middle
    low, high = quartiles(values)
    least = "" if unit == "×" else f" least {min(values):.{digits}f},"
    return f"{middle} ({low:.{digits}f}–{high:.{digits}f},{least} n={len(values)})"


def emit(figure, value, goal, note=""):
    print(f"  {figure:<34} {value:<46} goal {goal:<10} {note}".rstrip(), flush=True)


def head(row, text):
    print(f"{row}: {text}", flush=True)


# ---- processes ---------------------------------------------------------------------------------------


def call(args, env=None, timeout=120):
    """Runs a program to its end; an error has its messages."""
    p = subprocess.run(args, env=env, timeout=timeout, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if p.returncode:
        tail = "\n".join(p.stdout.splitlines()[-8:])
        raise RuntimeError(f"{' '.join(args)}: exit code {p.returncode}\n{tail}")
    return p.stdout


class Run:
    def __init__(self, fields):
        self.wall_ms = int(fields[1]) / 1e6
        self.cpu_ms = int(fields[2]) / 1e3
        self.rss_kib = int(fields[3])
        self.written = int(fields[4])
        self.code = int(fields[5])


def in_turns(commands, runs, env=None, warmup=2):
    """Times commands A B C A B C …; returns a list of runs for each."""
    runs = max(5, runs // 5) if QUICK else runs
    log = os.path.join(scratch, "spawntime.log")
    open(log, "w", encoding="utf-8").close()
    args = [SPAWNTIME, "-n", str(runs), "-w", str(warmup), "-o", log]
    for i, command in enumerate(commands):
        args += (["::"] if i else []) + command
    result = [[] for _ in commands]
    for line in call(args, env=env, timeout=600).splitlines():
        fields = line.split()
        result[int(fields[0])].append(Run(fields))
    for command, its in zip(commands, result):
        bad = [r.code for r in its if r.code]
        if bad:
            with open(log, encoding="utf-8", errors="replace") as f:
                tail = "".join(f.readlines()[-5:])
            raise RuntimeError(f"{' '.join(command)}: exit code {bad[0]}\n{tail}")
    return result


def wall(its):
    return [r.wall_ms for r in its]


def cpu(its):
    """As text: processor time, which a busy machine changes less."""
    return f"cpu {statistics.median(r.cpu_ms for r in its):.2f} ms"


def ratio(its, reference):
    return [a.wall_ms / b.wall_ms for a, b in zip(its, reference)]


# ---- homes -------------------------------------------------------------------------------------------


def home_env(name, **more):
    env = dict(os.environ)
    for key in [k for k in env if k.startswith(("CIMA_", "LIMA_")) or k == "SSH"]:
        del env[key]
    env.update(CIMA_HOME=os.path.join(scratch, name), CIMA_LIBEXEC=BUILD, **more)
    return env


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


PLAIN = """cpus: 2
memory: 512MiB
disk: {disk}
mounts: []
containerd: {{system: false, user: false}}
"""


def stopped_instances(name, count):
    """A home with that many stopped instances: one is created, the others are its copies."""
    env = home_env(name, XDG_CACHE_HOME=os.path.join(scratch, "cache"))
    image = os.path.join(scratch, "small.raw")
    if not os.path.exists(image):
        with open(image, "wb") as f:
            f.truncate(MB)
    yaml = write(os.path.join(scratch, "small.yaml"),
                 f"images:\n- location: {image}\n" + PLAIN.format(disk="1GiB"))
    call([CIMA, "create", "--tty=false", "--name=vm0", yaml], env)
    first = os.path.join(env["CIMA_HOME"], "vm0")
    for i in range(1, count):
        copy = os.path.join(env["CIMA_HOME"], f"vm{i}")
        os.mkdir(copy, 0o700)
        for entry in os.scandir(first):
            to = os.path.join(copy, entry.name)
            if entry.name in ("disk", "image"):
                os.link(entry.path, to)
            else:
                shutil.copy2(entry.path, to)
    return env


def disk_usage(path):
    """Bytes on the disk below path; several names of one file count once."""
    seen, total = set(), 0
    for top, dirs, files in os.walk(path):
        for name in dirs + files:
            st = os.lstat(os.path.join(top, name))
            if (st.st_dev, st.st_ino) not in seen:
                seen.add((st.st_dev, st.st_ino))
                total += st.st_blocks * 512
    return total


# ---- rows without a machine ----------------------------------------------------------------------------


def row_version():
    head("version", "spawn to exit")
    true = shutil.which("true") or "/bin/true"
    mine, bare, other = in_turns([[CIMA, "--version"], [BARE], [true]], 500)
    emit("cima --version", show(wall(mine), "ms"), "1.5 ms",
         f"{cpu(mine)}, peak memory {max(r.rss_kib for r in mine) / 1024:.1f} MiB")
    emit("  an empty C program", show(wall(bare), "ms"), "-",
         f"{cpu(bare)}, ratio {show(ratio(mine, bare), '×')}")
    emit("  /bin/true", show(wall(other), "ms"), "-", f"ratio {show(ratio(mine, other), '×')}")


def row_list():
    head("list", "stopped instances, output to /dev/null")
    for count, runs, goal in ((1, 200, "2 ms"), (1000, 30, "60 ms")):
        env = stopped_instances(f"list{count}", count)
        mine, bare = in_turns([[CIMA, "list"], [BARE]], runs, env)
        emit(f"cima list, {count} of them", show(wall(mine), "ms"), goal,
             f"{cpu(mine)}, peak memory {max(r.rss_kib for r in mine) / 1024:.1f} MiB, "
             f"empty C program {show(wall(bare), 'ms')}")


def long_yaml(lines=200):
    """A file as people write them, with comments, scripts, mounts and forwards."""
    text = "# An instance\nimages:\n- location: https://example.invalid/disk.qcow2\n" \
           "cpus: 2\nmemory: 4GiB\nparam: {Greeting: hello}\nprovision:\n"
    while text.count("\n") < lines * 3 // 5:
        text += "- mode: system\n  script: |\n    #!/bin/sh\n    set -eu\n" \
                "    # for {{.User}}\n    echo \"{{.Param.Greeting}} from {{.Name}}\"\n"
    text += "portForwards:\n"
    for port in range(8000, 8000 + lines // 20):
        text += f"- guestPort: {port}\n  hostPort: {port + 1000}\n"
    text += "mounts:\n"
    for i in range(lines // 20):
        text += f"- location: ~/work{i}\n  mountPoint: /mnt/work{i}\n"
    text += "env:\n"
    while text.count("\n") < lines:
        text += f"  NAME{text.count(chr(10))}: value\n"
    return text


def row_validate():
    head("validate", "reading, filling and checking YAML; nothing is printed but the verdict")
    env = home_env("validate", LIMA_TEMPLATES_PATH=os.path.join(SRC, "templates"))
    os.makedirs(env["CIMA_HOME"], mode=0o700)
    small = write(os.path.join(scratch, "one-line.yaml"), "images: [{location: /x.qcow2}]\n")
    big = write(os.path.join(scratch, "long.yaml"), long_yaml())
    templates = sorted(e.path for e in os.scandir(os.path.join(SRC, "templates"))
                       if e.name.endswith(".yaml"))
    mine, one, version = in_turns([[CIMA, "validate", big], [CIMA, "validate", small],
                                   [CIMA, "--version"]], 200, env)
    emit("fill and validate 200 lines", show([a.wall_ms - b.wall_ms for a, b in zip(mine, version)],
                                             "ms"), "2 ms",
         f"beyond cima --version; with that {show(wall(mine), 'ms')}, {cpu(mine)}")
    emit("  of one line", show([a.wall_ms - b.wall_ms for a, b in zip(one, version)], "ms"), "-",
         f"ratio of the two calls {show(ratio(mine, one), '×')}")
    all_of_them, bare = in_turns([[CIMA, "validate"] + templates, [BARE]], 60, env)
    emit(f"cima validate, {len(templates)} templates", show(wall(all_of_them), "ms"), "60 ms",
         f"{cpu(all_of_them)}, empty C program {show(wall(bare), 'ms')}")


def row_plan():
    head("plan", "from the filled configuration and what is known of host and QEMU to the command line")
    env = dict(os.environ, srcdir=SRC)
    for what, yaml in (("x86_64, defaults", "x86-default.yaml"), ("  with most of what there is", "x86-vnc.yaml")):
        path = os.path.join(SRC, "test/golden/argv", yaml)
        times = [int(n) / 1e6 for n in call([PLANTIME, "100" if QUICK else "1000", path], env).split()]
        emit(what, show(times, "ms", 3), "0.5 ms")


def row_qmp():
    head("qmp", "one round trip to a real QEMU (query-status): the blocking client of libcima-qemu "
                "and a bare socket client")
    if not shutil.which("qemu-system-x86_64"):
        raise NotAvailable("qemu-system-x86_64 is not installed")
    turns = [[float(n) / 1000 for n in line.split()] for line in
             call([QMPTIME, "qemu-system-x86_64", "20" if QUICK else "100"]).splitlines()]
    emit("client of libcima-qemu: ratio", show([mine / bare for mine, bare in turns], "×"), "1.3×")
    emit("  client of libcima-qemu", show([mine for mine, _ in turns], "µs", 1), "-")
    emit("  bare socket client", show([bare for _, bare in turns], "µs", 1), "-")


def big_image():
    """220 MB that no file system can make smaller, as raw disk with a boot sector's signature."""
    path = os.path.join(scratch, "big.raw")
    with open(path, "wb") as f:
        f.write(bytes(510) + b"\x55\xaa" + bytes(512 * 2047))
        block = os.urandom(1 << 20)
        while f.tell() < 220 * MB:
            f.write(block)
        f.flush()
        os.fsync(f.fileno())
    return path


def file_system(path):
    """Its type, as the kernel names it."""
    best = ("", "?")
    with open("/proc/self/mounts", encoding="utf-8") as f:
        for line in f:
            _, point, kind = line.split()[:3]
            if os.path.join(path, "").startswith(os.path.join(point, "")) and point >= best[0]:
                best = (point, kind)
    return best[1]


def row_create():
    head("create", f"from an image of 220 MB that is in the cache, on {file_system(scratch)}")
    env = home_env("create", XDG_CACHE_HOME=os.path.join(scratch, "cache"))
    yaml = write(os.path.join(scratch, "big.yaml"),
                 f"images:\n- location: {big_image()}\n" + PLAIN.format(disk="10GiB"))
    call([CIMA, "create", "--tty=false", "--name=first", yaml], env)
    os.sync()
    before, runs = disk_usage(scratch), 40
    mine, bare = in_turns([[CIMA, "create", "--tty=false", "--name=n@@", yaml], [BARE]], runs, env)
    more = (disk_usage(scratch) - before) / (len(mine) + 2)
    emit("cima create", show(wall(mine), "ms"), "15 ms",
         f"{cpu(mine)}, empty C program {show(wall(bare), 'ms')}")
    emit("  bytes written", show([r.written / MB for r in mine], "MB"), "1 MB",
         "the process and its children, as the kernel counts them")
    emit("  more on the disk", f"{more / MB:.2f} MB each", "1 MB", "difference of the space used")
    shutil.rmtree(env["CIMA_HOME"])


def row_size():
    head("size", "programs that are installed, stripped")
    total = 0
    names = os.environ.get("BENCH_PROGRAMS", "cima cima-seediso").split()
    for name in names:
        path = os.path.join(scratch, name)
        call(["strip", "-o", path, os.path.join(BUILD, name)])
        size = os.path.getsize(path)
        total += size
        emit(f"  {name}", f"{size / MB:.3f} MB", "-")
    emit("all of them", f"{total / MB:.3f} MB", "1.5 MB")


# ---- machines ------------------------------------------------------------------------------------------


class Guest:
    """An instance of one of the guests of test/guest, started and stopped as often as one likes."""

    def __init__(self, kind, yaml, name=None):
        if not shutil.which("qemu-system-x86_64"):
            raise NotAvailable("qemu-system-x86_64 is not installed")
        script = os.path.join(SRC, "test/guest", kind, "build.sh")
        if not os.path.exists(script):
            raise NotAvailable("there is no test/guest/%s" % kind)
        out = os.path.join(BUILD, "guest", kind)
        print(f"  (making the {kind} guest, unless it is there)", flush=True)
        try:
            call([script, "--out", out], timeout=3600)
        except (RuntimeError, OSError) as e:
            raise NotAvailable(f"the guest could not be made: {e}") from e
        self.name = name or kind
        self.env = home_env(self.name)
        self.dir = os.path.join(self.env["CIMA_HOME"], self.name)
        self.running = False
        path = write(os.path.join(scratch, f"{self.name}.yaml"), yaml(os.path.realpath(out)))
        call([CIMA, "create", "--tty=false", f"--name={self.name}", path], self.env, 600)

    def start(self):
        """Returns seconds: from the start of the command to READY, from the start of QEMU to the
        first greeting of the ssh server, and the times of the stages."""
        since = time.time()
        self.running = True
        call([CIMA, "start", "--tty=false", "--timeout=20m", self.name], self.env, START_LIMIT)
        ready = time.time() - since
        qemu = started_at(read_pid(os.path.join(self.dir, "qemu.pid")))
        stages = self.stages()
        if "ssh banner" not in stages:
            raise RuntimeError("the agent's events do not say when the ssh server was seen")
        steps = [f"agent {stages['created'] - since:.2f}", f"qemu {qemu - since:.2f}"]
        steps += [f"{s} {stages[s] - since:.2f}" for s in
                  ("ssh banner", "user session", "boot done") if s in stages]
        return ready, stages["ssh banner"] - qemu, ", ".join(steps)

    def stages(self):
        times = {}
        with open(os.path.join(self.dir, "ha.stdout.log"), encoding="utf-8") as f:
            for line in f:
                event = json.loads(line)
                stage = event.get("status", {}).get("stage")
                if stage and stage not in times:
                    times[stage] = moment(event["time"])
        return times

    def stop(self):
        if self.running:
            call([CIMA, "stop", self.name], self.env, 600)
            self.running = False

    def end(self):
        """Whatever state it is in."""
        subprocess.run([CIMA, "stop", "--force", self.name], env=self.env, timeout=120, check=False,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.running = False


def read_pid(path):
    with open(path, encoding="utf-8") as f:
        return int(f.read().split()[0])


def moment(text):
    """Seconds since 1970 of a time with nanoseconds, which datetime does not know."""
    m = re.fullmatch(r"(.*T\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)", text)
    base = datetime.fromisoformat(m[1] + ("+00:00" if m[3] == "Z" else m[3]))
    return base.timestamp() + float(m[2] or 0)


def started_at(pid):
    """When a process began, to a clock tick (10 ms), in seconds since 1970."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        ticks = int(f.read().rsplit(")", 1)[1].split()[19])
    now, up = time.time(), time.clock_gettime(time.CLOCK_BOOTTIME)
    return now - up + ticks / os.sysconf("SC_CLK_TCK")


def mini_yaml(guest):
    return f"""images:
- location: {guest}/disk.qcow2
  kernel:
    location: {guest}/vmlinux
    cmdline: >-
      console=ttyS0 quiet cryptomgr.notests
      initcall_blacklist=init_kprobe_trace,load_system_certificate_list,crypto_kdf108_init
  initrd: {{location: {guest}/initrd.img}}
firmware: {{legacyBIOS: true}}
""" + PLAIN.format(disk="1GiB")


def debian_yaml(guest):
    return f"images:\n- location: {guest}/disk.qcow2\n" + PLAIN.format(
        disk="4GiB").replace("512MiB", "1GiB")


def guest_of(kind):
    if kind not in guests:
        guests[kind] = Guest(kind, {"mini": mini_yaml, "debian": debian_yaml}[kind])
    return guests[kind]


def show_starts(what, starts, goal):
    emit(f"{what}: ratio", show([r / b for r, b, _ in starts], "×"), goal,
         "command to READY / QEMU's start to sshd's greeting")
    emit("  command to READY", show([r for r, _, _ in starts], "s"), "-")
    emit("  QEMU's start to sshd's greeting", show([b for _, b, _ in starts], "s"), "-")
    print(f"    the last: {starts[-1][2]} s", flush=True)


def row_mini():
    head("mini", "start of the mini guest")
    guest = guest_of("mini")
    guest.stop()
    first = [guest.start()]
    later = []
    for _ in range(2 if QUICK else 5):
        guest.stop()
        later.append(guest.start())
    show_starts("first start", first, "1.5×")
    show_starts("later starts", later, "1.5×")


def first_process_initrd():
    """An initramfs whose first process says so on the console (test/guest/arches/init)."""
    busybox = shutil.which("busybox")
    if not busybox:
        raise NotAvailable("busybox is not installed")
    root = os.path.join(scratch, "initrd")
    for name in ("bin", "proc", "sys"):
        os.makedirs(os.path.join(root, name))
    shutil.copy(busybox, os.path.join(root, "bin/busybox"))
    shutil.copy(os.path.join(SRC, "test/guest/arches/init"), root)
    os.symlink("busybox", os.path.join(root, "bin/sh"))
    path = root + ".img"
    with open(path, "wb") as f:
        names = "\n".join([".", "bin", "proc", "sys", "bin/busybox", "bin/sh", "init"])
        subprocess.run([busybox, "cpio", "-o", "-H", "newc", "-R", "0:0"], cwd=root, stdout=f, check=True,
                       input=names.encode(), stderr=subprocess.DEVNULL, timeout=60)
    return path


def has_spoken(log):
    try:
        with open(log, "rb") as f:
            return b"first process: " in f.read()
    except FileNotFoundError:
        return False


def until_first_process(argv, log):
    """Seconds from QEMU's start to the first line of the first process in it; QEMU is ended then."""
    if os.path.exists(log):
        os.unlink(log)
    since = time.monotonic()
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE) as qemu:
        try:
            while not has_spoken(log):
                if qemu.poll() is not None:
                    raise RuntimeError(f"QEMU ended: {qemu.stderr.read().decode(errors='replace').strip()}")
                if time.monotonic() - since > START_LIMIT:
                    raise RuntimeError("the first process said nothing")
                time.sleep(0.002)
            return time.monotonic() - since
        finally:
            qemu.kill()


def planned_line(guest):
    """The command line of a machine that `cima start` started, and the log of its serial port."""
    log = os.path.join(guest.dir, "serial.log")
    # It waits for an SSH server, which this guest does not have.
    with subprocess.Popen([CIMA, "start", "--tty=false", guest.name], env=guest.env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as start:
        end = time.monotonic() + START_LIMIT
        while not has_spoken(log) and start.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        if not has_spoken(log):
            raise RuntimeError("cima start did not bring the machine to its first process")
        with open(f"/proc/{read_pid(os.path.join(guest.dir, 'qemu.pid'))}/cmdline", encoding="utf-8") as f:
            argv = f.read().split("\0")[:-1]
        guest.end()
        start.wait(120)
    # Sockets that the agent made and handed over are QEMU's own here.
    return [re.sub(r"\bfd=(\d+),server", rf"path={guest.dir}/\1.sock,server", word) for word in argv], log


def row_start():
    head("start", "from exec of QEMU to the first user process: the line of `cima start` for the mini "
                  "guest's kernel, and one by hand with only what that needs")
    initrd = first_process_initrd()
    guest = Guest("mini", lambda d: re.sub(r"initrd: .*", f"initrd: {{location: {initrd}}}", mini_yaml(d)), "first")
    guests["first"] = guest
    ours, log = planned_line(guest)

    def of(option):
        return [option, ours[ours.index(option) + 1]]
    hand_log = os.path.join(scratch, "hand.log")
    hand = ours[:1] + ["-machine", "q35", "-cpu", "max", "-smp", "2", "-m", "512", "-nodefaults",
                       "-display", "none", "-serial", "file:" + hand_log]
    hand += of("-accel") + of("-kernel") + of("-initrd") + of("-append")
    mine, other = [], []
    for _ in range(3 if QUICK else 10):
        mine.append(until_first_process(ours, log))
        other.append(until_first_process(hand, hand_log))
    emit("cima's line: ratio", show([a / b for a, b in zip(mine, other)], "×"), "1.1×")
    emit("  cima's line", show(mine, "s"), "-")
    emit("  a line by hand", show(other, "s"), "-")


def row_debian():
    head("debian", "start of the Debian guest")
    guest = guest_of("debian")
    first = [guest.start()]
    later = []
    for _ in range(1 if QUICK else 3):
        guest.stop()
        later.append(guest.start())
    guest.stop()
    show_starts("first start", first, "1.6×")
    show_starts("later starts", later, "1.3×")


def running_mini():
    guest = guest_of("mini")
    if not guest.running:
        guest.start()
    return guest


def row_shell():
    head("shell", "`true` in the mini guest, with a live master")
    guest = running_mini()
    config = os.path.join(guest.dir, "ssh.config")
    mine, plain, login = in_turns(
        [[CIMA, "shell", guest.name, "true"],
         ["ssh", "-F", config, f"lima-{guest.name}", "true"],
         ["ssh", "-F", config, f"lima-{guest.name}", 'exec "$SHELL" -l -c true']], 60, guest.env)
    emit("cima shell mini true: ratio", show(ratio(mine, plain), "×"), "1.15×", "against plain ssh")
    emit("  cima shell mini true", show(wall(mine), "ms", 1), "-")
    emit("  ssh -F ssh.config lima-mini true", show(wall(plain), "ms", 1), "-")
    emit("  the same through a login shell", show(wall(login), "ms", 1), "-",
         f"cima's ratio to it {show(ratio(mine, login), '×')}")


def row_agent():
    seconds = 10 if QUICK else 60
    head("agent", f"the host agent of the mini guest, idle for {seconds} s")
    guest = running_mini()
    pid = read_pid(os.path.join(guest.dir, "ha.pid"))
    time.sleep(2)  # the end of the start
    busy, wakeups = agent_counts(pid)
    time.sleep(seconds)
    busy_after, wakeups_after = agent_counts(pid)
    rss, pss = smaps(pid)
    emit("memory, RSS", f"{rss / 1000:.2f} MB", "4 MB",
         f"PSS {pss / 1000:.2f} MB: what it does not share")
    emit("processor", f"{(busy_after - busy) / 1e7 / seconds:.3f} %", "0.2 %")
    emit("  wake-ups", f"{wakeups_after - wakeups} in {seconds} s", "-", "voluntary switches")


def agent_counts(pid):
    """Nanoseconds of processor time and voluntary switches of all its threads."""
    cpu = switches = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="utf-8") as f:
            cpu += int(f.read().split()[0])
        with open(f"/proc/{pid}/task/{task}/status", encoding="utf-8") as f:
            switches += int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", f.read(), re.M)[1])
    return cpu, switches


def smaps(pid):
    """RSS and PSS in units of 1000 bytes."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as f:
        text = f.read()
    return tuple(int(re.search(rf"^{what}:\s*(\d+) kB", text, re.M)[1]) * 1.024
                 for what in ("Rss", "Pss"))


# ---- all of it -----------------------------------------------------------------------------------------

ROWS = {"version": row_version, "list": row_list, "validate": row_validate,
        "plan": row_plan, "start": row_start, "qmp": row_qmp, "create": row_create, "size": row_size, "mini": row_mini, "shell": row_shell, "agent": row_agent, "debian": row_debian}
guests = {}
scratch = None


def run_row(name):
    try:
        ROWS[name]()
        return True
    except NotAvailable as e:
        print(f"  not available: {e}", flush=True)
        return True
    except (RuntimeError, OSError, subprocess.TimeoutExpired, KeyError, ValueError) as e:
        if os.environ.get("BENCH_DEBUG"):
            traceback.print_exc()
        print(f"  COULD NOT BE RUN: {e}", flush=True)
        return False


def main():
    global scratch
    wanted = sys.argv[1:] or list(ROWS)
    if wanted[0] in ("-h", "--help"):
        print(f"{__doc__}\nRows: {' '.join(ROWS)}")
        return 0
    unknown = [w for w in wanted if w not in ROWS]
    if unknown:
        sys.exit(f"bench.py: no row '{unknown[0]}'; there are: {' '.join(ROWS)}")
    # Paths of sockets are short, whatever TMPDIR says.
    scratch = tempfile.mkdtemp(prefix="cima-bench.", dir="/tmp")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through the clean-up
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, "
          f"Linux {os.uname().release}; figures: median (middle half)", flush=True)
    try:
        results = [run_row(w) for w in wanted]
    finally:
        for guest in guests.values():
            guest.end()
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"load at the end {os.getloadavg()[0]:.1f}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
