"""Listens to lifecycle events on one connection while another one acts; prints what was heard.

events.py URI DOMAIN_XML_FILE
"""

import json
import sys
import threading
import time

import libvirt

NAMES = {
    libvirt.VIR_DOMAIN_EVENT_DEFINED: "defined",
    libvirt.VIR_DOMAIN_EVENT_UNDEFINED: "undefined",
    libvirt.VIR_DOMAIN_EVENT_STARTED: "started",
    libvirt.VIR_DOMAIN_EVENT_STOPPED: "stopped",
}
uri, path = sys.argv[1:]
libvirt.virEventRegisterDefaultImpl()
heard = []


def run_loop():
    while True:
        libvirt.virEventRunDefaultImpl()


threading.Thread(target=run_loop, daemon=True).start()
listener = libvirt.open(uri)
listener.setKeepAlive(1, 3)
listener.domainEventRegisterAny(
    None,
    libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
    lambda _connection, domain, event, _detail, _opaque: heard.append([domain.name(), NAMES.get(event, "other")]),
    None,
)
actor = libvirt.open(uri)
with open(path) as file:
    domain = actor.defineXML(file.read())
domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
domain.destroy()
domain.undefine()
deadline = time.monotonic() + 10
while not any(event == "undefined" for _, event in heard) and time.monotonic() < deadline:
    time.sleep(0.02)
print(json.dumps([event for name, event in heard if event != "other"]))
