/**
 * Every channel that alerts can go to. A new one is one file, one line here, one test.
 */
import type { NotifierTypes } from '../ports.ts';
import { slack } from './slack.ts';
import { webhook } from './webhook.ts';

export const notifierTypes = { slack, webhook } satisfies NotifierTypes;
