"""Asks the routers of a link, as machines do when they start, and prints what the first that answers tells, as JSON."""

import errno
import json
import socket
import struct
import sys
import time

ICMPV6 = socket.getprotobyname("ipv6-icmp")
SOLICITATION, ADVERTISEMENT = 133, 134
PREFIX, MTU, SERVERS, SEARCH = 3, 5, 25, 31
HEADER_BYTES = 16


def options(packet):
    at = HEADER_BYTES
    while at + 8 <= len(packet) and packet[at + 1] > 0:
        size = packet[at + 1] * 8
        yield packet[at], packet[at : at + size]
        at += size


def names(text):
    labels = []
    while text and text[0] > 0:
        labels.append(text[1 : 1 + text[0]].decode())
        text = text[1 + text[0] :]
    return ".".join(labels)


def told(packet):
    said = {"managed": bool(packet[5] & 0x80), "prefixes": [], "dns": [], "search": []}
    for kind, option in options(packet):
        if kind == PREFIX:
            prefix = f"{socket.inet_ntop(socket.AF_INET6, option[16:32])}/{option[2]}"
            said["prefixes"].append({"prefix": prefix, "autonomous": bool(option[3] & 0x40)})
        if kind == MTU:
            (said["mtu"],) = struct.unpack("!I", option[4:8])
        if kind == SERVERS:
            said["dns"] += [socket.inet_ntop(socket.AF_INET6, option[at : at + 16]) for at in range(8, len(option), 16)]
        if kind == SEARCH:
            said["search"].append(names(option[8:]))
    return said


device, seconds = sys.argv[1], float(sys.argv[2])
link = socket.socket(socket.AF_INET6, socket.SOCK_RAW, ICMPV6)
link.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
link.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
link.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex(device))
link.settimeout(1)
deadline = time.monotonic() + seconds
while time.monotonic() < deadline:
    try:
        link.sendto(bytes([SOLICITATION, 0, 0, 0, 0, 0, 0, 0]), ("ff02::2", 0))
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:
            raise
        # The card's own address is still being looked for on the link.
        time.sleep(0.1)
        continue
    try:
        packet = link.recv(2048)
        while packet[0] != ADVERTISEMENT:
            packet = link.recv(2048)
    except TimeoutError:
        continue
    print(json.dumps(told(packet)))
    sys.exit(0)
sys.exit(1)
