"""Defines a domain and starts it in the next call, again and again; prints how many ran with the bridge and how many without.

define_then_create.py URI DOMAIN_XML_FILE RUNS BUS[,BUS...]

One thread for each host bus, whose device 00.0 its domains have.
"""

import json
import sys
import threading

import libvirt

uri, path, runs, buses = sys.argv[1:]
buses = buses.split(",")
with open(path) as file:
    template = file.read()
with_bridge, without, errors = [], [], []
todo = iter(range(int(runs)))
lock = threading.Lock()


def run(bus):
    connection = libvirt.open(uri)
    while True:
        with lock:
            number = next(todo, None)
        if number is None:
            return
        xml = template.replace("NAME", f"run-{number}").replace("BUS", bus)
        try:
            domain = connection.defineXML(xml)
            domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
            (with_bridge if "pcie-to-pci-bridge" in domain.XMLDesc() else without).append(number)
            domain.destroy()
            domain.undefine()
        except libvirt.libvirtError as error:
            errors.append(str(error))


threads = [threading.Thread(target=run, args=(bus,)) for bus in buses]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps({"withBridge": len(with_bridge), "without": len(without), "errors": errors}))
