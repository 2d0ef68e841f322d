// The official client socket.io-client and raw WebSockets against a test server.
//
//   node socket-client.cjs URL SCENARIO
//
// A line on standard output is a command to the server: `revoke TOKEN`, `shutdown`. The exit code is 0 if
// all assertions hold.
'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { io } = require('socket.io-client');
const { WebSocket } = require('ws');

const [, , url, scenario] = process.argv;
const path = '/api/socket/socket.io/';
const command = (line) => process.stdout.write(`${line}\n`);
const opened = [];

const connect = (options = {}, namespace = '/') => {
  const socket = io(url + namespace, { path, auth: { token: 'token-of-ann' }, forceNew: true, reconnectionDelay: 20, ...options });
  opened.push(socket);
  return socket;
};
const heard = (socket, event) => new Promise((resolve) => socket.once(event, resolve));
const transport = (socket) => socket.io.engine.transport.name;

/** Collects what comes as `message`. */
const listen = (socket) => {
  const messages = [];
  socket.on('message', (message) => messages.push(message));
  messages.until = async (count) => {
    while (messages.length < count) await heard(socket, 'message');
    return messages;
  };
  return messages;
};

/** Says so many things, each with an acknowledgement, and sees that all are answered in order. */
async function says(socket, count) {
  const messages = listen(socket);
  const acknowledged = [];
  for (let n = 1; n <= count; n += 1) acknowledged.push(socket.timeout(30000).emitWithAck('message', `m${n}`));
  for (const ack of await Promise.all(acknowledged)) assert.deepEqual(ack, { ok: true });
  await messages.until(count);
  assert.deepEqual([...messages], Array.from({ length: count }, (_, at) => `${at + 1}: m${at + 1}`));
}

const scenarios = {
  async upgrade() {
    const socket = connect();
    const first = transport(socket);
    const upgraded = once(socket.io.engine, 'upgrade');
    await heard(socket, 'connect');
    assert.equal(first, 'polling');
    // Before, during and after the upgrade.
    const messages = listen(socket);
    let count = 0;
    let moving = true;
    upgraded.then(() => (moving = false));
    while (moving) {
      count += 1;
      assert.deepEqual(await socket.timeout(30000).emitWithAck('message', `m${count}`), { ok: true });
    }
    assert.equal(transport(socket), 'websocket');
    for (let more = 0; more < 20; more += 1) socket.emit('message', `m${(count += 1)}`);
    await messages.until(count);
    assert.deepEqual([...messages], Array.from({ length: count }, (_, at) => `${at + 1}: m${at + 1}`));
  },

  async websocket() {
    const socket = connect({ transports: ['websocket'] });
    await heard(socket, 'connect');
    await says(socket, 200);
  },

  async polling() {
    const socket = connect({ transports: ['polling'] });
    await heard(socket, 'connect');
    await says(socket, 50);
    assert.equal(transport(socket), 'polling');
  },

  async acknowledgements() {
    const socket = connect();
    socket.on('question', (number, answer) => answer(number * 7));
    await heard(socket, 'connect');
    socket.emit('ask me');
    assert.equal(await heard(socket, 'answered'), 42);
    assert.deepEqual(await socket.timeout(30000).emitWithAck('message', 'a'), { ok: true });
  },

  async refusals() {
    for (const [options, namespace, message] of [
      [{ auth: {} }, '/', 'Token not provided'],
      [{ auth: { token: 'wrong' } }, '/', 'Invalid token'],
      [{}, '/other', 'Invalid namespace'],
      [{ transports: ['websocket'], auth: {} }, '/', 'Token not provided'],
    ]) {
      const refused = await heard(connect(options, namespace), 'connect_error');
      assert.equal(refused.message, message);
    }
    for (const extraHeaders of [{ cookie: 'token=token-of-ann' }, { authorization: 'Bearer token-of-ann' }]) {
      await heard(connect({ auth: {}, extraHeaders }), 'connect');
    }
    const foreign = connect({ extraHeaders: { origin: 'https://evil.example' }, reconnection: false });
    assert.match((await heard(foreign, 'connect_error')).message, /error/);
  },

  async binary() {
    for (const transports of [['polling'], ['websocket']]) {
      const socket = connect({ transports });
      await heard(socket, 'connect');
      socket.emit('message', Buffer.from([1, 2, 3]));
      assert.equal((await heard(socket, 'error')).code, 'binary_refused');
      socket.emit('message', { no: 'text' });
      assert.equal((await heard(socket, 'error')).code, 'bad_message');
      socket.emit('message', 'text');
      assert.match(await heard(socket, 'message'), /: text$/);
      assert.ok(socket.connected);
      socket.disconnect();
    }
  },

  async reconnect() {
    const socket = connect();
    await heard(socket, 'connect');
    if (transport(socket) === 'polling') await once(socket.io.engine, 'upgrade');
    socket.emit('message', 'a');
    assert.equal(await heard(socket, 'message'), '1: a');
    const lost = heard(socket, 'disconnect');
    socket.io.engine.transport.ws.terminate();
    assert.equal(await lost, 'transport close');
    await heard(socket, 'connect');
    socket.emit('message', 'b');
    assert.equal(await heard(socket, 'message'), '2: b');
  },

  async logout() {
    const socket = connect();
    await heard(socket, 'connect');
    command('revoke token-of-ann');
    const error = heard(socket, 'error');
    const ended = heard(socket, 'disconnect');
    // The command may take a moment.
    while (socket.connected) {
      socket.emit('message', 'a');
      await Promise.race([heard(socket, 'message'), ended]);
    }
    assert.deepEqual(await error, { code: 'unauthenticated', message: 'Invalid token' });
    assert.equal(await ended, 'io server disconnect');
    socket.connect();
    assert.equal((await heard(socket, 'connect_error')).message, 'Invalid token');
  },

  async stop() {
    const sockets = [connect({ transports: ['websocket'] }), connect({ transports: ['polling'] })];
    await Promise.all(sockets.map((socket) => heard(socket, 'connect')));
    const ended = sockets.map((socket) => heard(socket, 'disconnect'));
    command('shutdown');
    for (const reason of await Promise.all(ended)) assert.equal(reason, 'transport close');
  },

  async rooms() {
    const [one, two] = [connect(), connect({ transports: ['websocket'] })];
    const bob = connect({ auth: { token: 'token-of-bob' } });
    await Promise.all([one, two, bob].map((socket) => heard(socket, 'connect')));
    const [ones, twos, bobs] = [listen(one), listen(two), listen(bob)];
    for (let n = 0; n < 30; n += 1) (n % 2 ? one : two).emit('message', 'a');
    await Promise.all([ones.until(30), twos.until(30)]);
    assert.deepEqual([...ones], [...twos]);
    bob.emit('message', 'mine');
    assert.deepEqual([...(await bobs.until(1))], ['1: mine']);
  },

  async many() {
    const users = Array.from({ length: 300 }, (_, n) => connect({ auth: { token: `token-of-${n}` } }));
    await Promise.all(users.map((socket) => heard(socket, 'connect')));
    await Promise.all(users.map((socket) => says(socket, 5)));
  },

  async pings() {
    const socket = connect({ transports: ['websocket'] });
    await heard(socket, 'connect');
    for (let n = 0; n < 5; n += 1) await new Promise((resolve) => socket.io.once('ping', resolve));
    await says(socket, 3);
  },

  async raw() {
    const address = `${url.replace('http', 'ws')}${path}?EIO=4&transport=websocket`;
    const join = async () => {
      const socket = new WebSocket(address);
      await once(socket, 'message');
      socket.send('40{"token":"token-of-ann"}');
      await once(socket, 'message');
      return socket;
    };
    const closes = async (what, act) => {
      const socket = await join();
      const closed = once(socket, 'close');
      act(socket);
      assert.ok(await closed, what);
    };
    for (const frame of ['', 'abc', '2', '2probe', '4', '4abc', '42{}', '42/other,["a"]', '1', '40']) {
      await closes(frame, (socket) => socket.send(frame));
    }
    await closes('bytes that no packet announced', (socket) => socket.send(Buffer.from([1])));
    await closes('text in the place of an attachment', (socket) => {
      socket.send('451-["a",{"_placeholder":true,"num":0}]');
      socket.send('42["b"]');
    });
    await closes('a frame too large', (socket) => socket.send('4'.repeat(20000)));
    await closes('a message too large', (socket) => {
      for (let n = 0; n < 4; n += 1) socket.send('4'.repeat(5000), { fin: n === 3 });
    });
    await closes('text that is no text', (socket) => {
      socket.send(Buffer.from([0x34, 0xff]), { fin: false, binary: false });
      socket.send(Buffer.from([0xfe]), { fin: true });
    });
    // Complete, although it arrives in pieces with a ping between them.
    const socket = await join();
    socket.send('42["mess', { fin: false });
    socket.ping('hello');
    assert.equal((await once(socket, 'pong'))[0].toString(), 'hello');
    const answer = once(socket, 'message');
    socket.send('age","é"]', { fin: true });
    assert.match((await answer)[0].toString(), /^42\["message","\d+: é"\]$/);
    socket.terminate();

    // A probed upgrade that is not completed does not affect polling.
    const polling = `${url}${path}?EIO=4&transport=polling`;
    const { sid } = JSON.parse((await (await fetch(polling)).text()).slice(1));
    const probing = new WebSocket(`${address}&sid=${sid}`);
    await once(probing, 'open');
    const probed = once(probing, 'message');
    probing.send('2probe');
    assert.equal((await probed)[0].toString(), '3probe');
    const second = new WebSocket(`${address}&sid=${sid}`);
    await once(second, 'close');
    await once(probing, 'close');
    await fetch(`${polling}&sid=${sid}`, { method: 'POST', body: '40{"token":"token-of-ann"}' });
    assert.match(await (await fetch(`${polling}&sid=${sid}`)).text(), /40\{/);
    const unknown = new WebSocket(`${address}&sid=AAAAAAAAAAAAAAAA`);
    assert.match((await once(unknown, 'error'))[0].message, /400/);
  },

  async plain() {
    const address = `${url.replace('http', 'ws')}/ws/chat`;
    const read = async (socket) => JSON.parse((await once(socket, 'message'))[0].toString());
    for (const [query, headers] of [
      ['?token=token-of-ann', {}],
      ['', { authorization: 'Bearer token-of-ann' }],
      ['', { cookie: 'token=token-of-ann' }],
    ]) {
      const socket = new WebSocket(address + query, { headers });
      await once(socket, 'open');
      socket.send(JSON.stringify({ event: 'message', data: 'a' }));
      const { event, data } = await read(socket);
      assert.equal(event, 'message');
      assert.match(data, /^\d+: a$/);
      for (const [frame, code] of [['abc', 'bad_event'], ['{"data":1}', 'bad_event'], [Buffer.from([1]), 'binary_refused'], ['{"event":"message","data":7}', 'bad_message']]) {
        socket.send(frame);
        const error = await read(socket);
        assert.deepEqual([error.event, error.data.code], ['error', code]);
      }
      socket.close();
      await once(socket, 'close');
    }
    const refused = new WebSocket(`${address}?token=wrong`);
    const closed = once(refused, 'close');
    assert.deepEqual(await read(refused), { event: 'connect_error', data: { message: 'Invalid token' } });
    await closed;
    const foreign = new WebSocket(`${address}?token=token-of-ann`, { headers: { origin: 'https://evil.example' } });
    assert.match((await once(foreign, 'error'))[0].message, /403/);
    const revoked = new WebSocket(`${address}?token=token-of-ann`);
    await once(revoked, 'open');
    const over = once(revoked, 'close');
    command('revoke token-of-ann');
    const asking = setInterval(() => revoked.send('{"event":"message","data":"b"}'), 20);
    await over;
    clearInterval(asking);
  },

  async deaf() {
    const address = `${url.replace('http', 'ws')}${path}?EIO=4&transport=websocket`;
    const deaf = new WebSocket(address);
    await once(deaf, 'message');
    deaf.send('40{"token":"token-of-ann"}');
    await once(deaf, 'message');
    deaf.pause();
    const socket = connect({ transports: ['websocket'] });
    await heard(socket, 'connect');
    const text = 'x'.repeat(100000 - 1000);
    // More than the kernel and the server buffer for a client that does not read.
    for (let n = 0; n < 200; n += 1) {
      assert.deepEqual(await socket.timeout(30000).emitWithAck('message', text), { ok: true });
    }
    assert.ok(socket.connected);
    socket.disconnect();
    deaf.terminate();
  },
};

scenarios[scenario]().then(
  () => {
    for (const socket of opened) socket.disconnect();
    process.exit(0);
  },
  (error) => {
    console.error(`${scenario}:`, error);
    process.exit(1);
  },
);
