# SPDX-License-Identifier: Apache-2.0
"""Stands in for `limactl hostagent`: supervises a machine that runs already, knows none of cima's
locks, and ends machine and itself on SIGINT, with the event lines of that program.

  limactl-hostagent.py PORT hostagent --pidfile FILE --socket FILE NAME
"""
import datetime
import json
import os
import signal
import socket
import sys
import time

port, pidfile = int(sys.argv[1]), sys.argv[sys.argv.index("--pidfile") + 1]
directory = os.path.dirname(pidfile)
log = open(os.path.join(directory, "ha.stdout.log"), "w", buffering=1)


def emit(**status):
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    log.write(json.dumps({"time": now, "status": status}, separators=(",", ":")) + "\n")


def power_down():
    monitor = socket.socket(socket.AF_UNIX)
    monitor.connect(os.path.join(directory, "qmp.sock"))
    monitor.sendall(b'{"execute":"qmp_capabilities"}\n{"execute":"system_powerdown"}\n')
    while monitor.recv(4096):
        pass


def on_interrupt(signo, frame):
    with open(os.path.join(directory, "got-sigint"), "a") as f:
        f.write("SIGINT\n")
    power_down()
    emit(exiting=True)
    os.unlink(pidfile)
    os._exit(0)


signal.signal(signal.SIGINT, on_interrupt)
emit(sshLocalPort=port)
with open(pidfile, "w") as f:
    f.write("%d\n" % os.getpid())
emit(running=True, sshLocalPort=port)
while True:
    time.sleep(60)
