/** Every part of the estate, in the order in which they start. */
import { backend } from './backend.ts';
import { celery } from './celery.ts';
import { internet } from './internet.ts';
import { mail } from './mail.ts';
import { names } from './names.ts';
import { papertrail } from './papertrail.ts';
import { postgres } from './postgres.ts';
import { prometheus } from './prometheus.ts';
import { redis } from './redis.ts';
import { selenium } from './selenium.ts';
import { supervisor } from './supervisor.ts';
import { syncs } from './syncs.ts';
import { systemd } from './systemd.ts';
import { tools } from './tools.ts';

export const PARTS = {
  selenium,
  postgres,
  redis,
  celery,
  backend,
  tools,
  prometheus,
  internet,
  names,
  mail,
  papertrail,
  syncs,
  systemd,
  supervisor,
};

export type PartName = keyof typeof PARTS;

/** What runs; a part that could not be started here is not among it. */
export type World = { readonly [Name in PartName]: Awaited<ReturnType<(typeof PARTS)[Name]['start']>> };
