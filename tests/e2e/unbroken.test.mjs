// Text without break opportunities is on every page, and no page is wider than its screen; words of ordinary text are
// not broken in the tables of sellers and admins.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { startBrowser, startShop, visit } from './shop.mjs';

const PASSWORD = 'a long password 1';
const SCREENS = [{ width: 390, height: 844 }, { width: 1280, height: 900 }];
const w = (length) => 'W'.repeat(length);

/** Calls the API, as somebody or nobody. */
const caller = (base) => async (method, at, { token, body } = {}) => {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(base + at, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${at}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
};

/** A shop in which everything that people may write is as `long` makes it. */
async function fill(shop, long) {
  const api = caller(shop.base);
  const person = async (name, role) => {
    const fullName = { firstName: long(100, 'Asha'), lastName: long(100, 'Rao') };
    const username = long(32, name).slice(0, 30) + role[0];
    const body = { email: `${long(50, name)}.${role}@example.com`, password: PASSWORD, username, role, fullName };
    const { token } = await api('POST', '/api/auth/register', { body });
    return { token, email: body.email };
  };
  const seller = await person('mira', 'seller');
  const buyer = await person('ravi', 'user');
  const admin = { email: 'root@example.com' };
  await promisify(execFile)(process.env.MICROBAZAAR_PROGRAM, ['admin', 'create', '--email', admin.email, '--data-dir', path.join(shop.folder, 'data')],
    { env: { PATH: process.env.PATH, MICROBAZAAR_ADMIN_PASSWORD: PASSWORD } });
  const product = async (title) => {
    const body = { title: long(200, title), description: long(3000, 'Good in every way.'), priceAmount: 9_999.5, stock: 500, category: long(100, 'Home and garden') };
    return (await api('POST', '/api/products', { token: seller.token, body })).product._id;
  };
  const products = [await product('A brass lamp with a shade of linen'), await product('A clay cup')];
  const address = { street: long(150, '12 Lake Road'), city: long(80, 'Pune'), state: 'MH', country: 'IN', zip: '411001' };
  await api('POST', '/api/auth/users/me/addresses', { token: buyer.token, body: address });
  const order = async () => {
    for (const productId of products) await api('POST', '/api/cart/items', { token: buyer.token, body: { productId, quantity: 2 } });
    return (await api('POST', '/api/orders', { token: buyer.token, body: { shippingAddress: address } })).order._id;
  };
  const pay = async (id) => {
    const { razorpayOrderId } = await api('POST', `/api/payments/create/${id}`, { token: buyer.token });
    const body = await api('POST', `/sandbox/payments/${razorpayOrderId}`, { token: buyer.token, body: { outcome: 'success' } });
    return (await api('POST', '/api/payments/verify', { token: buyer.token, body })).payment._id;
  };
  const [cancelled, shipped, paid, pending] = [await order(), await order(), await order(), await order()];
  await api('POST', `/api/orders/${cancelled}/cancel`, { token: buyer.token, body: { reason: long(900, 'ordered twice') } });
  await pay(shipped);
  await api('POST', `/api/orders/${shipped}/ship`, { token: seller.token, body: { trackingNumber: long(150, 'AWB123') } });
  const payment = await pay(paid);
  const session = await (await fetch(`${shop.base}/api/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email: admin.email, password: PASSWORD }) })).json();
  const refund = { amount: { amount: 10, currency: 'INR' }, reason: long(190, 'scratched') };
  await api('POST', `/api/payments/${payment}/refunds`, { token: session.token, body: refund });
  await api('POST', `/api/admin/products/${await product('A copy')}/take-down`, { token: session.token, body: { reason: long(900, 'a copy of a brand') } });
  for (const productId of products) await api('POST', '/api/cart/items', { token: buyer.token, body: { productId, quantity: 3 } });
  const user = (await api('GET', '/api/auth/me', { token: buyer.token })).user._id;
  return { seller, buyer, admin, products, orders: { cancelled, shipped, paid, pending }, user, category: long(100, 'Home and garden') };
}

/** Every page with who looks at it. */
const pages = ({ products, orders, user, category }) => [
  ['guest', '/', `/?category=${encodeURIComponent(category)}`, `/?q=${'z'.repeat(190)}`, `/products/${products[0]}`, '/login', '/register', '/cart', `/${w(200)}`, '/dev/mailbox'],
  ['buyer', '/', `/products/${products[1]}`, '/cart', '/checkout', '/orders', ...Object.values(orders).map((id) => `/orders/${id}`), `/orders/${orders.pending}/pay`, '/account'],
  ['seller', '/seller', '/seller/orders', '/seller/products', '/seller/products/new', `/seller/products/${products[0]}`, `/seller/products/${products[0]}/delete`, '/seller/products/import', '/account'],
  ['admin', '/admin', '/admin/users', `/admin/users/${user}/block`, '/admin/products', `/admin/products/${products[0]}/take-down`, '/admin/orders', '/admin/payments', '/admin/dead'],
];

async function logIn(page, email) {
  await page.goto('/login');
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('main').getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('button', { name: 'Log out' }).first().waitFor({ state: 'attached' });
}

/** Visits every page on every screen; what `look` finds there. */
async function look(shop, browser, made, screens, find) {
  const found = [];
  for (const viewport of screens) {
    for (const [who, ...paths] of pages(made)) {
      const visitor = await visit(browser, shop.base, { viewport });
      if (who !== 'guest') await logIn(visitor.page, made[who].email);
      for (const at of paths) {
        const answer = await visitor.page.goto(at);
        assert.ok(answer.status() === 200 || at.startsWith('/W'), `${who} ${at.slice(0, 60)}: ${answer.status()}`);
        for (const what of await find(visitor.page)) found.push(`${viewport.width} ${who} ${at.slice(0, 60)}: ${what}`);
      }
      await visitor.leave({ except: /\b40[34]\b/ });
    }
  }
  return found;
}

const tooWide = (page) => page.evaluate(() => {
  for (const details of document.querySelectorAll('details')) details.open = true;
  const wide = document.documentElement.scrollWidth - innerWidth;
  if (wide <= 0) return [];
  const past = [...document.querySelectorAll('main *, header *')].filter((one) => one.getBoundingClientRect().right > innerWidth + 1);
  return [`${wide} px wider than the screen, by ${past.slice(-2).map((one) => one.outerHTML.slice(0, 120)).join(' | ')}`];
});

/** Words of tables that are broken over two lines. */
const broken = (page) => page.evaluate(() => {
  const words = [];
  for (const cell of document.querySelectorAll('td, th')) {
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    for (let text = walker.nextNode(); text; text = walker.nextNode()) {
      if (text.parentElement.closest('.hidden')) continue;
      for (const { index, 0: word } of text.data.matchAll(/[\p{L}\p{N}_.@₹,]+/gu)) {
        const range = document.createRange();
        range.setStart(text, index);
        range.setEnd(text, index + word.length);
        const lines = new Set([...range.getClientRects()].filter((box) => box.width > 0).map((box) => Math.round(box.top)));
        if (lines.size > 1) words.push(word);
      }
    }
  }
  return words.length ? [`broken: ${words.slice(0, 5).join(' ')}`] : [];
});

describe('text without a space', () => {
  let browser;
  before(async () => { browser = await startBrowser(); });
  after(async () => { await browser?.close(); });

  const settings = { MICROBAZAAR_RATE_LIMIT__ENABLED: 'false' };

  test('makes no page wider than its screen', { timeout: 240_000 }, async () => {
    const shop = await startShop(settings, { demo: false });
    try {
      const made = await fill(shop, (length) => w(length));
      assert.deepEqual(await look(shop, browser, made, SCREENS, tooWide), []);
      for (const viewport of SCREENS) {
        const { page, leave } = await visit(browser, shop.base, { viewport });
        await logIn(page, made.buyer.email);
        await page.goto('/');
        await page.getByRole('button', { name: 'Chat with AI Buddy' }).click();
        await page.getByRole('dialog').getByLabel('Message').fill(w(500));
        await page.keyboard.press('Enter');
        await page.locator('.chat-user').first().waitFor();
        const spills = await page.evaluate(() => {
          const log = document.querySelector('.chat-log');
          return [document.documentElement.scrollWidth - innerWidth, log.scrollWidth - log.clientWidth];
        });
        assert.ok(spills.every((wide) => wide <= 0), `the chat: ${spills}`);
        await leave();
      }
      // The same for mails, at the width of the mailbox.
      const mails = await (await fetch(`${shop.base}/dev/mailbox`, { headers: { accept: 'application/json' } })).json();
      assert.ok(mails.length > 5);
      const { page, leave } = await visit(browser, shop.base, { viewport: SCREENS[0] });
      for (const { subject, html } of mails) {
        await page.setContent(html);
        assert.deepEqual([subject.slice(0, 30), await tooWide(page)], [subject.slice(0, 30), []]);
      }
      await leave();
    } finally {
      await shop.stop();
    }
  });

  test('is not paid for with broken words in tables', { timeout: 240_000 }, async () => {
    const shop = await startShop(settings, { demo: false });
    try {
      const made = await fill(shop, (_length, text) => text);
      assert.deepEqual(await look(shop, browser, made, SCREENS, tooWide), []);
      assert.deepEqual(await look(shop, browser, made, [SCREENS[1]], broken), []);
    } finally {
      await shop.stop();
    }
  });
});
