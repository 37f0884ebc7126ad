"""Reads a running domain's console, to which QEMU's monitor makes the guest's serial port write; prints what came.

console.py URI DOMAIN
"""

import json
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
    while not came.endswith(b"OK"):
        came += stream.recv(64)


reader = threading.Thread(target=read, daemon=True)
reader.start()
for letter in b"WARDEN-OK":
    libvirt_qemu.qemuMonitorCommand(
        domain, f"o /b {COM1} {letter}", libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP
    )
reader.join(10)
stream.abort()
print(json.dumps({"console": came.decode(), "alive": connection.isAlive() == 1}))
