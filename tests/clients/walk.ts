// A shopper, a seller and an admin by the client that openapi-typescript and openapi-fetch make of the document.
import createClient from 'openapi-fetch';
import type { components, paths } from './schema';

const [base = '', hook = '', password = ''] = process.argv.slice(2);
const DEADLINE = 15_000;

type Schemas = components['schemas'];
type Client = ReturnType<typeof createClient<paths>>;
type Answer<T> = { data?: T; error?: unknown; response: Response };

/** What was answered, unless it was an error. */
function got<T>({ data, error, response }: Answer<T>, status = 200): NonNullable<T> {
  same(response.status, status, JSON.stringify(error));
  if (data === undefined || data === null) throw new Error(`${response.url} answers nothing`);
  return data;
}

/** The error that was answered. */
function refused(answer: { error?: Schemas['ErrorBody']; response: Response }, status: number): string {
  same(answer.response.status, status, answer.response.url);
  if (!answer.error) throw new Error(`${answer.response.url} answers no error`);
  return answer.error.code;
}

function same<T>(found: T, wanted: T, what = ''): void {
  if (found !== wanted) throw new Error(`${String(found)} in place of ${String(wanted)} ${what}`);
}

async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  for (const ends = Date.now() + DEADLINE; Date.now() < ends; await new Promise((done) => setTimeout(done, 100))) {
    const found = await ask();
    if (found !== undefined) return found;
  }
  throw new Error(`not in time: ${what}`);
}

const client = (token?: string): Client =>
  createClient<paths>({ baseUrl: base, headers: token === undefined ? {} : { authorization: `Bearer ${token}` } });

const guest = client();
const now = Date.now();

async function register(role: 'user' | 'seller', name: string = role): Promise<Client> {
  const email = `typescript-${name}-${now}@example.com`;
  const made = got(await guest.POST('/api/auth/register', { body: { email, password: 'a long password 1', role, fullName: { firstName: 'Mira', lastName: 'Sen' } } }), 201);
  same(made.user.role, role);
  const { token, user } = got(await guest.POST('/api/auth/login', { body: { email, password: 'a long password 1' } }));
  same(user.email, email);
  return client(token);
}

const seller = await register('seller');
const buyer = await register('user');
same(refused(await guest.POST('/api/auth/login', { body: { username: 'nobody', password: 'wrong' } }), 401), 'auth.bad_credentials');
same(refused(await guest.GET('/api/auth/me'), 401), 'auth.unauthorized');
same(got(await buyer.GET('/api/auth/me')).user.addresses.length, 0);

// A product, with a picture.
const { product } = got(await seller.POST('/api/products', { body: { title: 'Brass lamp', priceAmount: 499.5, priceCurrency: 'INR', stock: 5, category: 'Home', maxPerOrder: 4 } }), 201);
const id = { params: { path: { id: product._id } } };
const pixel = Buffer.from('R0lGODdhAQABAIAAAP///////ywAAAAAAQABAAACAkQBADs=', 'base64');
const pictured = got(
  await seller.POST('/api/products/{id}/images', {
    ...id,
    body: { images: ['lamp.gif'] },
    bodySerializer: ({ images }) => {
      const form = new FormData();
      for (const name of images) form.append('images', new Blob([pixel], { type: 'image/gif' }), name);
      return form;
    },
  }),
);
same(pictured.images.length, 1);
const picture = { params: { path: { id: product._id, imageId: pictured.images[0]?.id ?? '' } } };
same(got(await seller.DELETE('/api/products/{id}/images/{imageId}', picture)).images.length, 0);
same(got(await seller.PATCH('/api/products/{id}', { ...id, body: { price: { amount: 450 }, stock: 6, stockSeen: 5, description: 'Warm light' } })).price.amount, 450);
same(refused(await buyer.PATCH('/api/products/{id}', { ...id, body: { title: 'Mine' } }), 403), 'auth.forbidden');
same(got(await guest.GET('/api/products/{id}', id)).stock, 6);
same(refused(await guest.GET('/api/products/{id}', { params: { path: { id: '000000000000000000000000' } } }), 404), 'not_found');
same(got(await seller.GET('/api/products/seller', { params: { query: { limit: 10 } } })).length, 1);
await until('the product in the search', async () => {
  const found = got(await guest.GET('/api/products', { params: { query: { q: 'brass lamp', sort: 'newest', minprice: 100, maxprice: 999.5, category: 'Home', limit: 50 } } }));
  return found.find(({ _id }) => _id === product._id);
});
same(got(await guest.GET('/api/inventory/{productId}', { params: { path: { productId: product._id } } })).available, 6);

// A webhook.
const { webhook } = got(await seller.POST('/api/webhooks', { body: { url: hook, events: ['order.*'], description: 'Warehouse' } }), 201);
const hooked = { params: { path: { id: webhook._id } } };
if (!webhook.secret?.startsWith('whsec_')) throw new Error('the webhook has no secret');
const listed: Schemas['WebhookView'][] = got(await seller.GET('/api/webhooks'));
same(listed[0]?.url, hook);
same(got(await seller.GET('/api/webhooks/{id}', hooked)).active, true);
same(got(await seller.PATCH('/api/webhooks/{id}', { ...hooked, body: { events: ['*'] } })).webhook.events[0], '*');
got(await seller.POST('/api/webhooks/{id}/rotate-secret', { ...hooked, body: {} }));
same(got(await seller.POST('/api/webhooks/{id}/ping', hooked), 202).delivery.type, 'ping');

// A purchase.
same(got(await buyer.GET('/api/cart')).totals.subtotal?.amount ?? 0, 0);
same(refused(await buyer.POST('/api/orders', { body: {} }), 400), 'order.empty_cart');
same(refused(await buyer.POST('/api/cart/items', { body: { productId: product._id, quantity: 1000 } }), 400), 'request.invalid');
const short = await buyer.POST('/api/cart/items', { body: { productId: product._id, quantity: 7 } });
refused(short, 409);
got(await buyer.POST('/api/cart/items', { body: { productId: product._id, quantity: 1 } }));
const line = { params: { path: { productId: product._id } } };
same(got(await buyer.PATCH('/api/cart/items/{productId}', { ...line, body: { quantity: 3 } })).totals.subtotal?.amount, 1350);
same(got(await buyer.DELETE('/api/cart/items/{productId}', line)).cart.items.length, 0);
got(await buyer.POST('/api/cart/items', { body: { productId: product._id, quantity: 3 } }));
const address = { street: '12 Lake Road', city: 'Pune', state: 'Maharashtra', zip: '411001', country: 'IN', fullName: 'Mira Sen', phone: '+91 98765 43210' };
const { addresses } = got(await buyer.POST('/api/auth/users/me/addresses', { body: { ...address, isDefault: true } }), 201);
same(addresses[0]?.state, 'MH');
same(got(await buyer.GET('/api/auth/users/me/addresses')).addresses.length, 1);
const headers = { 'Idempotency-Key': `order-${now}` };
refused(await buyer.POST('/api/orders', { body: { shippingAddress: { ...address, zip: 'x' } } }), 422);
const { order } = got(await buyer.POST('/api/orders', { params: { header: headers }, body: { shippingAddress: address } }), 201);
same(order.status, 'PENDING');
same(order.shippingAddress?.city, 'Pune');
const ofOrder = { params: { path: { orderId: order._id } } };
const checkout = got(await buyer.POST('/api/payments/create/{orderId}', ofOrder), 201);
same(checkout.payment.status, 'PENDING');
const gateway = { params: { path: { razorpayOrderId: checkout.razorpayOrderId } } };
got(await buyer.POST('/sandbox/payments/{razorpayOrderId}', { ...gateway, body: { outcome: 'failure' } }));
const paid = got(await buyer.POST('/sandbox/payments/{razorpayOrderId}', { ...gateway, body: { outcome: 'success' } }));
refused(await buyer.POST('/api/payments/verify', { body: { ...paid, razorpay_signature: '00' } }), 400);
same(got(await buyer.POST('/api/payments/verify', { body: paid })).payment.status, 'SUCCESSFUL');
same(got(await buyer.GET('/api/payments/order/{orderId}', ofOrder)).payment.price.amount, order.totalPrice.amount);
const this_order = { params: { path: { id: order._id } } };
await until('the order is confirmed', async () => got(await buyer.GET('/api/orders/{id}', this_order)).order.status === 'CONFIRMED' || undefined);
same(got(await buyer.GET('/api/orders/me', { params: { query: { status: 'CONFIRMED', page: 1 } } })).pagination.total, 1);
got(await buyer.PATCH('/api/orders/{id}/address', { ...this_order, body: { shippingAddress: { ...address, street: '13 Lake Road' } } }));

// The seller's dashboard.
const metrics = await until('the sale in the metrics', async () => {
  const found = got(await seller.GET('/api/seller/dashboard/metrics', { params: { query: { from: '2020-01-01' } } }));
  return found.ordersByStatus['CONFIRMED'] === 1 ? found : undefined;
});
same(metrics.sales, 3);
same(metrics.revenue[0]?.amount, 1350);
same(metrics.topProducts[0]?.title, 'Brass lamp');
const [sold] = got(await seller.GET('/api/seller/dashboard/orders', { params: { query: { toShip: true } } }));
same(sold?.items[0]?.quantity, 3);
same(got(await seller.GET('/api/seller/dashboard/products'))[0]?.sold, 3);
same(refused(await buyer.GET('/api/seller/dashboard/products'), 403), 'auth.forbidden');
same(got(await seller.POST('/api/orders/{id}/ship', { ...this_order, body: { trackingNumber: 'TRACK-1' } })).order.status, 'SHIPPED');
same(got(await seller.POST('/api/orders/{id}/deliver', this_order)).order.status, 'DELIVERED');
same(refused(await buyer.POST('/api/orders/{id}/cancel', { ...this_order, body: { reason: 'late' } }), 409), 'order.wrong_state');

// What the webhook was told.
const deliveries = await until('the deliveries', async () => {
  const found = got(await seller.GET('/api/webhooks/{id}/deliveries', { params: { path: { id: webhook._id }, query: { limit: 50 } } }));
  return found.length > 2 && found.every(({ state }) => state === 'delivered') ? found : undefined;
});
const [delivery] = deliveries;
same(delivery?.attempts[0]?.status, 200);
got(await seller.POST('/api/webhooks/{id}/deliveries/{deliveryId}/redeliver', { params: { path: { id: webhook._id, deliveryId: delivery?._id ?? '' } } }), 202);
same((await seller.DELETE('/api/webhooks/{id}', hooked)).response.status, 204);
refused(await seller.GET('/api/webhooks/{id}', hooked), 404);

// What a buyer wishes for.
const wished = { params: { path: { productId: product._id } } };
same((await buyer.PUT('/api/wishlist/{productId}', wished)).response.status, 204);
same(got(await buyer.GET('/api/wishlist'))[0]?._id, product._id);
same((await buyer.DELETE('/api/wishlist/{productId}', wished)).response.status, 204);
same(got(await buyer.GET('/api/wishlist')).length, 0);

// An admin gives a part back, and takes the product down.
const admin = client(got(await guest.POST('/api/auth/login', { body: { email: 'admin@example.com', password } })).token);
const refund = got(await admin.POST('/api/payments/{id}/refunds', { params: { path: { id: checkout.payment._id } }, body: { amount: { amount: 10 }, reason: 'scratched' } }), 201);
same(refund.refund.amount.amount, 10);
same(got(await admin.POST('/api/admin/products/{id}/take-down', { ...id, body: { reason: 'a copy' } })).status, 'takenDown');
same(got(await admin.POST('/api/admin/products/{id}/approve', id)).status, 'live');
same((await admin.DELETE('/api/products/{id}', id)).response.status, 204);

// The end.
same(got(await buyer.GET('/api/ai/conversations')).length, 0);
const unknown = { params: { path: { id: '000000000000000000000000' } } };
refused(await buyer.GET('/api/ai/conversations/{id}', unknown), 404);
refused(await buyer.DELETE('/api/ai/conversations/{id}', unknown), 404);
got(await seller.GET('/api/auth/logout'));
got(await buyer.DELETE('/api/cart'));
const { sessions } = got(await buyer.GET('/api/auth/sessions'));
same(sessions.some(({ current }) => current), true);
got(await guest.POST('/api/auth/login', { body: { email: (got(await buyer.GET('/api/auth/me'))).user.email, password: 'a long password 1' } }));
const [newest] = got(await buyer.GET('/api/auth/sessions')).sessions;
same((await buyer.DELETE('/api/auth/sessions/{id}', { params: { path: { id: newest?.id ?? '' } } })).response.status, 204);
same(got(await buyer.POST('/api/auth/2fa/setup')).otpauthUri.startsWith('otpauth://'), true);
same(refused(await buyer.POST('/api/auth/2fa/enable', { body: { code: '000000' } }), 400), 'auth.code_invalid');
same(refused(await buyer.POST('/api/auth/2fa/disable', { body: { password: 'wrong', code: '000000' } }), 400), 'auth.wrong_password');
same(refused(await guest.POST('/api/auth/login/2fa', { body: { ticket: '0'.repeat(56), code: '000000' } }), 401), 'auth.code_invalid');
const kept = { params: { path: { addressId: addresses[0]?._id ?? '' } } };
same(got(await buyer.PATCH('/api/auth/users/me/addresses/{addressId}', { ...kept, body: { city: 'Mumbai' } })).addresses[0]?.city, 'Mumbai');
same(got(await buyer.DELETE('/api/auth/users/me/addresses/{addressId}', kept)).addresses.length, 0);
same(got(await buyer.PATCH('/api/auth/me', { body: { fullName: { firstName: 'Asha' } } })).user.fullName.firstName, 'Asha');
got(await buyer.POST('/api/auth/email/resend'), 202);
const token = '0'.repeat(56);
same(refused(await guest.POST('/api/auth/email/verify', { body: { token } }), 400), 'auth.token_invalid');
same(refused(await buyer.POST('/api/auth/email/change', { body: { email: `new-${now}@example.com`, password: 'wrong' } }), 400), 'auth.wrong_password');
got(await guest.POST('/api/auth/password/forgot', { body: { email: 'nobody@example.com' } }), 202);
same(refused(await guest.POST('/api/auth/password/reset', { body: { token, password: 'a long password 2' } }), 400), 'auth.token_invalid');
const changed = client(got(await buyer.PATCH('/api/auth/me/password', { body: { currentPassword: 'a long password 1', newPassword: 'a long password 2' } })).token);
same(refused(await buyer.GET('/api/auth/me'), 401), 'auth.invalid_token');
got(await changed.POST('/api/auth/logout'));

// Two who leave.
const leaver = await register('user', 'leaver');
same(typeof got(await leaver.GET('/api/auth/me/export')).exportedAt, 'string');
same(refused(await leaver.DELETE('/api/auth/me', { body: { password: 'wrong' } }), 400), 'auth.wrong_password');
got(await leaver.DELETE('/api/auth/me', { body: { password: 'a long password 1' } }), 202);
same(refused(await leaver.GET('/api/auth/me'), 401), 'auth.invalid_token');
got(await (await register('user', 'other')).POST('/api/auth/me/delete', { body: { password: 'a long password 1' } }), 202);
same(refused(await changed.GET('/api/auth/me'), 401), 'auth.invalid_token');
for (const path of ['/healthz', '/readyz', '/', '/dev/mailbox'] as const) {
  got(await guest.GET(path, { headers: { accept: 'application/json' } }));
}
