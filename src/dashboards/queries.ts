/** PromQL that several panels share. `$group`, `$probe` and `$__…` are Grafana's. */

/** The probes that the variables choose, with their labels. */
export const CHOSEN = 'brainstem_probe_info{group=~"$group",probe=~"$probe"}';

/**
 * What of `vector` belongs to chosen probes. By a join, because All is `.+`: a list of thousands of names would be longer than a
 * query may be.
 */
export function chosen(vector: string): string {
  return `${vector} and on (probe) ${CHOSEN}`;
}

/** By how much a counter rose from one bar to the next. */
export function risen(counter: string, by: string): string {
  return `sum by (${by}) (increase(${counter}[$__interval]))`;
}

/**
 * A quantile of a histogram: of each point of a graph, or of the whole time that is shown. When nothing was observed it is NaN, which
 * the comparison leaves out.
 */
export function quantile(q: number, histogram: string, window: '$__rate_interval' | '$__range', by = ''): string {
  const labels = ['le', by].filter(Boolean).join(', ');
  return `histogram_quantile(${q}, sum by (${labels}) (rate(${histogram}_bucket[${window}]))) >= 0`;
}

/** A metric of any Node.js process, of those that are Brainstem. */
export function own(vector: string): string {
  return `${vector} and on (job, instance) brainstem_build_info`;
}
