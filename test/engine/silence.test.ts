import { describe, expect, it } from 'vitest';
import { matchesAll, parseMatcher, parseMatchers, type SilenceFacts } from '../../src/engine/silence.ts';
import { doubtsAbout } from '../../src/engine/silence-doubts.ts';

const SHOP: SilenceFacts = {
  incident: { source: 'probe', subject: 'shop', severity: 'critical' },
  probe: { group: 'web-shops', labels: { team: 'a' } },
};
const OURS: SilenceFacts = {
  incident: { source: 'self', subject: 'notifier:bus', severity: 'warning' },
  probe: undefined,
};

const matches = (facts: SilenceFacts, ...written: string[]) => matchesAll(parseMatchers(written), facts);
const problemOf = (...written: string[]) => {
  try {
    parseMatchers(written);
    return undefined;
  } catch (error) {
    return error as { code: string; message: string };
  }
};

describe('a matcher', () => {
  it.each([
    ['probe=shop', true],
    ['probe="shop"', true],
    ['probe = shop', true],
    ['probe=sho', false],
    ['probe!=bar', false],
    ['group=~"web-.*"', true],
    ['group=~web-.*', true],
    ['group=~web', false],
    ['group=~"shops"', false],
    ['severity=critical', true],
    ['severity!=info', true],
    ['severity=~"info|warning"', false],
    ['source=probe', true],
    ['team=a', true],
    ['team=~"a|b"', true],
    ['team=~".+"', true],
    ['region=~".+"', false],
    ['constructor=~".+"', false],
  ])('%s holds for the shop, beside one that does: %s', (written, holds) => {
    const sure = written === 'probe!=bar' ? 'probe=other' : 'severity=critical';
    expect(matches(SHOP, written, sure)).toBe(holds);
  });

  it('takes what is absent for the empty text, so that != and !~ hold for it', () => {
    expect(matches(OURS, 'source=self', 'probe=shop')).toBe(false);
    expect(matches(OURS, 'source=self', 'probe!=shop', 'team!~"a|b"', 'group=""')).toBe(true);
  });

  it('must hold together with all the others', () => {
    expect(matches(SHOP, 'probe=shop', 'team=a', 'severity!=info')).toBe(true);
    expect(matches(SHOP, 'probe=shop', 'team=b')).toBe(false);
  });

  it('is shown in one form, however it was written', () => {
    expect(parseMatcher(' team =~ a|b ').text).toBe('team=~"a|b"');
    expect(parseMatcher('probe="a \\"b\\""').text).toBe('probe="a \\"b\\""');
    expect(parseMatcher(parseMatcher('team!~x.y').text).text).toBe('team!~"x.y"');
  });

  it('is linear whatever its pattern is', () => {
    const text = `${'a'.repeat(5_000)}!`;
    const began = performance.now();
    const facts = { ...SHOP, probe: { group: text, labels: {} } };
    expect(matches(facts, 'probe=shop', 'group=~"(a+)+$"')).toBe(false);
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

describe('a set of matchers is refused', () => {
  it.each([
    [[], 'no matcher would silence everything'],
    [['probe=~".*"'], 'would silence everything'],
    [['probe!=shop'], 'would silence everything'],
    [['severity=~".*"', 'source=~"probe|self|alertmanager"'], 'would silence everything'],
    [['team=""'], 'would silence everything'],
    [['shop'], '"shop" is not a matcher: write NAME=VALUE'],
    [['=shop'], 'is not a matcher'],
    [['probe="shop'], 'its quotes do not end'],
    [['probe=~"("'], 'is not a matcher: missing closing )'],
    [['probe=~"a)|(b"'], 'is not a matcher: unexpected )'],
    [['probe=~"(?=a)"'], 'is not a matcher'],
  ] as const)('%s', (written, why) => {
    expect(problemOf(...written)).toMatchObject({ code: 'matcher_invalid', message: expect.stringContaining(why) });
  });

  it('but one that leaves out some severities or sources is not', () => {
    expect(problemOf('severity!=critical')).toBeUndefined();
    expect(problemOf('source=self')).toBeUndefined();
  });
});

describe('a silence is doubted', () => {
  const PROBES = [
    { name: 'shop', group: 'web', labels: { team: 'a' } },
    { name: 'db', group: 'data', labels: {} },
  ];
  const doubts = (...written: string[]) => doubtsAbout(parseMatchers(written), PROBES);

  it.each([
    [['probe=shpo'], ['probe="shpo" matches nothing now (did you mean "shop"?)']],
    [['probe=~"web-.*"'], ['probe=~"web-.*" matches nothing now']],
    [
      ['group=dta', 'team=b'],
      ['group="dta" matches nothing now (did you mean "data"?)', 'team="b" matches nothing now (did you mean "a"?)'],
    ],
    [['severity=critcal'], ['severity="critcal" matches nothing now (did you mean "critical"?)']],
    [['source=slef'], ['source="slef" matches nothing now (did you mean "self"?)']],
    [['source=self', 'probe=shop'], ['probe="shop" matches nothing now']],
    [['probe=shop', 'group=data'], ['nothing matches all of it now: probe="shop", group="data"']],
    [['source=probe', 'team!~"a|"'], ['nothing matches all of it now: source="probe", team!~"a|"']],
    [
      ['severity=info', 'probe=shop', 'team!=a'],
      ['nothing matches all of it now: severity="info", probe="shop", team!="a"'],
    ],
  ])('%j', (written, said) => {
    expect(doubts(...written)).toEqual(said);
  });

  it.each([
    [['probe=shop']],
    [['probe=~"shop|later"', 'severity!=info']],
    [['group=web', 'team=a', 'severity=critical']],
    [['probe=db', 'team=""']],
    [['probe=db', 'team!=a']],
    [['source=self']],
    [['source=alertmanager', 'group=""', 'probe!=shop']],
  ])('but not %j', (written) => {
    expect(doubts(...written)).toEqual([]);
  });
});
