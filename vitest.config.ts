import { defineConfig } from 'vitest/config';
import { missingParts } from './scripts/debian.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // What cannot run here is left out whole; `npm test` names it, and CI fails for it.
    exclude: missingParts().flatMap(({ suites }) => suites.map((suite) => `test/${suite}.test.ts`)),
    // Two shared cores: generous deadlines, because tests assert behaviour and never speed. Three at once, because most wait.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 3,
  },
});
