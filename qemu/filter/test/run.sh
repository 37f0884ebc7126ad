#!/bin/sh
# Runs the tests that `make check` has built: run.sh BUILD-DIRECTORY
set -eu
build=$1
log=$build/filter.log
FAKE_CONFIG=$build/config.bin
export FAKE_CONFIG
"$build/write-config" > "$FAKE_CONFIG"
"$build/access-rules-test"

with_filter() { # RULES MODE ARGUMENT...
  rules=$1 mode=$2
  shift 2
  VFIO_WARDEN_RULES="$rules" VFIO_WARDEN_FILTER="$mode" \
    LD_PRELOAD="$build/vfio-config-filter.so $build/fake-vfio.so" "$build/filter-test" "$@" 2> "$log" || {
    cat "$log"
    exit 1
  }
}

expect() { # LINE of the log
  grep -qxF "vfio-warden-filter: $1" "$log" || {
    echo "not said: $1" >&2
    cat "$log" >&2
    exit 1
  }
}

nvme='unassigned:w:block;cfg:704:w:allow;cfg:900-9ff:r:block;bar0:88000-88fff:w:block;ioctl:reset:block'
with_filter "0000:01:00.0=$nvme 0000:03:00.0=unassigned:w:block" block
digest=$("$build/access-rules-digest" "$nvme")
expect "0000:01:00.0 ready, mode=block rules=$digest"
expect "0000:02:00.0 has no rules: not filtered"
expect "0000:01:00.0 blocked write cfg 0x800 length 1, count 1"

with_filter "0000:01:00.0=unassigned:w:block;ioctl:reset:block" observe observe
expect "0000:01:00.0 observed write cfg 0x800 length 1, count 1"

# What no entry names, such as a device that is plugged in later, has what * says
with_filter "0000:01:00.0=unassigned:rw:allow *=unassigned:w:block" block every-other
digest=$("$build/access-rules-digest" 'unassigned:w:block')
expect "0000:02:00.0 ready, mode=block rules=$digest"

# What is wrong anywhere leaves no device to QEMU
with_filter '0000:01:00.0=unassigned:w:blok' block refused
expect 'refusing all devices: VFIO_WARDEN_RULES is wrong at character 14, before "unassigned:w:blok"'
with_filter '' block refused
with_filter '*=unassigned:w:block' of refused
(
  unset VFIO_WARDEN_RULES VFIO_WARDEN_FILTER
  LD_PRELOAD="$build/vfio-config-filter.so $build/fake-vfio.so" "$build/filter-test" refused 2> "$log"
)
expect 'refusing all devices: VFIO_WARDEN_RULES is not set'
