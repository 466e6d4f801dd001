/** TLS over a connection: secure contexts shared by specs, a handshake, and a verdict on the certificate of our own. */
import { isIP, type Socket } from 'node:net';
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  type DetailedPeerCertificate,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import { domainToASCII } from 'node:url';
import { z } from 'zod';
import { messageOf, PermanentError } from '../errors.ts';
import { secret } from '../spec.ts';
import { cachedFile } from './cached-file.ts';
import { type Certificate, describeCertificate } from './certificate.ts';
import { ProbeFailure } from './failure.ts';
import type { Lifeline } from './lifeline.ts';

const pemOrPath = 'PEM text, or the absolute path of a PEM file, read again when it changes';

/** The options one by one, for a spec that has them at its top; it adds `checkTlsOptions`. */
export const tlsShape = {
  cert: pem(z.string()).optional().describe(`Client certificate with its chain: ${pemOrPath}`),
  key: pem(secret()).optional().describe(`Key of the client certificate: ${pemOrPath}`),
  ca: pem(z.string()).optional().describe(`Authorities to trust instead of the built-in ones: ${pemOrPath}`),
  server_name: z
    .string()
    .min(1)
    .refine(isHostName, 'is not the name of a host')
    .optional()
    .describe('Name to ask for and to verify. Default: the host'),
  insecure_skip_verify: z.boolean().default(false).describe('Accept any certificate'),
  min_version: version().describe('Oldest version of TLS to speak. Default: TLS12'),
  max_version: version().describe('Newest version of TLS to speak. Default: TLS13'),
};

/** Or an address. */
function isHostName(text: string): boolean {
  const name = domainToASCII(text) || text;
  return /^[\w.:-]+$/.test(name) && name.length <= 253;
}

function version() {
  return z.enum(['TLS10', 'TLS11', 'TLS12', 'TLS13']).optional();
}

const VERSIONS = { TLS10: 'TLSv1', TLS11: 'TLSv1.1', TLS12: 'TLSv1.2', TLS13: 'TLSv1.3' } as const;

export const tlsOptions = z.strictObject(tlsShape).superRefine(checkTlsOptions);
type Material = Pick<z.output<typeof tlsOptions>, 'cert' | 'key' | 'ca' | 'min_version' | 'max_version'>;
type Versions = Pick<Material, 'min_version' | 'max_version'>;

/** Nothing in them asks for a context of their own. */
export function usesDefaults({ cert, ca, min_version, max_version }: Material): boolean {
  return [cert, ca, min_version, max_version].every((option) => option === undefined);
}

function versionsOf({ min_version: min, max_version: max }: Versions) {
  return { ...(min && { minVersion: VERSIONS[min] }), ...(max && { maxVersion: VERSIONS[max] }) };
}

export function checkTlsOptions(options: Material, context: z.RefinementCtx): void {
  const { cert, key, ca, min_version: min, max_version: max } = options;
  if (min !== undefined && max !== undefined && min > max) {
    context.addIssue({ code: 'custom', path: ['max_version'], message: `must not be older than ${min}, min_version` });
  }
  if ((cert === undefined) !== (key === undefined)) {
    context.addIssue({ code: 'custom', message: 'cert and key belong together' });
  }
  if ([cert, key, ca].some((value) => value?.startsWith('/'))) return;
  try {
    createSecureContext({ cert, key, ca });
  } catch (error) {
    context.addIssue({ code: 'custom', message: `is not usable: ${messageOf(error)}` });
  }
}

export interface TlsSession {
  readonly version: string;
  readonly cipher: string;
}

/** What was learnt about the peer, also when it was not trusted. */
interface Peer {
  readonly tls: TlsSession;
  readonly certificate: Certificate | undefined;
  /** As the peer showed it, linked to its issuers. */
  readonly shown: DetailedPeerCertificate;
}

/** Where an exchange leaves what it learns about the other side. */
export interface Seen {
  ip: string | undefined;
  peer: Peer | undefined;
}

function pem<Schema extends z.ZodType<string>>(schema: Schema) {
  return schema.refine(
    (text) => text.startsWith('/') || text.includes('-----BEGIN '),
    'is neither PEM text nor an absolute path',
  );
}

/** A context for a spec: made once, and again when a file that it names changes. One is shared by all without options. */
export type ContextSource = () => SecureContext;

export function createContextSource(options: Material): ContextSource {
  const readers = [options.cert, options.key, options.ca].map(contentOf);
  let used: readonly (string | undefined)[] = [];
  let context: SecureContext | undefined;
  return () => {
    const contents = readers.map((read) => read());
    if (context && contents.every((content, index) => content === used[index])) return context;
    const [cert, key, ca] = contents;
    try {
      context = createSecureContext({ cert, key, ca, ...versionsOf(options) });
    } catch (error) {
      throw new PermanentError('tls_options_unusable', `TLS options: ${messageOf(error)}`, { cause: error });
    }
    used = contents;
    return context;
  };
}

function contentOf(pemOrFile: string | undefined): () => string | undefined {
  if (pemOrFile === undefined || !pemOrFile.startsWith('/')) return () => pemOrFile;
  const read = cachedFile(pemOrFile, (text) => text);
  return () => {
    const text = read();
    if (text === undefined) throw new PermanentError('tls_file_missing', `TLS options: no file ${pemOrFile}`);
    return text;
  };
}

interface HandshakeOptions {
  readonly host: string;
  readonly context: SecureContext;
  readonly insecure: boolean;
  readonly protocols: readonly string[];
  readonly now: number;
  /** Told about the peer before it is judged. */
  readonly seen: Seen;
}

/**
 * Shakes hands over an open connection. Rejects with `tls` or `certificate_expired` when the peer is not to be trusted,
 * before a byte of the application is sent.
 */
export async function secure(socket: Socket, options: HandshakeOptions, line: Lifeline): Promise<TLSSocket> {
  let certificate: DetailedPeerCertificate | undefined;
  line.enter('tls');
  const secured = await line.until<TLSSocket>((done) => {
    const wrapped = connect({
      socket,
      host: options.host,
      servername: isIP(options.host) > 0 ? '' : options.host,
      secureContext: options.context,
      ALPNProtocols: [...options.protocols],
      // We judge by ourselves, so that an untrusted certificate is still seen.
      rejectUnauthorized: false,
      checkServerIdentity(host, shown) {
        // Node hands the detailed certificate over, which it has just built: asking again would cost as much again.
        certificate = shown as DetailedPeerCertificate;
        return checkServerIdentity(host, shown);
      },
    });
    line.hold(wrapped);
    wrapped.on('error', line.fail);
    wrapped.once('secureConnect', () => done(wrapped));
  });
  certificate ??= secured.getPeerCertificate(true);
  options.seen.peer = {
    tls: sessionOf(secured),
    certificate: describeCertificate(certificate, options.now),
    shown: certificate,
  };
  if (!secured.authorized && !options.insecure) throw distrust(secured, options.host, certificate);
  return secured;
}

function sessionOf(socket: TLSSocket): TlsSession {
  const cipher = socket.getCipher();
  return { version: (socket.getProtocol() ?? '').replace('TLSv', 'TLS '), cipher: cipher.standardName ?? cipher.name };
}

const DISTRUST: Readonly<Record<string, string>> = {
  CERT_NOT_YET_VALID: 'is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'comes from an authority that is not trusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'comes from an authority that is not trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'comes without its chain, or from an authority that is not trusted',
  CERT_REVOKED: 'is revoked',
};

function distrust(socket: TLSSocket, host: string, certificate: DetailedPeerCertificate): ProbeFailure {
  // Typed as Error, but Node stores the code as a string when it does not reject by itself.
  const code = String(socket.authorizationError);
  if (code === 'CERT_HAS_EXPIRED') {
    return new ProbeFailure(
      'certificate_expired',
      `a certificate has expired; the server's own ends ${certificate.valid_to}`,
    );
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names = certificate.subjectaltname ?? certificate.subject?.CN ?? 'nothing';
    return new ProbeFailure('tls', `the certificate is not for ${host} but for ${names.slice(0, 200)}`);
  }
  return new ProbeFailure('tls', `the certificate ${DISTRUST[code] ?? `is not trusted: ${code}`}`);
}
