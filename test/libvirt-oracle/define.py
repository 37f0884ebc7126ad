#!/usr/bin/python3
"""Answers what the real libvirt makes of a document: one JSON request per line in, one JSON answer per line out.

{"define": XML} -> {"ok": true, "xml": XML} or {"ok": false, "error": TEXT}
{"wellFormed": XML} -> {"ok": true} or {"ok": false, "error": TEXT}

Usage: define.py ROOT. Libvirt runs embedded in this process (qemu:///embed): no daemon, nothing outside ROOT.
"""

import json
import os
import shutil
import sys
import threading

import libvirt
from lxml import etree

# A root of another user or another driver configuration makes libvirt probe QEMU again, for seconds, at every define.
QEMU_CONF = """user = "root"
group = "root"
security_driver = "none"
namespaces = []
remember_owner = 0
"""


def prepare(root):
    os.makedirs(os.path.join(root, "etc"), mode=0o700, exist_ok=True)
    with open(os.path.join(root, "etc", "qemu.conf"), "w") as conf:
        conf.write(QEMU_CONF)
    # Domains that a killed run left behind; the capabilities under cache/ are kept, they are what takes seconds.
    shutil.rmtree(os.path.join(root, "etc", "qemu"), ignore_errors=True)


def open_libvirt(root):
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    libvirt.virEventRegisterDefaultImpl()

    def events():
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=events, daemon=True).start()
    return libvirt.open("qemu:///embed?root=" + root)


def define(connection, xml):
    try:
        domain = connection.defineXML(xml)
        return {"ok": True, "xml": domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)}
    except libvirt.libvirtError as error:
        return {"ok": False, "error": error.get_error_message() or str(error)}
    finally:
        for domain in connection.listAllDomains():
            domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)


def well_formed(xml):
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        etree.fromstring(xml.encode("utf-8"), parser)
        return {"ok": True}
    except etree.XMLSyntaxError as error:
        return {"ok": False, "error": str(error)}


def main():
    prepare(sys.argv[1])
    connection = None
    # Libvirt's children may write to stdout: answers keep a descriptor of their own.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "wellFormed" in request:
                answer = well_formed(request["wellFormed"])
            else:
                connection = connection or open_libvirt(sys.argv[1])
                answer = define(connection, request["define"])
        except Exception as error:  # one odd document must not end the oracle
            answer = {"ok": False, "error": "%s: %s" % (type(error).__name__, error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


main()
