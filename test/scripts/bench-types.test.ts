import { expect, test } from 'vitest';
import { EXCHANGES, WITHOUT_PEER } from '../../bench/scenarios/types.ts';
import { probeTypes } from '../../src/probe-types/index.ts';

test('what a run costs is measured for each probe type, or it is said why not', () => {
  const measured = EXCHANGES.map(({ name, type = name }) => type);
  const told = Object.keys(WITHOUT_PEER);
  expect([...new Set([...measured, ...told])].sort()).toEqual(Object.keys(probeTypes).sort());
  expect(measured.filter((type) => told.includes(type))).toEqual([]);
});
