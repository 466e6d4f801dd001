/** Labels of probes, rendered once for each definition and kept as long as that definition lives. */
import type { Probe } from '../model.ts';
import type { Sample } from '../ports.ts';
import { renderLabels } from './writer.ts';

export interface ProbeLabels {
  /** `probe` and `instance`: on everything that the probe saw. */
  target(probe: Probe): Uint8Array;
  /** `probe` alone: on everything that is about the probe itself. */
  name(probe: Probe): Uint8Array;
  /** All labels of the definition, for joins. The fixed ones win over labels from files that have their names. */
  info(probe: Probe): Uint8Array;
  /** Of a single sample, as the target shaped them. */
  sample(labels: Readonly<Record<string, string>>): string;
}

export function createProbeLabels(redact: (text: string) => string): ProbeLabels {
  const name = remember((probe) => renderLabels({ probe: probe.name }));
  const target = remember((probe) => renderLabels({ probe: probe.name, instance: redact(probe.target) }));
  const sample = rememberSamples((labels) => redact(renderLabels(labels)));
  return { name, target, info: remember((probe) => renderLabels(infoOf(probe, redact))), sample };
}

/** Names of definitions are never redacted: everything else refers to them. */
function infoOf(probe: Probe, redact: (text: string) => string): Record<string, string> {
  const { name, target, type, group, severity } = probe;
  const fixed = { probe: name, instance: redact(target), type, group, severity };
  const labels = Object.entries(probe.labels).map(([label, value]) => [label, redact(value)]);
  return { ...fixed, ...Object.fromEntries(labels), ...fixed };
}

/** As bytes, which are copied into a scrape without being encoded again. */
function remember(render: (probe: Probe) => string): (probe: Probe) => Uint8Array {
  const rendered = new WeakMap<Probe, Uint8Array>();
  return (probe) => {
    const known = rendered.get(probe);
    if (known !== undefined) return known;
    const labels = Buffer.from(render(probe));
    rendered.set(probe, labels);
    return labels;
  };
}

/** The few label sets that types write as constants are rendered once; the others are new objects each time. */
function rememberSamples(render: (labels: Sample['labels']) => string): (labels: Sample['labels']) => string {
  const rendered = new WeakMap<Sample['labels'], string>();
  return (labels) => {
    const known = Object.isFrozen(labels) ? rendered.get(labels) : undefined;
    if (known !== undefined) return known;
    const text = render(labels);
    if (Object.isFrozen(labels)) rendered.set(labels, text);
    return text;
  };
}
