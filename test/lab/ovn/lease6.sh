#!/bin/sh
# dhclient -6 calls this: it takes the address that it was told, says so, and ends the client, which would go on for as long as the lease.
case "$reason" in
BOUND6 | RENEW6 | REBIND6)
  ip -6 addr replace "$new_ip6_address/${new_ip6_prefixlen:-128}" dev "$interface" nodad
  echo "PILEUS-LEASE $new_ip6_address ${new_dhcp6_name_servers:-}"
  kill "$PPID"
  ;;
esac
