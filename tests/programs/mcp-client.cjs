// The official client of the Model Context Protocol against a server of the tests.
//
//   node mcp-client.cjs URL TOKEN PRODUCT FOREIGN
//
// PRODUCT is found by "lamp"; FOREIGN is one that no search has told. It ends with 0 when all went
// as it should.
'use strict';

const assert = require('node:assert/strict');
const { Client } = require('@modelcontextprotocol/sdk/client/index.js');
const { StreamableHTTPClientTransport } = require('@modelcontextprotocol/sdk/client/streamableHttp.js');

const [, , url, token, product, foreign] = process.argv;

const connect = async (bearer) => {
  const headers = bearer ? { Authorization: `Bearer ${bearer}` } : {};
  const client = new Client({ name: 'test', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', url), { requestInit: { headers } }));
  return client;
};

async function main() {
  await assert.rejects(connect(), /auth\.unauthorized/);
  await assert.rejects(connect('no-such-token'), /auth\.invalid_token/);

  const client = await connect(token);
  const call = async (name, args = {}) => {
    const { structuredContent, isError, content } = await client.callTool({ name, arguments: args });
    assert.deepEqual(JSON.parse(content[0].text), structuredContent, 'told as text as well');
    return { ...structuredContent, isError };
  };
  assert.equal(client.getServerVersion().name, 'microbazaar');
  assert.match(client.getInstructions(), /confirm/);

  const { tools } = await client.listTools();
  const named = new Map(tools.map((tool) => [tool.name, tool]));
  for (const name of ['search_products', 'get_product', 'compare_products', 'view_cart', 'add_to_cart', 'change_quantity',
    'remove_from_cart', 'list_orders', 'order_status', 'recommend', 'prepare_checkout']) {
    assert.ok(named.has(name), name);
    assert.equal(named.get(name).inputSchema.type, 'object');
  }
  assert.equal(named.get('search_products').annotations.readOnlyHint, true);
  assert.equal(named.get('add_to_cart').annotations.readOnlyHint, false);
  assert.ok(![...named.keys()].some((name) => /place|pay/.test(name)), 'nothing orders or pays');

  for (const id of [product, foreign]) {
    const refused = await call('add_to_cart', { productId: id, quantity: 1 });
    assert.ok(refused.isError && refused.code.startsWith('tool.'), 'no tool has told this id');
  }
  const found = await call('search_products', { query: 'lamp', maxPrice: 1000 });
  assert.deepEqual(found.products.map((one) => one.productId), [product]);
  // Another connection of the same user keeps what is known.
  const again = await connect(token);
  const added = await again.callTool({ name: 'add_to_cart', arguments: { productId: product, quantity: 2 } });
  assert.equal(added.isError, false);
  await again.close();
  assert.ok((await call('add_to_cart', { productId: foreign, quantity: 1 })).isError, 'still not told');
  assert.equal((await call('view_cart')).cart.totalQuantity, 2);
  const checkout = await call('prepare_checkout');
  assert.ok(JSON.stringify(checkout).includes('/checkout?'), JSON.stringify(checkout));

  assert.ok((await call('add_to_cart', { productId: product, quantity: 'ten' })).isError);
  await assert.rejects(client.callTool({ name: 'place_order', arguments: {} }), /no such tool/);
  await client.ping();
  await client.close();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
