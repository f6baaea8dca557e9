#!/bin/sh
# Gives this mount namespace the user and group that Debian's libvirt was compiled to run guests as: its QEMU driver does not begin
# without them, although our guests run as root. The package that makes them also brings services, and they would outlive us.
# usage: libvirt-user.sh DIR; DIR, a folder of the caller's, keeps the files
set -eu
dir=$1
grant() { # DATABASE ENTRY
  getent "$1" libvirt-qemu >/dev/null && return
  { cat "/etc/$1" && echo "$2"; } >"$dir/$1"
  mount --bind "$dir/$1" "/etc/$1"
}
grant passwd libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin
grant group libvirt-qemu:x:64055:
