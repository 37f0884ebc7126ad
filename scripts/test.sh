#!/bin/sh
# Sets up and runs every test.
set -eu
cd "$(dirname "$0")/.."
# For tests only: a PostgreSQL server, promtool, another clock, what looks at scripts and units, Git servers, and what
# compiles the kernel guard.
scripts/setup.sh postgresql prometheus openssl shellcheck systemd procps gnupg openssh-client \
  openssh-server apache2-bin socat libfaketime \
  clang clang-format bpftool libbpf-dev libjson-c-dev
# Where it cannot be had, its tests say so and are skipped.
scripts/with-modular-libvirt.sh --prepare || echo "test.sh: no modular libvirt daemons here" >&2
npm run --silent lint
make -s -C qemu/filter check
make -s -C kernel/guard check
# Every exposure under every mechanism that this host has, against real vfio; and a host that goes down without vfio-warden.
npm run --silent lab -- --columns kernel-guard,filter-preload,conventional-bus,i440fx breadth lab-itself talk-row-3
npm test
# Larger collections beside the checkout are used where they are; the project's own small ones always.
set -- test/fixtures/domains
for corpus in "${CORPUS_DIR:-../shared/corpus/libvirt-xml}" ../shared/data/nova ../shared/data/kubevirt; do
	[ ! -d "$corpus" ] || set -- "$@" "$corpus"
done
npm run --silent corpus -- "$@"
