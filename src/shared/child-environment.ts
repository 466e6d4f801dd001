/** The little of the daemon's own environment that children see. Everything else has to be declared. */

/** What a child is given of the daemon's environment, where it is set. */
const INHERITED_VARIABLES = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ'] as const;

const DEFAULTS = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/' } as const;

/** The inherited variables (PATH and HOME always have a value), then what the definition declares. */
export function childEnvironment(
  own: Readonly<Record<string, string | undefined>>,
  declared: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const inherited = INHERITED_VARIABLES.map((name) => [name, own[name]]).filter(([, value]) => value);
  return { ...DEFAULTS, ...Object.fromEntries(inherited), ...declared };
}
