/** Fixes: what was tried, what became of it, and why something was not tried. */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { bars, COLORS, figures, table } from './panels.ts';
import { quantile, risen } from './queries.ts';

const OUTCOME_COLORS = { healed: COLORS.good, failed: COLORS.worst, unknown: COLORS.odd };
const ATTEMPTS = 'brainstem_remediation_attempts_total';

export const healing = (): readonly Builder<Panel>[] => [
  bars(
    {
      title: 'Attempts',
      description:
        'healed: the probe came up. failed: it did not, or the act itself failed. unknown: a crash hid what the act did.',
      unit: 'none',
    },
    { '{{outcome}}': risen(ATTEMPTS, 'outcome') },
    OUTCOME_COLORS,
  ),
  bars(
    {
      title: 'Refusals',
      description: 'Attempts that the plan did not allow, by reason; docs/healing.md says of each what to do about it.',
      unit: 'none',
    },
    { '{{reason}}': `${risen('brainstem_remediation_refusals_total', 'reason')} > 0` },
  ),
  table(
    {
      title: 'What each fix achieved',
      description: 'Attempts in the time that is shown. A fix that only fails is worse than none: it delays the page.',
      unit: 'none',
    },
    `sum by (remediation, outcome) (increase(${ATTEMPTS}[$__range])) > 0`,
    { remediation: 'Remediation', outcome: 'Outcome', Value: 'Attempts' },
  ).decimals(0),
  figures(
    {
      title: 'Duration of attempts, p95',
      description:
        'From the intent to the proof, by remediation, in the time that is shown. A page_after below it pages before the fix is proven.',
      unit: 's',
    },
    { '{{remediation}}': quantile(0.95, 'brainstem_remediation_duration_seconds', '$__range', 'remediation') },
  ),
  figures(
    {
      title: 'What holds healing back',
      description:
        '1 for the freeze and for a mode that is not auto; how many remediations are disarmed. `brainstem unfreeze`, `brainstem arm NAME`.',
      unit: 'none',
      steps: [COLORS.good, [1, COLORS.bad]],
    },
    { '{{reason}}': 'max by (reason) (brainstem_healing_held)' },
  ),
  figures(
    {
      title: 'Silences',
      description:
        'Silences that last now, and open incidents that they keep from people. `brainstem silence list` names them.',
      unit: 'none',
      steps: [COLORS.good, [1, COLORS.odd]],
    },
    { silences: 'sum(brainstem_silences_active)', 'silenced incidents': 'sum(brainstem_incidents_silenced)' },
  ),
];
