import { openTemporary } from './sqlite.ts';
import { storeSuite } from './suite.ts';

storeSuite('the embedded store', openTemporary);
