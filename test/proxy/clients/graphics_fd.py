"""Asks for a file descriptor, which no proxy on a plain socket can hand on; prints the error and whether the connection lives.

graphics_fd.py URI DOMAIN
"""

import json
import sys

import libvirt

libvirt.registerErrorHandler(lambda *_: None, None)
uri, name = sys.argv[1:]
connection = libvirt.open(uri)
domain = connection.lookupByName(name)
refusals = []
for ask in (lambda: domain.openGraphicsFD(0), lambda: domain.openGraphics(0, 1)):
    try:
        ask()
        refusals.append(None)
    except libvirt.libvirtError as error:
        refusals.append({"code": error.get_error_code(), "message": error.get_error_message()})
print(json.dumps({"refusals": refusals, "still": connection.lookupByName(name).name()}))
