#!/bin/sh
# Sets up and runs every test.
set -eu
cd "$(dirname "$0")/.."
scripts/setup.sh
npm run --silent lint
npm test
corpus=${CORPUS_DIR:-../shared/corpus/libvirt-xml}
if [ -d "$corpus" ]; then
	npm run --silent corpus -- "$corpus"
fi
npm run --silent corpus -- test/fixtures/domains
