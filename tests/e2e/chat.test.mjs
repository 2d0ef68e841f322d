// The AI Buddy's window, the live badge, and the stock client of Socket.IO in a page.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { anyProduct, signUp, startBrowser, startShop, visit } from './shop.mjs';

const require = createRequire(import.meta.url);

describe('the chat', () => {
  let shop, browser;
  before(async () => {
    [shop, browser] = await Promise.all([startShop({ MICROBAZAAR_RATE_LIMIT__ENABLED: 'false' }), startBrowser()]);
  });
  after(async () => {
    await browser?.close();
    await shop?.stop();
  });

  const ask = async (page, words) => {
    const before = await page.locator('.chat-assistant').count();
    await page.getByRole('dialog').getByLabel('Message').fill(words);
    await page.getByRole('dialog').getByLabel('Message').press('Enter');
    await page.waitForFunction(
      (before) => document.querySelectorAll('.chat-assistant').length > before && !document.querySelector('#chat-log[aria-busy]'),
      before,
    );
    return (await page.locator('.chat-assistant').last().textContent()).trim();
  };

  test('finds a product, puts it in the cart, and is there after a reload', async () => {
    const { page, context, another, leave } = await visit(browser, shop.base);
    const product = await anyProduct(shop.base);
    await signUp(page);
    const other = await another();
    await other.goto('/');
    await page.goto('/');
    await page.getByRole('button', { name: 'Chat with AI Buddy' }).click();
    await ask(page, `Do you have a ${product.title}?`);
    const card = page.locator('.chat-card', { hasText: product.title });
    await card.first().waitFor();
    await card.first().getByRole('button', { name: /Add to cart/ }).click();
    await page.waitForFunction(() => document.getElementById('cart-badge').dataset.count === '1');
    // The other page hears of it by its socket.
    await other.waitForFunction(() => document.getElementById('cart-badge').dataset.count === '1');
    await ask(page, 'add two of the first one');
    await page.waitForFunction(() => document.getElementById('cart-badge').dataset.count === '3');
    const cart = await (await context.request.get('/api/cart')).json();
    assert.equal(cart.totals.totalQuantity, 3);
    const link = await ask(page, 'checkout please');
    assert.match(link, /checkout/i);
    await page.reload();
    await page.locator('.chat-user', { hasText: 'add two of the first one' }).waitFor();
    await leave();
  });

  test('says when the connection is away and goes on when it is back', async () => {
    const { page, context, leave } = await visit(browser, shop.base);
    await signUp(page);
    await page.getByRole('button', { name: 'Chat with AI Buddy' }).click();
    await ask(page, 'hello');
    await context.setOffline(true);
    await page.evaluate(() => dispatchEvent(new Event('offline')));
    await page.locator('#chat-notice').waitFor();
    await context.setOffline(false);
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await page.locator('#chat-notice').waitFor({ state: 'hidden' });
    assert.ok((await ask(page, 'thank you')).length > 0);
    await leave({ except: /ERR_INTERNET_DISCONNECTED/ });
  });

  test('shows a guest where to log in', async () => {
    const { page, leave } = await visit(browser, shop.base);
    await page.goto('/');
    await page.getByRole('button', { name: 'Chat with AI Buddy' }).click();
    await page.getByRole('dialog').getByRole('link', { name: 'Log in' }).waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#chat').waitFor({ state: 'hidden' });
    await leave();
  });

  test("the documentation's example for a page works as printed", async () => {
    const text = await readFile(new URL('../../docs/ai-buddy.md', import.meta.url), 'utf8');
    const example = [...text.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code).find((code) => code.includes('location.origin'));
    const { page, leave } = await visit(browser, shop.base);
    await signUp(page);
    await page.goto('/');
    await page.evaluate(`(() => { ${example} })()`);
    await page.waitForFunction(() => /lamp/i.test(document.querySelector('pre')?.textContent ?? '')
      && document.querySelector('pre').textContent.endsWith('\n'));
    await leave();
  });

  test('the stock client of Socket.IO talks from a page', async () => {
    const { page, leave } = await visit(browser, shop.base, { bypassCSP: true });
    await signUp(page);
    await page.goto('/');
    const client = require.resolve('socket.io-client').replace(/build\/cjs.*|build\/.*/, 'dist/socket.io.min.js');
    await page.addScriptTag({ content: await readFile(client, 'utf8') });
    for (const transports of [['polling', 'websocket'], ['websocket'], ['polling']]) {
      const heard = await page.evaluate(async (transports) => {
        const socket = io({ path: '/api/socket/socket.io/', withCredentials: true, transports, forceNew: true });
        const events = [];
        const over = new Promise((resolve, reject) => {
          socket.onAny((name) => events.push(name));
          socket.on('message', resolve);
          socket.on('connect_error', reject);
          setTimeout(() => reject(new Error('no reply in time')), 15_000);
        });
        const taken = await socket.timeout(10_000).emitWithAck('message', { text: 'show me something nice' });
        const reply = await over;
        socket.disconnect();
        return { taken, reply, events };
      }, transports);
      assert.deepEqual(heard.taken, { ok: true });
      assert.equal(typeof heard.reply, 'string');
      assert.equal(heard.events.at(-1), 'message');
      assert.ok(heard.events.includes('delta'));
    }
    await leave();
  });
});
