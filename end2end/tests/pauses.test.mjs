// A session that spends too fast, in a real browser: it appears by itself at the top of Alerts and is resumed there, with
// and without scripts.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { hydrated, keepScreenshot, openPage, startBrowser, startProvider, startServer } from '../harness.mjs';

let provider, server, browser;
before(async () => {
  // Sonnet 4: 1,000 × $3 + 1,000 × $15, per million: $0.018.
  provider = await startProvider({ input_tokens: 1_000, output_tokens: 1_000 });
  server = await startServer({
    TOLLBRIDGE_GATEWAY__UPSTREAM_URL: provider.url, TOLLBRIDGE_GATEWAY__BREAKER_USD_PER_MINUTE: '0.01',
  });
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  provider?.stop();
});

async function call(session) {
  const response = await fetch(`${server.url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': 'sk-ant-x', 'x-claude-code-session-id': session },
    body: JSON.stringify({ model: 'claude-sonnet-4-20250514', max_tokens: 64, messages: [{ role: 'user', content: 'Hi' }] }),
  });
  const body = await response.json();
  return { status: response.status, message: body.error?.message };
}

test('a paused session appears by itself and goes on once it is resumed', async () => {
  const page = await openPage(browser);
  await page.goto(`${server.url}/alerts`);
  await hydrated(page);
  assert.equal((await call('loop')).status, 200);
  const item = page.locator('#paused-sessions .alert-item');
  await item.waitFor();
  assert.match(await item.textContent(), /Session loop spent \$0\.018 within a minute; its limit is \$0\.01\. Paused at \d\d:\d\d\./);
  await page.locator('#alert-list', { hasText: 'Runaway session' }).waitFor();
  await keepScreenshot(page, 'alerts-paused');
  const refused = await call('loop');
  assert.equal(refused.status, 429);
  assert.ok(refused.message.endsWith(`Resume it at ${server.url}/alerts`), refused.message);

  await item.getByRole('button', { name: /^Resume/ }).click();
  await item.waitFor({ state: 'detached' });
  await page.getByText('Nothing needs looking at').waitFor();
  assert.equal((await call('loop')).status, 200);
  page.assertSilent();
  await page.context().close();
});

test('without JavaScript a session is resumed, and the link alone resumes nothing', async () => {
  assert.equal((await call('other')).status, 200);
  assert.equal((await call('other')).status, 429);
  const page = await openPage(browser, { javaScriptEnabled: false });
  await page.goto(`${server.url}/alerts?show=all`);
  const item = page.locator('#paused-sessions .alert-item', { hasText: 'Session other' });
  await item.waitFor();
  assert.equal((await call('other')).status, 429);
  await item.getByRole('button', { name: /^Resume/ }).click();
  await page.waitForURL(/\/alerts\?show=all$/);
  assert.equal(await item.count(), 0);
  assert.equal((await call('other')).status, 200);
  await page.context().close();
});
