#!/bin/sh
# Process 1 of the machine: drivers, udev, network, then commands that come over a port of the machine's own. What it says goes to the console.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mount -t tmpfs shm /dev/shm
mkdir -p /run/lvm /run/lock /run/udev /run/libvirt /var/lib/libvirt /var/lib/iscsi
ln -s /run /var/run
while read -r module; do insmod "/lib/modules/$module.ko" || echo "no module $module"; done </etc/modules
echo 1 >/proc/sys/kernel/panic
hostname san-host
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
udevd --daemon
udevadm trigger --type=subsystems --action=add
udevadm trigger --type=devices --action=add
udevadm settle
# One that crashes is started again, as systemd does.
while :; do
  [ -e /run/no-libvirtd ] || libvirtd --listen --timeout 0 >>/run/libvirtd.log 2>&1
  sleep 0.2
done &
echo SAN-MACHINE-READY
for port in /dev/virtio-ports/commands /dev/vport*p1; do [ -c "$port" ] && break; done
# A line is a command in base64; the answer is a line with its exit code and what it said, in base64, too.
while :; do
  exec 3<>"$port"
  while read -r line <&3; do
    echo "$line" | base64 -d >/run/command
    said=$(sh /run/command 2>&1 </dev/null 3>&-)
    code=$?
    echo "$code $(echo "$said" | base64 -w 0)" >&3
  done
  exec 3>&-
  sleep 0.1
done
