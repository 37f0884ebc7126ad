"""Many clients at once, each with keepalive: each defines a domain, is silent for longer than its keepalive takes to give up,
looks at its domain, and undefines it. Prints how many got through.

parallel.py URI DOMAIN_XML_FILE CLIENTS
"""

import json
import sys
import threading
import time

import libvirt

uri, path, clients = sys.argv[1:]
libvirt.registerErrorHandler(lambda *_: None, None)
libvirt.virEventRegisterDefaultImpl()
with open(path) as file:
    template = file.read()
done, errors = [], []


def run_loop():
    while True:
        libvirt.virEventRunDefaultImpl()


def live(number):
    try:
        connection = libvirt.open(uri)
        connection.setKeepAlive(1, 2)
        domain = connection.defineXML(template.replace("NAME", f"client-{number}"))
        for _ in range(20):
            domain.XMLDesc()
        time.sleep(4)
        rewritten = "pcie-to-pci-bridge" in domain.XMLDesc()
        domain.undefine()
        done.append(rewritten and connection.isAlive() == 1)
        connection.close()
    except libvirt.libvirtError as error:
        errors.append(str(error))


threading.Thread(target=run_loop, daemon=True).start()
threads = [threading.Thread(target=live, args=(number,)) for number in range(int(clients))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps({"done": sum(done), "errors": errors}))
