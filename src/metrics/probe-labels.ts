/** Labels of probes, rendered once for each definition and kept as long as that definition lives. */
import type { Probe } from '../model.ts';
import { renderLabels } from './writer.ts';

export interface ProbeLabels {
  /** `probe` and `instance`: on everything that the probe saw. */
  target(probe: Probe): string;
  /** `probe` alone: on everything that is about the probe itself. */
  name(probe: Probe): string;
  /** All labels of the definition, for joins. The fixed ones win over labels from files that have their names. */
  info(probe: Probe): string;
  /** Applied to the labels of single samples. */
  redact(text: string): string;
}

export function createProbeLabels(redact: (text: string) => string): ProbeLabels {
  const name = remember((probe) => renderLabels({ probe: probe.name }));
  const target = remember((probe) => renderLabels({ probe: probe.name, instance: redact(probe.target) }));
  return { name, target, info: remember((probe) => renderLabels(infoOf(probe, redact))), redact };
}

/** Names of definitions are never redacted: everything else refers to them. */
function infoOf(probe: Probe, redact: (text: string) => string): Record<string, string> {
  const { name, target, type, group, severity } = probe;
  const fixed = { probe: name, instance: redact(target), type, group, severity };
  const labels = Object.entries(probe.labels).map(([label, value]) => [label, redact(value)]);
  return { ...fixed, ...Object.fromEntries(labels), ...fixed };
}

function remember(render: (probe: Probe) => string): (probe: Probe) => string {
  const rendered = new WeakMap<Probe, string>();
  return (probe) => {
    const known = rendered.get(probe);
    if (known !== undefined) return known;
    const labels = render(probe);
    rendered.set(probe, labels);
    return labels;
  };
}
