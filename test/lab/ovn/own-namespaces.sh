#!/bin/sh
# Runs a program that keeps the names of its network namespaces to itself, as on a machine of its own.
# usage: unshare --mount sh own-namespaces.sh PROGRAM …
set -eu
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns
exec "$@"
