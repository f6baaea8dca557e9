# Reads a NoCloud network-config (version 1 or 2, YAML in block or flow form, or JSON) and prints one line a NIC:
# MAC ADDRESS/PREFIX GATEWAY MTU, with "-" for what is not given. NICs without an address are left to DHCP.
BEGIN { RS = "[][{}, \t\n\r]+"; gateway = mtu = "-" }
{ gsub(/["\047]/, "") }
key ~ /^mac_?address:$/ { finish(); mac = tolower($0); key = ""; next }
key ~ /^(gateway4?|via):$/ { gateway = $0; key = ""; next }
key == "mtu:" { mtu = $0; key = ""; next }
key == "to:" { key = ""; next }
/:$/ { key = $0; next }
/^[0-9.]+\/[0-9]+$/ && address == "" { address = $0 }
END { finish() }
function finish() {
  if (mac != "" && address != "") print mac, address, gateway, mtu
  mac = address = ""; gateway = mtu = "-"
}
