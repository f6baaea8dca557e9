#!/bin/bash
# PID 1 of a private libvirt host: libvirt's paths are compiled in, so this mount namespace puts our own directories over them.
# Commands come on standard input, one word a line, and are echoed when done; at its end the namespace dies with all that runs in it.
# bash, and not sh: it reaps the orphans of libvirtd whenever they end, also while it waits for a command.
state=$1
shift
mount --make-rprivate /
mount -t proc proc /proc
[ "$PRIVATE_NET" = 1 ] && mount -t sysfs sysfs /sys && ip link set lo up
for pair in etc:/etc/libvirt run:/run lib:/var/lib/libvirt log:/var/log/libvirt cache:/var/cache/libvirt; do
  mount --bind "$state/${pair%%:*}" "${pair#*:}"
done
mkdir -p /run/lock
sh "${BASH_SOURCE%/*}/../../../../tools/system/libvirt-user.sh" "$state"
while read -r command; do
  case $command in
    start) /usr/sbin/libvirtd --config "$state/etc/libvirtd.conf" --pid-file "$state/libvirtd.pid" --timeout 0 "$@" </dev/null >>"$state/out" 2>&1 & daemon=$! ;;
    kill) kill -KILL "$daemon"; wait "$daemon" ;;
    freeze) kill -STOP "$daemon" ;;
    thaw) kill -CONT "$daemon" ;;
  esac 2>/dev/null
  echo "$command"
done
