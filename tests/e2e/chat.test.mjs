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
    // The other page gets the message over its socket.
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

  test('shows on each page of a conversation what was asked on another one, once', async () => {
    const { page, another, leave } = await visit(browser, shop.base);
    await signUp(page);
    const other = await another();
    for (const one of [page, other]) {
      await one.goto('/');
      await one.getByRole('button', { name: 'Chat with AI Buddy' }).click();
      await one.locator('.chat-assistant').first().waitFor();
    }
    const said = async (one) => (await one.locator('.chat-line').allTextContents()).map((text) => text.trim());
    await ask(page, 'do you have a lamp?');
    await other.waitForFunction(() => document.querySelectorAll('.chat-assistant').length > 1 && !document.querySelector('#chat-log[aria-busy]'));
    await ask(other, 'thank you');
    await page.waitForFunction(() => document.querySelectorAll('.chat-assistant').length > 2 && !document.querySelector('#chat-log[aria-busy]'));
    const [here, there] = [await said(page), await said(other)];
    assert.deepEqual(here, there);
    assert.deepEqual(here.filter((line) => line.startsWith('You:')), ['You:do you have a lamp?', 'You:thank you']);
    assert.equal(here.length, 5);
    await leave();
  });

  test('says in words that the user is logged out in another tab', async () => {
    const { page, another, leave } = await visit(browser, shop.base);
    await signUp(page);
    const other = await another();
    await other.goto('/');
    await page.goto('/cart');
    await page.getByRole('button', { name: 'Chat with AI Buddy' }).click();
    await ask(page, 'hello');
    await other.getByRole('button', { name: 'Log out' }).first().click();
    await other.getByRole('link', { name: 'Log in' }).first().waitFor();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('You are logged out').waitFor();
    assert.match(await dialog.getByRole('link', { name: 'Log in' }).getAttribute('href'), /^\/login\?next=/);
    const words = await dialog.innerText();
    assert.doesNotMatch(words, /token|unauthenticated|offline|undefined|401/i);
    await dialog.getByLabel('Message').waitFor({ state: 'hidden' });
    await leave();
  });

  test('tells no words of a protocol when a connection is refused', async () => {
    const { page, context, leave } = await visit(browser, shop.base);
    await signUp(page);
    await page.goto('/');
    await context.clearCookies();
    await page.getByRole('button', { name: 'Chat with AI Buddy' }).click();
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await page.getByRole('dialog').getByText('You are logged out').waitFor();
    assert.doesNotMatch(await page.getByRole('dialog').innerText(), /token|unauthenticated|401/i);
    await leave();
  });

  for (const width of [320, 390]) {
    test(`on a phone of ${width} px a link leads to its page, not behind the chat`, async () => {
      const { page, leave } = await visit(browser, shop.base, { viewport: { width, height: 640 } });
      await signUp(page);
      await page.goto('/');
      const open = () => page.getByRole('button', { name: 'Chat with AI Buddy' }).click();
      await open();
      await ask(page, 'show me lamps');
      await page.locator('.chat-card a').first().click();
      await page.waitForURL(/\/products\//);
      assert.equal(await page.locator('#chat').isVisible(), false);
      await open();
      await page.getByRole('button', { name: 'Close the chat' }).click();
      await open();
      await ask(page, 'add the first one');
      await ask(page, 'check out');
      await page.locator('.chat-line a', { hasText: 'Go to checkout' }).last().click();
      await page.waitForURL(/\/checkout/);
      assert.equal(await page.locator('#chat').isVisible(), false);
      // A reload keeps the state of the chat.
      await open();
      await page.reload();
      await page.locator('#chat').waitFor();
      await leave();
    });
  }

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
