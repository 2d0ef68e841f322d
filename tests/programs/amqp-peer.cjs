// A program in another language at the same broker, with amqplib as the Node services use it: queues declared
// as durable without arguments, messages sent without properties.
//
//   node amqp-peer.cjs URL
//
// Takes commands as lines of JSON and answers each with lines of JSON; the last has `done`.
//   {"do": "declare", "queues": [...]}     declares them, and the exchange
//   {"do": "bind", "exchange", "key"}      makes a queue of its own, bound by this key
//   {"do": "take", "queue", "count"}       takes that many messages; without a queue, of its own
//   {"do": "write", "user", "email", "seller", "product", "orders"}   writes what the Node services write
//   {"do": "end"}
'use strict';

const amqp = require('amqplib');
const readline = require('node:readline');

const now = () => new Date();
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** A document as Mongoose makes JSON of it. */
const mongoose = (id, fields) => ({ _id: id, ...fields, createdAt: now(), updatedAt: now(), __v: 0 });

function written({ user, email, seller, product, orders }) {
  const price = { amount: 499.5, currency: 'INR' };
  const account = { username: 'node', email, fullName: { firstName: 'Node', lastName: 'Js' }, role: 'user' };
  const item = { product, quantity: 2, price, _id: user };
  const { product: id, ...otherwise } = item;
  const order = (at, items, status) =>
    mongoose(orders[at], { user, items, status, totalPrice: { amount: 999, currency: 'INR' }, shippingAddress: { city: 'Pune', zip: 411001 } });
  return [
    ['AUTH_NOTIFICATION.USER_CREATED', { _id: user, username: 'node', email, fullName: account.fullName, role: 'user', addresses: [] }],
    ['AUTH_NOTIFICATION.USER_CREATED', { email: `bare.${email}` }],
    ['AUTH_SELLER_DASHBOARD.USER_CREATED', mongoose(user, { ...account, password: '$2b$10$abcdefghijklmnopqrstuv', addresses: [] })],
    ['ORDER_SELLER_DASHBOARD.ORDER_CREATED', order(0, [item], 'PENDING')],
    ['ORDER_SELLER_DASHBOARD.ORDER_CREATED', order(1, [{ ...otherwise, productId: id }], 'CONFIRMED')],
    ['PRODUCT_SELLER_DASHBOARD.PRODUCT_CREATED', mongoose(product, { title: 'Node lamp', description: 'd', price, seller, stock: 5, images: [] })],
    ['PRODUCT_NOTIFICATION.PRODUCT_CREATED', { productId: product, sellerId: seller, email, username: 'node', title: 'Node lamp' }],
    ['PAYMENT_NOTIFICATION.PAYMENT_INITIATED', { email, username: 'node', orderId: orders[0], amount: 999, currency: 'INR' }],
    ['PAYMENT_NOTIFICATION.PAYMENT_COMPLETED', { email, orderId: orders[1], paymentId: 'pay_node', amount: 999, currency: 'INR', fullName: account.fullName }],
    ['PAYMENT_NOTIFICATION.PAYMENT_FAILED', { email, paymentId: 'pay_node', orderId: orders[0], fullName: account.fullName }],
    ['PAYMENT_SELLER_DASHBOARD.PAYMENT_CREATED', mongoose(user, { order: orders[1], user, razorpayOrderId: 'order_node', status: 'PENDING', price })],
    ['PAYMENT_SELLER_DASHBOARD.PAYMENT_UPDATE', { orderId: orders[1], paymentId: 'pay_node', status: 'COMPLETED', user, extra: [null, { deep: true }] }],
  ];
}

async function take(channel, queue, count) {
  for (let taken = 0; taken < count; ) {
    const message = await channel.get(queue, { noAck: true });
    if (!message) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      continue;
    }
    const { contentType, deliveryMode, messageId, type, timestamp, headers } = message.properties;
    say({
      queue, routingKey: message.fields.routingKey, contentType, deliveryMode, messageId, type, timestamp, headers,
      payload: JSON.parse(message.content.toString()),
    });
    taken += 1;
  }
  say({ done: count });
}

async function main() {
  const connection = await amqp.connect(process.argv[2]);
  const channel = await connection.createConfirmChannel();
  let own = null;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    switch (command.do) {
      case 'declare':
        for (const queue of command.queues) await channel.assertQueue(queue, { durable: true });
        await channel.assertExchange(command.exchange, 'topic', { durable: true });
        say({ done: command.queues.length });
        break;
      case 'bind':
        own = (await channel.assertQueue('', { exclusive: true })).queue;
        await channel.bindQueue(own, command.exchange, command.key);
        say({ done: own });
        break;
      case 'take':
        await take(channel, command.queue ?? own, command.count);
        break;
      case 'write': {
        const messages = written(command);
        for (const [queue, document] of messages) {
          channel.sendToQueue(queue, Buffer.from(JSON.stringify(document)));
        }
        await channel.waitForConfirms();
        say({ done: messages.length });
        break;
      }
      default:
        await connection.close();
        return;
    }
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
