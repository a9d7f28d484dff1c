// Logging in through another provider, in a real browser: to another site and back, and linking one's own account.
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { hydrated, keepScreenshot, openPage, startBrowser, startServer } from '../harness.mjs';

const PASSWORD = 'four plain words together';

let provider, server, browser;
before(async () => {
  provider = await startOidcProvider();
  server = await startServer({
    TOLLBRIDGE_OIDC__ISSUER_URL: provider.issuer,
    TOLLBRIDGE_OIDC__CLIENT_ID: 'tollbridge',
    TOLLBRIDGE_OIDC__CLIENT_SECRET: 'secret of the browser test',
    TOLLBRIDGE_OIDC__NAME: 'Example',
    TOLLBRIDGE_OIDC__ALLOWED_DOMAINS: 'example.org',
  });
  await server.run(['users', 'set-password'], `${PASSWORD}\n${PASSWORD}\n`);
  // A running server learns of it within a second.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  provider?.stop();
});

test('who logs in at the provider comes back to where they wanted to go', async () => {
  provider.person = { sub: 'ann', email: 'ann@example.org', email_verified: true };
  const page = await openPage(browser);
  await page.goto(`${server.url}/budgets`);
  await page.waitForURL(/\/login\?next=/);
  await keepScreenshot(page, 'login-provider');
  await page.getByRole('link', { name: 'Log in with Example' }).click();
  await page.waitForURL(`${server.url}/budgets`);
  await hydrated(page);
  assert.equal(await page.locator('html').getAttribute('data-session'), 'ann@example.org');
  await page.context().close();
});

test('an account that has a password is linked by it, and unlinked again', async () => {
  provider.person = { sub: 'the one who owns it', email: 'boss@elsewhere.example', email_verified: true };
  const page = await openPage(browser);
  await page.goto(`${server.url}/login?next=/settings`);
  await page.getByLabel('Name').fill('owner');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.waitForURL(/\/settings$/);
  await hydrated(page);
  await page.getByRole('link', { name: 'Link Example' }).click();
  await page.getByText('boss@elsewhere.example').waitFor();
  await keepScreenshot(page, 'link-provider');
  await page.getByLabel('Password of this account').fill(PASSWORD);
  await page.getByRole('button', { name: 'Link and log in' }).click();
  await page.waitForURL(/\/settings$/);
  await page.getByText('where you were boss@elsewhere.example').waitFor();
  await hydrated(page);
  await page.getByRole('button', { name: 'Unlink' }).click();
  await page.getByRole('link', { name: 'Link Example' }).waitFor();
  await page.context().close();
});

/** A provider under another site's name, at which `person` is logged in: `{ issuer, person, stop() }`. */
async function startOidcProvider() {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const grants = new Map();
  const it = { person: null };
  const http = createServer(async (request, response) => {
    const { pathname, searchParams: asked } = new URL(request.url, it.issuer);
    const tell = (value, status = 200) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (pathname === '/.well-known/openid-configuration') {
      return tell({
        issuer: it.issuer,
        authorization_endpoint: `${it.issuer}/authorize`,
        token_endpoint: `${it.issuer}/token`,
        jwks_uri: `${it.issuer}/keys`,
        response_types_supported: ['code'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['RS256'],
      });
    }
    if (pathname === '/keys') return tell({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: '1', use: 'sig' }] });
    if (pathname === '/authorize') {
      const code = `code-${grants.size}`;
      grants.set(code, { nonce: asked.get('nonce'), challenge: asked.get('code_challenge') });
      const answer = new URLSearchParams({ code, state: asked.get('state') });
      return response.writeHead(302, { location: `${asked.get('redirect_uri')}?${answer}` }).end();
    }
    if (pathname !== '/token') return tell({}, 404);
    let body = '';
    for await (const chunk of request) body += chunk;
    const sent = new URLSearchParams(body);
    const grant = grants.get(sent.get('code'));
    const challenge = createHash('sha256').update(sent.get('code_verifier') ?? '').digest('base64url');
    if (grant?.challenge !== challenge) return tell({ error: 'invalid_grant' }, 400);
    grants.delete(sent.get('code'));
    const now = Math.floor(Date.now() / 1_000);
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = { ...it.person, iss: it.issuer, aud: 'tollbridge', nonce: grant.nonce, iat: now, exp: now + 300 };
    const signed = `${part({ alg: 'RS256', kid: '1' })}.${part(claims)}`;
    const signature = sign('sha256', Buffer.from(signed), privateKey).toString('base64url');
    return tell({ access_token: 'access', token_type: 'Bearer', id_token: `${signed}.${signature}` });
  });
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
  // The server is at 127.0.0.1, so that this name is another site to the browser.
  it.issuer = `http://localhost:${http.address().port}`;
  it.stop = () => {
    http.close();
    http.closeAllConnections();
  };
  return it;
}
