// Every page, light and dark, on a phone and on a desktop: no finding of axe-core, no error
// in the console, nothing wider than the screen.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { everyPage } from './pages.mjs';
import { startBrowser, startShop, visit } from './shop.mjs';

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const LOOKS = [
  ['a phone, light', { viewport: { width: 320, height: 640 }, colorScheme: 'light' }],
  ['a desk, dark', { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' }],
];

describe('every page', () => {
  let shop, browser;
  before(async () => {
    [shop, browser] = await Promise.all([startShop({ MICROBAZAAR_RATE_LIMIT__ENABLED: 'false' }), startBrowser()]);
  });
  after(async () => {
    await browser?.close();
    await shop?.stop();
  });

  for (const [look, options] of LOOKS) {
    test(`on ${look}`, { timeout: 240_000 }, async () => {
      const { pages, as, leave } = await everyPage(browser, shop.base, visit, { ...options, bypassCSP: true });
      // Pages with a search of their own beside that of the shop, and with headings of what is listed.
      for (const path of ['/seller/orders', '/seller/products']) pages.push([path, path, as.seller]);
      for (const path of ['/admin/users', '/admin/products', '/admin/payments']) pages.push([path, path, as.admin]);
      const found = [];
      for (const [name, path, { page }] of pages) {
        await page.goto(path);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if (wide > 0) found.push(`${name}: ${wide} px wider than the screen`);
        if ((await page.getByRole('heading', { level: 1 }).count()) !== 1) found.push(`${name}: not one first heading`);
        await page.addScriptTag({ path: axe });
        const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
        for (const { id, nodes } of violations) {
          found.push(`${name}: ${id} at ${nodes.slice(0, 3).map((node) => node.html).join(' | ')}`);
        }
      }
      assert.deepEqual(found, []);
      await leave();
    });
  }

  for (const width of [320, 390]) {
    test(`on a phone of ${width} px nothing covers what can be pressed`, { timeout: 240_000 }, async () => {
      const { pages, leave } = await everyPage(browser, shop.base, visit, { viewport: { width, height: 640 } });
      const found = [];
      for (const [name, path, { page }] of pages) {
        await page.goto(path);
        const covered = await page.evaluate(async () => {
          const wrong = [];
          const controls = [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')];
          for (const control of controls) {
            if (control.closest('#chat') || control.disabled || !control.checkVisibility({ visibilityProperty: true })) continue;
            // Checks of what only screen readers and keyboards reach.
            if (control.classList.contains('skip') || control.closest('.hidden')) continue;
            for (const block of ['start', 'center', 'end', 'nearest']) {
              control.scrollIntoView({ block, inline: 'nearest', behavior: 'instant' });
              const box = control.getClientRects()[0];
              if (!box || box.width < 2 || box.height < 2) break;
              const there = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
              const meant = control.contains(there) || there?.contains(control) || [...(control.labels ?? [])].some((label) => label.contains(there));
              if (!meant) wrong.push(`${control.outerHTML.slice(0, 90)} under ${there?.outerHTML.slice(0, 60)} (${block})`);
            }
          }
          return wrong;
        });
        found.push(...covered.map((line) => `${name}: ${line}`));
      }
      assert.deepEqual(found, []);
      await leave();
    });
  }

  test('the chat open has no serious finding', async () => {
    const { as, leave } = await everyPage(browser, shop.base, visit, { bypassCSP: true });
    const { page } = as.buyer;
    await page.goto('/');
    await page.getByRole('button', { name: 'Chat with AI Buddy' }).click();
    await page.getByRole('dialog').getByLabel('Message').fill('show me lamps');
    await page.keyboard.press('Enter');
    await page.locator('.chat-card').first().waitFor();
    await page.addScriptTag({ path: axe });
    const { violations } = await page.evaluate(() => globalThis.axe.run(document.getElementById('chat')));
    assert.deepEqual(violations.filter(({ impact }) => ['serious', 'critical'].includes(impact)).map(({ id, nodes }) => [id, nodes[0].html]), []);
    await leave();
  });

  test('answers say what browsers may do with them, and assets are kept for good', async () => {
    const answer = await fetch(shop.base, { headers: { accept: 'text/html', 'accept-encoding': 'gzip' } });
    const policy = answer.headers.get('content-security-policy');
    assert.ok(policy && !/script-src[^;]*unsafe-inline/.test(policy), policy);
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    assert.ok(answer.headers.get('content-encoding'), 'pages are compressed');
    const html = await answer.text();
    const assets = [...new Set(html.match(/\/assets\/[\w.-]+/g))];
    assert.ok(assets.length > 0);
    let bytes = html.length;
    for (const asset of assets) {
      const file = await fetch(shop.base + asset);
      assert.equal(file.status, 200, asset);
      assert.match(file.headers.get('cache-control'), /immutable/, asset);
      bytes += (await file.arrayBuffer()).byteLength;
    }
    assert.ok(bytes < 100 * 1024, `the home page is ${bytes} bytes without pictures`);
    for (const path of ['/robots.txt', '/sitemap.xml']) assert.equal((await fetch(shop.base + path)).status, 200, path);
    const json = await fetch(shop.base, { headers: { accept: 'application/json' } });
    assert.match(json.headers.get('content-type'), /json/);
  });
});
