#!/bin/sh
# Process 1 of a machine whose kernel switches for Open vSwitch: OVN's databases and northd, two hosts as namespaces, then commands that come over a port of its own.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
# The shell has one of its own, which knows no namespaces.
ip() { /sbin/ip "$@"; }
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mkdir -p /run/netns /run/openvswitch /run/ovn /var
ln -s /run /var/run
while read -r module; do insmod "/lib/modules/$module.ko" || echo "no module $module"; done </etc/modules
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0

ip link add underlay type bridge
ip addr add 172.30.0.1/24 dev underlay
ip link set underlay up
quiet="--detach --no-chdir -vconsole:off -vsyslog:off"
for database in nb:6641 sb:6642; do
  name=${database%:*}
  ovsdb-tool create /tmp/$name.db /usr/share/ovn/ovn-$name.ovsschema
  ovsdb-server /tmp/$name.db --remote=punix:/run/ovn/ovn${name}_db.sock --remote=ptcp:${database#*:}:0.0.0.0 --unixctl=/tmp/$name.ctl \
    --pidfile=/tmp/$name.pid --log-file=/tmp/$name.log $quiet
done
ovn-nbctl init
ovn-sbctl init
ovn-northd --pidfile=/tmp/northd.pid --log-file=/tmp/northd.log $quiet

# Before that the switch finds no processors, has no threads for what the kernel asks it, and passes nothing.
while [ "$(cut -d. -f1 /proc/uptime)" -lt 11 ]; do sleep 1; done
for n in 1 2; do
  host=hv$n dir=/run/hv$n
  mkdir -p $dir
  ip netns add $host
  ip link add u$n type veth peer name eth0 netns $host
  ip link set u$n master underlay
  ip link set u$n up
  ip -n $host link set lo up
  ip -n $host link set eth0 up
  ip -n $host addr add 172.30.0.1$n/24 dev eth0
  ovsdb-tool create $dir/conf.db /usr/share/openvswitch/vswitch.ovsschema
  export OVS_RUNDIR=$dir
  in="ip netns exec $host"
  $in ovsdb-server $dir/conf.db --remote=punix:$dir/db.sock --unixctl=$dir/db.ctl --pidfile=$dir/db.pid --log-file=/tmp/$host-db.log $quiet
  ovs-vsctl --db=unix:$dir/db.sock --no-wait init -- set open_vswitch . external-ids:system-id=$host-id external-ids:hostname=$host \
    external-ids:ovn-remote=tcp:172.30.0.1:6642 external-ids:ovn-encap-type=geneve external-ids:ovn-encap-ip=172.30.0.1$n
  $in ovs-vswitchd unix:$dir/db.sock --unixctl=$dir/vs.ctl --pidfile=$dir/vs.pid --log-file=/tmp/$host-vs.log $quiet
  $in ovn-controller unix:$dir/db.sock --pidfile=$dir/oc.pid --log-file=/tmp/$host-oc.log $quiet
done
unset OVS_RUNDIR
echo KERNEL-SWITCHES-READY
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
