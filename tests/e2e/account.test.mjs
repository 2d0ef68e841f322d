// What users do to keep their account: confirm, reset, a second factor, sessions.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DEADLINE, codeOf, signUp, startBrowser, startShop, visit } from './shop.mjs';

const FIRST = 'a long password 1';
const SECOND = 'battery staple 2';

describe('accounts', () => {
  let shop, browser;
  before(async () => {
    [shop, browser] = await Promise.all([startShop({ MICROBAZAAR_RATE_LIMIT__ENABLED: 'false' }, { demo: false }), startBrowser()]);
  });
  after(async () => {
    await browser?.close();
    await shop?.stop();
  });

  /** The path of the link to `page` in the newest mail to `to`. */
  async function mailed(page, to) {
    for (const ends = Date.now() + DEADLINE; Date.now() < ends; await new Promise((done) => setTimeout(done, 100))) {
      const mails = await (await fetch(`${shop.base}/dev/mailbox`, { headers: { accept: 'application/json' } })).json();
      const link = mails.filter((mail) => mail.to === to).map(({ text }) => new RegExp(`/${page}\\?token=\\S+`).exec(text)?.[0]).find(Boolean);
      if (link) return link;
    }
    throw new Error(`no mail with a link to ${page}`);
  }

  async function logInWith(page, email, password) {
    await page.goto('/login');
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('main').getByRole('button', { name: 'Log in' }).click();
  }

  for (const javaScriptEnabled of [true, false]) {
    test(`are confirmed, reset and protected, ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, { timeout: 120_000 }, async () => {
      const { page, leave } = await visit(browser, shop.base, { javaScriptEnabled });
      const email = `${await signUp(page)}@example.com`;
      await page.goto('/account');
      await page.getByText('This address is not confirmed yet').waitFor();
      await page.goto(await mailed('verify', email));
      await page.getByRole('main').getByRole('button').click();
      await page.getByText('Your e-mail address is confirmed').waitFor();

      // A second factor.
      await page.getByRole('link', { name: 'Security' }).click();
      await page.getByRole('button', { name: 'Set it up' }).click();
      const secret = await page.locator('code').first().innerText();
      const code = page.getByLabel('The six digits that the app shows');
      assert.equal(await code.getAttribute('autocomplete'), 'one-time-code');
      await code.fill('000000');
      await page.getByRole('button', { name: 'Turn it on' }).click();
      await page.getByText('This code is not right').waitFor();
      assert.equal(await code.getAttribute('aria-invalid'), 'true');
      await code.fill(codeOf(secret, -1));
      await page.getByRole('button', { name: 'Turn it on' }).click();
      await page.getByText('Keep these recovery codes').waitFor();
      const codes = await page.locator('code').allInnerTexts();
      assert.equal(codes.length, 10);

      // A forgotten password does not get past it, in another browser.
      const other = await visit(browser, shop.base, { javaScriptEnabled });
      await other.page.goto('/login');
      await other.page.getByRole('link', { name: 'Forgotten your password?' }).click();
      await other.page.getByLabel('E-mail').fill(email);
      await other.page.getByRole('main').getByRole('button').click();
      await other.page.getByText('on its way').waitFor();
      await other.page.goto(await mailed('reset', email));
      await other.page.getByLabel('New password').fill(SECOND);
      await other.page.getByRole('main').getByRole('button').click();
      await other.page.getByText('Log in with it').waitFor();
      await page.goto('/account');
      assert.match(page.url(), /\/login/, 'the first browser is logged out');
      await logInWith(other.page, email, FIRST);
      await other.page.getByText('is not right').waitFor();
      await logInWith(other.page, email, SECOND);
      await other.page.getByLabel('Code').fill(codes[0]);
      await other.page.getByRole('main').getByRole('button', { name: 'Log in' }).click();
      await other.page.getByText('Welcome back').waitFor();

      // Sessions.
      await logInWith(page, email, SECOND);
      await page.getByLabel('Code').fill(codeOf(secret, 0));
      await page.getByRole('main').getByRole('button', { name: 'Log in' }).click();
      await page.getByText('Welcome back').waitFor();
      await page.goto('/account/security');
      const sessions = page.getByRole('region', { name: 'Where you are logged in' }).getByRole('listitem');
      assert.equal(await sessions.count(), 2);
      await sessions.filter({ hasNotText: 'This one' }).getByRole('button').click();
      await page.getByText('That session has ended').waitFor();
      await other.page.goto('/account');
      assert.match(other.page.url(), /\/login/);
      await page.getByLabel('Your password').fill(SECOND);
      await page.getByLabel('Code of your app').fill(codes[1]);
      await page.getByRole('button', { name: 'Turn it off' }).click();
      await page.getByText('Two-factor authentication is off').waitFor();
      await other.leave();
      await leave();
    });
  }
});
