// Every page of the web shop is valid HTML, as guests, buyers, sellers and admins get it: in an empty shop and in a
// full one, with forms that were refused, and as errors. Pages are found by their links, so that a new one is checked
// without being listed; a page that nothing leads to fails the last test.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { ACCOUNTS, DEADLINE, PASSWORD, codeOf, startShop } from './shop.mjs';

const { HtmlValidate, StaticConfigLoader } = createRequire(import.meta.url)('html-validate');

const validator = new HtmlValidate(
  new StaticConfigLoader({
    root: true,
    extends: ['html-validate:recommended', 'html-validate:document'],
    // A time with a date, in UTC: its fraction has three digits at most (HTML §2.3.5.7).
    elements: ['html5', { time: { attributes: { datetime: { enum: [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/] } } } }],
    rules: {
      // Our own scripts and styles come from the shop itself; Razorpay changes its script whenever it wants.
      'require-sri': ['error', { target: 'crossorigin', exclude: ['https://checkout.razorpay.com/'] }],
    },
  }),
);

/** What was opened, as paths with ids left out. */
const opened = new Set();
const found = new Set();

const shapeOf = (url) => {
  const names = [...url.searchParams.keys()].sort().join('&');
  return url.pathname.replace(/[0-9a-f]{24}/g, '{id}') + (names && `?${names}`);
};

/** Somebody with cookies of their own, without scripts. */
class Visitor {
  cookies = new Map();

  constructor(base, name) {
    Object.assign(this, { base, name });
  }

  async send(at, { method = 'GET', body, headers = {} } = {}) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const options = { method, body, redirect: 'manual', signal: AbortSignal.timeout(DEADLINE) };
    const answer = await fetch(new URL(at, this.base), { ...options, headers: { accept: 'text/html', origin: this.base, cookie, ...headers } });
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      this.cookies.set(name, value);
    }
    return answer;
  }

  /** Opens a page, or sends a form to it, and checks what comes. Follows redirects; gives the page's text. */
  async open(at, { form, expect } = {}) {
    let options = form && { method: 'POST', body: form };
    for (let hop = 0; hop < 5; hop += 1) {
      const answer = await this.send(at, options);
      if (answer.status >= 300 && answer.status < 400) {
        [at, options] = [answer.headers.get('location'), undefined];
        continue;
      }
      const url = new URL(at, this.base);
      const what = `${this.name} ${form ? 'POST ' : ''}${shapeOf(url)}`;
      assert.ok(answer.status < 500, `${what}: ${answer.status}`);
      if (expect) assert.equal(answer.status, expect, what);
      opened.add(url.pathname);
      const text = await answer.text();
      if (answer.headers.get('content-type')?.startsWith('text/html')) await check(what, text);
      return text;
    }
    throw new Error(`${this.name}: too many redirects to ${at}`);
  }

  /** Fills the form with this action on a page, by its path or its text, and sends it; `button` is one that sends it elsewhere. */
  async submit(page, action, fields = {}, button = /action="([^"]*)"/) {
    const html = page.startsWith('/') ? await this.open(page) : page;
    const form = [...html.matchAll(/<form\b[^>]*>[^]*?<\/form>/g)].map(([form]) => form).find((form) => action.test(/action="([^"]*)"/.exec(form)?.[1]));
    assert.ok(form, `${page} has no form to ${action}`);
    const hidden = [...form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)].map(([, name, value]) => [name, plain(value)]);
    const all = { ...Object.fromEntries(hidden), ...fields };
    let body = new URLSearchParams(all);
    if (form.includes('multipart/form-data')) {
      body = new FormData();
      for (const [name, value] of Object.entries(all)) body.append(name, value);
    }
    return this.open(plain(button.exec(form)[1]), { form: body });
  }

  async api(method, at, body) {
    const answer = await this.send(at, {
      method,
      body: body && JSON.stringify(body),
      headers: { accept: 'application/json', 'content-type': 'application/json' },
    });
    assert.ok(answer.ok, `${method} ${at}: ${answer.status}`);
    return answer.json();
  }

  /** Opens these pages, and every page that links and forms without changes lead to, one for each form of address. */
  async explore(...starts) {
    const waiting = ['/', ...starts].map((at) => new URL(at, this.base));
    const known = new Set(waiting.map(shapeOf));
    for (const url of waiting) {
      const html = await this.open(url.pathname + url.search);
      for (const [tag, , to] of html.matchAll(/<(?:a|form)\b[^>]*?\s(href|action)="([^"#]+)[^>]*>/g)) {
        const next = new URL(plain(to), url);
        const shape = shapeOf(next);
        if (tag.includes('method="post"') || next.origin !== this.base || known.has(shape) || next.pathname.startsWith('/media/')) continue;
        known.add(shape);
        waiting.push(next);
      }
    }
  }
}

const plain = (text) => text.replaceAll('&amp;', '&').replaceAll('&#38;', '&').replaceAll('&quot;', '"').replaceAll('&#34;', '"').replaceAll('&#39;', "'");

/** Pages without anything of their visitor, like `/docs`, are checked once. */
const checked = new Set();

async function check(what, html) {
  if (checked.has(html)) return;
  checked.add(html);
  const { results } = await validator.validateString(html);
  for (const { ruleId, message, line, selector } of results.flatMap(({ messages }) => messages)) {
    found.add(`${ruleId}: ${message} | ${what} | ${html.split('\n')[line - 1].trim().slice(0, 120)} | ${selector ?? ''}`);
  }
}

/** Reports what was found since the last call. */
function nothingFound() {
  const all = [...found];
  found.clear();
  assert.deepEqual(all, []);
}

const ADDRESS = { street: '12 Lake Road', city: 'Pune', state: 'MH', zip: '411001', country: 'India' };

async function registered(base, name, role) {
  const visitor = new Visitor(base, name);
  await visitor.api('POST', '/api/auth/register', { email: `${name.replaceAll(' ', '-')}@example.com`, password: 'a long password 1', role });
  return visitor;
}

describe('pages are valid HTML', () => {
  const shops = [];
  let full, empty;
  before(async () => {
    const settings = { MICROBAZAAR_RATE_LIMIT__ENABLED: 'false' };
    shops.push(...(await Promise.all([startShop(settings), startShop(settings, { demo: false })])));
    [full, empty] = shops;
  });
  after(() => Promise.all(shops.map((shop) => shop.stop())));

  const loggedIn = async (name) => {
    const visitor = new Visitor(full.base, name);
    await visitor.api('POST', '/api/auth/login', { email: `${ACCOUNTS[name]}@microbazaar.example`, password: PASSWORD });
    return visitor;
  };

  test('in an empty shop', async () => {
    const args = ['--data-dir', path.join(empty.folder, 'data'), 'admin', 'create', '--email', 'first-admin@example.com'];
    const env = { PATH: process.env.PATH, MICROBAZAAR_ADMIN_PASSWORD: 'a long password 1' };
    await promisify(execFile)(process.env.MICROBAZAAR_PROGRAM, args, { env, timeout: DEADLINE });
    const admin = new Visitor(empty.base, 'first admin');
    await admin.api('POST', '/api/auth/login', { email: 'first-admin@example.com', password: 'a long password 1' });
    await new Visitor(empty.base, 'first guest').explore('/cart', '/checkout', '/dev/mailbox');
    await (await registered(empty.base, 'first buyer')).explore('/cart', '/checkout', '/dev/mailbox');
    await (await registered(empty.base, 'first seller', 'seller')).explore();
    await admin.explore();
    nothingFound();
  });

  test('for guests', async () => {
    const guest = new Visitor(full.base, 'guest');
    await guest.explore('/?q=lamp&sort=price', '/?q=zzzzqqqq', '/?q=lamp%20zzzzqqqq', '/?minprice=x', '/?page=2', '/nowhere', '/products/0', '/dev/mailbox');
    await guest.submit('/login', /^\/login/, { email: 'nobody@example.com', password: 'x' });
    await guest.submit('/register', /^\/register/, { email: 'x', password: 'x', username: '?', role: 'seller' });
    // Pages that mails lead to.
    for (const page of ['/reset', '/reset?token=x', '/verify', '/verify?token=x', '/unsubscribe/x']) await guest.open(page);
    await guest.submit('/reset?token=x', /^\/reset$/, { password: 'a long password 2' });
    await guest.submit('/verify?token=x', /^\/verify$/);
    await guest.submit('/forgot', /^\/forgot$/, { email: 'x' });
    await guest.submit('/forgot', /^\/forgot$/, { email: 'nobody@example.com' });
    await guest.open('/login', { form: new URLSearchParams({ csrf: 'x' }), expect: 403 });
    const [product] = await guest.api('GET', '/api/products?q=lamp');
    await guest.submit(`/products/${product._id}`, /^\/cart$/, { quantity: '2' });
    await guest.explore('/cart', '/checkout');
    nothingFound();
  });

  test('for buyers', async () => {
    const buyer = await registered(full.base, 'new buyer');
    await buyer.explore();
    const products = (await buyer.api('GET', '/api/products?limit=60')).filter(({ stock }) => stock > 4);
    const put = (product, quantity = 1) => buyer.api('POST', '/api/cart/items', { productId: product._id, quantity });
    await put(products[0]);
    await put(products[1], 3);
    await buyer.open('/cart');
    await buyer.submit('/cart', /^\/cart\/items\//, { quantity: '998', set: '1' });
    await buyer.submit('/checkout', /^\/checkout$/, { street: '', country: 'Nowhere' });
    await buyer.submit('/account', /^\/account\/addresses$/, { street: '', country: 'Nowhere' });
    await buyer.submit('/account', /^\/account\/profile$/, { username: '?' });
    await buyer.submit('/account', /^\/account\/email$/, { email: 'x', password: 'x' });
    await buyer.submit('/account', /^\/account\/password$/, { current_password: 'x', new_password: 'x' });
    await buyer.submit('/account/delete', /^\/account\/delete$/, { password: 'x' });
    await buyer.submit('/account', /^\/account\/addresses$/, { ...ADDRESS, full_name: 'Mira Sen', default: '1' });
    // A second factor: set up, refused, on, and asked for at a login.
    const setup = await buyer.submit('/account/security', /^\/account\/security\/two-factor$/);
    const secret = setup.match(/<code>([A-Z2-7]+)<\/code>/)[1];
    await buyer.submit(setup, /enable$/, { code: 'x' });
    await buyer.submit(setup, /enable$/, { code: codeOf(secret, -1) });
    await buyer.submit('/account/security', /disable$/, { password: 'x', code: 'x' });
    const again = new Visitor(full.base, 'buyer with a code');
    const asked = await again.submit('/login', /^\/login$/, { email: 'new-buyer@example.com', password: 'a long password 1' });
    await again.submit(asked, /^\/login\/code$/, { code: 'x' });
    await again.submit(asked, /^\/login\/code$/, { code: codeOf(secret, 0) });
    await again.open('/account/security');
    await buyer.submit('/checkout', /^\/checkout$/, { ...ADDRESS, address: 'new' });
    const [order] = (await buyer.api('GET', '/api/orders/me')).orders;
    await buyer.explore(`/orders/${order._id}`, `/orders/${order._id}/pay`, '/account', '/cart');
    await buyer.submit(`/orders/${order._id}/pay`, /\/pay$/, { outcome: 'failure' });
    await buyer.submit(`/orders/${order._id}/pay`, /\/pay$/, { outcome: 'success' });
    await buyer.submit(`/orders/${order._id}`, /\/cancel$/, { reason: 'a <mistake>' });
    await (await loggedIn('buyer')).explore('/cart', '/checkout');
    nothingFound();
  });

  test('for sellers', async () => {
    const seller = await registered(full.base, 'new seller', 'seller');
    await seller.explore('/seller/products?q=zzzz', '/cart', '/seller/orders?show=to-ship');
    await seller.submit('/seller/products/new', /\/new$/, { title: '', price: 'x', stock: '-1', currency: 'EUR', category: '', maxPerOrder: '0' });
    const file = (text) => new File([text], 'goods.csv', { type: 'text/csv' });
    await seller.submit('/seller/products/import', /\/import$/, {});
    await seller.submit('/seller/products/import', /\/import$/, { file: file('title,price,colour\nLamp & <b>shade</b>,10,red\n,x,\n') });
    await seller.explore();
    const old = await loggedIn('seller');
    const [mine] = await old.api('GET', '/api/products/seller');
    await old.submit(`/seller/products/${mine._id}`, /^\/seller\/products\//, { title: '', price: 'x' });
    await old.explore('/seller/products?page=2', '/seller/products?q=zzzz', '/seller/orders?page=2');
    nothingFound();
  });

  test('for admins', async () => {
    const admin = await loggedIn('admin');
    await registered(full.base, 'blocked person');
    const asked = await admin.submit('/admin/users?q=blocked-person@example.com', /\/block$/, {}, /formaction="([^"]*)"/);
    assert.match(asked, /<h1>Block a user<\/h1>/);
    await admin.submit('/admin/users?q=blocked-person@example.com', /\/block$/);
    const [product] = await admin.api('GET', '/api/products?q=kettle');
    await admin.submit(`/admin/products/${product._id}/take-down`, /\/take-down$/, { reason: 'a <copy>' });
    await admin.submit('/admin/payments', /\/refund$/, { what: 'part', amount: 'x', reason: 'broken' });
    await admin.submit('/admin/payments', /\/refund$/, { what: 'part', amount: '1', reason: 'broken' });
    await admin.submit('/admin/payments', /\/refund$/, { what: 'all', amount: '', reason: '' });
    await admin.explore('/admin/users?q=nobody', '/admin/users?q=blocked-person@example.com', '/admin/products?q=zzzz', '/dev/mailbox', '/cart');
    nothingFound();
  });

  test('and none was left out', async () => {
    const root = new URL('../../src/http/pages/', import.meta.url);
    const files = (await readdir(root, { recursive: true })).filter((name) => name.endsWith('.rs'));
    const sources = await Promise.all(files.map((name) => readFile(new URL(name, root), 'utf8')));
    const pages = sources.flatMap((source) => [...source.matchAll(/page\(config, web::resource\("([^"]+)"\)\.get\(/g)].map(([, at]) => at));
    assert.ok(pages.length > 20, `the pages are not found: ${pages}`);
    const missing = [...pages, '/docs', '/dev/mailbox'].filter((page) => {
      const pattern = new RegExp(`^${page.replace(/\{\w+\}/g, '[^/]+').replaceAll('.', '\\.')}$`);
      return ![...opened].some((at) => pattern.test(at));
    });
    assert.deepEqual(missing, []);
  });
});
