// A session that ends while a form is open, and browsers that store no cookies.
import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { anyProduct, fillAddress, signUp, startBrowser, startShop, visit } from './shop.mjs';

/** The same shop for a browser that keeps no cookies: whatever cookie comes by is dropped. */
async function withoutCookies(base) {
  const { hostname, port } = new URL(base);
  const server = createServer((incoming, outgoing) => {
    const { cookie: _, ...headers } = incoming.headers;
    const asked = request({ hostname, port, path: incoming.url, method: incoming.method, headers }, (answer) => {
      const { 'set-cookie': __, ...kept } = answer.headers;
      outgoing.writeHead(answer.statusCode, kept);
      answer.pipe(outgoing);
    });
    asked.on('error', () => outgoing.destroy());
    incoming.pipe(asked);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { base: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

describe('sessions', () => {
  let shop, browser;
  before(async () => {
    [shop, browser] = await Promise.all([startShop({ MICROBAZAAR_RATE_LIMIT__ENABLED: 'false' }), startBrowser()]);
  });
  after(async () => {
    await browser?.close();
    await shop?.stop();
  });

  for (const javaScriptEnabled of [true, false]) {
    const how = javaScriptEnabled ? 'with JavaScript' : 'without JavaScript';

    test(`an address outlives the session at checkout, ${how}`, { timeout: 120_000 }, async () => {
      const { page, context, leave } = await visit(browser, shop.base, { javaScriptEnabled });
      const username = await signUp(page);
      const product = await anyProduct(shop.base);
      await page.goto(`/products/${product._id}`);
      await page.getByRole('button', { name: 'Add to cart' }).first().click();
      await page.getByText('Added to your cart').first().waitFor();
      await page.goto('/checkout');
      assert.equal(await page.getByLabel('Full name').inputValue(), 'Mira Sen');
      await fillAddress(page);
      await context.clearCookies({ name: 'token' });
      await page.getByRole('button', { name: 'Place order' }).click();
      await page.getByText('what you typed is kept').waitFor();
      await page.getByLabel('E-mail').fill(`${username}@example.com`);
      await page.getByLabel('Password').fill('a long password 1');
      await page.getByRole('main').getByRole('button', { name: 'Log in' }).click();
      await page.getByText('What you typed is still here').waitFor();
      assert.equal(await page.getByLabel('Street', { exact: true }).inputValue(), '12 Lake Road');
      assert.equal(await page.getByLabel('Country', { exact: true }).inputValue(), 'India');
      await page.getByRole('button', { name: 'Place order' }).click();
      await page.waitForURL(/\/orders\/.+\/pay$/);
      await leave();
    });

    test(`add to cart works on a page of an earlier session, ${how}`, { timeout: 120_000 }, async () => {
      const { page, context, leave } = await visit(browser, shop.base, { javaScriptEnabled });
      await signUp(page);
      const product = await anyProduct(shop.base);
      await page.goto(`/products/${product._id}`);
      await context.clearCookies();
      await page.getByRole('button', { name: 'Add to cart' }).first().click();
      await page.getByText('Added to your cart').first().waitFor();
      await page.goto('/cart');
      assert.equal(await page.locator('#cart-badge').getAttribute('data-count'), '1');
      await leave();
    });

    test(`a browser that keeps no cookies is told, ${how}`, { timeout: 120_000 }, async () => {
      const bare = await withoutCookies(shop.base);
      const { page, context } = await visit(browser, bare.base, { javaScriptEnabled });
      const product = await anyProduct(shop.base);
      await page.goto(`/products/${product._id}`);
      await page.getByRole('button', { name: 'Add to cart' }).first().click();
      await page.getByText('Your browser does not keep cookies for this shop').first().waitFor();
      await page.goto('/login');
      await page.getByLabel('E-mail').fill('demo-buyer@microbazaar.example');
      await page.getByLabel('Password').fill('microbazaar-demo');
      await page.getByRole('main').getByRole('button', { name: 'Log in' }).click();
      await page.getByText('Your browser does not keep cookies for this shop').first().waitFor();
      await context.close();
      bare.close();
    });
  }
});
