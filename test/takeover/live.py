"""Takes libvirt's sockets over and back while clients open connections without a pause; prints what they saw as JSON.

Runs inside scripts/with-libvirtd.sh. A plain pipe (socat) stands for the proxy.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import libvirt

TAKEOVER = sys.argv[1]
ROUNDS = 3
OLD = "/run/libvirt/libvirt-sock"
MOVED = "/run/libvirt/upstream/libvirt-sock"
PROXY = "/run/vfio-warden/libvirt-sock"


def takeover(*arguments):
    done = subprocess.run([TAKEOVER, *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def connections_at(path):
    """How many sockets the kernel knows by this name: the listener and one for each connection it accepted."""
    with open("/proc/net/unix") as table:
        return sum(line.rstrip("\n").endswith(" " + path) for line in table)


def pipe(suffix):
    return subprocess.Popen(
        ["socat", f"UNIX-LISTEN:{PROXY}{suffix},fork,backlog=128,unlink-early", f"UNIX-CONNECT:{MOVED}{suffix}"],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


subprocess.run(["mkdir", "-p", "/run/vfio-warden"], check=True)
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/vfio-warden"], check=True)
libvirt.registerErrorHandler(lambda *_: None, None)
report = {"without_proxy": takeover("--live"), "untouched": not os.path.islink(OLD)}

pipes = [pipe(""), pipe("-ro")]
while not all(os.path.exists(PROXY + suffix) for suffix in ("", "-ro")):
    time.sleep(0.05)

early = libvirt.open("qemu:///system")
opened, errors = [0], []
done = threading.Event()


def open_again_and_again():
    while not done.is_set():
        try:
            connection = libvirt.open("qemu:///system")
            connection.listAllDomains()
            connection.close()
            opened[0] += 1
        except libvirt.libvirtError as error:
            errors.append(str(error))


clients = [threading.Thread(target=open_again_and_again) for _ in range(3)]
for client in clients:
    client.start()
report["before"] = takeover("--check")
report["taken"] = takeover("--live")
report["taken_again"] = takeover("--live")
report["check"] = takeover("--check")
late = libvirt.open("qemu:///system")
report["through_proxy"] = connections_at(PROXY) > 1 and late.getLibVersion() > 0
report["read_only_stays"] = False
try:
    libvirt.openReadOnly("qemu:///system").defineXML("<domain/>")
except libvirt.libvirtError as error:
    report["read_only_stays"] = error.get_error_code() == libvirt.VIR_ERR_OPERATION_DENIED
report["upstream_mode"] = oct(os.stat("/run/libvirt/upstream").st_mode & 0o777)
report["back"] = takeover("--back")
for _ in range(ROUNDS):
    takeover("--live")
    time.sleep(0.05)
    takeover("--back")
    time.sleep(0.05)
report["back_again"] = takeover("--back")
report["early_client_works"] = early.getLibVersion() > 0
report["late_client_works"] = late.getLibVersion() > 0
done.set()
for client in clients:
    client.join()
report["opened"], report["errors"] = opened[0], errors[:5]
report["left"] = sorted(name for name in os.listdir("/run/libvirt") if "upstream" in name or "warden" in name)
report["socket_is_back"] = not os.path.islink(OLD)
for process in pipes:
    os.killpg(process.pid, signal.SIGTERM)
print(json.dumps(report))
