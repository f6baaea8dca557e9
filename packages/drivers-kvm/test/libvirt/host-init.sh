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
# Keeps libvirtd running until it is told not to. libvirt 9.0 now and then crashes after a freeze, when clients are gone: started again, as systemd does.
supervise() {
  while [ -e "$state/wanted" ]; do
    /usr/sbin/libvirtd --config "$state/etc/libvirtd.conf" --pid-file "$state/libvirtd.pid" --timeout 0 "$@" </dev/null >>"$state/out" 2>&1 &
    echo $! >"$state/daemon"
    wait $! 2>/dev/null
    ended=$?
    [ -e "$state/wanted" ] && echo "libvirtd ended with $ended, and is started again" >&2 && sleep 0.1
  done
}
signal() {
  kill -"$1" "$(cat "$state/daemon")" 2>/dev/null
}
supervisor=
# No time-out for read: bash drops a line that comes in at that instant.
while read -r command; do
  case $command in
    start)
      : >"$state/wanted"
      supervise "$@" &
      supervisor=$!
      until [ -s "$state/daemon" ]; do sleep 0.01; done
      ;;
    kill)
      rm -f "$state/wanted"
      # Again and again: it may be starting it anew.
      while kill -0 "$supervisor" 2>/dev/null; do
        signal KILL
        sleep 0.01
      done
      : >"$state/daemon"
      ;;
    freeze) signal STOP ;;
    thaw) signal CONT ;;
  esac
  echo "$command"
done
