"""Attaches a device, about which the proxy takes its time to decide, and meanwhile asks other things on the same connection;
prints how long both took, in seconds.

slow_attach.py URI DOMAIN DEVICE_XML_FILE
"""

import json
import sys
import threading
import time

import libvirt

uri, name, path = sys.argv[1:]
libvirt.virEventRegisterDefaultImpl()


def run_loop():
    while True:
        libvirt.virEventRunDefaultImpl()


threading.Thread(target=run_loop, daemon=True).start()
connection = libvirt.open(uri)
connection.setKeepAlive(1, 1)
domain = connection.lookupByName(name)
with open(path) as file:
    device = file.read()
attach = {}


def do_attach():
    started = time.monotonic()
    domain.attachDeviceFlags(device, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    attach["seconds"] = time.monotonic() - started


thread = threading.Thread(target=do_attach)
thread.start()
time.sleep(0.2)
asked, longest = 0, 0.0
while thread.is_alive():
    started = time.monotonic()
    connection.listAllDomains()
    longest = max(longest, time.monotonic() - started)
    asked += 1
    time.sleep(0.01)
thread.join()
print(json.dumps({"attach": attach.get("seconds"), "asked": asked, "longest": longest, "alive": connection.isAlive() == 1}))
