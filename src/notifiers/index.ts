/**
 * Every channel that alerts can go to. A new one is one file, one line here, one test.
 */
import type { NotifierTypes } from '../ports.ts';
import { email } from './email.ts';
import { slack } from './slack.ts';
import { webhook } from './webhook.ts';

export const notifierTypes = { email, slack, webhook } satisfies NotifierTypes;
