#!/bin/sh
# Runs a TypeScript source of this repository on the repository's own Node 24, with no build. What is compiled is kept for the next run.
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-$root/node_modules/.cache/compiled}"
exec "$root/node_modules/.bin/node" --disable-warning=ExperimentalWarning --conditions=@pileus/source "$@"
