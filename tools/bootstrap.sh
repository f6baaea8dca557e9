#!/bin/sh
# Makes a fresh clone ready: npm packages as locked, installed once and again whenever the lock changes.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
stamp=node_modules/.pileus-lock
if [ -x node_modules/.bin/node ] && cmp -s package-lock.json "$stamp"; then exit 0; fi
echo "Installing npm packages (once) ..." >&2
npm ci --no-audit --no-fund --loglevel=error >&2
# npm 10, which comes with Node 20, takes this link away with the package for the other architecture, which has one of the same name.
case $(uname -m) in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
ln -sf "../node-linux-$arch/bin/node" node_modules/.bin/node
cp package-lock.json "$stamp"
