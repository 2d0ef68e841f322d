// Clients that stock generators make of `/openapi.json` compile, and buy, sell and listen; meanwhile every answer is
// held to the document (conform.mjs).
//
// Needs MICROBAZAAR_PROGRAM, NODE_PATH (tests/programs) and CLIENT_TOOLS, a Python environment with
// openapi-python-client and mypy: scripts/test sets them.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { PASSWORD, startShop } from '../e2e/shop.mjs';
import { startProxy } from './conform.mjs';

const here = new URL('.', import.meta.url).pathname;
const modules = process.env.NODE_PATH;
const python = path.join(process.env.CLIENT_TOOLS ?? '', 'bin');
const WITHIN = 240_000;

/** What no client calls here: the same again under a second path, and what is for browsers, other processes, the gateway and sockets. */
const ELSEWHERE = /BySecondName$|^(getDocs|getMetrics|getOpenApi|getPicture|(reserve|release|commit|set)Stock|takeWebhook|callMcp)$/;

const tools = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };

/** Runs a program to its end; what it prints is the error when it fails. */
function run(env, cwd, program, ...args) {
  return new Promise((done, fail) => {
    execFile(program, args, { cwd, env, timeout: WITHIN, maxBuffer: 1 << 26 }, (error, out, err) => {
      if (error) fail(new Error(`${path.basename(program)} ${args.join(' ')}: ${error.code ?? error.signal}\n${out.slice(-6000)}\n${err.slice(-6000)}`));
      else done(out);
    });
  });
}

const script = (name) => path.join(modules, '.bin', name);

describe('generated clients', () => {
  let shop, hook, document, work;
  before(async () => {
    // Takes what webhooks send.
    hook = http.createServer((request, answer) => request.resume().on('end', () => answer.end('taken')));
    await new Promise((done) => hook.listen(0, '127.0.0.1', done));
    shop = await startShop({ MICROBAZAAR_RATE_LIMIT__ENABLED: 'false', MICROBAZAAR_WEBHOOKS__ALLOW_PRIVATE: 'true' }, { demo: false });
    const admin = ['--data-dir', path.join(shop.folder, 'data'), 'admin', 'create', '--email', 'admin@example.com'];
    await run({ PATH: process.env.PATH, MICROBAZAAR_ADMIN_PASSWORD: PASSWORD }, '.', process.env.MICROBAZAAR_PROGRAM, ...admin);
    document = await (await fetch(`${shop.base}/openapi.json`)).json();
    work = await mkdtemp(path.join(tmpdir(), 'mb-clients-'));
    await writeFile(path.join(work, 'openapi.json'), JSON.stringify(document));
  });
  after(async () => {
    hook?.close().closeAllConnections();
    await shop?.stop();
    if (work) await rm(work, { recursive: true, force: true });
  });

  /** Lets a client walk through the proxy; fails when an answer is not as the document says. Gives what was called. */
  async function walk(folder, program, ...args) {
    const proxy = await startProxy(shop.base, document);
    const walked = run(tools, folder, program, ...args, proxy.base, `http://127.0.0.1:${hook.address().port}/`, PASSWORD);
    const failed = await walked.then(() => [], (error) => [error.message]);
    proxy.stop();
    assert.deepEqual([...failed, ...proxy.wrong], []);
    return proxy.called;
  }

  test('the document has no fault', { timeout: WITHIN }, async () => {
    await run(tools, work, script('redocly'), 'lint', 'openapi.json', '--config', path.join(here, 'redocly.yaml'), '--format=stylish');
  });

  test('TypeScript', { timeout: WITHIN }, async () => {
    const folder = path.join(work, 'typescript');
    await mkdir(folder);
    await symlink(modules, path.join(folder, 'node_modules'));
    await cp(path.join(here, 'walk.ts'), path.join(folder, 'walk.ts'));
    await writeFile(path.join(folder, 'package.json'), '{"type": "module"}');
    await run(tools, folder, script('openapi-typescript'), '../openapi.json', '--output', 'schema.ts');
    const options = { strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true, target: 'es2022', module: 'es2022', moduleResolution: 'bundler', types: ['node'], skipLibCheck: true };
    await writeFile(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['*.ts'] }));
    await run(tools, folder, script('tsc'), '--project', '.');
    const called = await walk(folder, process.execPath, 'walk.js');
    const operations = Object.values(document.paths).flatMap((item) => Object.values(item).map(({ operationId }) => operationId));
    assert.deepEqual(operations.filter((name) => !called.has(name) && !ELSEWHERE.test(name)), [], 'not in walk.ts');
  });

  test('Python', { timeout: WITHIN, skip: process.env.CLIENT_TOOLS ? false : 'without CLIENT_TOOLS' }, async () => {
    const folder = path.join(work, 'python');
    await run(tools, work, path.join(python, 'openapi-python-client'), 'generate', '--path', 'openapi.json', '--output-path', folder,
      '--config', path.join(here, 'python.yaml'), '--fail-on-warning');
    await cp(path.join(here, 'walk.py'), path.join(folder, 'walk.py'));
    await run(tools, folder, path.join(python, 'mypy'), '--strict', 'microbazaar_client', 'walk.py');
    const called = await walk(folder, path.join(python, 'python'), 'walk.py');
    for (const name of ['verifyPayment', 'listWebhookDeliveries', 'listSoldOrders']) assert.ok(called.has(name), name);
  });
});
