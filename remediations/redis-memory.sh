#!/usr/bin/env bash
# Reads what the memory of the Redis of REDIS_URL is used for. Changes nothing.
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/redis-connection.bash"

redis_cli INFO memory | grep -E '^(used_memory|used_memory_rss|used_memory_peak|used_memory_dataset|maxmemory|maxmemory_policy|mem_clients_normal|mem_fragmentation_ratio):'
redis_cli INFO stats | grep -E '^(expired_keys|evicted_keys|rejected_connections):'
redis_cli INFO keyspace
