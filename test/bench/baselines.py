#!/usr/bin/python3
"""Times what a decision is held against: one JSON request per line in, one JSON answer per line out.

{"lxml": XML, "count": N} -> {"ns": [N times]} the bridge edit alone: parse, one pcie-to-pci-bridge in place of the
    first hostdev, every hostdev behind it, serialize
{"define": XML, "count": N} -> {"ns": [N times]} virDomainDefineXML alone, of a domain that is not defined yet
Where something is missing: {"error": TEXT}

Usage: baselines.py ROOT. Libvirt runs embedded in this process (qemu:///embed): no daemon, nothing outside ROOT.
"""

import json
import os
import sys
import threading
import time

# A root of another user or another driver configuration makes libvirt probe QEMU again, for seconds, at every define.
QEMU_CONF = """user = "root"
group = "root"
security_driver = "none"
namespaces = []
remember_owner = 0
"""


def pci_address(etree, bus, slot):
    return etree.Element(
        "address",
        type="pci",
        domain="0x0000",
        bus="0x%02x" % bus,
        slot="0x%02x" % slot,
        function="0x0",
    )


def bridge_edit(etree, xml):
    root = etree.fromstring(xml)
    devices = root.find("devices")
    hostdevs = devices.findall("hostdev[@type='pci']")
    index = 1 + max(int(c.get("index")) for c in devices.findall("controller[@type='pci']"))
    bridge = etree.Element("controller", type="pci", index=str(index), model="pcie-to-pci-bridge")
    bridge.append(pci_address(etree, int(hostdevs[0].find("address").get("bus"), 16), 0))
    devices.insert(devices.index(hostdevs[0]), bridge)
    for slot, hostdev in enumerate(hostdevs, 1):
        hostdev.replace(hostdev.find("address"), pci_address(etree, index, slot))
    return etree.tostring(root)


def times(count, action, after=lambda _: None):
    measured = []
    for _ in range(count):
        started = time.perf_counter_ns()
        result = action()
        measured.append(time.perf_counter_ns() - started)
        after(result)
    return measured


def time_lxml(xml, count):
    from lxml import etree

    data = xml.encode("utf-8")
    times(200, lambda: bridge_edit(etree, data))
    return times(count, lambda: bridge_edit(etree, data))


def open_libvirt(root):
    import libvirt

    os.makedirs(os.path.join(root, "etc"), mode=0o700, exist_ok=True)
    with open(os.path.join(root, "etc", "qemu.conf"), "w") as conf:
        conf.write(QEMU_CONF)
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    libvirt.virEventRegisterDefaultImpl()

    def events():
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=events, daemon=True).start()
    return libvirt.open("qemu:///embed?root=" + root)


def time_define(connection, xml, count):
    times(20, lambda: connection.defineXML(xml), lambda domain: domain.undefine())
    return times(count, lambda: connection.defineXML(xml), lambda domain: domain.undefine())


def main():
    connection = None
    # Libvirt's children may write to stdout: answers keep a descriptor of their own.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "lxml" in request:
                answer = {"ns": time_lxml(request["lxml"], request["count"])}
            else:
                connection = connection or open_libvirt(sys.argv[1])
                answer = {"ns": time_define(connection, request["define"], request["count"])}
        except Exception as error:  # what is missing is told, not fatal
            answer = {"error": "%s: %s" % (type(error).__name__, error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


main()
