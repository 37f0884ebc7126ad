"""Clients of libvirt as control planes write them; each prints what it saw, one JSON value a line.

    clients.py define-and-create URI RUNS BDF...
    clients.py define-until-disconnected URI CLIENTS
    clients.py start-at-once URI BDF...
    clients.py clear URI
"""

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import libvirt

HOSTDEV = """<hostdev mode='subsystem' type='pci' managed='yes'><source>
  <address domain='0x{}' bus='0x{}' slot='0x{}' function='0x{}'/></source></hostdev>"""
GUEST = """<domain type='qemu'><name>{}</name><memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os><devices>{}<memballoon model='none'/></devices></domain>"""


def guest(name, bdf=None):
    return GUEST.format(name, '' if bdf is None else HOSTDEV.format(*bdf.replace('.', ':').split(':')))


def tell(**seen):
    # One write at once: threads share the output, and a test waits for it.
    sys.stdout.write(json.dumps(seen) + '\n')
    sys.stdout.flush()


def outcome(error):
    return {'code': error.get_error_code(), 'domain': error.get_error_domain(), 'message': str(error)}


def define_and_create(uri, runs, *devices):
    """Each client has a device, and gives it to one domain after the other, without a pause between define and create."""
    runs_of_each = int(runs) // len(devices)

    def work(device):
        connection = libvirt.open(uri)
        for run in range(runs_of_each):
            domain = connection.defineXML(guest(f'vm-{device}-{run}'.replace(':', '-'), device))
            try:
                domain.create()
                xml = domain.XMLDesc()
                domain.destroy()
                tell(started=True, restricted="model='pcie-to-pci-bridge'" in xml)
            except libvirt.libvirtError as error:
                tell(started=False, **outcome(error))
            domain.undefine()
        connection.close()

    with ThreadPoolExecutor(len(devices)) as pool:
        list(pool.map(work, devices))


def define_until_disconnected(uri, clients):
    """Each client defines one domain after the other until its connection ends; tells which of them libvirt took."""
    libvirt.virEventRegisterDefaultImpl()

    def work(client):
        connection = libvirt.open(uri)
        run = 0
        while True:
            name = f'vm-{client}-{run}'
            try:
                connection.defineXML(guest(name, '0000:81:00.0'))
                tell(defined=name)
            except libvirt.libvirtError as error:
                tell(ended=name, alive=connection.isAlive(), **outcome(error))
                return
            run += 1

    threads = [threading.Thread(target=work, args=(client,)) for client in range(int(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def start_at_once(uri, *devices):
    """A domain for each device, defined one after the other, started all at the same moment, each by its own client."""
    together = threading.Barrier(len(devices))

    def work(device):
        connection = libvirt.open(uri)
        domain = connection.defineXML(guest(f'vm-{device}'.replace(':', '-'), device))
        together.wait()
        try:
            domain.create()
            tell(device=device, started=True)
        except libvirt.libvirtError as error:
            tell(device=device, started=False, **outcome(error))
        connection.close()

    with ThreadPoolExecutor(len(devices)) as pool:
        list(pool.map(work, devices))


def clear(uri):
    """Ends and undefines every domain."""
    connection = libvirt.open(uri)
    for domain in connection.listAllDomains():
        persistent = domain.isPersistent()
        if domain.isActive():
            domain.destroy()
        if persistent:
            domain.undefine()


libvirt.registerErrorHandler(lambda *_: None, None)
PROGRAMS = {f.__name__.replace('_', '-'): f for f in (define_and_create, define_until_disconnected, start_at_once, clear)}
PROGRAMS[sys.argv[1]](*sys.argv[2:])
