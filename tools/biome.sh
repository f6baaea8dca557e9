#!/bin/sh
# The formatter and linter, by the binary of this machine: its wrapper package asks for the binaries of every platform, which not every registry has.
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
case $(uname -m) in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
exec "$root/node_modules/@biomejs/cli-linux-$arch/biome" "$@"
