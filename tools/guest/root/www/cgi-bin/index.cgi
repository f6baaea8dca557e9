#!/bin/sh
# Answers GET / with what the guest sees of itself, as one line of JSON.
read -r boot_id </proc/sys/kernel/random/boot_id
read -r instance_id </run/instance-id
memory_kib=$(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo)
disks=
for path in /sys/block/vd* /sys/block/sd*; do
  [ -e "$path/size" ] || continue
  read -r sectors <"$path/size"
  disks="$disks,{\"name\":\"${path##*/}\",\"sizeBytes\":$((sectors * 512))}"
done
nics=
for path in /sys/class/net/*; do
  [ -e "$path/device" ] || continue
  read -r mac <"$path/address"
  address=$(ip -4 -o addr show dev "${path##*/}" | awk 'NR == 1 { print $4 }')
  nics="$nics,{\"name\":\"${path##*/}\",\"mac\":\"$mac\",\"address\":\"$address\"}"
done
printf 'Content-Type: application/json\r\n\r\n'
printf '{"hostname":"%s","bootId":"%s","instanceId":"%s","cpus":%d,"memoryKib":%d,"disks":[%s],"nics":[%s]}\n' \
  "$(hostname)" "$boot_id" "$instance_id" "$(nproc)" "$memory_kib" "${disks#,}" "${nics#,}"
