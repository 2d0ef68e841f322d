// A proxy in front of the shop that holds every request and answer to the shop's OpenAPI document: the operation, the
// status, the media type, and the body by its schema, without members that the schema does not name.
import http from 'node:http';
import { createRequire } from 'node:module';
import { buffer } from 'node:stream/consumers';

const require = createRequire(import.meta.url);
const Ajv = require('ajv/dist/2020');
const addFormats = require('ajv-formats');

const DEADLINE = 30_000;

/** Starts it; `wrong` collects what does not agree, `called` the ids of the operations. */
export async function startProxy(base, document) {
  const check = checker(document);
  const wrong = new Set();
  const called = new Set();
  const pass = async (request) => {
    const { host, connection, 'content-length': length, 'accept-encoding': encoding, ...headers } = request.headers;
    const { method, url } = request;
    const sent = await buffer(request);
    const body = sent.length > 0 ? sent : undefined;
    const got = await fetch(base + url, { method, headers, body, redirect: 'manual', signal: AbortSignal.timeout(DEADLINE) });
    const answer = { status: got.status, headers: got.headers, body: Buffer.from(await got.arrayBuffer()) };
    const operation = check({ method, url, headers, body }, answer, (line) => wrong.add(line));
    if (operation) called.add(operation);
    return answer;
  };
  // The body is no longer compressed or in chunks.
  const own = ['connection', 'content-encoding', 'content-length', 'keep-alive', 'transfer-encoding'];
  const server = http.createServer((request, answer) => {
    pass(request).then(
      ({ status, headers, body }) => answer.writeHead(status, [...headers].filter(([name]) => !own.includes(name)).flat()).end(body),
      (error) => {
        wrong.add(`${request.method} ${request.url}: ${error.stack}`);
        answer.writeHead(502).end();
      },
    );
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { base: `http://127.0.0.1:${server.address().port}`, wrong, called, stop: () => server.close().closeAllConnections() };
}

function checker(document) {
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats(ajv);
  for (const format of ['int32', 'int64', 'float', 'double', 'binary', 'password']) ajv.addFormat(format, true);
  ajv.addSchema(closed(document), 'document');
  const routes = Object.entries(document.paths).map(([path, item]) => ({
    path,
    item,
    parameters: path.split('{').length,
    pattern: new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
  }));
  const validate = (pointer, value, say) => {
    const valid = ajv.getSchema(`document#${pointer.map((part) => `/${encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))}`).join('')}`);
    if (!valid) return say('has no schema');
    if (!valid(value)) say(ajv.errorsText(valid.errors.slice(0, 3)) + unnamed(valid.errors));
  };
  return (request, answer, wrong) => {
    const { pathname } = new URL(request.url, 'http://shop');
    const [route] = routes.filter(({ pattern }) => pattern.test(pathname)).sort((a, b) => a.parameters - b.parameters);
    const method = request.method.toLowerCase();
    const operation = route?.item[method];
    if (!operation) return void wrong(`${request.method} ${pathname} is not in the document`);
    const what = `${operation.operationId} ${answer.status}`;
    const place = ['paths', route.path, method];
    const media = mediaOf(request.headers['content-type']);
    if (!request.body) {
      if (operation.requestBody?.required) wrong(`${what} without a body`);
    } else if (answer.status < 400 && media === 'application/json') {
      validate([...place, 'requestBody', 'content', media, 'schema'], JSON.parse(request.body), (why) => wrong(`the body of ${what}: ${why}`));
    }
    let described = operation.responses[answer.status];
    if (!described) return void wrong(`${what} is not in the document`);
    let at = [...place, 'responses', String(answer.status)];
    if (described.$ref) {
      at = described.$ref.slice(2).split('/');
      described = document.components.responses[at.at(-1)];
    }
    const type = mediaOf(answer.headers.get('content-type'));
    if (answer.body.length === 0) {
      if (described.content) wrong(`${what} has no body`);
    } else if (!described.content?.[type]) {
      wrong(`${what} is ${type}, which is not in the document`);
    } else if (type === 'application/json') {
      validate([...at, 'content', type, 'schema'], JSON.parse(answer.body), (why) => wrong(`${what}: ${why}`));
    }
    return operation.operationId;
  };
}

const mediaOf = (type) => type?.split(';')[0].trim();

const unnamed = (errors) => errors.map(({ params }) => params.unevaluatedProperty && ` (${params.unevaluatedProperty})`).filter(Boolean).join('');

/** The document with schemas that allow what they name and nothing else; a part of another schema stays open. */
function closed(document) {
  const copy = structuredClone(document);
  const parts = new Set();
  const visit = (value, use) => {
    if (value && typeof value === 'object') {
      use(value);
      Object.values(value).forEach((inner) => visit(inner, use));
    }
  };
  visit(copy, ({ allOf }) => Array.isArray(allOf) && allOf.forEach((part) => parts.add(part.$ref?.split('/').pop()).add(part)));
  const all = Object.entries(copy.components.schemas);
  for (const [name, schema] of all) {
    const open = parts.has(name) || schema.additionalProperties !== undefined;
    if (!open && (schema.properties || schema.allOf)) schema.unevaluatedProperties = false;
  }
  return copy;
}
