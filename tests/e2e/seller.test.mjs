// A seller adds a product with a picture, sells it, ships it; an admin uses the admin pages.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ACCOUNTS, DEADLINE, fillAddress, logIn, signUp, startBrowser, startShop, visit } from './shop.mjs';

const MARKUP = '<img src=x onerror="document.title=1"> & <b>"Lamp"</b>';

/** A picture, drawn by the browser. */
const picture = (page) =>
  page.evaluate(async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 320 });
    const pen = canvas.getContext('2d');
    pen.fillStyle = '#c96';
    pen.fillRect(40, 40, 240, 240);
    const file = await new Promise((done) => canvas.toBlob(done, 'image/png'));
    return [...new Uint8Array(await file.arrayBuffer())];
  });

describe('selling', () => {
  let shop, browser;
  before(async () => {
    [shop, browser] = await Promise.all([startShop({ MICROBAZAAR_RATE_LIMIT__ENABLED: 'false' }), startBrowser()]);
  });
  after(async () => {
    await browser?.close();
    await shop?.stop();
  });

  test('a seller adds a product with a picture, it is bought, and she ships it', async () => {
    const seller = await visit(browser, shop.base);
    await logIn(seller.page, ACCOUNTS.seller);
    await seller.page.goto('/seller/products/new');
    await seller.page.getByLabel('Title').fill(MARKUP);
    await seller.page.getByLabel('Description').fill('<script>alert(1)</script> glows');
    await seller.page.getByLabel(/^Price/).fill('1499.50');
    await seller.page.getByLabel(/^Stock/).fill('4');
    await seller.page.getByLabel('Category').fill('Lighting');
    const buffer = Buffer.from(await picture(seller.page));
    await seller.page.locator('input[type=file]').setInputFiles({ name: 'lamp.png', mimeType: 'image/png', buffer });
    await seller.page.getByRole('main').getByRole('button', { name: /Add|Create|Save/ }).first().click();
    await seller.page.waitForURL((at) => !at.pathname.endsWith('/new'));
    const mine = await (await seller.context.request.get('/api/products/seller?limit=100')).json();
    const product = mine.find((product) => product.title === MARKUP);
    assert.ok(product, 'the product is there, its markup as text');
    assert.equal(product.price.amount, 1499.5);
    assert.equal(product.images.length, 1);

    const buyer = await visit(browser, shop.base);
    await signUp(buyer.page);
    await buyer.page.goto(`/products/${product._id}`);
    assert.equal((await buyer.page.getByRole('heading', { level: 1 }).textContent()).trim(), MARKUP);
    assert.equal(await buyer.page.getByRole('main').locator('img[src="x"], script:not([type="application/ld+json"])').count(), 0);
    await buyer.page.getByRole('main').getByRole('button', { name: 'Add to cart' }).first().click();
    await buyer.page.waitForFunction(() => document.getElementById('cart-badge')?.dataset.count === '1');
    await buyer.page.goto('/checkout');
    await fillAddress(buyer.page);
    await buyer.page.getByRole('button', { name: 'Place order' }).click();
    await buyer.page.getByRole('button', { name: 'Pay', exact: true }).click();
    await buyer.page.locator('[data-status=CONFIRMED]').first().waitFor();

    // The dashboard follows the orders within a second.
    const order = new URL(buyer.page.url()).pathname.split('/').pop();
    const form = seller.page.locator(`form[action*="${order}"]`).first();
    const ends = Date.now() + DEADLINE;
    do await seller.page.goto('/seller/orders');
    while ((await form.count()) === 0 && Date.now() < ends);
    await form.getByLabel(/Tracking/i).fill('TRACK-77');
    await form.getByRole('button', { name: /Mark shipped/i }).click();
    // Live over the socket, or at the next load.
    await buyer.page.locator('[data-status=SHIPPED]').first().waitFor({ timeout: 10_000 });
    await buyer.page.reload();
    await buyer.page.getByText('TRACK-77').first().waitFor();
    await seller.leave();
    await buyer.leave();
  });

  test('an admin sees the shop, and others do not', async () => {
    const admin = await visit(browser, shop.base);
    await logIn(admin.page, ACCOUNTS.admin);
    await admin.page.goto('/admin');
    for (const word of ['Users', 'Orders', 'Refunds', 'Outbox', 'Dead letters', 'Actors']) {
      assert.ok(await admin.page.getByText(new RegExp(word, 'i')).count(), word);
    }
    await admin.leave();
    const buyer = await visit(browser, shop.base);
    await signUp(buyer.page);
    for (const path of ['/admin', '/seller']) assert.equal((await buyer.page.goto(path)).status(), 403, path);
    await buyer.leave();
  });
});
