#!/bin/sh
# Process 1 of a libvirtd of our own: ROOT/{etc,run,lib,log,cache} take the place of libvirt's compiled-in folders.
# Killing this process ends libvirtd, its guests and its helpers at once. SIGUSR1 starts libvirtd again after it was killed; while ROOT/down is there, it stays away.
# usage: libvirtd-init.sh ROOT [HOSTNAME [CGROUP]]; with a host name it is a host of its own (its network namespace, its /sys);
# with CGROUP, a name below the cgroup v1 controllers cpu, cpuacct and memory, or below the one tree of cgroup v2 (and there with a
# leaf `init` for the host itself), its guests are accounted there.
set -eu
root=$1 name=${2:-} cgroup=${3:-}
mount -t proc proc /proc
for pair in etc:/etc/libvirt run:/run/libvirt lib:/var/lib/libvirt log:/var/log/libvirt cache:/var/cache/libvirt; do
  mkdir -p "${pair#*:}"
  mount --bind "$root/${pair%%:*}" "${pair#*:}"
done
sh "$(dirname -- "$0")/libvirt-user.sh" "$root"
unified=
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then unified=yes; fi
if [ -n "$name" ]; then
  hostname "$name"
  mount -t sysfs sysfs /sys
fi
if [ -n "$cgroup" ] && [ -n "$unified" ]; then
  mount -t cgroup2 cgroup /sys/fs/cgroup
  echo 1 >"/sys/fs/cgroup/$cgroup/init/cgroup.procs"
  mount --bind "/sys/fs/cgroup/$cgroup" /sys/fs/cgroup
elif [ -n "$cgroup" ]; then
  mount -t tmpfs cgroup /sys/fs/cgroup
  for controller in cpu cpuacct memory; do
    mkdir "/sys/fs/cgroup/$controller"
    mount -t cgroup -o "$controller" cgroup "/sys/fs/cgroup/$controller"
    echo 1 >"/sys/fs/cgroup/$controller/$cgroup/cgroup.procs"
    mount --bind "/sys/fs/cgroup/$controller/$cgroup" "/sys/fs/cgroup/$controller"
  done
fi
daemon=
start() {
  if [ -n "$daemon" ] && kill -0 "$daemon" 2>/dev/null; then return; fi
  /usr/sbin/libvirtd --listen --timeout 0 --pid-file /run/libvirt/libvirtd.pid >>"$root/log/libvirtd.out" 2>&1 &
  daemon=$!
  # Whoever forbade it looks for it after that: so it is either seen there or ended here.
  if [ -e "$root/down" ]; then kill -KILL "$daemon"; fi
}
trap start USR1
start
while :; do
  code=0
  wait "$daemon" || code=$?
  case $code in
    # It crashed by itself (libvirt 9.0 now and then does after a freeze, when clients are gone): started again, as systemd does.
    134 | 135 | 136 | 139)
      echo "libvirtd ended by signal $((code - 128)), and is started again" >>"$root/log/libvirtd.out"
      start
      ;;
    # A signal that comes between a look and a wait would be noticed after the wait: so that is short.
    *) until kill -0 "$daemon" 2>/dev/null; do sleep 0.2 & wait $! || true; done ;;
  esac
done
