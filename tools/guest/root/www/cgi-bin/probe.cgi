#!/bin/sh
# Looks around from where the guest stands: GET /cgi-bin/probe.cgi?get=URL, ?ping=ADDRESS or ?resolve=NAME. The body is what came of it, or nothing.
printf 'Content-Type: text/plain\r\n\r\n'
what=$(httpd -d "${QUERY_STRING#*=}")
case "$QUERY_STRING" in
# The time-out of wget itself crashes it in a static build.
get=*) timeout 5 wget -q -O - "$what" 2>/dev/null ;;
ping=*) ping -c 1 -W 2 "$what" 2>/dev/null | grep 'bytes from' ;;
resolve=*) nslookup "$what" 2>/dev/null | sed -n '/^Name:/,$s/^Address[^:]*: //p' ;;
esac
