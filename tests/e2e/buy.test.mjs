// From the home page to a paid order, with JavaScript and without.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { anyProduct, fillAddress, logIn, signUp, startBrowser, startShop, status, stockOf, visit } from './shop.mjs';

describe('buying', () => {
  let shop, browser;
  before(async () => {
    [shop, browser] = await Promise.all([startShop({ MICROBAZAAR_RATE_LIMIT__ENABLED: 'false' }), startBrowser()]);
  });
  after(async () => {
    await browser?.close();
    await shop?.stop();
  });

  /** Puts a product into the cart by its page and goes on to the payment. */
  async function order(page, product, quantity) {
    await page.goto(`/products/${product._id}`);
    await page.getByLabel('Quantity').fill(String(quantity));
    await page.getByRole('main').getByRole('button', { name: 'Add to cart' }).first().click();
    await page.waitForFunction((wanted) => document.getElementById('cart-badge')?.dataset.count === wanted, String(quantity));
    await page.goto('/cart');
    await page.getByRole('main').getByRole('link', { name: 'Checkout' }).or(page.getByRole('main').getByRole('button', { name: 'Checkout' })).click();
    await fillAddress(page);
    await page.getByRole('button', { name: 'Place order' }).click();
    await page.getByRole('button', { name: 'Pay', exact: true }).waitFor();
  }

  for (const javaScriptEnabled of [true, false]) {
    test(`a shopper buys ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, async () => {
      const { page, leave } = await visit(browser, shop.base, { javaScriptEnabled });
      const product = await anyProduct(shop.base);
      await signUp(page);
      await page.goto('/');
      await page.getByRole('searchbox').first().fill(product.title);
      await page.getByRole('searchbox').first().press('Enter');
      await page.getByRole('link', { name: product.title }).first().click();
      await page.waitForURL(`**/products/${product._id}*`);
      if (javaScriptEnabled) {
        await order(page, product, 2);
      } else {
        await page.getByLabel('Quantity').fill('2');
        await page.getByRole('main').getByRole('button', { name: 'Add to cart' }).first().click();
        await page.goto('/cart');
        await page.getByRole('main').getByRole('link', { name: 'Checkout' }).or(page.getByRole('main').getByRole('button', { name: 'Checkout' })).click();
        await fillAddress(page);
        await page.getByRole('button', { name: 'Place order' }).click();
      }
      await page.getByRole('button', { name: 'Pay', exact: true }).click();
      await page.waitForURL(/\/orders\/[0-9a-f]{24}$/);
      assert.equal((await status(page).textContent()).trim(), 'Confirmed');
      assert.equal(await status(page).getAttribute('data-status'), 'CONFIRMED');
      assert.equal(await stockOf(shop.base, product._id), product.stock - 2);
      await leave();
    });
  }

  test('a refused payment is tried again, and another order is cancelled', async () => {
    const { page, leave } = await visit(browser, shop.base);
    const product = await anyProduct(shop.base);
    await signUp(page);
    await order(page, product, 1);
    await page.getByRole('button', { name: 'Fail', exact: true }).click();
    await page.getByRole('main').getByRole('button', { name: 'Pay', exact: true })
      .or(page.getByRole('main').getByRole('link', { name: 'Pay', exact: true })).first().click();
    // The order's page links to the payment page.
    if (!/\/orders\/[0-9a-f]{24}$/.test(page.url()) || (await status(page).getAttribute('data-status')) === 'PENDING') {
      const pay = page.getByRole('button', { name: 'Pay', exact: true });
      if (await pay.count()) await pay.first().click();
    }
    await page.locator('[data-status=CONFIRMED]').waitFor();
    await page.getByRole('button', { name: /Cancel/ }).first().click();
    const sure = page.getByRole('button', { name: /Cancel (the |this )?order/ });
    if ((await page.locator('[data-status=CANCELLED]').count()) === 0 && (await sure.count())) await sure.first().click();
    await page.locator('[data-status=CANCELLED]').first().waitFor();
    assert.equal(await stockOf(shop.base, product._id), product.stock);
    await leave();
  });

  test('a guest keeps the cart when she logs in, and no line is doubled', async () => {
    const { page, leave } = await visit(browser, shop.base);
    const product = await anyProduct(shop.base, 10);
    const username = await signUp(page);
    await page.getByRole('button', { name: 'Log out' }).first().evaluate((button) => button.click());
    await page.getByRole('link', { name: 'Log in' }).first().waitFor({ state: 'attached' });
    await page.goto(`/products/${product._id}`);
    await page.getByLabel('Quantity').fill('3');
    await page.getByRole('main').getByRole('button', { name: 'Add to cart' }).first().click();
    await page.waitForFunction(() => document.getElementById('cart-badge')?.dataset.count === '3');
    assert.equal((await fetch(`${shop.base}/api/cart`)).status, 401);
    await page.goto('/cart');
    assert.equal(await page.getByRole('main').getByLabel('Quantity').first().inputValue(), '3');
    await logIn(page, `${username}@example.com`, 'a long password 1');
    await page.goto('/cart');
    await page.reload();
    assert.equal(await page.getByRole('main').getByLabel('Quantity').first().inputValue(), '3');
    await leave();
  });

  test('a double click, a reload and a second tab make one order', async () => {
    const { page, context, another, leave } = await visit(browser, shop.base);
    const product = await anyProduct(shop.base);
    await signUp(page);
    await page.goto(`/products/${product._id}`);
    await page.getByRole('main').getByRole('button', { name: 'Add to cart' }).first().click();
    await page.waitForFunction(() => document.getElementById('cart-badge')?.dataset.count === '1');
    const second = await another();
    await Promise.all([page.goto('/checkout'), second.goto('/checkout')]);
    await Promise.all([fillAddress(page), fillAddress(second)]);
    const place = (page) => page.getByRole('button', { name: 'Place order' });
    await Promise.allSettled([place(page).dblclick(), place(second).click()]);
    await page.waitForURL((at) => !at.pathname.endsWith('/checkout')).catch(() => {});
    await page.goBack().catch(() => {});
    if (await place(page).count()) await place(page).click();
    await page.waitForLoadState();
    const mine = await context.request.get('/api/orders/me');
    assert.equal((await mine.json()).pagination.total, 1);
    await leave();
  });
});
