/** Every action type by its YAML key. Adding one is one file beside this one and one line here. */
import type { ActionTypes } from '../ports.ts';
import { celery } from './celery.ts';
import { docker } from './docker.ts';
import { exec } from './exec.ts';
import { http } from './http.ts';
import { postgres } from './postgres.ts';
import { redis } from './redis.ts';
import { createSequence } from './sequence.ts';
import { sql } from './sql.ts';
import { supervisor } from './supervisor.ts';
import { systemd } from './systemd.ts';

const singleTypes: ActionTypes = {
  celery,
  docker,
  exec,
  http,
  postgres,
  redis,
  sql,
  supervisor,
  systemd,
};

export const actionTypes: ActionTypes = { ...singleTypes, sequence: createSequence(singleTypes) };
