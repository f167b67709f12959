# SPDX-License-Identifier: Apache-2.0
"""What tools.sh needs that a shell can't do: pictures, pseudo terminals, sockets."""
import json
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
import zlib

PATIENCE = 600


# ---- pictures ------------------------------------------------------------------------------------

def chunks(data):
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:8]
    at = 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        (crc,) = struct.unpack(">I", data[at + 8 + length:at + 12 + length])
        assert crc == zlib.crc32(kind + body), kind
        yield kind, body
        at += 12 + length


def png_size(data):
    parts = list(chunks(data))
    assert parts[0][0] == b"IHDR" and parts[-1][0] == b"IEND", [k for k, _ in parts]
    width, height, depth, colour, _, _, _ = struct.unpack(">IIBBBBB", parts[0][1])
    per_point = {0: 1, 2: 3, 6: 4}[colour] * depth // 8
    rows = zlib.decompress(b"".join(b for k, b in parts if k == b"IDAT"))
    assert len(rows) == height * (1 + width * per_point), (len(rows), width, height)
    assert width >= 320 and height >= 200, (width, height)
    return width, height


def png(path):
    print(png_size(open(path, "rb").read()))


def bmp(path, like):
    data = open(path, "rb").read()
    size, start = struct.unpack("<2xI4xI", data[:14])
    width, height, _, bits = struct.unpack("<iiHH", data[18:30])
    assert data[:2] == b"BM" and size == len(data) and bits == 24
    assert (width, height) == png_size(open(like, "rb").read())
    assert len(data) == start + (width * 3 + 3) // 4 * 4 * height


# ---- ha.sock -------------------------------------------------------------------------------------

def ask(path, request):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.settimeout(PATIENCE)
        s.sendall(request)
        answer = b""
        while True:
            more = s.recv(65536)
            if not more:
                break
            answer += more
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def post(path, body):
    return ask(path, b"POST /v1/monitor HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def rest(path):
    code, body = ask(path, b"GET /v1/screenshot?format=png HTTP/1.0\r\n\r\n")
    assert code == 200
    size = png_size(body)
    code, body = ask(path, b"GET /v1/screenshot?format=bmp HTTP/1.0\r\n\r\n")
    assert code == 200 and body[:2] == b"BM" and struct.unpack("<ii", body[18:26]) == size
    assert ask(path, b"GET /v1/screenshot?format=gif HTTP/1.0\r\n\r\n")[0] == 400
    assert ask(path, b"GET /v1/monitor HTTP/1.0\r\n\r\n")[0] == 405
    code, body = post(path, b'{"execute": "query-status"}')
    assert code == 200 and json.loads(body)["return"]["running"] is True, body
    code, body = post(path, b'{"execute": "nothing"}')
    assert code in (501, 502) and "nothing" in json.loads(body)["message"], (code, body)
    for bad in (b"", b"{", b"[]", b'{"execute": 1}', b'{"execute": "stop", "arguments": 1}'):
        assert post(path, bad)[0] == 400, bad
    # Somebody who leaves before the answer, and with more than a request.
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(b"POST /v1/monitor HTTP/1.1\r\nContent-Length: 26\r\n\r\n"
                  b'{"execute":"query-status"}GET /v1/info HTTP/1.1\r\n\r\n')
    assert ask(path, b"GET /v1/info HTTP/1.0\r\n\r\n")[0] == 200


# ---- the console ---------------------------------------------------------------------------------

class Terminal:
    """A command with a terminal of its own."""

    def __init__(self, *command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(command[0], command)
        self.before = None
        self.seen = b""

    def mode(self):
        return termios.tcgetattr(self.fd)[3]

    def expect(self, text, again=None):
        """Waits for text; `again` is typed every second until it comes."""
        end, typed = time.monotonic() + PATIENCE, 0
        while text not in self.seen:
            assert time.monotonic() < end, (text, self.seen)
            if again and time.monotonic() - typed > 1:
                typed = time.monotonic()
                os.write(self.fd, again)
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.fd, 65536)
                except OSError:
                    assert text in self.seen, (text, self.seen)
        self.seen = self.seen[self.seen.index(text) + len(text):]

    def raw(self):
        end = time.monotonic() + PATIENCE
        while self.mode() & termios.ICANON:
            assert time.monotonic() < end
            time.sleep(0.05)

    def exit_code(self):
        end = time.monotonic() + PATIENCE
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < end, self.seen
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.fd, 65536)
                except OSError:
                    pass


def wait_free(cima, name):
    """QEMU takes a moment to see that the last one has gone."""
    end = time.monotonic() + PATIENCE
    while True:
        r = subprocess.run([cima, "qmp", name, "query-chardev"], stdin=subprocess.DEVNULL,
                           capture_output=True, timeout=PATIENCE)
        if r.returncode == 0 and any(c["label"] == "char-serial" and c["filename"].startswith("disconnected:")
                                     for c in json.loads(r.stdout)):
            return
        assert time.monotonic() < end, r
        time.sleep(0.1)


def attach(cima, name, *options):
    wait_free(cima, name)
    t = Terminal(cima, "console", *options, name)
    t.expect(b"Connected to the serial console")
    t.raw()
    return t


def command(t, line, answer, key=b"\r"):
    """Types a line at the guest's prompt, whatever stood there; the key makes it show one."""
    t.expect(b"# ", again=key)
    os.write(t.fd, line + b"\r")
    t.expect(answer)


def console(cima, name):
    t = attach(cima, name)
    before = t.mode()
    assert not before & (termios.ICANON | termios.ECHO | termios.ISIG), before
    command(t, b"echo $((6 * 7))-answer", b"42-answer")
    # ^C is the guest's: it ends its command and not ours.
    os.write(t.fd, b"sleep 1000\r")
    t.expect(b"sleep 1000")
    time.sleep(1)
    command(t, b"echo $((7 * 7))-answer", b"49-answer", key=b"\x03")
    os.write(t.fd, b"\x1d")
    t.expect(b"Detached from the console")
    assert t.exit_code() == 0
    assert t.mode() & termios.ICANON and t.mode() & termios.ECHO
    # Once more: nothing has stayed behind.
    t = attach(cima, name)
    command(t, b"echo $((8 * 7))-answer", b"56-answer")
    os.write(t.fd, b"\x1d")
    assert t.exit_code() == 0
    # No terminal: input to its end, then what comes.
    wait_free(cima, name)
    out = subprocess.run([cima, "console", name], input=b"\recho $((9 * 7))-answer\r",
                         stdout=subprocess.PIPE, timeout=PATIENCE, check=True).stdout
    assert b"63-answer" in out, out


def key(cima, name):
    t = attach(cima, name, "--escape", "ctrl-q")
    os.write(t.fd, b"\x1d")
    command(t, b"echo $((6 * 8))-answer", b"48-answer")
    os.write(t.fd, b"\x11")
    assert t.exit_code() == 0


def busy(cima, name, path):
    t = attach(cima, name)
    second = subprocess.run([cima, "console", name], stdin=subprocess.DEVNULL,
                            capture_output=True, timeout=PATIENCE)
    assert second.returncode == 1, second
    assert b"is in use by another `cima console`" in second.stderr, second.stderr
    os.kill(t.pid, signal.SIGTERM)
    assert t.exit_code() == 128 + signal.SIGTERM
    assert t.mode() & termios.ICANON and t.mode() & termios.ECHO
    # A program that does not know our lock.
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.settimeout(PATIENCE)
        s.sendall(b"\r")
        assert s.recv(1)
        third = subprocess.run([cima, "console", name], stdin=subprocess.DEVNULL,
                               capture_output=True, timeout=PATIENCE)
        assert third.returncode == 1, third
        assert b"another program is connected to the serial console" in third.stderr, third.stderr
    t = attach(cima, name)
    os.write(t.fd, b"\x1d")
    assert t.exit_code() == 0


def held(cima, name, path):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.settimeout(PATIENCE)
        assert b"QMP" in s.recv(65536)
        r = subprocess.run([cima, "qmp", name, "query-status"], stdin=subprocess.DEVNULL,
                           capture_output=True, timeout=PATIENCE)
        assert r.returncode == 1, r
        assert b"another program is connected to the monitor of instance `%s`" % name.encode() in r.stderr, r


def end(cima, name):
    t = attach(cima, name)
    follower = subprocess.Popen([cima, "console", "--log", "-f", name], stdout=subprocess.PIPE, bufsize=0)
    first = follower.stdout.read(1)
    subprocess.run([cima, "qmp", name, "quit"], check=True, timeout=PATIENCE)
    t.expect(b"has ended")
    assert t.exit_code() == 1
    assert t.mode() & termios.ICANON
    out, _ = follower.communicate(timeout=PATIENCE)
    assert follower.returncode == 0 and b"sshd started" in first + out


if __name__ == "__main__":
    {"png": png, "bmp": bmp, "rest": rest, "console": console, "key": key, "busy": busy,
     "held": held, "end": end}[sys.argv[1]](*sys.argv[2:])
