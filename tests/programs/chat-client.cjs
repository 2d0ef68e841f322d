// The stock client socket.io-client, and plain WebSockets, in the chat of a running shop.
//
//   node chat-client.cjs URL SCENARIO CONTEXT
//
// CONTEXT is JSON, with tokens of people who are logged in. What the scenario found out is a line of JSON
// on standard output; it ends with 0 when all went as it should.
'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { io } = require('socket.io-client');
const { WebSocket } = require('ws');

const [, , url, scenario, json] = process.argv;
const context = JSON.parse(json);
const opened = [];

const connect = (auth = {}, options = {}) => {
  const socket = io(url, { path: '/api/socket/socket.io/', auth, forceNew: true, reconnection: false, ...options });
  socket.told = [];
  socket.onAny((event, data) => socket.told.push([event, data]));
  opened.push(socket);
  return socket;
};
const heard = (socket, event) => new Promise((resolve) => socket.once(event, resolve));
const until = async (socket, holds) => {
  while (!holds()) await new Promise((resolve) => socket.prependAny(function heard() { socket.offAny(heard); setImmediate(resolve); }));
};
const ends = (socket) => socket.told.filter(([event]) => event === 'message' || event === 'error');

/** In its conversation, whose id it returns. */
const joined = async (socket) => {
  await until(socket, () => socket.told.some(([event]) => event === 'conversation'));
  return socket.told.find(([event]) => event === 'conversation')[1].id;
};

/** Says it, and returns the events of the turn; the last one is its end. */
const says = async (socket, text) => {
  const from = socket.told.length;
  const before = ends(socket).length;
  assert.deepEqual(await socket.timeout(30000).emitWithAck('message', text), { ok: true });
  await until(socket, () => ends(socket).length > before);
  const turn = socket.told.slice(from);
  assert.equal(turn.at(-1)[0], 'message', JSON.stringify(turn));
  assert.equal(typeof turn.at(-1)[1], 'string');
  assert.ok(turn.at(-1)[1].trim());
  return turn;
};
const api = async (method, path, token, body) => {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
};

const scenarios = {
  async ways() {
    const { token } = context;
    for (const [auth, options] of [
      [{ token }, {}],
      [{ token }, { path: '/socket.io/' }],
      [{ token }, { transports: ['polling'] }],
      [{ token }, { transports: ['websocket'] }],
      [{}, { extraHeaders: { cookie: `other=1; token=${token}` } }],
      [{}, { extraHeaders: { cookie: `token=${token}`, origin: url } }],
      [{}, { extraHeaders: { authorization: `Bearer ${token}` } }],
      // Not with the cookie: with a token any page may connect.
      [{ token }, { extraHeaders: { origin: 'https://evil.example' } }],
    ]) {
      const socket = connect(auth, options);
      await joined(socket);
      await says(socket, 'hello');
      await says(socket, { text: 'hello' });
      socket.disconnect();
    }
    const moved = connect({ token });
    await heard(moved, 'connect');
    if (moved.io.engine.transport.name === 'polling') await once(moved.io.engine, 'upgrade');
    await says(moved, 'hello');
    for (const [auth, options, message] of [
      [{}, {}, 'Token not provided'],
      [{ token: '' }, {}, 'Token not provided'],
      [{ token: 'wrong' }, {}, 'Invalid token'],
      [{ token: 7 }, {}, 'Invalid token'],
      [{ token: context.foreign }, {}, 'Invalid token'],
      [{ token: context.service }, {}, 'Invalid token'],
      [{}, { extraHeaders: { cookie: 'token=wrong' } }, 'Invalid token'],
      [{}, { extraHeaders: { authorization: 'Basic abc' } }, 'Invalid token'],
      [{}, { extraHeaders: { cookie: `token=${token}`, origin: 'https://evil.example' } }, 'This page may not connect with a cookie'],
      [{}, { extraHeaders: { cookie: `token=${token}`, 'sec-fetch-site': 'cross-site' } }, 'This page may not connect with a cookie'],
    ]) {
      for (const transports of [['polling'], ['websocket']]) {
        const refused = await heard(connect(auth, { transports, ...options }), 'connect_error');
        assert.equal(refused.message, message);
      }
    }
    const other = io(`${url}/other`, { path: '/socket.io/', auth: { token }, forceNew: true });
    opened.push(other);
    assert.equal((await heard(other, 'connect_error')).message, 'Invalid namespace');
  },

  async shapeless() {
    const socket = connect({ token: context.token });
    await joined(socket);
    for (const [args, code] of [
      [[], 'bad_message'],
      [[7], 'bad_message'],
      [[null], 'bad_message'],
      [[['hello']], 'bad_message'],
      [[{ words: 'hello' }], 'bad_message'],
      [[{ text: 7 }], 'bad_message'],
      [[''], 'empty_message'],
      [['  \n '], 'empty_message'],
      [['x'.repeat(4001)], 'message_too_long'],
      [['x'.repeat(50000)], 'message_too_long'],
      [[Buffer.from([1, 2, 3])], 'binary_refused'],
    ]) {
      const error = heard(socket, 'error');
      socket.emit('message', ...args);
      assert.equal((await error).code, code, JSON.stringify(args).slice(0, 80));
    }
    const unknown = heard(socket, 'error');
    socket.emit('other', 'hello');
    assert.equal((await unknown).code, 'unknown_event');
    await says(socket, 'hello');
    assert.ok(socket.connected);
  },

  async share() {
    const one = connect({ token: context.token });
    const conversationId = await joined(one);
    await says(one, 'hello');
    const two = connect({ token: context.token }, { transports: ['websocket'] });
    const elsewhere = connect({ token: context.token, conversationId: 'new' });
    const other = connect({ token: context.other });
    assert.equal(await joined(two), conversationId);
    assert.notEqual(await joined(elsewhere), conversationId);
    assert.notEqual(await joined(other), conversationId);
    const refused = await heard(connect({ token: context.other, conversationId }), 'connect_error');
    assert.equal(refused.message, 'This conversation is not yours');
    const from = one.told.length;
    for (let n = 0; n < 5; n += 1) {
      await says(n % 2 ? one : two, `hello ${n}`);
      // Both have the end of this turn before the next one begins.
      await until(one, () => ends(one).length >= n + 2);
      await until(two, () => ends(two).length >= n + 1);
    }
    assert.deepEqual(one.told.slice(from), two.told.slice(1));
    // Pages show the user's messages on other sockets of the conversation, before the reply, and only once.
    const pages = [connect({ token: context.token, conversationId, live: true }), connect({ token: context.token, conversationId, live: true })];
    await Promise.all(pages.map(joined));
    await says(pages[0], 'hello page');
    await until(pages[1], () => ends(pages[1]).length > 0);
    await until(two, () => ends(two).length >= 6);
    const asked = ({ told }) => told.filter(([event]) => event === 'user_message').map(([, data]) => data.text);
    assert.deepEqual(asked(pages[1]), ['hello page']);
    assert.equal(pages[1].told[1][0], 'user_message', 'the question comes before the answer');
    assert.deepEqual([asked(pages[0]), asked(one), asked(two)], [[], [], []]);
    await says(one, 'hello client');
    await until(pages[0], () => ends(pages[0]).length >= 2);
    assert.deepEqual(asked(pages[0]), ['hello client']);
    assert.deepEqual(elsewhere.told.length, 1, 'another conversation of hers');
    assert.deepEqual(other.told.length, 1, 'somebody else');
  },

  async remember() {
    const socket = connect({ token: context.token });
    const id = await joined(socket);
    await says(socket, 'hello there');
    process.stdout.write(`${JSON.stringify({ id })}\n`);
  },

  async again() {
    const socket = connect({ token: context.token });
    assert.equal(await joined(socket), context.id);
    await says(socket, 'hello again');
  },

  async logout() {
    const { token, second } = context;
    const sockets = [connect({ token }), connect({ token }, { transports: ['polling'] })];
    const other = connect({ token: second });
    await Promise.all([...sockets, other].map(joined));
    const errors = sockets.map((socket) => heard(socket, 'error'));
    const ended = sockets.map((socket) => heard(socket, 'disconnect'));
    const plain = new WebSocket(`${url.replace('http', 'ws')}/ws/chat?token=${token}`);
    await once(plain, 'message');
    const closed = once(plain, 'close');
    assert.equal((await api('POST', '/api/auth/logout', token)).status, 200);
    for (const error of await Promise.all(errors)) assert.deepEqual(error, { code: 'unauthenticated', message: 'Invalid token' });
    for (const reason of await Promise.all(ended)) assert.equal(reason, 'io server disconnect');
    await closed;
    await says(other, 'hello');
    assert.equal((await heard(connect({ token }), 'connect_error')).message, 'Invalid token');
  },

  async blocked() {
    const { token, second } = context;
    const sockets = [connect({ token }), connect({ token, live: true }), connect({ token }, { transports: ['polling'] })];
    const other = connect({ token: second, live: true });
    await Promise.all([...sockets, other].map(joined));
    const errors = sockets.map((socket) => heard(socket, 'error'));
    const ended = sockets.map((socket) => heard(socket, 'disconnect'));
    const plain = new WebSocket(`${url.replace('http', 'ws')}/ws/chat?token=${token}`);
    await once(plain, 'message');
    const closed = once(plain, 'close');
    // The test blocks the user when it sees this conversation.
    sockets[0].emit('message', 'hello');
    for (const error of await Promise.all(errors)) assert.deepEqual(error, { code: 'unauthenticated', message: 'Invalid token' });
    for (const reason of await Promise.all(ended)) assert.equal(reason, 'io server disconnect');
    await closed;
    await says(other, 'hello');
    assert.equal((await heard(connect({ token }), 'connect_error')).message, 'Invalid token');
  },

  async expiry() {
    const socket = connect({ token: context.token });
    await joined(socket);
    const ended = heard(socket, 'disconnect');
    assert.equal((await heard(socket, 'error')).message, 'Invalid token');
    assert.equal(await ended, 'io server disconnect');
  },

  async crowd() {
    const sockets = context.tokens.map((token) => connect({ token }));
    const conversations = await Promise.all(sockets.map(joined));
    assert.equal(new Set(conversations).size, sockets.length);
    await Promise.all(sockets.map((socket, n) => says(socket, `hello ${n}`)));
    await Promise.all(sockets.map((socket, n) => says(socket, `thanks ${n}`)));
    for (const socket of sockets) assert.equal(ends(socket).length, 2);
  },

  async many() {
    const sockets = Array.from({ length: 12 }, () => connect({ token: context.token }));
    await Promise.all(sockets.map(joined));
  },

  async plain() {
    const { token } = context;
    const address = `${url.replace('http', 'ws')}/ws/chat`;
    for (const [query, headers] of [
      [`?token=${token}`, {}],
      ['', { authorization: `Bearer ${token}` }],
      ['', { cookie: `token=${token}` }],
      ['', { cookie: `token=${token}`, origin: url }],
    ]) {
      const socket = new WebSocket(address + query, { headers });
      const frames = [];
      let wake = () => {};
      socket.on('message', (frame) => { frames.push(JSON.parse(frame.toString())); wake(); });
      const next = async () => {
        while (!frames.length) await new Promise((resolve) => (wake = resolve));
        return frames.shift();
      };
      assert.equal((await next()).event, 'conversation');
      for (const data of ['hello', { text: 'hello' }]) {
        socket.send(JSON.stringify({ event: 'message', data }));
        let frame = await next();
        while (frame.event !== 'message') {
          assert.ok(['status', 'delta', 'products', 'cart'].includes(frame.event), JSON.stringify(frame));
          frame = await next();
        }
        assert.equal(typeof frame.data, 'string');
      }
      for (const [frame, code] of [['abc', 'bad_event'], [Buffer.from([1]), 'binary_refused'], ['{"event":"message","data":7}', 'bad_message'], ['{"event":"message"}', 'bad_message']]) {
        socket.send(frame);
        const { event, data } = await next();
        assert.deepEqual([event, data.code], ['error', code]);
      }
      socket.close();
      await once(socket, 'close');
    }
    for (const [query, headers, message] of [
      ['', {}, 'Token not provided'],
      ['?token=wrong', {}, 'Invalid token'],
      ['', { cookie: `token=${token}`, origin: 'https://evil.example' }, 'This page may not connect with a cookie'],
    ]) {
      const refused = new WebSocket(address + query, { headers });
      const closed = once(refused, 'close');
      const [frame] = await once(refused, 'message');
      assert.deepEqual(JSON.parse(frame.toString()), { event: 'connect_error', data: { message } });
      await closed;
    }
  },

  async live() {
    const { token, other, product } = context;
    const page = connect({ token, live: true });
    const plain = new WebSocket(`${url.replace('http', 'ws')}/ws/chat?token=${token}&live=1`);
    const frames = [];
    plain.on('message', (frame) => frames.push(JSON.parse(frame.toString())));
    const silent = connect({ token });
    const stranger = connect({ token: other, live: true });
    await Promise.all([page, silent, stranger].map(joined));
    while (!frames.length) await once(plain, 'message');
    const badge = async (count, method, path, body) => {
      const heardIt = heard(page, 'badge');
      assert.equal((await api(method, path, token, body)).status, 200);
      assert.deepEqual(await heardIt, { count });
    };
    await badge(2, 'POST', '/api/cart/items', { productId: product, quantity: 2 });
    await badge(5, 'PATCH', `/api/cart/items/${product}`, { quantity: 5 });
    await badge(0, 'DELETE', `/api/cart/items/${product}`);
    await badge(1, 'POST', '/api/cart/items', { productId: product, quantity: 1 });
    await api('GET', '/api/cart', token);
    const placed = heard(page, 'order');
    const emptied = heard(page, 'badge');
    const address = { street: '12 Lake Road', city: 'Pune', state: 'MH', country: 'IN', zip: '411001' };
    const { order } = await (await api('POST', '/api/orders', token, { shippingAddress: address })).json();
    assert.deepEqual(await placed, { id: order._id, status: 'PENDING' });
    assert.deepEqual(await emptied, { count: 0 });
    const cancelled = heard(page, 'order');
    assert.equal((await api('POST', `/api/orders/${order._id}/cancel`, token)).status, 200);
    assert.deepEqual(await cancelled, { id: order._id, status: 'CANCELLED' });
    const wanted = page.told.slice(1).map(([event, data]) => ({ event, data }));
    while (frames.length < wanted.length + 1) await once(plain, 'message');
    assert.deepEqual(frames.slice(1), wanted);
    await says(silent, 'hello');
    await says(stranger, 'hello');
    for (const socket of [silent, stranger]) {
      assert.ok(!socket.told.some(([event]) => event === 'badge' || event === 'order'), 'not for these');
    }
    plain.close();
  },
};

setTimeout(() => {
  console.error(`${scenario} takes too long:`, JSON.stringify(opened.slice(0, 4).map((socket) => socket.told)));
  process.exit(1);
}, 100000).unref();

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
