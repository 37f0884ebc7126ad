"""Carries out what the runner outside of the lab's host asks for, one JSON object a line, over a virtio-serial port.

    {"id": 1, "exec": ["virsh", "list"], "stdin": "", "timeout": 30}  -> {"id": 1, "code": 0, "out": "...", "err": "..."}
    {"id": 3, "console": "/run/g.console", "send": "ls", "until": "done"} -> {"id": 3, "text": "..."}
    {"id": 2, "qtest": "/run/q.sock", "send": ["inl 0xcfc"]}          -> {"id": 2, "replies": ["OK 0x..."]}

Requests run side by side, answers come as they are ready. What goes wrong is told as {"id": ..., "error": "..."}.
"""

import json
import os
import socket
import subprocess
import sys
import threading

port = os.open(sys.argv[1], os.O_RDWR)
answering = threading.Lock()
qtests = {}
consoles = {}


def answer(message):
    data = (json.dumps(message) + "\n").encode()
    with answering:
        while data:
            data = data[os.write(port, data) :]


def execute(argv, stdin="", timeout=60):
    done = subprocess.run(
        argv, input=stdin, capture_output=True, text=True, errors="replace", timeout=timeout
    )
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


def spawn(argv, log, env=None):
    """Starts what goes on by itself: a daemon."""
    with open(log, "ab") as out:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            env={**os.environ, **(env or {})},
        )
    threading.Thread(target=child.wait, daemon=True).start()
    return {"pid": child.pid}


def write_file(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return {}


def read_bytes(path, size):
    """Like dd: without buffering, as sysfs wants it."""
    with open(path, "rb", buffering=0) as file:
        return {"hex": file.read(size).hex()}


def qtest(path, send, fresh=False):
    """Sends a virtual machine the accesses of its guest (QEMU's docs/devel/testing/qtest.rst) and returns the replies."""
    if fresh:
        qtests.pop(path, None)
    if path not in qtests:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(30)
        connection.connect(path)
        qtests[path] = connection.makefile("rw")
    stream = qtests[path]
    replies = []
    for line in send:
        stream.write(line + "\n")
        stream.flush()
        replies.append(stream.readline().strip())
        while replies[-1].startswith("IRQ"):
            replies[-1] = stream.readline().strip()
    return {"replies": replies}


def connect_console(path):
    if path not in consoles:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        consoles[path] = connection
    return consoles[path]


def console(path, send, until, timeout=300, fresh=False):
    """Sends a line to a guest's console and returns what it prints up to a word, which is not in what is sent."""
    if fresh and path in consoles:
        consoles.pop(path).close()
    connection = connect_console(path)
    connection.settimeout(timeout)
    if send:
        line = send.encode() + b"\n"
        try:
            connection.sendall(line)
        except (BrokenPipeError, ConnectionResetError):
            # A guest that was saved and restored has another QEMU.
            consoles.pop(path).close()
            connection = connect_console(path)
            connection.settimeout(timeout)
            connection.sendall(line)
    text = b""
    while until.encode() not in text:
        try:
            part = connection.recv(65536)
        except socket.timeout:
            raise TimeoutError(f"the guest did not say {until}: {text[-1500:].decode(errors='replace')}") from None
        if not part:
            consoles.pop(path).close()
            raise EOFError(f"the guest is gone: {text[-1500:].decode(errors='replace')}")
        text += part
    return {"text": text.decode(errors="replace")}


def serve(request):
    ident = request.pop("id")
    try:
        if "exec" in request:
            result = execute(request.pop("exec"), **request)
        elif "spawn" in request:
            result = spawn(request.pop("spawn"), **request)
        elif "write" in request:
            result = write_file(request.pop("write"), **request)
        elif "read" in request:
            result = read_bytes(request.pop("read"), **request)
        elif "console" in request:
            result = console(request.pop("console"), **request)
        elif "qtest" in request:
            result = qtest(request.pop("qtest"), **request)
        else:
            raise ValueError("unknown request")
        answer({"id": ident, **result})
    except Exception as error:  # the runner is told whatever it is, and goes on
        answer({"id": ident, "error": f"{type(error).__name__}: {error}"})


answer({"id": 0, "ready": True})
for line in os.fdopen(os.dup(port), "r", encoding="utf-8"):
    threading.Thread(target=serve, args=(json.loads(line),), daemon=True).start()
