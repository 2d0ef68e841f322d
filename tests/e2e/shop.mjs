// The real program with its demo shop, and a real browser.
//
// Needs MICROBAZAAR_PROGRAM (the binary), CHROMIUM (the browser) and NODE_PATH (playwright-core,
// axe-core, socket.io-client): scripts/test sets them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';

const require = createRequire(import.meta.url);
const { chromium } = require('playwright-core');

export const PASSWORD = 'microbazaar-demo';
export const DEADLINE = 15_000;
const START_WITHIN = 120_000;

/** Starts the program; `settings` are environment variables. Ends with `stop()`. */
export async function startShop(settings = {}, { demo = true, data } = {}) {
  const folder = data ?? (await mkdtemp(path.join(tmpdir(), 'mb-e2e-')));
  const args = ['serve', '--port', '0', '--data-dir', path.join(folder, 'data'), ...(demo ? ['--demo'] : [])];
  const env = { PATH: process.env.PATH, MICROBAZAAR_LOG__LEVEL: 'warn', ...settings };
  const child = spawn(process.env.MICROBAZAAR_PROGRAM, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  const base = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the shop is not ready in time:\n${text}`)), START_WITHIN);
    child.once('exit', (code) => reject(new Error(`the shop ended with ${code}:\n${text}`)));
    child.stdout.on('data', (piece) => {
      text += piece;
      const at = /is ready at (http:\S+)/.exec(text);
      const filled = !demo || /demo: *admin |demo: the shop has products/.test(text);
      if (at && filled) resolve(at[1]);
      if (at && filled) clearTimeout(timer);
    });
  });
  return {
    base,
    folder,
    told: () => text,
    /** Ends it; its folder stays when it is to be started again. */
    async stop({ keep = false } = {}) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
      if (!keep) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** One browser for a file of tests. */
export function startBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
}

/**
 * A visitor with a page of her own that watches for what must never happen: errors in the console,
 * answers of 500 and above, requests to other hosts.
 */
export async function visit(browser, base, options = {}) {
  const context = await browser.newContext({ baseURL: base, viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(DEADLINE);
  const wrong = [];
  const page = await context.newPage();
  const watch = (page) => {
    page.on('console', (line) => {
      // A refused form is a 4xx response, which the browser logs as well.
      if (line.type() === 'error' && !/status of 4\d\d/.test(line.text())) wrong.push(`console: ${line.text()}`);
    });
    page.on('pageerror', (error) => wrong.push(`page: ${error}`));
    page.on('response', (answer) => answer.status() >= 500 && wrong.push(`${answer.status()} ${answer.url()}`));
    page.on('request', (request) => {
      const at = request.url();
      if (!at.startsWith(base) && !/^(data|blob|about):/.test(at)) wrong.push(`elsewhere: ${at}`);
    });
  };
  watch(page);
  return {
    page,
    context,
    wrong,
    another: async () => {
      const second = await context.newPage();
      watch(second);
      return second;
    },
    /** Closes it and fails if anything was wrong. */
    async leave({ except } = {}) {
      await context.close();
      assert.deepEqual(wrong.filter((line) => !except?.test(line)), []);
    },
  };
}

/** The code that an authenticator app shows `steps` of 30 seconds from now (RFC 6238). */
export function codeOf(secret, steps) {
  const bits = [...secret].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const digest = createHmac('sha1', key).update(step).digest();
  return String((digest.readUInt32BE(digest[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

let count = 0;

/** Signs a new shopper up by the form; returns what she is called. */
export async function signUp(page, { role } = {}) {
  count += 1;
  const username = `visitor-${process.pid}-${count}`;
  await page.goto('/register');
  await page.getByLabel('E-mail').fill(`${username}@example.com`);
  await page.getByLabel('Username').fill(username);
  await page.getByLabel('First name').fill('Mira');
  await page.getByLabel('Last name').fill('Sen');
  await page.getByLabel('Password').fill('a long password 1');
  if (role) await page.locator(`[name=role][value=${role}], select[name=role]`).first().evaluate((field, role) => {
    if (field.tagName === 'SELECT') field.value = role;
    else field.checked = true;
  }, role);
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByRole('button', { name: 'Log out' }).first().waitFor({ state: 'attached' });
  return username;
}

export async function logIn(page, username, password = PASSWORD) {
  await page.goto('/login');
  await page.getByLabel('E-mail').fill(username.includes('@') ? username : `${username}@microbazaar.example`);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('main').getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('button', { name: 'Log out' }).first().waitFor({ state: 'attached' });
}

/** A product with at least `stock` units, by the API. */
export async function anyProduct(base, stock = 5, query = '') {
  const answer = await fetch(`${base}/api/products?limit=60${query}`);
  const found = (await answer.json()).find((product) => product.stock >= stock);
  assert.ok(found, 'a product with stock');
  return found;
}

export async function stockOf(base, id) {
  return (await (await fetch(`${base}/api/products/${id}`)).json()).stock;
}

export async function fillAddress(page) {
  for (const [label, value] of Object.entries({ Street: '12 Lake Road', City: 'Pune', State: 'MH', 'ZIP code': '411001', Country: 'India' })) {
    await page.getByLabel(label, { exact: true }).fill(value);
  }
}

/** The demo shop's accounts by role, as the start prints them. */
export const ACCOUNTS = { buyer: 'demo-buyer', seller: 'lakeside-lamps', admin: 'demo-admin' };

export const status = (page) => page.locator('[data-status]').first();
