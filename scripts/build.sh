#!/bin/sh
# Compiles the service and its commands, and bundles them.
#   build.sh OUT [ARGUMENT OF tsc...]
set -eu
cd "$(dirname "$0")/.."
out=$1
shift
# Below the project, where bundling finds the dependencies.
compiled=$(mktemp -d "$PWD/.compiled.XXXXXX")
trap 'rm -rf "$compiled"' EXIT
node_modules/.bin/tsc -p tsconfig.build.json --outDir "$compiled" "$@"
rm -rf "$out"
node scripts/bundle.mjs "$compiled" "$out"
