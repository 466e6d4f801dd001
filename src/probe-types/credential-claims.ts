/** What a token says of itself when it is a JWT (RFC 7519). Not verified: whoever accepts it has done that. */
import { z } from 'zod';

const claims = z.object({
  exp: z.number().optional().catch(undefined),
  role: z.string().optional().catch(undefined),
  scope: z.string().optional().catch(undefined),
  scp: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .catch(undefined),
});

export interface Claims {
  /** Ms since the epoch. */
  readonly expiresAt: number | undefined;
  readonly role: string | undefined;
  readonly scopes: readonly string[] | undefined;
}

/** undefined: it is no JWT. */
export function claimsOf(token: string): Claims | undefined {
  const [, payload, signature, ...rest] = token.split('.');
  if (payload === undefined || signature === undefined || rest.length > 0) return undefined;
  const { data } = claims.safeParse(parse(Buffer.from(payload, 'base64url').toString()));
  if (!data) return undefined;
  const { exp, role, scope, scp } = data;
  const listed = typeof scp === 'string' ? scp : (scp?.join(' ') ?? scope);
  return {
    expiresAt: exp === undefined ? undefined : exp * 1_000,
    role,
    scopes: listed?.split(' ').filter((one) => one !== ''),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
