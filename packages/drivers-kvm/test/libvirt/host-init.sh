#!/bin/bash
# PID 1 of a private libvirt host: libvirt's paths are compiled in, so this mount namespace puts our own directories over them.
# Commands come on standard input, `NUMBER WORD` a line, and their number is told when they are done; at its end the namespace dies with all that runs in it.
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
# Sends a signal to libvirtd. Fails when there is none, which while it is started anew is so for a moment.
signal() {
  local pid=
  read -r pid <"$state/daemon"
  [ -n "$pid" ] && kill -"$1" "$pid" 2>/dev/null
}
# Whether none of its threads runs any more, which is not as soon as the signal is sent.
stopped() {
  local pid= stat= seen=
  read -r pid <"$state/daemon"
  for stat in /proc/"${pid:-none}"/task/*/stat; do
    read -r stat 2>/dev/null <"$stat" || continue
    stat=${stat##*) }
    [ "${stat%% *}" = T ] || return 1
    seen=yes
  done
  [ -n "$seen" ]
}
supervisor=
# No time-out for read: bash drops a line that comes in at that instant.
while read -r number command; do
  case $command in
    start)
      if [ -z "$supervisor" ] || ! kill -0 "$supervisor" 2>/dev/null; then
        : >"$state/daemon"
        : >"$state/wanted"
        supervise "$@" &
        supervisor=$!
      fi
      until [ -s "$state/daemon" ]; do sleep 0.01; done
      ;;
    kill)
      rm -f "$state/wanted"
      # Again and again: it may be starting it anew.
      while [ -n "$supervisor" ] && kill -0 "$supervisor" 2>/dev/null; do
        signal KILL
        sleep 0.01
      done
      : >"$state/daemon"
      ;;
    # One that was killed is not frozen; one that is being started anew is, as soon as it is there.
    freeze)
      until [ ! -e "$state/wanted" ] || { signal STOP && stopped; }; do sleep 0.01; done
      ;;
    thaw) signal CONT ;;
  esac
  echo "$number"
done
