// The list of all pages with their paths, for the checks of all pages and for the screenshots.
import assert from 'node:assert/strict';
import { ACCOUNTS, anyProduct, fillAddress, logIn } from './shop.mjs';

/** Logs three visitors in and gives every page as `[name, path, visitor]`. */
export async function everyPage(browser, base, visit, options) {
  const as = {};
  for (const who of ['guest', 'buyer', 'seller', 'admin']) {
    as[who] = await visit(browser, base, options);
    if (who !== 'guest') await logIn(as[who].page, ACCOUNTS[who]);
  }
  const product = await anyProduct(base);
  const { page, context } = as.buyer;
  await context.request.post('/api/cart/items', { data: { productId: product._id, quantity: 1 } });
  await page.goto('/checkout');
  const fresh = page.getByLabel('Street', { exact: true });
  if (await fresh.isVisible()) await fillAddress(page);
  await page.getByRole('button', { name: 'Place order' }).click();
  await page.getByRole('button', { name: 'Pay', exact: true }).waitFor();
  const payment = new URL(page.url()).pathname;
  const { orders } = await (await context.request.get('/api/orders/me')).json();
  assert.ok(orders.length > 0);
  await context.request.post('/api/cart/items', { data: { productId: product._id, quantity: 2 } });
  const mine = await (await as.seller.context.request.get('/api/products/seller')).json();
  const pages = [
    ['home', '/', as.guest],
    ['search', '/?q=lamp&sort=price', as.guest],
    ['nothing-found', '/?q=zzzzqqqq', as.guest],
    ['product', `/products/${product._id}`, as.guest],
    ['register', '/register', as.guest],
    ['login', '/login', as.guest],
    ['empty-cart', '/cart', as.guest],
    ['not-found', '/nowhere', as.guest],
    ['cart', '/cart', as.buyer],
    ['checkout', '/checkout', as.buyer],
    ['payment', payment, as.buyer],
    ['orders', '/orders', as.buyer],
    ['order', `/orders/${orders.at(-1)._id}`, as.buyer],
    ['account', '/account', as.buyer],
    ['security', '/account/security', as.buyer],
    ['seller', '/seller', as.seller],
    ['seller-product', `/seller/products/${mine[0]._id}`, as.seller],
    ['seller-new', '/seller/products/new', as.seller],
    ['admin', '/admin', as.admin],
    ['mailbox', '/dev/mailbox', as.guest],
  ];
  return { pages, as, leave: () => Promise.all(Object.values(as).map((visitor) => visitor.leave({ except: /\b404\b/ }))) };
}
