#!/bin/sh
# udhcpc calls this with the lease in its environment; it prints what it has taken, a line each.
event=$1
case "$event" in
bound | renew)
  ip addr replace "$ip/${mask:-24}" dev "$interface"
  [ -z "${mtu:-}" ] || ip link set "$interface" mtu "$mtu"
  if [ -n "${staticroutes:-}" ]; then
    # Pairs of destination and gateway; with them the plain gateway does not count.
    set -- $staticroutes
    while [ $# -ge 2 ]; do
      if [ "$2" = 0.0.0.0 ]; then ip route replace "$1" dev "$interface"; else ip route replace "$1" via "$2"; fi
      shift 2
    done
  else
    for gateway in ${router:-}; do ip route replace default via "$gateway"; done
  fi
  for name in event ip mask router dns domain mtu lease staticroutes serverid hostname; do eval "echo \"$name=\${$name:-}\""; done
  ;;
esac
