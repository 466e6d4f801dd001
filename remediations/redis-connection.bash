# Sourced by the scripts beside it: redis_cli COMMAND… on the server of REDIS_URL. The password goes through the environment,
# where other users of this machine do not see it, unlike an argument.

[[ ${REDIS_URL:-} =~ ^(rediss?)://(([^/@]*)@)?(\[[^]]+\]|[^/:@?#[]+)(:([0-9]+))?(/([0-9]*))?$ ]] || {
  echo 'REDIS_URL is not redis://USER:PASSWORD@HOST:PORT/DATABASE' >&2 # not shown: it may hold a password
  exit 2
}
scheme=${BASH_REMATCH[1]} login=${BASH_REMATCH[3]} host=${BASH_REMATCH[4]} port=${BASH_REMATCH[6]} database=${BASH_REMATCH[8]}

# %XX to the byte; a backslash stays one.
decode() {
  local text=${1//\\/\\\\}
  printf '%b' "${text//%/\\x}"
}

arguments=(-h "${host//[\[\]]/}" -p "${port:-6379}" -n "${database:-0}" --no-auth-warning)
[[ $scheme == rediss ]] && arguments+=(--tls)
if [[ $login == *:* ]]; then
  user=$(decode "${login%%:*}")
  REDISCLI_AUTH=$(decode "${login#*:}")
  export REDISCLI_AUTH
  [[ -n $user ]] && arguments+=(--user "$user")
fi

# Fails also when Redis answers with an error.
redis_cli() {
  timeout 10 redis-cli -e "${arguments[@]}" "$@"
}
