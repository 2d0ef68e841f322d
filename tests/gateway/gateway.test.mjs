// The gateway's two configurations, run by the real program in front of small servers that each answer with their
// name. Needs `caddy` on the PATH:  node --test tests/gateway
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import http from 'node:http';
import net from 'node:net';
import { mkdtemp, readFile, rm, writeFile, cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const configurations = path.join(here, '../../docker/gateway');
const DEADLINE = 15_000;

const SERVICES = ['auth', 'product', 'inventory', 'cart', 'order', 'payment', 'notification', 'seller-dashboard', 'ai-buddy', 'web'];

// The process that a path belongs to.
const ROUTES = {
  '/api/auth/login': 'auth',
  '/api/auth/users/me/addresses': 'auth',
  '/api/products': 'product',
  '/api/products?q=lamp': 'product',
  '/api/products/seller': 'product',
  '/api/wishlist': 'product',
  '/api/wishlist/665f1f77bcf86cd799439012': 'product',
  '/media/665f1f77bcf86cd799439012.jpg': 'product',
  '/api/inventory/665f1f77bcf86cd799439012': 'inventory',
  '/api/cart': 'cart',
  '/api/cart/items': 'cart',
  '/api/orders': 'order',
  '/api/orders/me?page=2': 'order',
  '/api/payments/verify': 'payment',
  '/api/payment/verify': 'payment',
  '/api/payments/webhook': 'payment',
  '/sandbox/payments/order_1': 'payment',
  '/api/seller/dashboard/metrics': 'seller-dashboard',
  '/api/webhooks': 'notification',
  '/dev/mailbox': 'notification',
  '/socket.io/?EIO=4&transport=polling': 'ai-buddy',
  '/api/socket/socket.io/?EIO=4&transport=polling': 'ai-buddy',
  '/ws/chat': 'ai-buddy',
  '/api/ai/conversations': 'ai-buddy',
  '/mcp': 'ai-buddy',
  '/': 'web',
  '/products/665f1f77bcf86cd799439012': 'web',
  '/cart': 'web',
  '/wishlist': 'web',
  '/orders': 'web',
  '/seller': 'web',
  '/openapi.json': 'web',
  '/readyz': 'web',
};

const listening = (server, port = 0) =>
  new Promise((done, failed) => server.once('error', failed).listen(port, '127.0.0.1', () => done(server.address().port)));

const freePort = async () => {
  const server = net.createServer();
  const port = await listening(server);
  await new Promise((done) => server.close(done));
  return port;
};

/** A process that answers with its name, and echoes what comes after an upgrade. */
async function process_(name) {
  const state = { name, ready: true, seen: [] };
  const server = http.createServer((request, response) => {
    if (request.url !== '/readyz' || request.headers['x-test']) state.seen.push(request);
    const status = request.url === '/readyz' && !state.ready ? 503 : 200;
    request.resume().on('end', () => response.writeHead(status, { 'x-node': name }).end(name));
  });
  server.on('upgrade', (request, socket) => {
    const key = request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
    const accept = createHash('sha1').update(key).digest('base64');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nX-Node: ${name}\r\n\r\n`);
    socket.on('data', (data) => socket.write(data)).on('error', () => {});
  });
  state.port = await listening(server);
  state.address = `127.0.0.1:${state.port}`;
  // The server no longer owns upgraded connections and would wait for them forever.
  const open = new Set();
  server.on('connection', (socket) => open.add(socket.on('close', () => open.delete(socket))));
  state.stop = () => {
    for (const socket of open) socket.destroy();
    return new Promise((done) => server.close(done));
  };
  return state;
}

const ask = (port, url, { method = 'GET', headers = {}, body } = {}) =>
  new Promise((done, failed) => {
    const request = http.request({ host: '127.0.0.1', port, path: url, method, headers, agent: false }, (response) => {
      let text = '';
      response.on('data', (piece) => (text += piece)).on('end', () => done({ status: response.statusCode, headers: response.headers, text }));
    });
    request.setTimeout(DEADLINE, () => request.destroy(new Error(`no answer to ${url}`)));
    request.on('error', failed).end(body);
  });

/** Upgrades, sends a text, and returns who took it and what came back. */
const upgrade = (port, url) =>
  new Promise((done, failed) => {
    const headers = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' };
    const request = http.request({ host: '127.0.0.1', port, path: url, headers });
    request.on('response', (response) => failed(new Error(`no upgrade but ${response.statusCode}`)));
    request.on('upgrade', (response, socket) => {
      socket.setTimeout(DEADLINE, () => failed(new Error('no echo')));
      socket.on('data', (data) => (socket.destroy(), done({ node: response.headers['x-node'], echo: data.toString() })));
      socket.write('hello');
    });
    request.on('error', failed).end();
  });

async function until(what, condition) {
  const end = Date.now() + DEADLINE;
  while (!(await condition())) {
    assert.ok(Date.now() < end, `in vain: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** The real program with one of the configurations, on ports of its own. */
async function gateway(file, variables) {
  const folder = await mkdtemp(path.join(tmpdir(), 'microbazaar-gateway-'));
  const [port, health] = [await freePort(), await freePort()];
  await cp(configurations, folder, { recursive: true });
  const common = await readFile(path.join(folder, 'common.caddy'), 'utf8');
  assert.ok(common.includes(':8081 {'));
  await writeFile(path.join(folder, 'common.caddy'), common.replace(':8081 {', `:${health} {`));
  const given = await readFile(path.join(folder, file), 'utf8');
  await writeFile(path.join(folder, file), `{\n\tadmin off\n}\n\n${given}`);
  const environment = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder, SITE: `:${port}`, ...variables };
  const program = spawn('caddy', ['run', '--adapter', 'caddyfile', '--config', path.join(folder, file)], { env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  program.stderr.on('data', (piece) => (log += piece));
  const ended = new Promise((done) => program.on('exit', done).on('error', (error) => ((log += error), done())));
  const stop = async () => {
    program.kill('SIGTERM');
    const forced = setTimeout(() => program.kill('SIGKILL'), DEADLINE);
    await ended;
    clearTimeout(forced);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until(`the gateway answers, ${log}`, async () => {
      assert.equal(program.exitCode, null, log);
      return ask(health, '/healthz').then((answer) => answer.status === 200, () => false);
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, stop };
}

describe('one process a service', () => {
  const services = {};
  let shop;

  before(async () => {
    for (const name of SERVICES) services[name] = await process_(name);
    const variables = Object.fromEntries(SERVICES.map((name) => [name.toUpperCase().replaceAll('-', '_'), services[name].address]));
    shop = await gateway('services.caddy', variables);
  });
  after(async () => {
    await shop?.stop();
    for (const service of Object.values(services)) await service.stop();
  });

  test('each path goes to its service', async () => {
    for (const [url, service] of Object.entries(ROUTES)) {
      const answer = await ask(shop.port, url);
      assert.equal(answer.status, 200, url);
      assert.equal(answer.text, service, url);
    }
  });

  test('what is between the processes stays there', async () => {
    for (const url of ['/metrics', '/internal', '/internal/orders', '/internal/../internal/x', '//internal/orders', '/%69nternal/orders']) {
      const answer = await ask(shop.port, url);
      // A gateway without this rule must not forward the path under another name either.
      const handed = Object.values(services).flatMap((service) => service.seen).map((request) => request.url);
      assert.ok(answer.status === 404 || !handed.some((seen) => /^\/+(internal|%69nternal|metrics)/.test(seen)), `${url}: ${answer.status} ${handed}`);
    }
  });

  test('a WebSocket passes', async () => {
    for (const url of ['/ws/chat?token=t', '/socket.io/?EIO=4&transport=websocket', '/api/socket/socket.io/?EIO=4&transport=websocket']) {
      assert.deepEqual(await upgrade(shop.port, url), { node: 'ai-buddy', echo: 'hello' }, url);
    }
  });

  test('the client is named, and its own word about that is not believed', async () => {
    await ask(shop.port, '/api/cart', { headers: { 'x-forwarded-for': '203.0.113.9', 'x-test': 'address' } });
    const seen = services.cart.seen.find((request) => request.headers['x-test'] === 'address');
    assert.equal(seen.headers['x-forwarded-for'], '127.0.0.1');
    assert.equal(seen.headers.host, `127.0.0.1:${shop.port}`);
  });

  test('a large body passes', async () => {
    const answer = await ask(shop.port, '/api/products', { method: 'POST', body: Buffer.alloc(26 * 1024 * 1024) });
    assert.deepEqual([answer.status, answer.text], [200, 'product']);
  });

  test('a service that is away gives 503 with Retry-After, and comes back by itself', async () => {
    const { port } = services.cart;
    await services.cart.stop();
    const answer = await ask(shop.port, '/api/cart');
    assert.equal(answer.status, 503);
    assert.equal(answer.headers['retry-after'], '2');
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    const body = JSON.parse(answer.text);
    assert.equal(body.code, 'gateway.unavailable');
    assert.match(body.requestId, /^[0-9a-f-]{36}$/);
    assert.equal((await ask(shop.port, '/api/orders')).text, 'order');
    const back = http.createServer((_request, response) => response.end('back'));
    await listening(back, port);
    assert.equal((await ask(shop.port, '/api/cart')).text, 'back');
    services.cart.stop = () => (back.closeAllConnections(), new Promise((done) => back.close(done)));
  });
});

test('the load balancer of docker/aws sends each path the same way', async () => {
  const template = await readFile(path.join(here, '../../docker/aws/microbazaar.yaml'), 'utf8');
  const rules = [];
  for (const stack of template.split(/^  \w+Service:$/m).slice(1)) {
    const value = (name) => stack.match(new RegExp(`^ +${name}: "?([^"\n]+)"?$`, 'm'))?.[1];
    for (const kind of ['Path', 'Chat']) {
      const patterns = value(`${kind}Patterns`)?.split(',');
      assert.ok(!patterns || patterns.length <= 5, 'a rule takes five values');
      if (patterns) rules.push({ service: value('Service'), priority: Number(value(`${kind}Priority`)), patterns });
    }
  }
  assert.equal(new Set(rules.map((rule) => rule.priority)).size, rules.length, 'each priority stands once');
  const split = rules.filter((rule) => rule.service !== 'all').sort((one, other) => one.priority - other.priority);
  const matches = (pattern, url) => new RegExp(`^${pattern.replace(/[.]/g, '\\.').replaceAll('*', '.*')}$`).test(url);
  for (const [url, service] of Object.entries(ROUTES)) {
    if (url.startsWith('/dev/')) continue; // kept inside there
    const rule = split.find(({ patterns }) => patterns.some((pattern) => matches(pattern, url.split('?')[0])));
    assert.equal(rule?.service, service, url);
  }
});

describe('two nodes', () => {
  const nodes = [];
  let shop;

  before(async () => {
    nodes.push(await process_('one'), await process_('two'));
    shop = await gateway('nodes.caddy', { NODES: nodes.map((node) => node.address).join(' ') });
  });
  after(async () => {
    await shop?.stop();
    for (const node of nodes) await node.stop();
  });

  const asked = async (url, times) => {
    const names = new Set();
    for (let at = 0; at < times; at += 1) names.add((await ask(shop.port, url)).text);
    return names;
  };

  test('both serve', async () => {
    await until('both have answered', async () => (await asked('/api/products', 20)).size === 2);
  });

  test('the sockets of one address stay with one node, polling as well as upgraded', async () => {
    const names = await asked('/socket.io/?EIO=4&transport=polling', 20);
    assert.equal(names.size, 1);
    const { node } = await upgrade(shop.port, '/socket.io/?EIO=4&transport=websocket&sid=1');
    assert.ok(names.has(node));
  });

  test('a node that is not ready gets nothing, and is taken back', async () => {
    nodes[0].ready = false;
    await until('only the other answers', async () => {
      const names = await asked('/api/products', 10);
      return names.size === 1 && names.has('two');
    });
    assert.deepEqual([...(await asked('/socket.io/?EIO=4&transport=polling', 5))], ['two']);
    nodes[0].ready = true;
    await until('both answer again', async () => (await asked('/api/products', 20)).size === 2);
  });

  test('with no node ready the answer is 503 with Retry-After', async () => {
    for (const node of nodes) node.ready = false;
    await until('503', async () => {
      const answer = await ask(shop.port, '/api/cart');
      return answer.status === 503 && answer.headers['retry-after'] === '2';
    });
    for (const node of nodes) node.ready = true;
    await until('200', async () => (await ask(shop.port, '/api/cart')).status === 200);
  });

  test('a node that dies costs no reader a request, and writers a moment', async () => {
    await nodes[1].stop();
    for (let at = 0; at < 10; at += 1) {
      const { status, text } = await ask(shop.port, '/api/products');
      assert.deepEqual([status, text], [200, 'one']);
    }
    // A body that was partly sent may not be sent twice.
    await until('every order is taken', async () => {
      for (let at = 0; at < 10; at += 1) {
        const { status, headers } = await ask(shop.port, '/api/orders', { method: 'POST', body: '{}' });
        assert.ok(status === 200 || (status === 503 && headers['retry-after'] === '2'), `${status}`);
        if (status !== 200) return false;
      }
      return true;
    });
  });
});
