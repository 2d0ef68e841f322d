// Takes a picture of every page, light and dark, on a phone and on a desk:
//   node tests/e2e/screens.mjs FOLDER      (scripts/screens sets what it needs)
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { everyPage } from './pages.mjs';
import { startBrowser, startShop, visit } from './shop.mjs';

const folder = process.argv[2] ?? 'docs/screens';
await mkdir(folder, { recursive: true });
const [shop, browser] = await Promise.all([startShop({ MICROBAZAAR_RATE_LIMIT__ENABLED: 'false' }), startBrowser()]);
const looks = [
  ['desk', { width: 1280, height: 900 }, 'light'],
  ['desk-dark', { width: 1280, height: 900 }, 'dark'],
  ['phone', { width: 390, height: 844 }, 'light'],
  ['phone-dark', { width: 390, height: 844 }, 'dark'],
];
const wanted = process.argv[3]?.split(',');
try {
  for (const [look, viewport, colorScheme] of looks) {
    if (wanted && !wanted.includes(look)) continue;
    const { pages, as } = await everyPage(browser, shop.base, visit, { viewport, colorScheme });
    for (const [name, at, { page }] of pages) {
      await page.goto(at);
      await page.waitForLoadState('networkidle');
      await page.screenshot({ path: path.join(folder, `${name}-${look}.jpg`), type: 'jpeg', quality: 78 });
    }
    const { page } = as.buyer;
    await page.goto('/');
    await page.getByRole('button', { name: 'Chat with AI Buddy' }).click();
    await page.getByRole('dialog').getByLabel('Message').fill('show me lamps under 3000');
    await page.keyboard.press('Enter');
    await page.locator('.chat-card img').first().waitFor();
    await page.waitForLoadState('networkidle');
    await page.screenshot({ path: path.join(folder, `chat-${look}.jpg`), type: 'jpeg', quality: 78 });
    for (const visitor of Object.values(as)) await visitor.context.close();
  }
} finally {
  await browser.close();
  await shop.stop();
}
