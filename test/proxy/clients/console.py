"""Reads a running domain's console, to which QEMU's monitor makes the guest's serial port write; prints what came.

console.py URI DOMAIN
"""

import json
import os
import sys
import threading

import libvirt
import libvirt_qemu

COM1 = "0x3f8"
uri, name = sys.argv[1:]
connection = libvirt.open(uri)
domain = connection.lookupByName(name)
stream = connection.newStream(0)
domain.openConsole(None, stream, 0)
came = b""


def read():
    global came
    while b"WARDEN-OK" not in came:
        came += stream.recv(64)


# By a connection of its own: libvirt's client now and then misses an answer that comes while another thread waits for a
# stream, also through a pipe that only copies.
writer = libvirt.open(uri).lookupByName(name)
reader = threading.Thread(target=read, daemon=True)
reader.start()
# The firmware sets the port up while the guest starts, and what is written meanwhile may be lost: then it is written again.
for attempt in range(5):
    for letter in b"WARDEN-OK":
        libvirt_qemu.qemuMonitorCommand(
            writer, f"o /b {COM1} {letter}", libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP
        )
    reader.join(2)
    if not reader.is_alive():
        stream.abort()
        break
print(json.dumps({"came": b"WARDEN-OK" in came, "alive": connection.isAlive() == 1}), flush=True)
# Without waiting for a reader to which nothing came.
os._exit(0)
