import { usePostgres } from './postgres.ts';
import { storeSuite } from './suite.ts';

storeSuite('the store on PostgreSQL', usePostgres(['fsync=off']).openTemporary);
