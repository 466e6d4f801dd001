/** Everything that definitions can name, from the literal map of each kind. */
import { actionTypes } from './action-types/index.ts';
import { notifierTypes } from './notifiers/index.ts';
import type { Registries } from './ports.ts';
import { probeTypes } from './probe-types/index.ts';

export const registries: Registries = { probeTypes, actionTypes, notifierTypes };
