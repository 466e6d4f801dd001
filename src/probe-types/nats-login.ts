/** The ways in which a client says who it is to a NATS server: password, token, NKEY, or a credentials file. */

import type { ServerUrl } from '../shared/server-url.ts';
import { type NatsKey, parseSeed } from './nats-key.ts';

/** What goes into CONNECT. */
export type Login = (nonce: string) => Readonly<Record<string, string>>;

/** By userinfo of the URL. */
export function passwordLogin({ user, password }: ServerUrl): Login {
  if (password !== '') return () => ({ user, pass: password });
  return () => (user === '' ? {} : { auth_token: user });
}

/** undefined: it is not the seed of a user. */
export function keyLogin(seed: string): Login | undefined {
  const key = parseSeed(seed.trim());
  return key && ((nonce) => ({ nkey: key.publicKey, sig: key.sign(nonce) }));
}

/** @param text a credentials file, as `nsc` writes it. undefined: it is none. */
export function credentialsLogin(text: string): Login | undefined {
  const jwt = part(text, 'NATS USER JWT');
  const key: NatsKey | undefined = parseSeed(part(text, 'USER NKEY SEED'));
  return jwt === '' || !key ? undefined : (nonce) => ({ jwt, sig: key.sign(nonce) });
}

function part(text: string, name: string): string {
  return new RegExp(`-{3,}BEGIN ${name}-{3,}\\s+(\\S+)\\s+-{3,}END ${name}-{3,}`).exec(text)?.[1] ?? '';
}
