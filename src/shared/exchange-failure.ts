/** How an exchange with a server ends early, before anybody has said what that means. */
import { AppError } from '../errors.ts';

export type ExchangeTrouble =
  | 'connection_closed'
  | 'answer_too_large'
  /** What answers is something else, or breaks the rules. */
  | 'protocol_broken'
  | 'tls_not_offered'
  | 'password_missing';

/** Never leaves the plug-in: a probe makes a reason of it, an action a message. */
export class ExchangeFailure extends AppError {
  readonly trouble: ExchangeTrouble;

  constructor(trouble: ExchangeTrouble, message: string, options?: { cause?: unknown }) {
    super(trouble, message, options);
    this.trouble = trouble;
  }
}
