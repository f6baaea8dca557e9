#!/bin/sh
# Runs a TypeScript source of this repository on the repository's own Node 24, with no build.
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
exec "$root/node_modules/.bin/node" --disable-warning=ExperimentalWarning --conditions=@pileus/source "$@"
