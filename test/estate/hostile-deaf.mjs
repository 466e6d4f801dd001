// Listens with the smallest backlog and says where; its parent stops it, so that it accepts nobody.
import { createServer } from 'node:net';

const server = createServer();
server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => process.send(server.address().port));
process.on('disconnect', () => process.exit());
