/** `brainstem freeze`, `unfreeze` and `arm`: the human's switches over healing. */
import type { Answer, Client } from './client.ts';
import type { CliIo } from './io.ts';

/** Exit code 0. */
export async function freeze(client: Client, { why }: { readonly why: string }, io: CliIo): Promise<number> {
  await client.post<Answer<'freeze'>>('/api/v1/freeze', { why });
  io.out('healing is frozen; let it go on with `brainstem unfreeze`\n');
  return 0;
}

/** Exit code: 0, or 1 when the freeze file still holds everything back. */
export async function unfreeze(client: Client, io: CliIo): Promise<number> {
  const { frozen } = await client.post<{ frozen: boolean }>('/api/v1/unfreeze', {});
  if (frozen) io.err('healing is still frozen by the freeze file: delete it, its path is `healing.freeze_file`\n');
  else io.out('healing goes on\n');
  return frozen ? 1 : 0;
}

/** Exit code 0. Errors: RefusedError when there is no such remediation. */
export async function arm(client: Client, { name }: { readonly name: string }, io: CliIo): Promise<number> {
  const { changed } = await client.post<{ changed: boolean }>(
    `/api/v1/remediations/${encodeURIComponent(name)}/arm`,
    {},
  );
  io.out(changed ? `${name} is armed again\n` : `${name} was armed already\n`);
  return 0;
}
