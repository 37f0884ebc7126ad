#!/usr/bin/python3
"""Tells when a processor stood still: a timer every millisecond, before everything else that runs there.

Prints a line "END LATE" for each time that the timer came late by more than 1 ms: when it came, and by how much, both in ms
of CLOCK_MONOTONIC. What makes such a timer late is no other process, but the kernel with interrupts off, or the machine under it.

Usage: metronome.py PROCESSOR
"""

import os
import sys
import time

EVERY_NS = 1_000_000
TOLD_NS = 1_000_000


def main():
    os.sched_setaffinity(0, {int(sys.argv[1])})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(90))
    due = time.monotonic_ns()
    while True:
        due += EVERY_NS
        time.sleep(max(0, due - time.monotonic_ns()) / 1e9)
        now = time.monotonic_ns()
        if now - due > TOLD_NS:
            print(f"{now / 1e6:.3f} {(now - due) / 1e6:.3f}", flush=True)
            due = now


if __name__ == "__main__":
    main()
