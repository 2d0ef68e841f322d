// Receives mails for the tests. Its one argument is JSON:
//   port      where to listen; 0 takes a free one
//   tls       "none", "starttls" or "implicit", with `key` and `cert`, two PEM files
//   password  the login it demands (as `user`), or `token` for XOAUTH2
//   greylist  how many recipients to turn away with 451 first
//   reject    addresses that are refused with 550
//   cut       how many times to break the connection in the middle of DATA
//   slow      milliseconds before it says that it has taken a mail
// Prints {"port":...}, then a line of JSON for each mail that it took.
const { readFileSync } = require('node:fs');
const { SMTPServer } = require('smtp-server');

const options = { port: 0, tls: 'none', greylist: 0, reject: [], cut: 0, slow: 0, ...JSON.parse(process.argv[2] || '{}') };
const say = (value) => process.stdout.write(JSON.stringify(value) + '\n');
const refusal = (responseCode, text) => Object.assign(new Error(text), { responseCode });
const demandsLogin = Boolean(options.password || options.token);

const disabled = [];
if (options.tls !== 'starttls') disabled.push('STARTTLS');
if (!demandsLogin) disabled.push('AUTH');

const server = new SMTPServer({
  secure: options.tls === 'implicit',
  ...(options.key ? { key: readFileSync(options.key), cert: readFileSync(options.cert) } : {}),
  authMethods: options.token ? ['XOAUTH2'] : options.methods || ['PLAIN', 'LOGIN'],
  allowInsecureAuth: options.tls === 'none',
  disabledCommands: disabled,
  disableReverseLookup: true,
  logger: false,
  onAuth(auth, session, done) {
    if (auth.username === options.user && options.password && auth.password === options.password) {
      return done(null, { user: auth.username });
    }
    if (auth.username === options.user && options.token && auth.accessToken === options.token) {
      return done(null, { user: auth.username });
    }
    if (options.token) {
      say({ refused: auth.accessToken });
      // Like Gmail: a challenge with the reason, then 535.
      return done(null, { data: { status: '401', schemes: 'bearer' } });
    }
    // It repeats what it received, as no server should: the client must not pass it on.
    return done(refusal(535, `5.7.8 wrong login ${auth.password}`));
  },
  onRcptTo(address, session, done) {
    if (options.greylist > 0) {
      options.greylist -= 1;
      return done(refusal(451, '4.7.1 greylisted, try again later'));
    }
    if (options.reject.includes(address.address)) {
      return done(refusal(550, `5.1.1 <${address.address}> is unknown here`));
    }
    return done();
  },
  onData(stream, session, done) {
    const parts = [];
    stream.on('data', (part) => {
      parts.push(part);
      if (options.cut > 0) {
        options.cut -= 1;
        for (const connection of server.connections) {
          if (connection.session.id === session.id) connection._socket.destroy();
        }
      }
    });
    stream.on('end', () => {
      setTimeout(() => {
        say({
          from: session.envelope.mailFrom.address,
          to: session.envelope.rcptTo.map((to) => to.address),
          raw: Buffer.concat(parts).toString('utf8'),
          user: session.user || null,
          secure: session.secure,
        });
        done();
      }, options.slow);
    });
  },
});
server.on('error', (error) => say({ error: error.message }));
server.listen(options.port, '127.0.0.1', () => say({ port: server.server.address().port }));
