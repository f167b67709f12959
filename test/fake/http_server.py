#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An HTTP server that behaves well or badly, for the tests of downloads.

usage: http_server.py DIRECTORY STATE [CERTIFICATE]

Serves the files of DIRECTORY. The port is written to STATE/port once it listens; every request
becomes a line "METHOD PATH RANGE STATUS BYTES" of STATE/log when it has been answered, BYTES being
what was sent of the body. With a certificate (PEM, with its key) it speaks https.

The path says how to behave: /BEHAVIOUR[:ARGUMENT]/…/FILE, several behaviours may be given:
  404 500 503:N     that status (503:N: only for the first N requests of that path)
  head500           500 to HEAD, GET is fine
  loop              redirects to itself
  to:URL            redirects to URL (percent-encoded) + /FILE
  norange           ignores Range
  novalidator       no ETag, no Last-Modified, and If-Range is not looked at
  drop:N            closes the connection after N bytes of each answer's body
  dropfirst:N       the same, but only the first answer
  stall:N           sends N bytes, then nothing for a long time
  hold:N            sends N bytes, then a few each second until STATE/go is there, then the rest
  gate              sends the file only as far as the number in STATE/gate says, and waits there
  silent            takes the request and never answers
  short:N           announces N bytes more than there are
  portal            a login page with status 200, whatever is asked for
  slow:N            N bytes a second
  chunked           without a length
  other:FILE        from the second request on, serves FILE in its place
  badrange          answers another range than was asked for
  etag:TEXT         that ETag
"""
import email.utils
import http.server
import os
import select
import socket
import socketserver
import ssl
import sys
import threading
import time
import urllib.parse

ROOT, STATE = sys.argv[1], sys.argv[2]
LOCK = threading.Lock()
COUNTS = {}
CHUNK = 65536
PORTAL = b"<!DOCTYPE html>\n<html><head><title>Welcome to the hotel</title></head></html>\n"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def record(self, status, sent):
        line = "%s %s %s %s %d\n" % (self.command, self.path, self.headers.get("Range", "-"),
                                     status, sent)
        with LOCK, open(os.path.join(STATE, "log"), "a") as log:
            log.write(line)

    def parse(self):
        parts = [urllib.parse.unquote(p) for p in self.path.split("/")[1:]]
        self.behave = {}
        for part in parts[:-1]:
            name, _, value = part.partition(":")
            self.behave[name] = value
        self.file = parts[-1]
        with LOCK:
            COUNTS[self.path] = COUNTS.get(self.path, 0) + 1
            self.count = COUNTS[self.path]

    def simple(self, status, body, content_type="text/plain", extra=()):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for key, value in extra:
            self.send_header(key, value)
        self.end_headers()
        self.record(status, 0 if self.command == "HEAD" else len(body))
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self):
        b = self.behave
        if "404" in b:
            self.simple(404, b"no such file here\n")
        elif "500" in b or ("head500" in b and self.command == "HEAD"):
            self.simple(500, b"something broke\n")
        elif "503" in b and self.count <= int(b["503"] or 1 << 30):
            self.simple(503, b"busy, come back\n")
        elif "loop" in b:
            self.simple(302, b"", extra=[("Location", self.path)])
        elif "to" in b:
            self.simple(302, b"", extra=[("Location", b["to"] + "/" + self.file)])
        elif "portal" in b:
            self.simple(200, PORTAL, "text/html")
        elif "silent" in b:
            self.record("-", 0)
            time.sleep(600)
        else:
            return False
        return True

    def validators(self, path):
        st = os.stat(path)
        tag = self.behave.get("etag") or '"%x-%x"' % (st.st_size, st.st_mtime_ns)
        return tag, email.utils.formatdate(st.st_mtime, usegmt=True)

    def range_start(self, size, tag, date):
        want = self.headers.get("Range", "")
        if not want.startswith("bytes=") or "norange" in self.behave:
            return None
        condition = self.headers.get("If-Range")
        if condition and "novalidator" not in self.behave and condition not in (tag, date):
            return None
        start = int(want[6:].split("-")[0])
        if start >= size:
            return -1
        return start

    def respond(self):
        self.parse()
        if self.refuse():
            return
        name = self.file
        if "other" in self.behave and self.count > 1:
            name = self.behave["other"]
        path = os.path.join(ROOT, name)
        if not os.path.isfile(path):
            self.simple(404, b"no such file here\n")
            return
        size = os.path.getsize(path)
        tag, date = self.validators(path)
        start = self.range_start(size, tag, date)
        if start == -1:
            self.simple(416, b"", extra=[("Content-Range", "bytes */%d" % size)])
            return
        status = 200 if start is None else 206
        self.send_response(status)
        if status == 206:
            if "badrange" in self.behave:
                start = max(0, start - 1)
            self.send_header("Content-Range", "bytes %d-%d/%d" % (start, size - 1, size))
        if "novalidator" not in self.behave:
            self.send_header("ETag", tag)
            self.send_header("Last-Modified", date)
        self.send_header("Content-Type", "application/octet-stream")
        length = size - (start or 0) + int(self.behave.get("short", 0))
        if "chunked" in self.behave:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        sent = 0
        try:
            if self.command != "HEAD":
                for n in self.body(path, start or 0):
                    sent += n
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True
        finally:
            self.record(status, sent)

    def limit(self):
        """How many bytes of the body are sent before something happens."""
        b = self.behave
        if "drop" in b:
            return int(b["drop"])
        if "dropfirst" in b and self.count == 1:
            return int(b["dropfirst"])
        if "stall" in b:
            return int(b["stall"])
        if "hold" in b:
            return int(b["hold"])
        return None

    def put(self, data):
        if "chunked" in self.behave:
            data = b"%x\r\n%s\r\n" % (len(data), data)
        self.wfile.write(data)

    def may_go(self):
        """Waits for a fifth of a second, and looks whether there is still somebody."""
        self.wfile.flush()
        if select.select([self.connection], [], [], 0.2)[0]:
            raise BrokenPipeError
        return os.path.exists(os.path.join(STATE, "go"))
    def peer_is_gone(self):
        self.connection.setblocking(False)
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        finally:
            self.connection.setblocking(True)

    def gate(self, at):
        """Waits until more than `at` bytes of the file may be sent; returns how many more."""
        while True:
            if self.peer_is_gone():
                raise ConnectionResetError
            with open(os.path.join(STATE, "gate")) as f:
                open_to = int(f.read())
            if open_to > at:
                return open_to - at
            time.sleep(0.005)

    def body(self, path, start):
        left, rate = self.limit(), int(self.behave.get("slow", 0))
        step = min(CHUNK, max(1, rate // 400)) if rate else CHUNK
        at = start
        with open(path, "rb") as f:
            f.seek(start)
            while True:
                if "gate" in self.behave and at < os.path.getsize(path):
                    step = min(CHUNK, self.gate(at))
                data = f.read(step if left is None else min(step, left))
                if not data:
                    break
                at += len(data)
                self.put(data)
                yield len(data)
                if left is not None:
                    left -= len(data)
                    if left == 0 and "hold" in self.behave:
                        left = None if self.may_go() else 16
                    if left == 0:
                        break
                if rate:
                    time.sleep(len(data) / rate)
        if left == 0 and "stall" in self.behave:
            self.wfile.flush()
            time.sleep(600)
        if left == 0 or "short" in self.behave:
            self.close_connection = True
        elif "chunked" in self.behave:
            self.wfile.write(b"0\r\n\r\n")

    do_GET = do_HEAD = respond


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass


def main():
    server = Server(("127.0.0.1", 0), Handler)
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
    port = os.path.join(STATE, "port")
    with open(port + ".tmp", "w") as f:
        f.write("%d\n" % server.server_address[1])
    os.rename(port + ".tmp", port)
    server.serve_forever()


main()
