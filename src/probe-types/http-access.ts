/** How specs reach their targets: route, proxy and TLS, shared by all that do it the same way. */
import { createSecureContext, type SecureContext } from 'node:tls';
import { routeOf } from './connection.ts';
import { type Access, proxyOf } from './http-exchange.ts';
import type { HttpSpec } from './http-spec.ts';
import { createContextSource } from './secure.ts';

type AccessSpec = Pick<HttpSpec, 'tls' | 'proxy' | 'ip_protocol' | 'resolver'>;

/** A source with a default TLS context of its own. Most specs reach their targets in the same few ways, and share them. */
export function createAccessSource(): (spec: AccessSpec) => Access {
  let defaultContext: SecureContext | undefined;
  // Making one parses all built-in authorities.
  const sharedContext = () => (defaultContext ??= createSecureContext());
  const accesses = new Map<string, Access>();
  return (spec) => {
    if (spec.tls || spec.proxy !== undefined) return createAccess(spec, sharedContext);
    const key = `${spec.ip_protocol} ${spec.resolver ?? ''}`;
    const access = accesses.get(key) ?? createAccess(spec, sharedContext);
    accesses.set(key, access);
    return access;
  };
}

function createAccess(spec: AccessSpec, sharedContext: () => SecureContext): Access {
  const ownContext = spec.tls && createContextSource(spec.tls);
  const authorities =
    spec.tls?.ca === undefined ? sharedContext : createContextSource({ ...spec.tls, cert: undefined, key: undefined });
  return {
    route: routeOf(spec),
    proxy: proxyOf(spec.proxy),
    contextFor: (hop) => (hop.isHome && ownContext ? ownContext() : authorities()),
    serverName: spec.tls?.server_name,
    insecure: spec.tls?.insecure_skip_verify ?? false,
  };
}
