#!/bin/sh
# Becomes a daemon of an NFS server, in a mount namespace where what such daemons keep in /run and /var/lib/nfs is under ROOT.
# usage: nfs-daemon.sh ROOT HIDDEN PROGRAM ARGS; an empty disk is over the folder HIDDEN, unless that is "".
set -eu
root=$1 hidden=$2
shift 2
mkdir -p "$root/nfs/ganesha" "$root/run/ganesha" "$root/run/rpcbind"
mount --bind "$root/nfs" /var/lib/nfs
# It finds the disk of its folder in this file, which an installer makes and no package.
if [ ! -e /etc/mtab ]; then
    rm -rf "$root/etc"
    cp -a /etc "$root/etc"
    ln -s /proc/self/mounts "$root/etc/mtab"
    mount --bind "$root/etc" /etc
fi
if [ -n "$hidden" ]; then mount -t tmpfs none "$hidden"; fi
mount --bind "$root/run" /run
exec "$@"
