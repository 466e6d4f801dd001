/** What a scraper wants, from its Accept headers (RFC 9110, section 12.5). */

/** OpenMetrics when it is asked for by name, and text is not asked for more. */
export function metricsFormat(accept: string | undefined): 'text' | 'openmetrics' {
  const ranges = parseRanges(accept ?? '');
  const openMetrics = quality(ranges, ['application/openmetrics-text']);
  return openMetrics > 0 && openMetrics >= quality(ranges, ['text/plain']) ? 'openmetrics' : 'text';
}

export function acceptsGzip(acceptEncoding: string | string[] | undefined): boolean {
  return quality(parseRanges(String(acceptEncoding ?? '')), ['gzip', '*']) > 0;
}

interface Range {
  readonly name: string;
  readonly quality: number;
}

function parseRanges(header: string): Range[] {
  return header.split(',').map((range) => {
    const [name = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    return { name, quality: weight === undefined ? 1 : Number(weight.slice(2)) || 0 };
  });
}

function quality(ranges: readonly Range[], names: readonly string[]): number {
  return Math.max(0, ...ranges.filter(({ name }) => names.includes(name)).map((range) => range.quality));
}
