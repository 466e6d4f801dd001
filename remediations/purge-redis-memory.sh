#!/usr/bin/env bash
# Gives back memory of the Redis of REDIS_URL that nobody uses, losing nothing: a bounded walk over the keys makes the server
# drop those that have expired, and MEMORY PURGE returns pages that its allocator keeps. No key that is alive is touched.
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/redis-connection.bash"

steps=1000 # of about 1000 keys each: a larger database is walked in part
memory() {
  redis_cli INFO memory | sed -n "s/^$1:\([0-9]*\).*/\1/p"
}

before=$(memory used_memory)
cursor=0
while ((steps-- > 0)); do
  # What a walk comes by and finds expired is deleted by the server itself, then and there.
  reply=$(redis_cli SCAN "$cursor" COUNT 1000)
  cursor=${reply%%$'\n'*}
  [[ $cursor == 0 ]] && break
done
redis_cli MEMORY PURGE >/dev/null
echo "memory in use: $before bytes before, $(memory used_memory) after; resident: $(memory used_memory_rss)"
