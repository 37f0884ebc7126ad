"""Sends a command to QEMU's monitor as it stands; prints the answer.

monitor.py URI DOMAIN COMMAND
"""

import json
import sys

import libvirt
import libvirt_qemu

uri, name, command = sys.argv[1:]
domain = libvirt.open(uri).lookupByName(name)
print(json.dumps(libvirt_qemu.qemuMonitorCommand(domain, command, 0)))
