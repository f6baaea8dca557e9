#!/bin/sh
# Process 1 of an enclosure: killing it ends all that was started there.
# usage: enclosure-init.sh ROOT [HOSTNAME]; with a host name it is a host of its own (its /sys). ROOT/up says that it is ready.
set -eu
root=$1 name=${2:-}
mount -t proc proc /proc
if [ -n "$name" ]; then
  hostname "$name"
  mount -t sysfs sysfs /sys
fi
: >"$root/up"
sleep infinity &
idle=$!
while :; do wait $idle || true; done
