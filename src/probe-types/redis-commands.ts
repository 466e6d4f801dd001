/** The commands that a probe may send: they read, answer at once, and take a time that is bounded by what they name. */

const READING: ReadonlySet<string> = new Set([
  ...['PING', 'ECHO', 'TIME', 'INFO', 'DBSIZE', 'LASTSAVE', 'ROLE'],
  ...['EXISTS', 'TYPE', 'TTL', 'PTTL', 'EXPIRETIME', 'RANDOMKEY'],
  ...['GET', 'MGET', 'STRLEN', 'GETRANGE', 'GETBIT', 'BITCOUNT'],
  ...['HGET', 'HMGET', 'HLEN', 'HEXISTS', 'HSTRLEN'],
  ...['LLEN', 'LINDEX', 'LRANGE', 'LPOS'],
  ...['SCARD', 'SISMEMBER', 'SMISMEMBER', 'SRANDMEMBER'],
  ...['ZCARD', 'ZSCORE', 'ZMSCORE', 'ZRANK', 'ZCOUNT', 'ZRANGE', 'ZRANGEBYSCORE'],
  ...['XLEN', 'XRANGE', 'XREVRANGE', 'XPENDING', 'XINFO STREAM', 'XINFO GROUPS', 'XINFO CONSUMERS'],
  ...['GEOPOS', 'GEODIST', 'MEMORY USAGE', 'OBJECT ENCODING', 'OBJECT IDLETIME', 'OBJECT FREQ'],
  ...['SLOWLOG LEN', 'LATENCY LATEST', 'CLUSTER INFO', 'PUBSUB NUMSUB', 'PUBSUB NUMPAT', 'ACL WHOAMI'],
]);

export function isReading(command: readonly string[]): boolean {
  const [first = '', second = ''] = command.map((part) => part.toUpperCase());
  return READING.has(first) || READING.has(`${first} ${second}`);
}
