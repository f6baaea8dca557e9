#!/bin/sh
# Runs a command as on a machine that never had libvirt's packages for hosts: without the user and the group that they make.
# usage: unshare --mount sh never-had-libvirt.sh DIR COMMAND...; DIR, a folder of the caller's, keeps the files
set -eu
dir=$1
shift
for file in passwd group; do
  grep -v '^libvirt' "/etc/$file" >"$dir/without-$file"
  mount --bind "$dir/without-$file" "/etc/$file"
done
exec "$@"
