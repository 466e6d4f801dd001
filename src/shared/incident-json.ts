/** An attempt and its incident, as scripts and webhooks are told of them. */
import type { ActionInput } from '../ports.ts';

/** Keys are whole words; what is unknown is absent. */
export function incidentJson({ remediation, attemptId, incident, probe, observation, resource }: ActionInput) {
  return {
    remediation,
    attempt: attemptId,
    probe: { name: probe.name, title: probe.title, type: probe.type, target: probe.target, labels: probe.labels },
    incident,
    observation,
    resource,
  };
}
